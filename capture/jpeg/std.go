package jpeg

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	stdjpeg "image/jpeg"
	"io"
)

// Std decodes with the standard library.
type Std struct {
	tables []byte      // a DHT segment with the tables of T.81 annex K.3, made when first needed
	img    image.YCbCr // for pictures that the standard library does not decode to YCbCr
}

var _ Decoder = (*Std)(nil)

// NewStd makes a Decoder that needs no library.
func NewStd() *Std { return new(Std) }

// Close does nothing.
func (*Std) Close() error { return nil }

// Decode implements Decoder. Its planes are new ones each time, as the
// standard library knows no other way.
func (d *Std) Decode(data []byte) (*image.YCbCr, error) {
	if _, _, err := checkSize(data); err != nil {
		return nil, err
	}
	r := io.Reader(bytes.NewReader(data))
	if !hasTables(data) {
		// Motion JPEG leaves out the Huffman tables when they are the usual
		// ones, which image/jpeg does not supply (Go 1.26).
		tables, err := d.usualTables()
		if err != nil {
			return nil, err
		}
		r = io.MultiReader(bytes.NewReader(data[:2]), bytes.NewReader(tables), bytes.NewReader(data[2:]))
	}
	img, err := stdjpeg.Decode(r)
	if err != nil {
		return nil, fmt.Errorf("decode JPEG: %w: %w", ErrMalformed, err)
	}
	switch img := img.(type) {
	case *image.YCbCr:
		return img, nil
	case *image.Gray:
		return d.gray(img), nil
	}
	return d.convert(img), nil
}

// gray gives a gray picture neutral chroma.
func (d *Std) gray(g *image.Gray) *image.YCbCr {
	w, h := g.Rect.Dx(), g.Rect.Dy()
	cw, ch := (w+1)/2, (h+1)/2
	d.img.Y = nil
	planes(&d.img, w, h, image.YCbCrSubsampleRatio420, 0, 0, cw, ch)
	d.img.Y, d.img.YStride = g.Pix, g.Stride
	fill(d.img.Cb, 128)
	fill(d.img.Cr, 128)
	return &d.img
}

// convert turns a picture coded as RGB or CMYK, rare and slow, into YCbCr.
func (d *Std) convert(src image.Image) *image.YCbCr {
	b := src.Bounds()
	w, h := b.Dx(), b.Dy()
	planes(&d.img, w, h, image.YCbCrSubsampleRatio444, w, h, w, h)
	i := 0
	for y := b.Min.Y; y < b.Max.Y; y++ {
		for x := b.Min.X; x < b.Max.X; x++ {
			r, g, b, _ := src.At(x, y).RGBA()
			d.img.Y[i], d.img.Cb[i], d.img.Cr[i] = color.RGBToYCbCr(uint8(r>>8), uint8(g>>8), uint8(b>>8))
			i++
		}
	}
	return &d.img
}

// hasTables says whether data brings a Huffman table before its first scan.
func hasTables(data []byte) bool {
	for marker := range Segments(data) {
		if marker == markerDHT {
			return true
		}
	}
	return false
}

// usualTables takes the tables from where the standard library has them: its
// encoder writes those of T.81 annex K.3 into every picture in colour.
func (d *Std) usualTables() ([]byte, error) {
	if d.tables != nil {
		return d.tables, nil
	}
	var b bytes.Buffer
	if err := stdjpeg.Encode(&b, image.NewRGBA(image.Rect(0, 0, 1, 1)), nil); err != nil {
		return nil, fmt.Errorf("make Huffman tables: %w", err)
	}
	for marker, p := range Segments(b.Bytes()) {
		if marker == markerDHT {
			n := len(p) + 2
			d.tables = append(d.tables, 0xFF, markerDHT, byte(n>>8), byte(n))
			d.tables = append(d.tables, p...)
		}
	}
	return d.tables, nil
}
