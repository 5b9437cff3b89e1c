package daemon

import (
	"bytes"
	"fmt"
	"image"
	"image/jpeg"
	"math"

	"golang.org/x/image/draw"

	"facerecd/inference"
)

const (
	// cropScale is the side of a crop in boxes of the detector: room for a
	// detector with other boxes, and for another alignment.
	cropScale = 2
	// cropSide is the largest side of a crop in pixels: the face in it has
	// about 160, more than any aligned face needs.
	cropSide    = 320
	cropQuality = 95 // of the JPEG
	// thumbnailSide is the largest side of a stranger's picture in pixels.
	thumbnailSide = 240
)

// encodeCrop is the square around a face as a JPEG without metadata, for
// another model pack to look at. Beyond the picture it is black.
func encodeCrop(img image.Image, box inference.Box) ([]byte, error) {
	c := box.Centre()
	half := cropScale * max(box.Width, box.Height) / 2
	at := func(v float32) int { return int(math.Round(float64(v))) }
	bounds := img.Bounds()
	from := image.Rect(at(c.X-half), at(c.Y-half), at(c.X+half), at(c.Y+half)).Add(bounds.Min)
	side := min(from.Dx(), cropSide)
	crop := image.NewRGBA(image.Rect(0, 0, side, side))
	scale := float64(side) / float64(from.Dx())
	seen := from.Intersect(bounds)
	to := func(v, origin int) int { return int(math.Round(float64(v-origin) * scale)) }
	draw.CatmullRom.Scale(crop, image.Rect(
		to(seen.Min.X, from.Min.X), to(seen.Min.Y, from.Min.Y), to(seen.Max.X, from.Min.X), to(seen.Max.Y, from.Min.Y),
	), img, seen, draw.Src, nil)
	var b bytes.Buffer
	if err := jpeg.Encode(&b, crop, &jpeg.Options{Quality: cropQuality}); err != nil {
		return nil, fmt.Errorf("encode crop: %w", err)
	}
	return b.Bytes(), nil
}

// thumbnail is a JPEG made no larger than it is to be stored; nil when it is none.
func thumbnail(picture []byte) []byte {
	img, err := jpeg.Decode(bytes.NewReader(picture))
	if err != nil {
		return nil
	}
	size := img.Bounds().Size()
	most := max(size.X, size.Y)
	if most <= thumbnailSide {
		return picture
	}
	small := image.NewRGBA(image.Rect(0, 0, max(1, size.X*thumbnailSide/most), max(1, size.Y*thumbnailSide/most)))
	draw.CatmullRom.Scale(small, small.Rect, img, img.Bounds(), draw.Src, nil)
	var b bytes.Buffer
	if err := jpeg.Encode(&b, small, nil); err != nil {
		return nil
	}
	return b.Bytes()
}
