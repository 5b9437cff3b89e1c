// Package still decodes the pictures that people upload: JPEG or PNG, checked
// for size before they are decoded, and turned upright.
package still

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	stdjpeg "image/jpeg"
	"image/png"
	"log/slog"

	"facerecd/capture/jpeg"
)

// The limits when none are given: what a phone's camera makes, with room.
const (
	DefaultMaxBytes  = 16 << 20
	DefaultMaxPixels = 50_000_000
)

// Limits bounds what a picture may cost. 0 stands for the default.
type Limits struct {
	MaxBytes  int // of the file
	MaxPixels int // width x height; half as many with 16 bits a colour
}

// Code is a stable word for the reason why a picture was refused.
type Code string

// The codes of an Error.
const (
	Empty         Code = "empty"
	NotAnImage    Code = "not_an_image"
	Unsupported   Code = "unsupported"
	TooLargeBytes Code = "too_large_bytes"
	TooManyPixels Code = "too_many_pixels"
	Truncated     Code = "truncated"
	Corrupt       Code = "corrupt"
)

// Error says why a picture was refused and what to do, for the person who
// sent it.
type Error struct {
	Code Code
	Text string
	Err  error // what the decoder said, if it came to that
}

func (e *Error) Error() string { return e.Text }

// Unwrap gives the decoder's error.
func (e *Error) Unwrap() error { return e.Err }

// Decode decodes a JPEG or PNG picture. The size in bytes, and the size in
// pixels that the header states, are checked before anything is decoded. A
// JPEG is turned upright as its EXIF orientation says. The image is of the
// cheapest type: *image.YCbCr or *image.Gray for JPEG, *image.RGBA,
// *image.NRGBA or *image.Gray for PNG; what is unusual (CMYK, palettes, 16
// bits) becomes *image.RGBA or *image.NRGBA. Its bounds start at (0, 0), it
// shares no memory with data, and belongs to the caller. Errors are *Error.
// Decode may be called from any number of goroutines.
func Decode(data []byte, limits Limits) (image.Image, error) {
	maxBytes, maxPixels := limits.MaxBytes, limits.MaxPixels
	if maxBytes <= 0 {
		maxBytes = DefaultMaxBytes
	}
	if maxPixels <= 0 {
		maxPixels = DefaultMaxPixels
	}
	if len(data) == 0 {
		return nil, &Error{Code: Empty, Text: "the picture is empty: send a JPEG or PNG file"}
	}
	if len(data) > maxBytes {
		return nil, &Error{Code: TooLargeBytes, Text: fmt.Sprintf(
			"the picture is %s, more than the %s allowed: send a smaller one", megabytes(len(data)), megabytes(maxBytes))}
	}
	decodeConfig, decode := stdjpeg.DecodeConfig, decodeJPEG
	switch {
	case bytes.HasPrefix(data, []byte("\xFF\xD8")):
	case bytes.HasPrefix(data, []byte("\x89PNG\r\n\x1a\n")):
		decodeConfig, decode = png.DecodeConfig, decodePNG
	default:
		return nil, notAnImage(data)
	}
	config, err := decodeConfig(bytes.NewReader(data))
	if err != nil {
		return nil, damaged(data, err)
	}
	if config.Width < 1 || config.Height < 1 {
		return nil, damaged(data, errors.New("it has no pixels"))
	}
	deep := ""
	if config.ColorModel == color.RGBA64Model || config.ColorModel == color.NRGBA64Model {
		maxPixels, deep = maxPixels/2, " for 16 bits a colour" // they take twice the memory
	}
	if config.Width > maxPixels/config.Height {
		return nil, &Error{Code: TooManyPixels, Text: fmt.Sprintf(
			"the picture is %dx%d pixels, more than the %d megapixels allowed%s: send a smaller one",
			config.Width, config.Height, maxPixels/1_000_000, deep)}
	}
	img, err := decode(data, config)
	if err != nil {
		return nil, damaged(data, err)
	}
	return img, nil
}

func decodePNG(data []byte, _ image.Config) (image.Image, error) {
	img, err := png.Decode(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	switch img := img.(type) {
	case *image.RGBA, *image.NRGBA, *image.Gray:
		return img, nil
	case interface{ Opaque() bool }:
		if img.Opaque() {
			return rgba(img.(image.Image)), nil
		}
	}
	out := image.NewNRGBA(img.Bounds())
	draw.Draw(out, out.Rect, img, img.Bounds().Min, draw.Src)
	return out, nil
}

func rgba(img image.Image) *image.RGBA {
	out := image.NewRGBA(img.Bounds())
	draw.Draw(out, out.Rect, img, img.Bounds().Min, draw.Src)
	return out
}

func decodeJPEG(data []byte, config image.Config) (image.Image, error) {
	if scans := jpeg.Scans(data); scans > jpeg.MaxScans {
		return nil, stdjpeg.FormatError(fmt.Sprintf("%d scans", scans))
	}
	turn := orientation(data)
	if config.Width*config.Height <= jpeg.MaxPixels {
		// A decoder for this picture only, so that its planes can be given away.
		d := jpeg.New(slog.New(slog.DiscardHandler))
		defer d.Close()
		if fast, ok := d.(*jpeg.Turbo); ok && coded(config) {
			if img, err := fast.Decode(data); err == nil {
				return upright(plain(img, config), turn), nil
			}
		}
	}
	// Also the second opinion when libjpeg-turbo found fault: one decoder's
	// verdict then holds on every machine.
	img, err := stdjpeg.Decode(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	switch img.(type) {
	case *image.YCbCr, *image.Gray:
	default:
		img = rgba(img)
	}
	return upright(img, turn), nil
}

// megabytes writes a size as people read it.
func megabytes(n int) string {
	if n%(1<<20) == 0 {
		return fmt.Sprintf("%d MiB", n>>20)
	}
	return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
}

// damaged sorts a decoder's error about data.
func damaged(data []byte, err error) *Error {
	var jpegLacks stdjpeg.UnsupportedError
	var pngLacks png.UnsupportedError
	switch {
	case errors.As(err, &jpegLacks), errors.As(err, &pngLacks):
		return &Error{Unsupported, fmt.Sprintf("the picture is of a kind that cannot be read (%v): save it as an ordinary JPEG or PNG", err), err}
	case cutShort(data):
		return &Error{Truncated, "the picture is cut short: send the whole file again", err}
	}
	return &Error{Corrupt, fmt.Sprintf("the picture is damaged (%v): open it in another program and save it again", err), err}
}

// cutShort says whether the end of the file is missing, which the decoders'
// errors do not always tell.
func cutShort(data []byte) bool {
	if bytes.HasPrefix(data, []byte("\x89PNG")) {
		return !bytes.Contains(data, []byte("IEND"))
	}
	n, _, err := jpeg.Extent(data)
	return n == 0 && err == nil
}

// notAnImage names the file types that people take for pictures that work
// everywhere.
func notAnImage(data []byte) *Error {
	kind := ""
	switch {
	case bytes.HasPrefix(data, []byte("GIF8")):
		kind = "a GIF"
	case bytes.HasPrefix(data, []byte("BM")):
		kind = "a BMP"
	case bytes.HasPrefix(data, []byte("%PDF")):
		kind = "a PDF"
	case bytes.HasPrefix(data, []byte("RIFF")) && len(data) >= 12 && string(data[8:12]) == "WEBP":
		kind = "a WebP picture"
	case bytes.HasPrefix(data, []byte("II*\x00")), bytes.HasPrefix(data, []byte("MM\x00*")):
		kind = "a TIFF or a camera's raw picture"
	case len(data) >= 12 && string(data[4:8]) == "ftyp":
		kind = "a HEIC or AVIF picture, or a film"
	default:
		return &Error{Code: NotAnImage, Text: "this is not a picture: send a JPEG or PNG file"}
	}
	return &Error{Code: NotAnImage, Text: fmt.Sprintf("this is %s: save it as JPEG or PNG and send that", kind)}
}
