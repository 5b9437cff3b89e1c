package config

import (
	"math"
	"math/rand/v2"
	"testing"
)

func TestAPointIsInsideAZoneOrOutside(t *testing.T) {
	// A U, which a ray crosses up to four times.
	u := "0.1,0.1 0.3,0.1 0.3,0.7 0.7,0.7 0.7,0.1 0.9,0.1 0.9,0.9 0.1,0.9"
	for _, tt := range []struct {
		zone string
		p    Point
		in   bool
	}{
		{"0,0 1,0 1,1 0,1", Point{0.5, 0.5}, true},
		{"0,1 1,1 1,0 0,0", Point{0.5, 0.5}, true}, // the other way around
		{"0,0 1,0 1,1 0,1", Point{1.1, 0.5}, false},
		{"0,0 1,0 1,1 0,1", Point{0.5, -0.1}, false},
		{"0,0 1,0 1,1 0,1", Point{math.NaN(), 0.5}, false},
		{"0,0 1,0 0,1", Point{0.4, 0.4}, true},
		{"0,0 1,0 0,1", Point{0.6, 0.6}, false},
		{u, Point{0.2, 0.3}, true},
		{u, Point{0.5, 0.3}, false},
		{u, Point{0.8, 0.3}, true},
		{u, Point{0.5, 0.8}, true},
		{u, Point{0.5, 0.95}, false},
		{u, Point{0.2, 0.7}, true}, // level with a corner
		{"", Point{0.5, 0.5}, false},
	} {
		var g Polygon
		if err := g.parse(tt.zone); err != nil {
			t.Fatal(err)
		}
		if got := g.Contains(tt.p); got != tt.in {
			t.Errorf("%v in %s: %v", tt.p, tt.zone, got)
		}
	}
}

// What a side divides is on one side of it or on the other, also on the side itself.
func TestNeighbouringZonesShareNoPoint(t *testing.T) {
	left, right := Polygon{{0, 0}, {0.5, 0}, {0.5, 1}, {0, 1}}, Polygon{{0.5, 0}, {1, 0}, {1, 1}, {0.5, 1}}
	upper, lower := Polygon{{0, 0}, {1, 0}, {1, 1}}, Polygon{{0, 0}, {1, 1}, {0, 1}}
	for i := range 1000 {
		p := Point{0.5, float64(i) / 1000}
		if left.Contains(p) == right.Contains(p) {
			t.Errorf("%v: left %v, right %v", p, left.Contains(p), right.Contains(p))
		}
		if p = (Point{p.Y, p.Y}); upper.Contains(p) == lower.Contains(p) {
			t.Errorf("%v: upper %v, lower %v", p, upper.Contains(p), lower.Contains(p))
		}
	}
}

func TestASimplePolygonDoesNotCrossItself(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		var star, round Polygon // corners around the middle in order
		for i, n := 0, 4+r.IntN(maxPoints-4); i < n; i++ {
			angle, far := 2*math.Pi*float64(i)/float64(n), 0.1+0.4*r.Float64()
			star = append(star, Point{0.5 + far*math.Cos(angle), 0.5 + far*math.Sin(angle)})
			round = append(round, Point{0.5 + 0.5*math.Cos(angle), 0.5 + 0.5*math.Sin(angle)})
		}
		if star.crosses() || round.crosses() {
			t.Errorf("%v or %v crosses itself", star, round)
		}
		i := r.IntN(len(round) - 1)
		round[i], round[i+1] = round[i+1], round[i]
		if !round.crosses() {
			t.Errorf("%v crosses itself, and nobody sees it", round)
		}
		var again Polygon
		if err := again.parse(star.String()); err != nil || again.String() != star.String() || len(again) != len(star) {
			t.Errorf("%v became %v, %v", star, again, err)
		}
	}
}
