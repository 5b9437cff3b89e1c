package inference

import "slices"

// Turn says how a picture is to be turned for people in it to stand upright:
// clockwise by Degrees, a multiple of 90, and after that, with Mirror, left
// for right.
type Turn struct {
	Degrees int
	Mirror  bool
}

// quarters is the rotation in quarter turns, 0..3.
func (t Turn) quarters() int { return ((t.Degrees/90)%4 + 4) % 4 }

// Turner turns one picture after the other. It keeps its buffer, so one
// goroutine uses it at a time. The zero Turner turns nothing, at no cost.
type Turner struct {
	Turn Turn

	pix []byte
}

// View is v turned. It shows a buffer of the Turner's own, and so is valid
// until the next call; a Turner that turns nothing returns v itself.
//
// The copy is planar, whatever v is, with each plane at its own resolution
// (4:2:2 becomes 4:4:0). It is worth its time: a View could turn in place, by
// the steps of its planes, but everything that reads rows would jump about in
// memory instead. Where several columns or rows share a chroma sample, those
// at the right or the bottom that do not fill one are left out, for they
// would have to begin the turned picture.
func (t *Turner) View(v View) View {
	quarters := t.Turn.quarters()
	if quarters == 0 && !t.Turn.Mirror {
		return v
	}
	v = v.wholeSamples()
	size := 0
	for _, p := range v.Planes {
		size += p.Width * p.Height
	}
	t.pix = slices.Grow(t.pix[:0], size)[:size]
	turned, free := v, t.pix
	for i := range v.Planes {
		p := &v.Planes[i]
		if p.Pix == nil {
			continue
		}
		o := Plane{Pix: free, Step: 1, Stride: p.Width, Width: p.Width, Height: p.Height, XShift: p.XShift, YShift: p.YShift}
		if quarters%2 == 1 {
			o.Width, o.Height, o.Stride = p.Height, p.Width, p.Height
			o.XShift, o.YShift = p.YShift, p.XShift
		}
		base, across, down := p.walk(quarters, t.Turn.Mirror)
		gather(o.Pix, p.Pix, o.Width, o.Height, base, across, down)
		turned.Planes[i] = o
		free = free[o.Width*o.Height:]
	}
	if quarters%2 == 1 {
		turned.Width, turned.Height = v.Height, v.Width
	}
	return turned
}

// wholeSamples leaves out what does not fill a sample of every plane.
func (v View) wholeSamples() View {
	var xs, ys uint8
	for _, p := range v.Planes {
		xs, ys = max(xs, p.XShift), max(ys, p.YShift)
	}
	// A picture within one sample can be turned as it is.
	if w := v.Width >> xs << xs; w > 0 {
		v.Width = w
	}
	if h := v.Height >> ys << ys; h > 0 {
		v.Height = h
	}
	for i := range v.Planes {
		p := &v.Planes[i]
		p.Width = min(p.Width, max(v.Width>>p.XShift, 1))
		p.Height = min(p.Height, max(v.Height>>p.YShift, 1))
	}
	return v
}

// walk is how the plane is read so that it comes out turned: from which byte,
// and how many bytes further for the next sample across and down.
func (p *Plane) walk(quarters int, mirror bool) (base, across, down int) {
	right, bottom := (p.Width-1)*p.Step, (p.Height-1)*p.Stride
	width := p.Width
	switch quarters {
	case 0:
		base, across, down = 0, p.Step, p.Stride
	case 1:
		base, across, down = bottom, -p.Stride, p.Step
		width = p.Height
	case 2:
		base, across, down = right+bottom, -p.Step, -p.Stride
	case 3:
		base, across, down = right, p.Stride, -p.Step
		width = p.Height
	}
	if mirror {
		base, across = base+(width-1)*across, -across
	}
	return p.Offset + base, across, down
}

// gather fills dst, width x height, from the bytes of src. It goes in strips
// so narrow that the cache holds the rows of src which a strip crosses.
func gather(dst, src []byte, width, height, base, across, down int) {
	const strip = 64
	for left := 0; left < width; left += strip {
		n := min(strip, width-left)
		start := base + left*across
		for y := range height {
			at := start + y*down
			row := dst[y*width+left:][:n]
			for x := range row {
				row[x] = src[at]
				at += across
			}
		}
	}
}
