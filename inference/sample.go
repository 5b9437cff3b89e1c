package inference

import "slices"

// sampler draws small pictures out of large ones. It keeps its scratch
// buffers, so one goroutine uses it at a time.
type sampler struct {
	planes [3][]float32
	line   [3][]uint32 // a row of each plane, in units of 1/oneLevel
	other  []uint32    // of what takes turns with a plane and is none
	groups [3]group
	across [3]axis
	pixels []float32
}

// draw fills rgb, size x size x 3 values in 0..255, with the picture whose
// point p shows v at toView(p). A pixel that spans several of the view's is
// the mean of a k x k grid of bilinear samples over it, close enough together
// that nothing that lies between them is left out. Outside the view is black.
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
	}
	for i := 0; i < len(planes); i++ {
		t := planes[i].seen(toView)
		if i == 1 && warpChroma(s.planes[1], s.planes[2], &planes[1], &planes[2], t, size, grid(t.scale())) {
			break
		}
		warp(s.planes[i], &planes[i], black(v.Levels, i), t, size, grid(t.scale()))
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

// clamp has branches, as hardly any pixel takes them: min and max, which mind
// the sign of zero, cost more.
func clamp(v float32) float32 {
	if v < 0 {
		return 0
	}
	if v > 255 {
		return 255
	}
	return v
}
