// Package jpeg decodes the pictures of cameras, fast where libjpeg-turbo is
// installed and correctly everywhere, and walks the markers of JPEG data.
package jpeg

import (
	"fmt"
	"image"
	"log/slog"
)

// MaxPixels is the largest picture that a Decoder takes. It is checked from
// the header, before anything is allocated.
const MaxPixels = 50_000_000

// MaxScans bounds the passes that a progressive picture makes over all of its
// pixels; encoders write about ten. One over MaxPixels costs 0.1 s of the standard
// library's time on a desktop (amd64), several times that on a small board, and 80
// bytes of the picture. libjpeg-turbo's own bound, 500, takes longer than a watchdog
// waits.
const MaxScans = 32

// Decoder decodes JPEG pictures into the planes that they are coded in, so
// that nobody pays for a conversion to RGB of pixels that are never looked at.
// One goroutine uses a Decoder at a time.
type Decoder interface {
	// Decode decodes one picture, of any subsampling; a gray one gets neutral
	// chroma, and one that is not coded as YCbCr is converted. Bytes after
	// the end of the picture are ignored. The image belongs to the Decoder and
	// is valid until the next Decode or Close. Errors wrap ErrMalformed when
	// the data is at fault, and ErrTooLarge.
	Decode(data []byte) (*image.YCbCr, error)
	// Close frees what the decoder holds. It must not be used afterwards.
	Close() error
}

// New is the fastest Decoder of this machine: libjpeg-turbo's when the library
// is installed, and Go's own otherwise. Which one, and why, goes to log once.
func New(log *slog.Logger) Decoder {
	d, err := NewTurbo()
	if err != nil {
		log.Info("JPEG is decoded without libjpeg-turbo, about four times slower", "err", err, "hint", "install the package libturbojpeg0")
		return NewStd()
	}
	return d
}

// ErrTooLarge is the error for a picture of more than MaxPixels.
var ErrTooLarge = fmt.Errorf("picture has more than %d megapixels", MaxPixels/1_000_000)

// checkSize reads the header's size, and refuses what is too much to decode.
func checkSize(data []byte) (width, height int, err error) {
	width, height, err = Size(data)
	if err == nil && width*height > MaxPixels {
		err = ErrTooLarge
	}
	if err != nil {
		return 0, 0, fmt.Errorf("read JPEG header: %w", err)
	}
	if scans := Scans(data); scans > MaxScans {
		return 0, 0, fmt.Errorf("decode JPEG: %w: %d scans", ErrMalformed, scans)
	}
	return width, height, nil
}

// planes makes img a picture of the given size whose planes have the strides
// and heights that are asked for, in img's own memory when it is enough.
func planes(img *image.YCbCr, width, height int, ratio image.YCbCrSubsampleRatio, yStride, yRows, cStride, cRows int) {
	img.Y = grow(img.Y, yStride*yRows)
	img.Cb = grow(img.Cb, cStride*cRows)
	img.Cr = grow(img.Cr, cStride*cRows)
	img.YStride, img.CStride, img.SubsampleRatio = yStride, cStride, ratio
	img.Rect = image.Rect(0, 0, width, height)
}

func grow(b []byte, n int) []byte {
	if cap(b) < n {
		return make([]byte, n)
	}
	return b[:n]
}

func fill(b []byte, v byte) {
	for i := range b {
		b[i] = v
	}
}
