package inference

import (
	"image"
	"image/color"
	"math"
	"testing"
)

// scene is a smooth coloured picture, so that subsampled chroma loses little.
func scene(width, height int) *image.RGBA {
	m := image.NewRGBA(image.Rect(0, 0, width, height))
	for y := range height {
		for x := range width {
			m.SetRGBA(x, y, color.RGBA{
				R: uint8(60 + 120*x/width),
				G: uint8(200 - 100*y/height),
				B: uint8(90 + 50*(x+y)/(width+height)),
				A: 255,
			})
		}
	}
	return m
}

// layouts returns the same scene in every layout, each with padded rows.
func layouts(t *testing.T, width, height int) map[string]View {
	m := scene(width, height)
	full := image.NewYCbCr(m.Rect, image.YCbCrSubsampleRatio420)
	cw, ch := (width+1)/2, (height+1)/2
	pad := 6
	yuyv := make([]byte, (2*(width+width%2)+pad)*height)
	nv12 := make([]byte, (2*cw+pad)*(height+ch))
	i420 := make([]byte, (2*cw+pad)*height+2*(cw+pad/2)*ch)
	rgb := make([]byte, (3*width+pad)*height)
	grays := image.NewGray(m.Rect)
	for y := range height {
		for x := range width {
			c := m.RGBAAt(x, y)
			copy(rgb[y*(3*width+pad)+3*x:], []byte{c.R, c.G, c.B})
			r, g, b := float64(c.R), float64(c.G), float64(c.B)
			luma := 0.299*r + 0.587*g + 0.114*b
			cb, cr := (b-luma)/1.772, (r-luma)/1.402
			grays.SetGray(x, y, color.Gray{uint8(luma + 0.5)})
			full.Y[full.YOffset(x, y)] = uint8(luma + 0.5)
			full.Cb[full.COffset(x, y)], full.Cr[full.COffset(x, y)] = uint8(cb+128.5), uint8(cr+128.5)
			videoY := uint8(luma*219/255 + 16.5)
			videoCb, videoCr := uint8(cb*224/255+128.5), uint8(cr*224/255+128.5)

			row := yuyv[y*(2*(width+width%2)+pad):]
			row[2*x] = videoY
			row[4*(x/2)+1], row[4*(x/2)+3] = videoCb, videoCr
			nv12[y*(2*cw+pad)+x] = videoY
			chroma := nv12[(2*cw+pad)*(height+y/2)+2*(x/2):]
			chroma[0], chroma[1] = videoCb, videoCr
			i420[y*(2*cw+pad)+x] = videoY
			at := (2*cw+pad)*height + (y/2)*(cw+pad/2) + x/2
			i420[at], i420[at+(cw+pad/2)*ch] = videoCb, videoCr
		}
	}
	view := func(v View, err error) View {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	return map[string]View{
		"YUYV":  view(YUYV(yuyv, width, height, 2*(width+width%2)+pad)),
		"NV12":  view(NV12(nv12, width, height, 2*cw+pad)),
		"I420":  view(I420(i420, width, height, 2*cw+pad)),
		"RGB":   view(RGB(rgb, width, height, 3*width+pad)),
		"YCbCr": FromImage(full),
		"RGBA":  FromImage(m),
		"NRGBA": FromImage((*image.NRGBA)(m)),
		"gray":  FromImage(grays),
		"other": FromImage(struct{ image.Image }{m}), // a type nobody knows
	}
}

func TestEveryLayoutShowsTheSamePicture(t *testing.T) {
	for _, size := range [][2]int{{64, 48}, {63, 47}} {
		all := layouts(t, size[0], size[1])
		want := make([]float32, 3*40*40)
		transform := Transform{0.7, 0.2, 8, -0.2, 0.7, 14}
		new(sampler).draw(want, all["RGBA"], transform, 40)
		for name, v := range all {
			got := make([]float32, len(want))
			new(sampler).draw(got, v, transform, 40)
			var worst float64
			for i := range got {
				expected := want[i]
				if name == "gray" {
					p := want[i/3*3:]
					expected = 0.299*p[0] + 0.587*p[1] + 0.114*p[2]
				}
				worst = max(worst, math.Abs(float64(got[i]-expected)))
			}
			if worst > 6 {
				t.Errorf("%dx%d %s: differs by %.1f of 255 from RGBA", size[0], size[1], name, worst)
			}
		}
	}
}

func TestSubImageIsSeenInPlace(t *testing.T) {
	m := scene(40, 30)
	sub := m.SubImage(image.Rect(10, 8, 30, 24)).(*image.RGBA)
	v := FromImage(sub)
	if v.Width != 20 || v.Height != 16 || &v.Planes[0].Pix[0] != &m.Pix[m.PixOffset(10, 8)] {
		t.Errorf("the view is %dx%d, or a copy", v.Width, v.Height)
	}
	whole := image.NewYCbCr(image.Rect(0, 0, 40, 30), image.YCbCrSubsampleRatio420)
	part := FromImage(whole.SubImage(image.Rect(11, 9, 30, 24)))
	if c := part.Planes[1]; c.Width != 10 || c.Height != 8 {
		t.Errorf("chroma of x 11..30, y 9..24 has %dx%d samples, want 10x8", c.Width, c.Height)
	}
}

func TestFrameThatDoesNotFitItsBufferIsRefused(t *testing.T) {
	buffer := make([]byte, 64*48*2)
	for _, c := range []struct {
		name string
		err  func() error
		want string
	}{
		{"short YUYV", func() error { _, err := YUYV(buffer[:100], 64, 48, 128); return err }, "YUYV frame of 64x48 with stride 128: 100 bytes, needs 6144"},
		{"short NV12", func() error { _, err := NV12(buffer[:64*48], 64, 48, 64); return err }, "NV12 frame of 64x48 with stride 64: 3072 bytes, needs 4608"},
		{"short I420", func() error { _, err := I420(nil, 64, 48, 64); return err }, "I420 frame of 64x48 with stride 64: 0 bytes, needs 4608"},
		{"narrow stride", func() error { _, err := YUYV(buffer, 64, 48, 64); return err }, "YUYV frame of 64x48: stride 64 is shorter than a row of 128 bytes"},
		{"no size", func() error { _, err := RGB(buffer, 0, 48, 64); return err }, "RGB frame of 0x48 with stride 64: size out of range"},
		{"huge", func() error { _, err := Gray(buffer, 1<<20, 1<<20, 1<<20); return err }, "gray frame of 1048576x1048576 with stride 1048576: size out of range"},
		{"last row unpadded", func() error { _, err := Gray(buffer[:100*9+64], 64, 10, 100); return err }, ""},
	} {
		if got := c.err(); (got == nil) != (c.want == "") || got != nil && got.Error() != c.want {
			t.Errorf("%s: %v, want %q", c.name, got, c.want)
		}
	}
}
