package config

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Zone is a named part of a camera's picture.
type Zone struct {
	Name   string  `yaml:"name"`
	Points Polygon `yaml:"points"`
	Ignore bool    `yaml:"ignore"` // faces in it are not looked at
}

// Polygon is a part of a picture by its corners, the last of which is joined to
// the first.
type Polygon []Point

// Point is a place in the picture as people see it, upright: 0,0 is at the top
// left, 1,1 at the bottom right.
type Point struct{ X, Y float64 }

const (
	maxZones  = 16 // of a camera
	maxPoints = 32 // of a zone
)

// Contains tells whether p is inside. Polygons that share a side share no point.
func (g Polygon) Contains(p Point) bool {
	inside := false
	for i, a := range g {
		b := g[(i+1)%len(g)]
		if a.Y > b.Y { // so that a side is in the same place for both polygons that have it
			a, b = b, a
		}
		if (a.Y > p.Y) != (b.Y > p.Y) && p.X < a.X+(b.X-a.X)*(p.Y-a.Y)/(b.Y-a.Y) {
			inside = !inside
		}
	}
	return inside
}

// String writes it as the environment has it: 0.1,0.2 0.5,0.2 0.5,0.9.
func (g Polygon) String() string {
	var points []string
	for _, p := range g {
		points = append(points, p.String())
	}
	return strings.Join(points, " ")
}

// String writes it as 0.1,0.2.
func (p Point) String() string {
	number := func(x float64) string { return strconv.FormatFloat(x, 'g', -1, 64) }
	return number(p.X) + "," + number(p.Y)
}

func (g *Polygon) parse(text string) error {
	var all Polygon
	for _, field := range strings.Fields(text) {
		first, second, _ := strings.Cut(field, ",")
		x, err := strconv.ParseFloat(first, 64)
		y, err2 := strconv.ParseFloat(second, 64)
		if err != nil || err2 != nil {
			return fmt.Errorf("%q is not a point, two numbers such as [0.1, 0.2]", field)
		}
		all = append(all, Point{x, y})
	}
	*g = all
	return nil
}

// area is what the polygon covers of the picture, 0..1.
func (g Polygon) area() float64 {
	var twice float64
	for i, a := range g {
		b := g[(i+1)%len(g)]
		twice += a.X*b.Y - b.X*a.Y
	}
	return math.Abs(twice) / 2
}

// crosses tells whether two sides that are no neighbours meet.
func (g Polygon) crosses() bool {
	for i := range g {
		for j := i + 2; j < len(g); j++ {
			if i == 0 && j == len(g)-1 {
				continue
			}
			if meet(g[i], g[i+1], g[j], g[(j+1)%len(g)]) {
				return true
			}
		}
	}
	return false
}

// meet tells whether the lines from a to b and from c to d have a point in common.
func meet(a, b, c, d Point) bool {
	// side is on which side of the line from p to q a point is: -1, 0 or 1.
	side := func(p, q, r Point) int {
		cross := (q.X-p.X)*(r.Y-p.Y) - (q.Y-p.Y)*(r.X-p.X)
		switch {
		case cross > 0:
			return 1
		case cross < 0:
			return -1
		}
		return 0
	}
	// on tells of a point that is on the endless line whether it is between p and q.
	on := func(p, q, r Point) bool {
		return min(p.X, q.X) <= r.X && r.X <= max(p.X, q.X) && min(p.Y, q.Y) <= r.Y && r.Y <= max(p.Y, q.Y)
	}
	sc, sd, sa, sb := side(a, b, c), side(a, b, d), side(c, d, a), side(c, d, b)
	return sc*sd < 0 && sa*sb < 0 ||
		sc == 0 && on(a, b, c) || sd == 0 && on(a, b, d) || sa == 0 && on(c, d, a) || sb == 0 && on(c, d, b)
}

// zones checks those of the camera at path.
func (k *checker) zones(path string, zones []Zone) {
	k.need(len(zones) <= maxZones, "%s.zones: %d of them: set at most %d", path, len(zones), maxZones)
	slugs := map[string]int{}
	for i, z := range zones {
		path := fmt.Sprintf("%s.zones[%d]", path, i)
		if strings.TrimSpace(z.Name) == "" {
			k.need(false, "%s.name: missing: name the zone, as in porch", path)
		} else {
			k.need(utf8.RuneCountInString(z.Name) <= 64, "%s.name: longer than 64 characters: choose a shorter one", path)
			other, taken := slugs[Slug(z.Name)]
			k.need(!taken, "%s.name: %q and zones[%d] are both %q: choose another name", path, z.Name, other, Slug(z.Name))
			slugs[Slug(z.Name)] = i
		}
		k.polygon(path+".points", z.Points)
	}
}

func (k *checker) polygon(path string, g Polygon) {
	if len(g) < 3 || len(g) > maxPoints {
		k.need(false, "%s: %d points: set 3 to %d corners, as in [[0, 0.5], [0.5, 0.5], [0.5, 1]]", path, len(g), maxPoints)
		return
	}
	for i, p := range g {
		if !(0 <= p.X && p.X <= 1 && 0 <= p.Y && p.Y <= 1) {
			k.need(false, "%s[%d]: %v is outside of the picture: set 0 to 1, 0,0 for its top left and 1,1 for its bottom right", path, i, p)
			return
		}
		if first := slices.Index(g, p); first < i {
			k.need(false, "%s[%d]: %v is points[%d] too: name each corner once, the last is joined to the first", path, i, p, first)
			return
		}
	}
	const least = 1e-4 // of the picture: 6 x 5 pixels of 640 x 480
	switch {
	case g.crosses():
		k.need(false, "%s: the sides cross: name the corners in the order in which a pencil would go around", path)
	case g.area() < least:
		k.need(false, "%s: the points are on a line, or so close together that no face is between them: move them apart", path)
	}
}
