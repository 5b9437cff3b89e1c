package inference

import (
	"encoding/binary"
	"math"
	"slices"
)

// The weights of an output pixel add up to this, along y and along x. With
// them, a sample of 8 bits fills the 16 bits of a lane in the one direction,
// and 31 bits in the other.
const (
	oneDown   = 1 << 8
	oneAcross = 1 << 15
	oneLevel  = oneDown * oneAcross // what one level of a sample comes to
)

// axis holds, for each output pixel along one direction, which source samples
// it is made of. The mean of bilinear samples on a grid is separable, so the
// two directions can be done one after the other.
type axis struct {
	span    int      // source samples that an output pixel may need
	first   []int    // the first of them for each output pixel
	weights []uint32 // span for each output pixel
	inside  []uint32 // their sum, for each; what it lacks lies outside the source

	of    lens // what the plan is for
	exact []float32
}

// lens is one direction of a transform: n source samples seen by size pixels
// through x = scale*i + offset, with weights that add up to one.
type lens struct {
	scale, offset float64
	n, size       int
	one           uint32
}

// plan works out an axis, unless it is the one of the last time.
func (a *axis) plan(v lens) {
	if a.of == v {
		return
	}
	a.of = v
	k := max(1, int(math.Ceil(math.Abs(v.scale)-1e-6)))
	reach := math.Abs(v.scale) * float64(k-1) / float64(k) // from the first sample of a pixel to its last
	a.span = min(int(reach)+3, v.n)
	a.first = slices.Grow(a.first[:0], v.size)[:v.size]
	a.inside = slices.Grow(a.inside[:0], v.size)[:v.size]
	a.weights = slices.Grow(a.weights[:0], v.size*a.span)[:v.size*a.span]
	a.exact = slices.Grow(a.exact[:0], a.span)[:a.span]
	each := 1 / float32(k)
	for i := range v.size {
		sample := func(j int) float64 { return v.scale*(float64(i)+(float64(j)+0.5)/float64(k)) + v.offset }
		a.first[i] = min(max(int(math.Floor(min(sample(0), sample(k-1)))), 0), v.n-a.span)
		clear(a.exact)
		var outside float32
		for j := range k {
			x := sample(j)
			x0 := math.Floor(x)
			f := float32(x - x0)
			for tap, w := range [2]float32{1 - f, f} {
				if at := int(x0) + tap; at < 0 || at >= v.n {
					outside += w * each
				} else if w > 0 {
					a.exact[at-a.first[i]] += w * each
				}
			}
		}
		a.inside[i] = fix(a.weights[i*a.span:][:a.span], a.exact, 1-outside, v.one)
	}
}

// fix turns weights that add up to total into whole numbers that add up to
// one times total, which it returns.
func fix(fixed []uint32, weights []float32, total float32, one uint32) (given uint32) {
	last := len(weights) - 1
	for last > 0 && weights[last] == 0 {
		last--
	}
	// What rounding would lose is carried into the next weight.
	var sum float32
	for i, w := range weights {
		sum += w
		if i >= last {
			sum = total
		}
		upTo := max(uint32(sum*float32(one)+0.5), given)
		fixed[i] = upTo - given
		given = upTo
	}
	return given
}

// taps are the weights of pixel i without the zeros at both ends, and which
// sample the first is for.
func (a *axis) taps(i int) (first int, weights []uint32) {
	first, weights = a.first[i], a.weights[i*a.span:][:a.span]
	for len(weights) > 0 && weights[0] == 0 {
		first, weights = first+1, weights[1:]
	}
	for len(weights) > 0 && weights[len(weights)-1] == 0 {
		weights = weights[:len(weights)-1]
	}
	return first, weights
}

// group is planes that are interleaved in the same rows of bytes, and so can
// be joined along y at once.
type group struct {
	from, to    int // planes
	left, right int // bytes of a row that are needed
	down        axis
}

// resize draws through a transform without rotation, row by row: the source
// rows that make an output row are joined, all planes of a group at once,
// eight bytes at a time; what comes out is joined along x.
func (s *sampler) resize(to target, levels Levels, planes []Plane, toView Transform, size int) {
	groups := 0
	for i := 0; i < len(planes); groups++ {
		g := &s.groups[groups]
		g.from, g.to = i, i+1
		for g.to < len(planes) && planes[i].interleaved(&planes[g.to]) {
			g.to++
		}
		s.plan(g, planes, toView, size)
		i = g.to
	}
	for i := range s.line {
		s.line[i] = s.line[i][:0]
		if i < len(planes) {
			s.line[i] = slices.Grow(s.line[i], size)[:size]
		}
	}
	for y := range size {
		for i := range s.groups[:groups] {
			g := &s.groups[i]
			p := &planes[g.from]
			s.joinRows(g, p.Pix[g.left:], p.Stride, y)
			for j := g.from; j < g.to; j++ {
				p := &planes[j]
				border := uint32(black(levels, j))
				s.joinColumns(s.line[j], &s.across[j], p.Offset-g.left, p.Step, border, g.down.inside[y])
			}
		}
		to.row(s, y)
	}
}

// plan prepares a group.
func (s *sampler) plan(g *group, planes []Plane, toView Transform, size int) {
	g.left, g.right = math.MaxInt, 0
	for i := g.from; i < g.to; i++ {
		p := &planes[i]
		t, a := p.seen(toView), &s.across[i]
		a.plan(lens{t.A, t.C, p.Width, size, oneAcross})
		g.left = min(g.left, p.Offset+slices.Min(a.first)*p.Step)
		g.right = max(g.right, p.Offset+(slices.Max(a.first)+a.span-1)*p.Step+1)
	}
	p := &planes[g.from]
	t := p.seen(toView)
	g.down.plan(lens{t.E, t.F, p.Height, size, oneDown})
}

// joinRows fills s.row with the weighted sum of the source rows that make
// output row y.
//
// A word of eight bytes is split into two with a 16-bit lane for each byte.
// The weights of a row add up to at most 256, so no lane ever overflows into
// the next, and one multiplication serves four pixels.
func (s *sampler) joinRows(g *group, pix []byte, stride, y int) {
	const lanes = 0x00ff00ff00ff00ff
	n := g.right - g.left
	s.row = slices.Grow(s.row[:0], n)[:n]
	first, taps := g.down.taps(y)
	if len(taps) == 0 {
		clear(s.row)
		return
	}
	x := 0
	for ; x+16 <= n; x += 16 {
		var even, odd, even2, odd2 uint64
		at := first*stride + x
		for _, w := range taps {
			source, w := pix[at:][:16], uint64(w)
			word, word2 := binary.LittleEndian.Uint64(source), binary.LittleEndian.Uint64(source[8:])
			even += (word & lanes) * w
			odd += (word >> 8 & lanes) * w
			even2 += (word2 & lanes) * w
			odd2 += (word2 >> 8 & lanes) * w
			at += stride
		}
		out := s.row[x:][:16]
		out[0], out[1] = uint16(even), uint16(odd)
		out[2], out[3] = uint16(even>>16), uint16(odd>>16)
		out[4], out[5] = uint16(even>>32), uint16(odd>>32)
		out[6], out[7] = uint16(even>>48), uint16(odd>>48)
		out[8], out[9] = uint16(even2), uint16(odd2)
		out[10], out[11] = uint16(even2>>16), uint16(odd2>>16)
		out[12], out[13] = uint16(even2>>32), uint16(odd2>>32)
		out[14], out[15] = uint16(even2>>48), uint16(odd2>>48)
	}
	for ; x < n; x++ {
		var sum uint32
		at := first*stride + x
		for _, w := range taps {
			sum += uint32(pix[at]) * w
			at += stride
		}
		s.row[x] = uint16(sum)
	}
}

// joinColumns joins s.row, whose weights have added up to insideY, along x for
// a plane whose first sample would be at start in it. What lies outside the
// source, in either direction, is border.
func (s *sampler) joinColumns(dst []uint32, a *axis, start, step int, border, insideY uint32) {
	row := s.row
	first, inside := a.first[:len(dst)], a.inside[:len(dst)]
	weights := a.weights
	switch a.span {
	case 3:
		for x := range dst {
			at := start + first[x]*step
			w, r := weights[3*x:][:3], row[at:][:2*step+1]
			dst[x] = border*(oneLevel-insideY*inside[x]) + w[0]*uint32(r[0]) + w[1]*uint32(r[step]) + w[2]*uint32(r[2*step])
		}
	case 5:
		for x := range dst {
			at := start + first[x]*step
			w, r := weights[5*x:][:5], row[at:][:4*step+1]
			dst[x] = border*(oneLevel-insideY*inside[x]) + w[0]*uint32(r[0]) + w[1]*uint32(r[step]) + w[2]*uint32(r[2*step]) +
				w[3]*uint32(r[3*step]) + w[4]*uint32(r[4*step])
		}
	default:
		for x := range dst {
			sum := border * (oneLevel - insideY*inside[x])
			at := start + first[x]*step
			for _, w := range weights[x*a.span:][:a.span] {
				sum += w * uint32(row[at])
				at += step
			}
			dst[x] = sum
		}
	}
}
