package inference

import (
	"encoding/binary"
	"math"
)

// apart is how many pixels there may be between two bilinear samples. Each
// takes in what is less than one pixel off, so below two none is left out. One
// would cost up to four times as much, and recognises nobody better
// (bench/README.md).
const apart = 1.25

// maxGrid bounds the work of a warp whose landmarks came out absurdly far
// apart; the largest real face in a 50-megapixel photo stays below it.
const maxGrid = 48

// grid is how many samples a warp needs, across and down, for a pixel that is
// so many of the plane's wide.
func grid(scale float64) int {
	return min(max(1, int(math.Ceil(scale/apart-1e-6))), maxGrid)
}

// warp draws a plane through any transform to its samples, each pixel as the
// mean of k x k of them.
func warp(dst []float32, p *Plane, border float32, t Transform, size, k int) {
	if p.holds(t, size) {
		warpInside(dst, p, t, size, k)
		return
	}
	share := 1 / float32(k*k)
	step := 1 / float64(k)
	for v := range size {
		for u := range size {
			var sum float32
			for j := range k {
				y := float64(v) + (float64(j)+0.5)*step
				for i := range k {
					x := float64(u) + (float64(i)+0.5)*step
					sum += p.bilinear(float32(t.A*x+t.B*y+t.C), float32(t.D*x+t.E*y+t.F), border)
				}
			}
			dst[v*size+u] = sum * share
		}
	}
}

// holds tells whether all that t shows lies between samples of the plane.
func (p *Plane) holds(t Transform, size int) bool {
	for _, corner := range [4][2]float64{{0, 0}, {0, 1}, {1, 0}, {1, 1}} {
		u, v := corner[0]*float64(size), corner[1]*float64(size)
		x, y := t.A*u+t.B*v+t.C, t.D*u+t.E*v+t.F
		if !(x >= 0 && y >= 0 && x < float64(p.Width-1) && y < float64(p.Height-1)) {
			return false
		}
	}
	return true
}

// steps is a transform in whole numbers with 16 bits for the fraction, for
// warps where no sample needs the border: several times as fast, and the usual
// face.
type steps struct {
	t      Transform
	k      int
	dx, dy int // from one sample to the next
}

const one = 1 << 16

func newSteps(t Transform, k int) steps {
	return steps{t, k, int(t.A / float64(k) * one), int(t.D / float64(k) * one)}
}

// row is where row j of the samples of pixel row v begins.
func (s *steps) row(v, j int) (x, y int) {
	step := 1 / float64(s.k)
	fy := float64(v) + (float64(j)+0.5)*step
	x0, y0 := s.t.A*0.5*step+s.t.B*fy+s.t.C, s.t.D*0.5*step+s.t.E*fy+s.t.F
	return int(x0*one) + one>>9, int(y0*one) + one>>9 // rounds what the 8 bits below cut off
}

// warpInside draws one plane.
func warpInside(dst []float32, p *Plane, t Transform, size, k int) {
	s := newSteps(t, k)
	share := 1 / (float32(k*k) * one)
	for v := range size {
		out := dst[v*size:][:size]
		clear(out)
		for j := range k {
			x, y := s.row(v, j)
			switch {
			case p.Step == 1:
				s.planar(out, p, x, y, share)
			case p.Step == 2 && p.last()+1 < len(p.Pix):
				s.alternate(out, p, x, y, share)
			default:
				s.any(out, p, x, y, share)
			}
		}
	}
}

// last is where the plane's last sample is.
func (p *Plane) last() int { return p.Offset + (p.Height-1)*p.Stride + (p.Width-1)*p.Step }

// Four samples that are in two words, one row below the other, are joined down
// first, both columns with one multiplication.

// planar adds a row of samples of a plane that has its bytes side by side.
func (s *steps) planar(out []float32, p *Plane, x, y int, share float32) {
	for u := range out {
		var sum uint64
		for range s.k {
			at := p.Offset + (y>>16)*p.Stride + x>>16
			fx, fy := uint64(x>>8)&0xff, uint64(y>>8)&0xff
			top, bottom := uint64(binary.LittleEndian.Uint16(p.Pix[at:])), uint64(binary.LittleEndian.Uint16(p.Pix[at+p.Stride:]))
			both := (top|top<<8)&0xff00ff*(256-fy) + (bottom|bottom<<8)&0xff00ff*fy
			sum += (both&0xffff)*(256-fx) + both>>16*fx
			x += s.dx
			y += s.dy
		}
		out[u] += float32(sum) * share
	}
}

// alternate is planar for a plane in every other byte. It reads the byte behind
// a sample, too.
func (s *steps) alternate(out []float32, p *Plane, x, y int, share float32) {
	for u := range out {
		var sum uint64
		for range s.k {
			at := p.Offset + (y>>16)*p.Stride + x>>16*2
			fx, fy := uint64(x>>8)&0xff, uint64(y>>8)&0xff
			top, bottom := uint64(binary.LittleEndian.Uint32(p.Pix[at:])), uint64(binary.LittleEndian.Uint32(p.Pix[at+p.Stride:]))
			both := top&0xff00ff*(256-fy) + bottom&0xff00ff*fy
			sum += (both&0xffff)*(256-fx) + both>>16*fx
			x += s.dx
			y += s.dy
		}
		out[u] += float32(sum) * share
	}
}

// any is planar for a plane in any layout.
func (s *steps) any(out []float32, p *Plane, x, y int, share float32) {
	for u := range out {
		var sum int
		for range s.k {
			at := p.Offset + (y>>16)*p.Stride + (x>>16)*p.Step
			top, bottom := p.Pix[at:][:p.Step+1], p.Pix[at+p.Stride:][:p.Step+1]
			fx, fy := (x>>8)&0xff, (y>>8)&0xff
			a := int(top[0])<<8 + fx*(int(top[p.Step])-int(top[0]))
			b := int(bottom[0])<<8 + fx*(int(bottom[p.Step])-int(bottom[0]))
			sum += a<<8 + fy*(b-a)
			x += s.dx
			y += s.dy
		}
		out[u] += float32(sum) * share
	}
}

// warpChroma draws the two chroma planes of a packed 4:2:2 frame at once; ok is
// false, and nothing is drawn, when the planes are not those, or a sample needs
// the border.
func warpChroma(cb, cr []float32, p, q *Plane, t Transform, size, k int) (ok bool) {
	if p.Step != 4 || !p.interleaved(q) || q.Step != 4 || q.Offset != p.Offset+2 || q.Width != p.Width ||
		p.Offset < 1 || q.last() >= len(q.Pix) || !p.holds(t, size) {
		return false
	}
	s := newSteps(t, k)
	share := 1 / (float32(k*k) * one)
	for v := range size {
		blue, red := cb[v*size:][:size], cr[v*size:][:size]
		clear(blue)
		clear(red)
		for j := range k {
			x, y := s.row(v, j)
			for u := range blue {
				var sum, sum2 uint64
				for range k {
					at := p.Offset - 1 + (y>>16)*p.Stride + x>>16*4
					fx, fy := uint64(x>>8)&0xff, uint64(y>>8)&0xff
					// Y Cb Y Cr, Y Cb Y Cr
					top, bottom := binary.LittleEndian.Uint64(p.Pix[at:]), binary.LittleEndian.Uint64(p.Pix[at+p.Stride:])
					both := top>>8&lanes*(256-fy) + bottom>>8&lanes*fy
					across := fx | (256-fx)<<32
					sum += (both & pairs) * across >> 32
					sum2 += (both >> 16 & pairs) * across >> 32
					x += s.dx
					y += s.dy
				}
				blue[u] += float32(sum) * share
				red[u] += float32(sum2) * share
			}
		}
	}
	return true
}

// bilinear reads the plane between its samples; beyond the edge is border.
func (p *Plane) bilinear(x, y, border float32) float32 {
	if !(x > -1 && y > -1 && x < float32(p.Width) && y < float32(p.Height)) {
		return border
	}
	x0, y0 := int(x+1)-1, int(y+1)-1 // floor, for x > -1
	fx, fy := x-float32(x0), y-float32(y0)
	a, b := p.at(x0, y0, border), p.at(x0+1, y0, border)
	c, d := p.at(x0, y0+1, border), p.at(x0+1, y0+1, border)
	top, bottom := a+fx*(b-a), c+fx*(d-c)
	return top + fy*(bottom-top)
}

func (p *Plane) at(x, y int, border float32) float32 {
	if x < 0 || y < 0 || x >= p.Width || y >= p.Height {
		return border
	}
	return float32(p.Pix[p.Offset+y*p.Stride+x*p.Step])
}
