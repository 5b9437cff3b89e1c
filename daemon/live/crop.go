package live

import (
	"bytes"
	"fmt"
	"image"
	stdjpeg "image/jpeg"

	"facerecd/inference"
)

// Crop is the part of a view that a rectangle shows, as a JPEG. The rectangle
// may reach beyond the view; the picture does not. It is nil when nothing of it
// is inside.
func Crop(v inference.View, r image.Rectangle) ([]byte, error) {
	r = r.Intersect(image.Rect(0, 0, v.Width, v.Height))
	// Samples that several pixels share are not split.
	const most = 4
	r.Min.X, r.Min.Y = r.Min.X/most*most, r.Min.Y/most*most
	if r.Empty() {
		return nil, nil
	}
	part := v
	part.Width, part.Height = r.Dx(), r.Dy()
	for i := range part.Planes {
		p := &part.Planes[i]
		if len(p.Pix) == 0 {
			continue
		}
		x, y := r.Min.X>>p.XShift, r.Min.Y>>p.YShift
		p.Offset += y*p.Stride + x*p.Step
		p.Width, p.Height = p.Width-x, p.Height-y
	}
	var b bytes.Buffer
	if err := stdjpeg.Encode(&b, planar(part), &stdjpeg.Options{Quality: quality}); err != nil {
		return nil, fmt.Errorf("encode part of a picture: %w", err)
	}
	return b.Bytes(), nil
}
