package inference

import "math"

// Box is a rectangle in pixels of the picture. It may reach beyond the edge.
type Box struct{ X, Y, Width, Height float32 }

// IoU is the intersection of two boxes over their union, 0..1.
func (b Box) IoU(o Box) float32 {
	w := min(b.X+b.Width, o.X+o.Width) - max(b.X, o.X)
	h := min(b.Y+b.Height, o.Y+o.Height) - max(b.Y, o.Y)
	if w <= 0 || h <= 0 {
		return 0
	}
	shared := w * h
	return shared / (b.Width*b.Height + o.Width*o.Height - shared)
}

// covered is the share of the smaller of two boxes that the other covers, 0..1.
// Where one is less than a fifth of the other, it is 0: that is no part of a
// face, but another face, and farther away.
func (b Box) covered(o Box) float32 {
	w := min(b.X+b.Width, o.X+o.Width) - max(b.X, o.X)
	h := min(b.Y+b.Height, o.Y+o.Height) - max(b.Y, o.Y)
	small, large := b.Width*b.Height, o.Width*o.Height
	if small > large {
		small, large = large, small
	}
	if w <= 0 || h <= 0 || small < large/5 {
		return 0
	}
	return w * h / small
}

// Centre is the middle of the box.
func (b Box) Centre() Point { return Point{b.X + b.Width/2, b.Y + b.Height/2} }

// Pixels is the box in whole pixels, cut to a picture of width x height:
// x, y, width, height.
func (b Box) Pixels(width, height int) [4]int {
	round := func(v float32, most int) int { return min(max(int(math.Round(float64(v))), 0), most) }
	x, y := round(b.X, width), round(b.Y, height)
	return [4]int{x, y, round(b.X+b.Width, width) - x, round(b.Y+b.Height, height) - y}
}

// Detection is a face as the detector sees it.
type Detection struct {
	Box   Box
	Score float32 // 0..1
	// Keypoints are the subject's right eye, left eye, nose tip, mouth centre,
	// right ear, left ear.
	Keypoints [6]Point
}

// Landmarks are the eyes, nose tip and mouth corners; of each pair, the one
// further left in an upright picture comes first.
type Landmarks [5]Point

// EyeDistance is the distance between the eye centres in pixels.
func (l Landmarks) EyeDistance() float32 {
	return float32(math.Hypot(float64(l[1].X-l[0].X), float64(l[1].Y-l[0].Y)))
}

// Face is a detection that was looked at closely.
type Face struct {
	Detection
	Landmarks Landmarks
	// Probability that the landmark network saw a face at all, 0..1. It turns
	// down what the detector took for one.
	Probability float32
	Quality     Quality
	// Aligned is the face upright in the embedding network's frame: RGB,
	// 0..255, size x size x 3.
	Aligned []float32
	// Embedding is a unit vector, nil until Engine.Embed has made it.
	Embedding []float32
}

// Central is the face nearest to the middle of a view, whom a portrait is of;
// nil when there is none. It points into faces.
func Central(faces []Face, v View) *Face {
	var central *Face
	nearest := math.Inf(1)
	for i := range faces {
		c := faces[i].Box.Centre()
		if off := math.Hypot(float64(c.X)-float64(v.Width)/2, float64(c.Y)-float64(v.Height)/2); off < nearest {
			central, nearest = &faces[i], off
		}
	}
	return central
}

// finite tells whether a box can be worked with.
func (b Box) finite() bool {
	for _, v := range [...]float32{b.X, b.Y, b.Width, b.Height} {
		if math.IsNaN(float64(v)) || math.Abs(float64(v)) > 1<<18 {
			return false
		}
	}
	return b.Width >= 1 && b.Height >= 1
}
