package inference

import (
	"fmt"
	"image"
	"image/draw"
)

// Levels says how a View's three planes make a colour.
type Levels uint8

const (
	// LevelsRGB: the planes are red, green and blue, 0..255.
	LevelsRGB Levels = iota
	// LevelsFull: Y, Cb, Cr with all 256 levels, as in JFIF files.
	LevelsFull
	// LevelsVideo: Y in 16..235, Cb and Cr in 16..240, as cameras send
	// uncompressed frames (ITU-R BT.601).
	LevelsVideo
)

// Plane is one colour component: sample (x, y) is
// Pix[Offset+y*Stride+x*Step]. Planes that are interleaved share Pix.
type Plane struct {
	Pix                  []byte
	Offset, Stride, Step int
	Width, Height        int   // in samples of this plane
	XShift, YShift       uint8 // log2 of how many picture pixels one sample spans
}

// interleaved tells whether two planes are read from the same rows of bytes.
func (p *Plane) interleaved(o *Plane) bool {
	return len(p.Pix) > 0 && len(o.Pix) > 0 && &p.Pix[0] == &o.Pix[0] && p.Stride == o.Stride && p.Height == o.Height
}

// View is a picture as three strided planes, so that every packed, planar or
// subsampled layout is read in the same way and in place. A View without
// chroma planes is gray. The pixels belong to whoever made the View and must
// not change while an Engine reads them.
type View struct {
	Width, Height int // pixels
	Levels        Levels
	Planes        [3]Plane
}

// YUYV is a View of a packed 4:2:2 frame (V4L2_PIX_FMT_YUYV): Y0 Cb Y1 Cr.
func YUYV(pix []byte, width, height, stride int) (View, error) {
	if err := checkFrame("YUYV", len(pix), width, height, stride, 2*(width+width%2), stride*height); err != nil {
		return View{}, err
	}
	chroma := (width + 1) / 2
	return View{width, height, LevelsVideo, [3]Plane{
		{Pix: pix, Stride: stride, Step: 2, Width: width, Height: height},
		{Pix: pix, Offset: 1, Stride: stride, Step: 4, Width: chroma, Height: height, XShift: 1},
		{Pix: pix, Offset: 3, Stride: stride, Step: 4, Width: chroma, Height: height, XShift: 1},
	}}, nil
}

// NV12 is a View of a 4:2:0 frame with interleaved chroma
// (V4L2_PIX_FMT_NV12): a plane of Y, then one of Cb Cr pairs of the same stride.
func NV12(pix []byte, width, height, stride int) (View, error) {
	cw, ch := (width+1)/2, (height+1)/2
	if err := checkFrame("NV12", len(pix), width, height, stride, 2*cw, stride*(height+ch)); err != nil {
		return View{}, err
	}
	chroma := pix[stride*height:]
	return View{width, height, LevelsVideo, [3]Plane{
		{Pix: pix, Stride: stride, Step: 1, Width: width, Height: height},
		{Pix: chroma, Stride: stride, Step: 2, Width: cw, Height: ch, XShift: 1, YShift: 1},
		{Pix: chroma, Offset: 1, Stride: stride, Step: 2, Width: cw, Height: ch, XShift: 1, YShift: 1},
	}}, nil
}

// I420 is a View of a planar 4:2:0 frame (V4L2_PIX_FMT_YUV420): Y, Cb, Cr,
// the chroma planes with half the stride.
func I420(pix []byte, width, height, stride int) (View, error) {
	cw, ch, half := (width+1)/2, (height+1)/2, (stride+1)/2
	if err := checkFrame("I420", len(pix), width, height, stride, width, stride*height+2*half*ch); err != nil {
		return View{}, err
	}
	cb := pix[stride*height:]
	return View{width, height, LevelsVideo, [3]Plane{
		{Pix: pix, Stride: stride, Step: 1, Width: width, Height: height},
		{Pix: cb, Stride: half, Step: 1, Width: cw, Height: ch, XShift: 1, YShift: 1},
		{Pix: cb[half*ch:], Stride: half, Step: 1, Width: cw, Height: ch, XShift: 1, YShift: 1},
	}}, nil
}

// RGB is a View of packed 8-bit RGB.
func RGB(pix []byte, width, height, stride int) (View, error) {
	if err := checkFrame("RGB", len(pix), width, height, stride, 3*width, stride*height); err != nil {
		return View{}, err
	}
	return packed(pix, width, height, stride, 3), nil
}

// Gray is a View of luminance alone, with video levels as a camera sends it
// (V4L2_PIX_FMT_GREY).
func Gray(pix []byte, width, height, stride int) (View, error) {
	if err := checkFrame("gray", len(pix), width, height, stride, width, stride*height); err != nil {
		return View{}, err
	}
	return gray(pix, width, height, stride, LevelsVideo), nil
}

// FromImage is a View of a decoded picture. YCbCr, gray, RGBA and NRGBA
// pictures (transparency ignored) are read in place; any other kind is
// converted to RGBA first.
func FromImage(img image.Image) View {
	size := img.Bounds().Size()
	switch m := img.(type) {
	case *image.YCbCr:
		return ycbcr(m)
	case *image.Gray:
		return gray(m.Pix[m.PixOffset(m.Rect.Min.X, m.Rect.Min.Y):], size.X, size.Y, m.Stride, LevelsFull)
	case *image.RGBA:
		return packed(m.Pix[m.PixOffset(m.Rect.Min.X, m.Rect.Min.Y):], size.X, size.Y, m.Stride, 4)
	case *image.NRGBA:
		return packed(m.Pix[m.PixOffset(m.Rect.Min.X, m.Rect.Min.Y):], size.X, size.Y, m.Stride, 4)
	}
	rgba := image.NewRGBA(image.Rectangle{Max: size})
	draw.Draw(rgba, rgba.Rect, img, img.Bounds().Min, draw.Src)
	return packed(rgba.Pix, size.X, size.Y, rgba.Stride, 4)
}

func ycbcr(m *image.YCbCr) View {
	var xs, ys uint8
	switch m.SubsampleRatio {
	case image.YCbCrSubsampleRatio422:
		xs = 1
	case image.YCbCrSubsampleRatio420:
		xs, ys = 1, 1
	case image.YCbCrSubsampleRatio440:
		ys = 1
	case image.YCbCrSubsampleRatio411:
		xs = 2
	case image.YCbCrSubsampleRatio410:
		xs, ys = 2, 1
	}
	r := m.Rect
	c := m.COffset(r.Min.X, r.Min.Y)
	width, height := ((r.Max.X-1)>>xs)-(r.Min.X>>xs)+1, ((r.Max.Y-1)>>ys)-(r.Min.Y>>ys)+1
	return View{r.Dx(), r.Dy(), LevelsFull, [3]Plane{
		{Pix: m.Y[m.YOffset(r.Min.X, r.Min.Y):], Stride: m.YStride, Step: 1, Width: r.Dx(), Height: r.Dy()},
		{Pix: m.Cb[c:], Stride: m.CStride, Step: 1, Width: width, Height: height, XShift: xs, YShift: ys},
		{Pix: m.Cr[c:], Stride: m.CStride, Step: 1, Width: width, Height: height, XShift: xs, YShift: ys},
	}}
}

func packed(pix []byte, width, height, stride, step int) View {
	v := View{Width: width, Height: height, Levels: LevelsRGB}
	for i := range v.Planes {
		v.Planes[i] = Plane{Pix: pix, Offset: i, Stride: stride, Step: step, Width: width, Height: height}
	}
	return v
}

func gray(pix []byte, width, height, stride int, levels Levels) View {
	return View{width, height, levels, [3]Plane{{Pix: pix, Stride: stride, Step: 1, Width: width, Height: height}}}
}

// checkFrame refuses a buffer that its claimed geometry does not fit into, so
// that no later read can leave it. The last row may lack its padding.
func checkFrame(format string, have, width, height, stride, row, need int) error {
	const most = 1 << 15
	if width < 1 || height < 1 || width > most || height > most || stride > 4*most {
		return fmt.Errorf("%s frame of %dx%d with stride %d: size out of range", format, width, height, stride)
	}
	if stride < row {
		return fmt.Errorf("%s frame of %dx%d: stride %d is shorter than a row of %d bytes", format, width, height, stride, row)
	}
	if need -= stride - row; have < need {
		return fmt.Errorf("%s frame of %dx%d with stride %d: %d bytes, needs %d", format, width, height, stride, have, need)
	}
	return nil
}
