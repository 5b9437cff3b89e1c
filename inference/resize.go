package inference

import (
	"encoding/binary"
	"math"
	"slices"
)

// axis holds, for each output pixel along one direction, which source samples
// it is made of. The mean of bilinear samples on a grid is separable, so the
// two directions can be done one after the other.
type axis struct {
	span    int       // source samples that an output pixel may need
	first   []int     // the first of them for each output pixel
	weights []float32 // span for each output pixel, 0..1
	outside []float32 // weight of what lies outside the source
}

// plan works out an axis of n source samples seen through x = scale*i + offset.
func (a *axis) plan(scale, offset float64, n, size int) {
	k := max(1, int(math.Ceil(math.Abs(scale)-1e-6)))
	reach := math.Abs(scale) * float64(k-1) / float64(k) // from the first sample of a pixel to its last
	a.span = min(int(reach)+3, n)
	a.first = slices.Grow(a.first[:0], size)[:size]
	a.outside = slices.Grow(a.outside[:0], size)[:size]
	a.weights = slices.Grow(a.weights[:0], size*a.span)[:size*a.span]
	clear(a.outside)
	clear(a.weights)
	each := 1 / float32(k)
	for i := range size {
		sample := func(j int) float64 { return scale*(float64(i)+(float64(j)+0.5)/float64(k)) + offset }
		a.first[i] = min(max(int(math.Floor(min(sample(0), sample(k-1)))), 0), n-a.span)
		for j := range k {
			x := sample(j)
			x0 := math.Floor(x)
			f := float32(x - x0)
			for tap, w := range [2]float32{1 - f, f} {
				if at := int(x0) + tap; at < 0 || at >= n {
					a.outside[i] += w * each
				} else if w > 0 {
					a.weights[i*a.span+at-a.first[i]] += w * each
				}
			}
		}
	}
}

// resize draws n interleaved planes, from the i-th on, through a transform
// without rotation. Rows are joined first, all planes at once, eight bytes at
// a time; the few rows that are left are then joined along x.
func (s *sampler) resize(levels Levels, planes []Plane, i, n int, toView Transform, size int) {
	left, right := math.MaxInt, 0 // bytes of a row that are needed
	for j, p := range planes[i : i+n] {
		t, a := p.seen(toView), &s.across[i+j]
		a.plan(t.A, t.C, p.Width, size)
		left = min(left, p.Offset+slices.Min(a.first)*p.Step)
		right = max(right, p.Offset+(slices.Max(a.first)+a.span-1)*p.Step+1)
	}
	p := planes[i]
	t := p.seen(toView)
	s.down.plan(t.E, t.F, p.Height, size)
	s.row = slices.Grow(s.row[:0], right-left)[:right-left]
	for y := range size {
		s.joinRows(p.Pix[left:], p.Stride, y)
		for j, p := range planes[i : i+n] {
			border := black(levels, i+j)
			s.joinColumns(s.planes[i+j][y*size:][:size], &s.across[i+j], p.Offset-left, p.Step, border, s.down.outside[y])
		}
	}
}

// joinRows fills s.row with the weighted sum of the source rows that make
// output row y, times 256.
//
// A word of eight bytes is split into two with a 16-bit lane for each byte.
// The weights of a row add up to at most 256, so no lane ever overflows into
// the next, and one multiplication serves four pixels.
func (s *sampler) joinRows(pix []byte, stride, y int) {
	const lanes = 0x00ff00ff00ff00ff
	rows := s.down.weights[y*s.down.span:][:s.down.span]
	var weights [64]uint64
	first, taps := fixedWeights(weights[:0], rows, 1-s.down.outside[y])
	first += s.down.first[y]
	if len(taps) == 0 {
		clear(s.row)
		return
	}
	n := len(s.row)
	x := 0
	for ; x+8 <= n; x += 8 {
		var even, odd uint64
		at := first*stride + x
		for _, w := range taps {
			word := binary.LittleEndian.Uint64(pix[at:])
			even += (word & lanes) * w
			odd += (word >> 8 & lanes) * w
			at += stride
		}
		out := s.row[x:][:8]
		out[0], out[1] = uint16(even), uint16(odd)
		out[2], out[3] = uint16(even>>16), uint16(odd>>16)
		out[4], out[5] = uint16(even>>32), uint16(odd>>32)
		out[6], out[7] = uint16(even>>48), uint16(odd>>48)
	}
	for ; x < n; x++ {
		var sum uint64
		at := first*stride + x
		for _, w := range taps {
			sum += uint64(pix[at]) * w
			at += stride
		}
		s.row[x] = uint16(sum)
	}
}

// fixedWeights turns weights that add up to total into whole numbers that add
// up to 256 times total, leaving out zeros at both ends. It returns the index
// of the first that is left.
func fixedWeights(fixed []uint64, weights []float32, total float32) (first int, _ []uint64) {
	last := len(weights)
	for first < last && weights[first] == 0 {
		first++
	}
	for last > first && weights[last-1] == 0 {
		last--
	}
	// What rounding would lose is carried into the next weight.
	var sum float32
	given := 0
	for i, w := range weights[first:last] {
		sum += w
		if i == last-first-1 {
			sum = total
		}
		upTo := max(int(sum*256+0.5), given)
		fixed = append(fixed, uint64(upTo-given))
		given = upTo
	}
	return first, fixed
}

// joinColumns joins s.row along x for a plane whose first sample would be at
// start in it. What lies outside the source, in either direction, is border.
func (s *sampler) joinColumns(dst []float32, a *axis, start, step int, border, outsideY float32) {
	border *= 256
	for x := range dst {
		outsideX := a.outside[x]
		sum := border * (outsideY + outsideX*(1-outsideY))
		at := start + a.first[x]*step
		for _, w := range a.weights[x*a.span:][:a.span] {
			sum += w * float32(s.row[at])
			at += step
		}
		dst[x] = sum * (1.0 / 256)
	}
}
