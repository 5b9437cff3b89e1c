package inference

import "math"

// Point is a place in a picture, in pixels: pixel i covers [i, i+1), so its
// centre is at i+0.5.
type Point struct{ X, Y float32 }

// Transform is an affine map: x' = A*x + B*y + C, y' = D*x + E*y + F.
type Transform struct{ A, B, C, D, E, F float64 }

// Apply maps a point.
func (t Transform) Apply(p Point) Point {
	x, y := float64(p.X), float64(p.Y)
	return Point{float32(t.A*x + t.B*y + t.C), float32(t.D*x + t.E*y + t.F)}
}

// scale is by how much t enlarges lengths, on average over directions.
func (t Transform) scale() float64 { return math.Sqrt(math.Abs(t.A*t.E - t.B*t.D)) }

// inverse of a transform that is not singular.
func (t Transform) inverse() Transform {
	det := t.A*t.E - t.B*t.D
	a, b, d, e := t.E/det, -t.B/det, -t.D/det, t.A/det
	return Transform{a, b, -(a*t.C + b*t.F), d, e, -(d*t.C + e*t.F)}
}

// letterbox maps a size x size square to the smallest square, in the middle,
// that holds a whole picture of width x height.
func letterbox(width, height, size int) Transform {
	s := float64(max(width, height)) / float64(size)
	return Transform{A: s, C: (float64(width) - s*float64(size)) / 2, E: s, F: (float64(height) - s*float64(size)) / 2}
}

// square maps a size x size square to one around a box: its side is the box's
// longer side times scale, its centre the box's, moved by shift longer sides.
func square(box Box, scale float64, shift [2]float64, size int) Transform {
	side := float64(max(box.Width, box.Height))
	cx := float64(box.X) + float64(box.Width)/2 + shift[0]*side
	cy := float64(box.Y) + float64(box.Height)/2 + shift[1]*side
	half := side * scale / 2
	return Transform{A: 2 * half / float64(size), C: cx - half, E: 2 * half / float64(size), F: cy - half}
}

// similarity is the rotation, uniform scale and shift, never a reflection,
// that brings from nearest to to in the least-squares sense (Umeyama, "Least-
// squares estimation of transformation parameters between two point
// patterns", PAMI 1991). In the plane it is the complex regression z' = w*z.
// ok is false when the points coincide, or give nothing finite.
func similarity(from, to []Point) (t Transform, ok bool) {
	var fx, fy, tx, ty float64
	for i := range from {
		fx += float64(from[i].X)
		fy += float64(from[i].Y)
		tx += float64(to[i].X)
		ty += float64(to[i].Y)
	}
	n := float64(len(from))
	fx, fy, tx, ty = fx/n, fy/n, tx/n, ty/n
	var norm, re, im float64
	for i := range from {
		ax, ay := float64(from[i].X)-fx, float64(from[i].Y)-fy
		bx, by := float64(to[i].X)-tx, float64(to[i].Y)-ty
		norm += ax*ax + ay*ay
		re += ax*bx + ay*by
		im += ax*by - ay*bx
	}
	re, im = re/norm, im/norm
	t = Transform{re, -im, tx - re*fx + im*fy, im, re, ty - im*fx - re*fy}
	s := t.scale()
	return t, s > 1e-6 && !math.IsInf(s, 0) && !math.IsNaN(s)
}
