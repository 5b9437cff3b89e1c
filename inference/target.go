package inference

import (
	"math"
	"slices"
)

// target is where a drawn picture goes: to real numbers, 0..255, or to bytes
// as a network's integer input wants them. Pixel (x, y) begins at element
// x*across + y*down, and has red, green and blue one after the other.
type target struct {
	floats       []float32
	bytes        []byte
	across, down int
	matrix       matrix // for bytes
}

// reals is the target for a size x size picture of v in real numbers.
func reals(v *View, rgb []float32, size int) target {
	return target{
		floats: rgb, across: 3, down: 3 * size,
		matrix: matrix{levels: v.Levels, gray: v.Planes[1].Pix == nil},
	}
}

// code says how a level, 0..255, becomes an input's integer: gain*level +
// offset, rounded, in low..high.
type code struct {
	gain, offset float32
	low, high    float32
}

// maxGain leaves nothing between black and white.
const maxGain = 1 << 10

// of is the integer for a level. Adding half after a shift to positive numbers
// rounds by truncation, several times faster than Round.
func (c code) of(level float32) int32 {
	const shift = 1 << 10
	q := level*c.gain + c.offset
	if q < c.low {
		q = c.low
	}
	if q > c.high {
		q = c.high
	}
	return int32(q+shift+0.5) - shift
}

// matrix turns the levels of a view's planes, in units of 1/oneLevel, into an
// input's integers, in units of 1<<matrixShift.
type matrix struct {
	levels Levels
	gray   bool

	first      int64 // what luminance, or a primary colour, counts
	red, blue  int64 // what Cr counts for red, and Cb for blue
	cb, cr     int64 // what they take from green
	r, g, b    int64 // constants, and one half to round
	least, top int64 // black and white as the input has them
}

// matrixShift is 23 bits for the fraction of what comes, and 16 for that of the
// coefficients; with 8 bits for a level and 10 for maxGain, that fits.
const matrixShift = 23 + 16

func newMatrix(v *View, c code) matrix {
	fixed := func(x float64) int64 { return int64(math.Round(x * (1 << 16))) }
	// Whole levels often lie halfway between two integers. They go up, even
	// when the coefficients come out a little short.
	const half = 0.5 + 1e-3
	gain, constant := float64(c.gain), int64((float64(c.offset)+half)*(1<<matrixShift))
	m := matrix{levels: v.Levels, gray: v.Planes[1].Pix == nil, least: int64(c.of(0)), top: int64(c.of(255))}
	if v.Levels == LevelsRGB {
		m.first, m.r = fixed(gain), constant
		return m
	}
	luma, chroma, dark := conversion(v.Levels)
	m.first = fixed(gain * float64(luma))
	m.r = constant - m.first*int64(dark)*oneLevel
	m.g, m.b = m.r, m.r
	if m.gray {
		return m
	}
	gain *= float64(chroma)
	m.red, m.blue, m.cb, m.cr = fixed(gain*redOfCr), fixed(gain*blueOfCb), fixed(gain*greenOfCb), fixed(gain*greenOfCr)
	const middle = 128 * oneLevel // of chroma
	m.r -= m.red * middle
	m.g += (m.cb + m.cr) * middle
	m.b -= m.blue * middle
	return m
}

// black makes a row black.
func (t *target) black(size, y int) {
	if t.floats != nil {
		for x := range size {
			clear(t.floats[y*t.down+x*t.across:][:3])
		}
		return
	}
	dark := byte(t.matrix.least)
	if t.across == 3 {
		row := t.bytes[y*t.down:][:3*size]
		for i := range row {
			row[i] = dark
		}
		return
	}
	for x := range size {
		p := t.bytes[y*t.down+x*t.across:][:3]
		p[0], p[1], p[2] = dark, dark, dark
	}
}

// row takes over what the sampler has in its lines.
func (t *target) row(s *sampler, y int) {
	if t.floats != nil {
		t.realRow(s, y)
		return
	}
	m := &t.matrix
	out, across := t.bytes[y*t.down:], t.across
	first := s.line[0]
	least, top := m.least, m.top
	clip := func(v int64) byte {
		v >>= matrixShift
		if v < least {
			return byte(least)
		}
		if v > top {
			return byte(top)
		}
		return byte(v)
	}
	switch at := 0; {
	case m.gray:
		for _, v := range first {
			q, p := clip(m.first*int64(v)+m.r), out[at:][:3]
			p[0], p[1], p[2] = q, q, q
			at += across
		}
	case m.levels == LevelsRGB:
		gs, bs := s.line[1][:len(first)], s.line[2][:len(first)]
		for x, v := range first {
			p := out[at:][:3]
			p[0] = clip(m.first*int64(v) + m.r)
			p[1] = clip(m.first*int64(gs[x]) + m.r)
			p[2] = clip(m.first*int64(bs[x]) + m.r)
			at += across
		}
	default:
		cbs, crs := s.line[1][:len(first)], s.line[2][:len(first)]
		for x, v := range first {
			luma, cb, cr, p := m.first*int64(v), int64(cbs[x]), int64(crs[x]), out[at:][:3]
			p[0] = clip(luma + m.red*cr + m.r)
			p[1] = clip(luma - m.cb*cb - m.cr*cr + m.g)
			p[2] = clip(luma + m.blue*cb + m.b)
			at += across
		}
	}
}

// realRow is row for real numbers.
func (t *target) realRow(s *sampler, y int) {
	for i, line := range s.line {
		s.planes[i] = slices.Grow(s.planes[i][:0], len(line))[:len(line)]
		for x, v := range line {
			s.planes[i][x] = float32(v) * (1.0 / oneLevel)
		}
	}
	if t.across == 3 {
		toRGB(t.floats[y*t.down:], &s.planes, t.matrix.levels, t.matrix.gray)
		return
	}
	s.pixels = slices.Grow(s.pixels[:0], 3*len(s.line[0]))[:3*len(s.line[0])]
	toRGB(s.pixels, &s.planes, t.matrix.levels, t.matrix.gray)
	for x := range s.line[0] {
		copy(t.floats[y*t.down+x*t.across:][:3], s.pixels[3*x:])
	}
}
