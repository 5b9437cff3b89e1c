package still

import (
	"image"
	"image/color"
)

// coded says whether a JPEG's pixels are coded as YCbCr or gray.
func coded(config image.Config) bool {
	return config.ColorModel == color.YCbCrModel || config.ColorModel == color.GrayModel
}

// plain makes a gray picture of the luma of one that was coded gray.
func plain(img *image.YCbCr, config image.Config) image.Image {
	if config.ColorModel == color.GrayModel {
		return &image.Gray{Pix: img.Y, Stride: img.YStride, Rect: img.Rect}
	}
	return img
}

// upright turns img, of one of the types that decodeJPEG makes, by an EXIF
// orientation.
func upright(img image.Image, orientation int) image.Image {
	if orientation == 1 {
		return img
	}
	b := img.Bounds()
	w, h := b.Dx(), b.Dy()
	uw, uh := turnedSize(w, h, orientation)
	switch img := img.(type) {
	case *image.Gray:
		return &image.Gray{Pix: turn(img.Pix, img.Stride, w, h, 1, orientation), Stride: uw, Rect: image.Rect(0, 0, uw, uh)}
	case *image.YCbCr:
		ratio, ok := turnedRatio(img.SubsampleRatio, orientation)
		if !ok {
			return upright(rgba(img), orientation)
		}
		// A subsampled plane of a side that is no multiple of the sampling is
		// off by part of a chroma sample after a flip, which nobody can see.
		cw, ch := chromaSize(img)
		ucw, _ := turnedSize(cw, ch, orientation)
		return &image.YCbCr{
			Y:       turn(img.Y, img.YStride, w, h, 1, orientation),
			Cb:      turn(img.Cb, img.CStride, cw, ch, 1, orientation),
			Cr:      turn(img.Cr, img.CStride, cw, ch, 1, orientation),
			YStride: uw, CStride: ucw, SubsampleRatio: ratio, Rect: image.Rect(0, 0, uw, uh),
		}
	case *image.RGBA:
		return &image.RGBA{Pix: turn(img.Pix, img.Stride, w, h, 4, orientation), Stride: 4 * uw, Rect: image.Rect(0, 0, uw, uh)}
	}
	return upright(rgba(img), orientation)
}

func turnedSize(w, h, orientation int) (int, int) {
	if orientation >= 5 {
		return h, w
	}
	return w, h
}

// turnedRatio is the sampling after the turn. A quarter turn of 4:1:1 or 4:1:0
// is nothing that image.YCbCr can hold.
func turnedRatio(r image.YCbCrSubsampleRatio, orientation int) (_ image.YCbCrSubsampleRatio, ok bool) {
	if orientation < 5 {
		return r, true
	}
	switch r {
	case image.YCbCrSubsampleRatio444, image.YCbCrSubsampleRatio420:
		return r, true
	case image.YCbCrSubsampleRatio422:
		return image.YCbCrSubsampleRatio440, true
	case image.YCbCrSubsampleRatio440:
		return image.YCbCrSubsampleRatio422, true
	}
	return 0, false
}

func chromaSize(img *image.YCbCr) (w, h int) {
	w, h = img.Rect.Dx(), img.Rect.Dy()
	switch img.SubsampleRatio {
	case image.YCbCrSubsampleRatio422:
		w = (w + 1) / 2
	case image.YCbCrSubsampleRatio420:
		w, h = (w+1)/2, (h+1)/2
	case image.YCbCrSubsampleRatio440:
		h = (h + 1) / 2
	case image.YCbCrSubsampleRatio411:
		w = (w + 3) / 4
	case image.YCbCrSubsampleRatio410:
		w, h = (w+3)/4, (h+1)/2
	}
	return w, h
}

// turn copies a plane of w x h pixels of n bytes each into a tight one that is
// turned by an EXIF orientation.
func turn(src []byte, stride, w, h, n, orientation int) []byte {
	uw, uh := turnedSize(w, h, orientation)
	dst := make([]byte, uw*uh*n)
	// Where the pixel at the turned picture's (0, 0) comes from, and how far
	// its neighbours to the right and below are from it, in bytes of src.
	right, down := n, stride
	first := 0
	last, bottom := (w-1)*n, (h-1)*stride
	switch orientation {
	case 2: // mirrored left to right
		first, right = last, -n
	case 3: // half a turn
		first, right, down = last+bottom, -n, -stride
	case 4: // mirrored top to bottom
		first, down = bottom, -stride
	case 5: // mirrored along the diagonal from top left
		right, down = stride, n
	case 6: // to be turned clockwise
		first, right, down = bottom, -stride, n
	case 7: // mirrored along the diagonal from top right
		first, right, down = last+bottom, -stride, -n
	case 8: // to be turned anticlockwise
		first, right, down = last, stride, -n
	}
	at := 0
	for y := range uh {
		from := first + y*down
		if n == 1 { // the planes of photos, worth the quicker loop
			for range uw {
				dst[at] = src[from]
				at++
				from += right
			}
			continue
		}
		for range uw {
			copy(dst[at:at+n], src[from:from+n])
			at += n
			from += right
		}
	}
	return dst
}
