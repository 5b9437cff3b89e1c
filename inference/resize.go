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

	cut    []int    // pixels that lie outside, or in part
	least  int      // of first
	at     []int    // first, from least on, in bytes of a row of lanes
	packed []uint64 // weights, as columns needs them
	of     lens     // what the plan is for
	exact  []float32
}

// lens is one direction of a transform: n source samples seen by size pixels
// through x = scale*i + offset, with weights that add up to one.
type lens struct {
	scale, offset float64
	n, size       int
	one           uint32
	paired        bool // see pack
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
	a.cut = a.cut[:0]
	for i, w := range a.inside {
		if w != v.one {
			a.cut = append(a.cut, i)
		}
	}
	if v.one == oneAcross {
		a.pack(v.paired)
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
	// split says that the bytes at odd places are kept behind those at even
	// places, for planes in every other byte to have theirs side by side.
	split bool
	lanes []byte // the joined row, 16 bits for each byte, and some to spare
	apart []byte // the same as addFive makes it
}

// place is where a byte of the source's rows is kept in lanes, in samples, and
// how far it is to the plane's next one.
func (g *group) place(offset, step int) (at, next int) {
	at = offset - g.left
	if !g.split {
		return at, step
	}
	return at/2 + at%2*g.half(), step / 2
}

// half is how many samples the first half of a split row takes.
func (g *group) half() int { return (g.right - g.left + 15) / 16 * 8 }

// resize draws through a transform without rotation, row by row: the source
// rows that make an output row are joined, all planes of a group at once,
// eight bytes at a time; what comes out is joined along x.
func (s *sampler) resize(to target, levels Levels, planes []Plane, toView Transform, size int) {
	groups := s.groups[:0]
	for i := 0; i < len(planes); {
		groups = groups[:len(groups)+1]
		g := &groups[len(groups)-1]
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
		// Above and below the picture there is nothing to join.
		if groups[0].down.inside[y] == 0 && groups[len(groups)-1].down.inside[y] == 0 {
			to.black(size, y)
			continue
		}
		for i := range groups {
			g := &groups[i]
			p := &planes[g.from]
			g.joinRows(p.Pix[g.left:], p.Stride, y)
			for j := g.from; j < g.to; j++ {
				j += s.joinColumns(g, planes, j)
			}
			for j := g.from; j < g.to; j++ {
				s.frame(j, uint32(black(levels, j)), g.down.inside[y])
			}
		}
		to.row(s, y)
	}
}

// plan prepares a group.
func (s *sampler) plan(g *group, planes []Plane, toView Transform, size int) {
	g.left, g.right = math.MaxInt, 0
	g.split = true
	for i := g.from; i < g.to; i++ {
		p := &planes[i]
		g.split = g.split && p.Step%2 == 0
	}
	for i := g.from; i < g.to; i++ {
		p := &planes[i]
		t, a := p.seen(toView), &s.across[i]
		step := p.Step
		if g.split {
			step /= 2
		}
		a.plan(lens{t.A, t.C, p.Width, size, oneAcross, step == 2})
		g.left = min(g.left, p.Offset+a.least*p.Step)
		g.right = max(g.right, p.Offset+(slices.Max(a.first)+a.span-1)*p.Step+1)
	}
	p := &planes[g.from]
	t := p.seen(toView)
	g.down.plan(lens{t.E, t.F, p.Height, size, oneDown, false})
	n := 2 * 2 * g.half()
	g.lanes = slices.Grow(g.lanes[:0], n+spare)[:n+spare]
	if !g.split {
		g.apart = slices.Grow(g.apart[:0], n)[:n]
	}
}

// spare is how many bytes columns may read behind the last sample.
const spare = 64

// joinRows fills g.lanes with the weighted sum of the source rows that make
// output row y.
func (g *group) joinRows(pix []byte, stride, y int) {
	n := g.right - g.left
	low, high := g.lanes, g.lanes[2*g.half():]
	if !g.split {
		low, high = g.apart, g.apart[2*g.half():]
	}
	first, taps := g.down.taps(y)
	if len(taps) == 0 { // another group's coarser plane still reaches into the picture
		clear(g.lanes)
		return
	}
	for done := 0; done < len(taps); {
		var rows [5][]byte
		var weights [5]uint64
		count := min(len(taps)-done, len(rows))
		for i := range rows {
			rows[i] = pix[(first+done+min(i, count-1))*stride:][:n]
			if i < count {
				weights[i] = uint64(taps[done+i])
			}
		}
		if count > 3 {
			addFive(low, high, &rows, &weights, done > 0)
		} else {
			addThree(low, high, &rows, &weights, done > 0)
		}
		done += count
	}
	for x := n &^ 7; x < n; x++ {
		var sum uint32
		for i, w := range taps {
			sum += uint32(pix[(first+i)*stride+x]) * w
		}
		half := low
		if x%2 == 1 {
			half = high
		}
		binary.LittleEndian.PutUint16(half[x&^1:], uint16(sum))
	}
	if !g.split {
		interleave(g.lanes, low, high)
	}
}

// lanes are every other byte of a word. With the others shifted down, a word
// of eight bytes becomes two with a 16-bit lane for each byte. The weights of
// a row add up to at most 256, so no lane ever overflows into the next, and
// one multiplication serves four pixels.
const lanes = 0x00ff00ff00ff00ff

// addFive puts the weighted sum of five rows, in whole words, into low for the
// bytes at even places, and into high for the others, or adds it there.
func addFive(low, high []byte, rows *[5][]byte, weights *[5]uint64, more bool) {
	a, b, c, d, e := rows[0], rows[1], rows[2], rows[3], rows[4]
	u, v, w, y, z := weights[0], weights[1], weights[2], weights[3], weights[4]
	n := len(a) &^ 7
	low, high = low[:n], high[:n]
	for x := 0; x < n; x += 8 {
		f, g, h := binary.LittleEndian.Uint64(a[x:]), binary.LittleEndian.Uint64(b[x:]), binary.LittleEndian.Uint64(c[x:])
		i, j := binary.LittleEndian.Uint64(d[x:]), binary.LittleEndian.Uint64(e[x:])
		even := (f&lanes)*u + (g&lanes)*v + (h&lanes)*w + (i&lanes)*y + (j&lanes)*z
		odd := (f>>8&lanes)*u + (g>>8&lanes)*v + (h>>8&lanes)*w + (i>>8&lanes)*y + (j>>8&lanes)*z
		if more {
			even += binary.LittleEndian.Uint64(low[x:])
			odd += binary.LittleEndian.Uint64(high[x:])
		}
		binary.LittleEndian.PutUint64(low[x:], even)
		binary.LittleEndian.PutUint64(high[x:], odd)
	}
}

// addThree is addFive for the first three rows.
func addThree(low, high []byte, rows *[5][]byte, weights *[5]uint64, more bool) {
	a, b, c := rows[0], rows[1], rows[2]
	u, v, w := weights[0], weights[1], weights[2]
	n := len(a) &^ 7
	low, high = low[:n], high[:n]
	for x := 0; x < n; x += 8 {
		f, g, h := binary.LittleEndian.Uint64(a[x:]), binary.LittleEndian.Uint64(b[x:]), binary.LittleEndian.Uint64(c[x:])
		even := (f&lanes)*u + (g&lanes)*v + (h&lanes)*w
		odd := (f>>8&lanes)*u + (g>>8&lanes)*v + (h>>8&lanes)*w
		if more {
			even += binary.LittleEndian.Uint64(low[x:])
			odd += binary.LittleEndian.Uint64(high[x:])
		}
		binary.LittleEndian.PutUint64(low[x:], even)
		binary.LittleEndian.PutUint64(high[x:], odd)
	}
}

// interleave brings lanes that addFive took apart back into their order.
func interleave(out, low, high []byte) {
	n := min(len(low), len(high), len(out)/2) &^ 7
	low, high = low[:n], high[:n]
	for x := 0; x < n; x += 8 {
		even, odd := binary.LittleEndian.Uint64(low[x:]), binary.LittleEndian.Uint64(high[x:])
		to := out[2*x:][:16]
		binary.LittleEndian.PutUint64(to, even&0xffff|even&0xffff0000<<16|odd&0xffff<<16|odd&0xffff0000<<32)
		even, odd = even>>32, odd>>32
		binary.LittleEndian.PutUint64(to[8:], even&0xffff|even&0xffff0000<<16|odd&0xffff<<16|odd&0xffff0000<<32)
	}
}
