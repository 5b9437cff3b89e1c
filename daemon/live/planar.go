package live

import (
	"bytes"
	"image"
	"image/color"

	"facerecd/inference"
)

// planar is a view with the planes and the full-range levels of a JPEG.
func planar(v inference.View) *image.YCbCr {
	if v.Levels == inference.LevelsRGB {
		return fromRGB(v)
	}
	luma, chroma := full(v.Levels)
	y, cb, cr := &v.Planes[0], &v.Planes[1], &v.Planes[2]
	bounds := image.Rect(0, 0, v.Width, v.Height)
	if len(cb.Pix) == 0 {
		img := image.NewYCbCr(bounds, image.YCbCrSubsampleRatio420)
		levelled(img.Y, img.YStride, 0, 0, y, luma)
		copy(img.Cb, bytes.Repeat([]byte{128}, len(img.Cb)))
		copy(img.Cr, img.Cb)
		return img
	}
	ratio, ok := subsampling(cb.XShift, cb.YShift)
	img := image.NewYCbCr(bounds, ratio)
	var xs, ys uint8 // by how much the plane is spread
	if !ok {
		xs, ys = cb.XShift, cb.YShift
	}
	levelled(img.Y, img.YStride, 0, 0, y, luma)
	levelled(img.Cb, img.CStride, xs, ys, cb, chroma)
	levelled(img.Cr, img.CStride, xs, ys, cr, chroma)
	return img
}

// subsampling names a layout. One that has no name, as a turned picture may
// have, is told to be spread to all pixels.
func subsampling(xs, ys uint8) (ratio image.YCbCrSubsampleRatio, ok bool) {
	switch [2]uint8{xs, ys} {
	case [2]uint8{0, 0}:
		return image.YCbCrSubsampleRatio444, true
	case [2]uint8{1, 0}:
		return image.YCbCrSubsampleRatio422, true
	case [2]uint8{1, 1}:
		return image.YCbCrSubsampleRatio420, true
	case [2]uint8{0, 1}:
		return image.YCbCrSubsampleRatio440, true
	case [2]uint8{2, 0}:
		return image.YCbCrSubsampleRatio411, true
	case [2]uint8{2, 1}:
		return image.YCbCrSubsampleRatio410, true
	}
	return image.YCbCrSubsampleRatio444, false
}

// full is what each level of luma and chroma becomes in full range (JFIF).
func full(l inference.Levels) (luma, chroma [256]byte) {
	for i := range 256 {
		luma[i], chroma[i] = byte(i), byte(i)
		if l == inference.LevelsVideo {
			luma[i] = stretched(i-16, 219)
			chroma[i] = stretched(i-16, 224)
		}
	}
	return luma, chroma
}

// stretched is a level of 0..span as one of 0..255.
func stretched(level, span int) byte {
	return byte(min(max((level*255+span/2)/span, 0), 255))
}

// levelled fills the rows of a plane from p, each sample of which goes to
// 1<<xs by 1<<ys of them.
func levelled(dst []byte, stride int, xs, ys uint8, p *inference.Plane, levels [256]byte) {
	for y := range len(dst) / stride {
		src := p.Pix[p.Offset+min(y>>ys, p.Height-1)*p.Stride:]
		row := dst[y*stride:][:stride]
		for x := range row {
			row[x] = levels[src[min(x>>xs, p.Width-1)*p.Step]]
		}
	}
}

func fromRGB(v inference.View) *image.YCbCr {
	img := image.NewYCbCr(image.Rect(0, 0, v.Width, v.Height), image.YCbCrSubsampleRatio444)
	row := func(i, y int) []byte { p := &v.Planes[i]; return p.Pix[p.Offset+y*p.Stride:] }
	for y := range v.Height {
		r, g, b := row(0, y), row(1, y), row(2, y)
		to := y * img.YStride
		for x := range v.Width {
			at := x * v.Planes[0].Step
			img.Y[to+x], img.Cb[to+x], img.Cr[to+x] = color.RGBToYCbCr(r[at], g[at], b[at])
		}
	}
	return img
}

func copyOf(img *image.YCbCr) *image.YCbCr {
	c := *img
	c.Y, c.Cb, c.Cr = bytes.Clone(img.Y), bytes.Clone(img.Cb), bytes.Clone(img.Cr)
	return &c
}
