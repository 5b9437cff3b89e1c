package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"log/slog"
	"os"
	"time"

	"facerecd/capture"
	"facerecd/capture/replay"
)

// Quality is how well frames are coded as JPEG, on image/jpeg's scale. Cameras
// give 100 to 200 kB for 1280x720, and so does this.
const Quality = 85

// Load plays a photo, or an MJPEG file, once as a camera of the given size and
// format would. An MJPEG file keeps its size, and its frames in the format
// JPEG.
func Load(ctx context.Context, path string, width, height int, format capture.Format, log *slog.Logger) ([]capture.Frame, error) {
	source, err := replay.Open(path, replay.Options{FPS: 1000, Hold: time.Millisecond, Width: width, Height: height, Log: log})
	if err != nil {
		return nil, err
	}
	defer source.Close()
	var frames []capture.Frame
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return nil, fmt.Errorf("%s is a folder", path)
	}
	for {
		var f capture.Frame
		switch err := source.Read(ctx, &f); {
		case errors.Is(err, capture.ErrEnd):
			return frames, nil
		case errors.Is(err, capture.ErrBadFrame):
			continue
		case err != nil:
			return nil, err
		}
		if f.Format == capture.RGB && format != capture.RGB {
			if err := convert(&f, format); err != nil {
				return nil, err
			}
		}
		frames = append(frames, f)
	}
}

// convert turns an RGB frame into another format, with a camera's levels: the
// full range in JPEG, BT.601's limited one elsewhere.
func convert(f *capture.Frame, format capture.Format) error {
	ratio := image.YCbCrSubsampleRatio420
	if format == capture.YUYV {
		ratio = image.YCbCrSubsampleRatio422
	}
	img := ycbcr(f, ratio)
	var data []byte
	stride := f.Width
	switch format {
	case capture.JPEG:
		var b bytes.Buffer
		if err := jpeg.Encode(&b, img, &jpeg.Options{Quality: Quality}); err != nil {
			return fmt.Errorf("encode frame: %w", err)
		}
		data, stride = b.Bytes(), 0
	case capture.YUYV:
		limit(img)
		for i, y := range img.Y {
			if i%2 == 0 {
				data = append(data, y, img.Cb[i/2])
			} else {
				data = append(data, y, img.Cr[i/2])
			}
		}
		stride = 2 * f.Width
	case capture.NV12:
		limit(img)
		data = append(data, img.Y...)
		for i := range img.Cb {
			data = append(data, img.Cb[i], img.Cr[i])
		}
	case capture.I420:
		limit(img)
		data = append(append(append(data, img.Y...), img.Cb...), img.Cr...)
	case capture.Gray:
		limit(img)
		data = img.Y
	default:
		return fmt.Errorf("frames of format %v cannot be made", format)
	}
	f.Format, f.Data, f.Stride = format, data, stride
	return nil
}

// ycbcr is a frame of even size with full-range levels. A chroma sample is the
// mean of its pixels.
func ycbcr(f *capture.Frame, ratio image.YCbCrSubsampleRatio) *image.YCbCr {
	img := image.NewYCbCr(image.Rect(0, 0, f.Width, f.Height), ratio)
	sums := make([][3]int, len(img.Cb)) // cb, cr, pixels
	for y := range f.Height {
		for x := range f.Width {
			p := f.Data[y*f.Stride+3*x:]
			luma, cb, cr := color.RGBToYCbCr(p[0], p[1], p[2])
			img.Y[img.YOffset(x, y)] = luma
			s := &sums[img.COffset(x, y)]
			s[0] += int(cb)
			s[1] += int(cr)
			s[2]++
		}
	}
	for i, s := range sums {
		img.Cb[i], img.Cr[i] = byte((s[0]+s[2]/2)/s[2]), byte((s[1]+s[2]/2)/s[2])
	}
	return img
}

// limit brings full-range levels into 16..235 and 16..240.
func limit(img *image.YCbCr) {
	for i, y := range img.Y {
		img.Y[i] = byte(16 + (int(y)*219+127)/255)
	}
	for _, plane := range [...][]byte{img.Cb, img.Cr} {
		for i, c := range plane {
			plane[i] = byte(128 + ((int(c)-128)*224)/255)
		}
	}
}
