package inference

import (
	"math"
	"slices"
)

// sampler draws small pictures out of large ones. It keeps its scratch
// buffers, so one goroutine uses it at a time.
type sampler struct {
	planes [3][]float32
	line   [3][]uint32 // a row of each plane, in units of 1/oneLevel
	groups [3]group
	across [3]axis
	row    []uint16
	pixels []float32
}

// draw fills rgb, size x size x 3 values in 0..255, with the picture whose
// point p shows v at toView(p). A pixel that spans several of the view's is
// the mean of a k x k grid of bilinear samples over it, k being the shrink
// factor rounded up, so nothing that lies between the samples is lost to
// aliasing. Outside the view is black.
//
// Each plane is sampled at its own resolution and only the result is
// converted to RGB, which is what makes a subsampled frame cheap.
func (s *sampler) draw(rgb []float32, v View, toView Transform, size int) {
	planes := v.colours()
	if toView.upright() {
		s.resize(reals(&v, rgb, size), v.Levels, planes, toView, size)
		return
	}
	for i := range planes {
		s.planes[i] = slices.Grow(s.planes[i][:0], size*size)[:size*size]
		warp(s.planes[i], &planes[i], black(v.Levels, i), planes[i].seen(toView), size)
	}
	toRGB(rgb[:3*size*size], &s.planes, v.Levels, len(planes) == 1)
}

// upright tells whether rows stay rows.
func (t Transform) upright() bool { return t.B == 0 && t.D == 0 }

// colours are the planes that there are.
func (v *View) colours() []Plane {
	if v.Planes[1].Pix == nil {
		return v.Planes[:1]
	}
	return v.Planes[:]
}

// seen is a transform to the picture, turned into one to the plane's samples,
// whose centres are at whole numbers.
func (p *Plane) seen(t Transform) Transform {
	sx, sy := 1/float64(int(1)<<p.XShift), 1/float64(int(1)<<p.YShift)
	return Transform{t.A * sx, t.B * sx, t.C*sx - 0.5, t.D * sy, t.E * sy, t.F*sy - 0.5}
}

// black is the value of a plane where the picture is black.
func black(l Levels, plane int) float32 {
	switch {
	case l == LevelsRGB:
		return 0
	case plane > 0:
		return 128
	case l == LevelsVideo:
		return 16
	}
	return 0
}

// The coefficients of ITU-R BT.601.
const (
	redOfCr   = 1.402
	greenOfCb = 0.344136
	greenOfCr = 0.714136
	blueOfCb  = 1.772
)

// conversion is what Y and chroma are multiplied with to have all 256 levels,
// and Y's black.
func conversion(l Levels) (gainY, gainC, dark float32) {
	if l == LevelsVideo {
		return 255.0 / 219, 255.0 / 224, 16
	}
	return 1, 1, 0
}

// toRGB joins sampled planes.
func toRGB(rgb []float32, planes *[3][]float32, levels Levels, gray bool) {
	first := planes[0]
	if levels == LevelsRGB {
		g, b := planes[1][:len(first)], planes[2][:len(first)]
		for i, r := range first {
			rgb[3*i], rgb[3*i+1], rgb[3*i+2] = r, g[i], b[i]
		}
		return
	}
	gainY, gainC, offset := conversion(levels)
	if gray {
		for i, y := range first {
			y = clamp(gainY * (y - offset))
			rgb[3*i], rgb[3*i+1], rgb[3*i+2] = y, y, y
		}
		return
	}
	cbs, crs := planes[1][:len(first)], planes[2][:len(first)]
	for i, y := range first {
		y = gainY * (y - offset)
		cb, cr := gainC*(cbs[i]-128), gainC*(crs[i]-128)
		out := rgb[3*i:][:3]
		out[0] = clamp(y + redOfCr*cr)
		out[1] = clamp(y - greenOfCb*cb - greenOfCr*cr)
		out[2] = clamp(y + blueOfCb*cb)
	}
}

func clamp(v float32) float32 { return min(max(v, 0), 255) }

// maxGrid bounds the work of a warp whose landmarks came out absurdly far
// apart; the largest real face in a 50-megapixel photo stays below it.
const maxGrid = 48

// warp draws a plane through any transform to its samples.
func warp(dst []float32, p *Plane, border float32, t Transform, size int) {
	k := min(max(1, int(math.Ceil(t.scale()-1e-6))), maxGrid)
	share := 1 / float32(k*k)
	if p.holds(t, size) {
		warpInside(dst, p, t, size, k)
		return
	}
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

// warpInside is warp where no sample needs the border: with 16 fractional
// bits and no checks, several times as fast, for the usual face.
func warpInside(dst []float32, p *Plane, t Transform, size, k int) {
	const one = 1 << 16
	step := 1 / float64(k)
	dx, dy := int(t.A*step*one), int(t.D*step*one)
	share := 1 / (float32(k*k) * one)
	for v := range size {
		out := dst[v*size:][:size]
		clear(out)
		for j := range k {
			fy := float64(v) + (float64(j)+0.5)*step
			x0, y0 := t.A*0.5*step+t.B*fy+t.C, t.D*0.5*step+t.E*fy+t.F
			x, y := int(x0*one)+one>>9, int(y0*one)+one>>9 // rounds what the 8 bits below cut off
			for u := range out {
				var sum int
				for range k {
					at := p.Offset + (y>>16)*p.Stride + (x>>16)*p.Step
					top, bottom := p.Pix[at:][:p.Step+1], p.Pix[at+p.Stride:][:p.Step+1]
					fx, fy := (x>>8)&0xff, (y>>8)&0xff
					a := int(top[0])<<8 + fx*(int(top[p.Step])-int(top[0]))
					b := int(bottom[0])<<8 + fx*(int(bottom[p.Step])-int(bottom[0]))
					sum += a<<8 + fy*(b-a)
					x += dx
					y += dy
				}
				out[u] += float32(sum) * share
			}
		}
	}
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
