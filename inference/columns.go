package inference

import (
	"encoding/binary"
	"slices"
)

// A multiplication of two words gives, in the upper half of the result's lower
// 64 bits, the sum of two products: (a + b<<32) * (w + v<<32) has a*v + b*w
// there. Samples have 16 bits and weights add up to 15, so neither this sum nor
// the a*w below it ever overflows.
const pairs = 0x0000ffff0000ffff

// pack prepares the weights for columns. Samples that lie side by side are read
// four at a time, of which the first and third make one pair, and the second
// and fourth another. Paired planes have one sample between two of their own,
// and are read two at a time.
func (a *axis) pack(paired bool) {
	each, step := 4, 1
	if paired {
		each, step = 2, 2
	}
	a.least = slices.Min(a.first)
	a.at = slices.Grow(a.at[:0], len(a.first))[:len(a.first)]
	a.packed = a.packed[:0]
	for i, first := range a.first {
		a.at[i] = 2 * step * (first - a.least)
		for tap := 0; tap < a.span; tap += each {
			weight := func(j int) uint64 {
				if j += tap; j < a.span {
					return uint64(a.weights[i*a.span+j])
				}
				return 0
			}
			if paired {
				a.packed = append(a.packed, weight(0)<<32|weight(1))
			} else {
				a.packed = append(a.packed, weight(0)<<32|weight(2), weight(1)<<32|weight(3))
			}
		}
	}
}

// joinColumns joins a group's lanes along x for plane i, and for the one after
// it when they take turns; it returns how many planes it did beside the first.
// What lies outside is left out.
func (s *sampler) joinColumns(g *group, planes []Plane, i int) (more int) {
	p, a := &planes[i], &s.across[i]
	at, step := g.place(p.Offset+a.least*p.Step, p.Step)
	lanes := g.lanes[2*at:]
	switch step {
	case 1:
		columns(s.line[i], lanes, a)
	case 2:
		if i+1 < g.to && planes[i+1].Step == p.Step && s.across[i+1].of == a.of {
			if next, _ := g.place(planes[i+1].Offset+a.least*p.Step, p.Step); next == at+1 {
				pairedColumns(s.line[i], s.line[i+1], lanes, a)
				return 1
			}
		}
		s.other = slices.Grow(s.other[:0], len(s.line[i]))[:len(s.line[i])]
		pairedColumns(s.line[i], s.other, lanes, a)
	default:
		for x := range s.line[i] {
			var sum uint32
			at := 2 * step * (a.first[x] - a.least)
			for _, w := range a.weights[x*a.span:][:a.span] {
				sum += w * uint32(binary.LittleEndian.Uint16(lanes[at:]))
				at += 2 * step
			}
			s.line[i][x] = sum
		}
	}
	return 0
}

// columns joins samples that lie side by side.
func columns(dst []uint32, lanes []byte, a *axis) {
	packed, at := a.packed, a.at[:len(dst)]
	switch len(packed) / len(at) {
	case 2:
		for x := range dst {
			v, w := binary.LittleEndian.Uint64(lanes[at[x]:]), packed[2*x:][:2]
			dst[x] = uint32(((v&pairs)*w[0] + (v>>16&pairs)*w[1]) >> 32)
		}
	case 4:
		for x := range dst {
			in, w := lanes[at[x]:][:16], packed[4*x:][:4]
			v, u := binary.LittleEndian.Uint64(in), binary.LittleEndian.Uint64(in[8:])
			dst[x] = uint32(((v&pairs)*w[0] + (v>>16&pairs)*w[1] + (u&pairs)*w[2] + (u>>16&pairs)*w[3]) >> 32)
		}
	default:
		each := len(packed) / len(at)
		for x := range dst {
			var sum uint64
			at := at[x]
			for w := packed[x*each:][:each]; len(w) >= 2; w = w[2:] {
				v := binary.LittleEndian.Uint64(lanes[at:])
				sum += (v&pairs)*w[0] + (v>>16&pairs)*w[1]
				at += 8
			}
			dst[x] = uint32(sum >> 32)
		}
	}
}

// pairedColumns joins samples of two planes that take turns.
func pairedColumns(first, second []uint32, lanes []byte, a *axis) {
	packed, at := a.packed, a.at[:len(first)]
	second = second[:len(first)]
	each := len(packed) / len(at)
	if each == 2 {
		for x := range first {
			in, w := lanes[at[x]:][:16], packed[2*x:][:2]
			v, u := binary.LittleEndian.Uint64(in), binary.LittleEndian.Uint64(in[8:])
			first[x] = uint32(((v&pairs)*w[0] + (u&pairs)*w[1]) >> 32)
			second[x] = uint32(((v>>16&pairs)*w[0] + (u>>16&pairs)*w[1]) >> 32)
		}
		return
	}
	for x := range first {
		var sum, sum2 uint64
		at := at[x]
		for _, w := range packed[x*each:][:each] {
			v := binary.LittleEndian.Uint64(lanes[at:])
			sum += (v & pairs) * w
			sum2 += (v >> 16 & pairs) * w
			at += 8
		}
		first[x], second[x] = uint32(sum>>32), uint32(sum2>>32)
	}
}

// frame adds to a plane's line what lies outside of the source.
func (s *sampler) frame(i int, border, insideY uint32) {
	if border == 0 {
		return
	}
	a, line := &s.across[i], s.line[i]
	if insideY == oneDown {
		for _, x := range a.cut {
			line[x] += border * (oneLevel - oneDown*a.inside[x])
		}
		return
	}
	for x, inside := range a.inside[:len(line)] {
		line[x] += border * (oneLevel - insideY*inside)
	}
}
