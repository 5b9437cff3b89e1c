package daemon

import (
	"fmt"

	"facerecd/capture"
	"facerecd/capture/jpeg"
	"facerecd/inference"
)

// ViewOf sees a camera's frame as the planes that inference reads. A JPEG is
// decoded first, so the view is valid until decoder's next picture; everything
// else is seen in place.
func ViewOf(f *capture.Frame, decoder jpeg.Decoder) (inference.View, error) {
	switch f.Format {
	case capture.JPEG:
		img, err := decoder.Decode(f.Data)
		if err != nil {
			return inference.View{}, err
		}
		return inference.FromImage(img), nil
	case capture.YUYV:
		return inference.YUYV(f.Data, f.Width, f.Height, f.Stride)
	case capture.NV12:
		return inference.NV12(f.Data, f.Width, f.Height, f.Stride)
	case capture.I420:
		return inference.I420(f.Data, f.Width, f.Height, f.Stride)
	case capture.RGB:
		return inference.RGB(f.Data, f.Width, f.Height, f.Stride)
	case capture.Gray:
		return inference.Gray(f.Data, f.Width, f.Height, f.Stride)
	}
	return inference.View{}, fmt.Errorf("frames of format %v are not supported", f.Format)
}
