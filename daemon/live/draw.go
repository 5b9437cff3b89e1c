package live

import (
	"fmt"
	"image"
	"image/color"
	"unicode"

	"golang.org/x/image/font"
	"golang.org/x/image/font/gofont/goregular"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/font/sfnt"
	"golang.org/x/image/math/fixed"
)

// canvas is planes to draw on, which spares turning all of the picture into
// RGB and back. A chroma sample takes the colour of the last of its pixels.
type canvas struct{ *image.YCbCr }

func (canvas) ColorModel() color.Model { return color.YCbCrModel }

// Set leaves what is not in the picture.
func (c canvas) Set(x, y int, to color.Color) {
	if (image.Point{x, y}).In(c.Rect) {
		yc := color.YCbCrModel.Convert(to).(color.YCbCr)
		at := c.COffset(x, y)
		c.Y[c.YOffset(x, y)], c.Cb[at], c.Cr[at] = yc.Y, yc.Cb, yc.Cr
	}
}

func (c canvas) fill(r image.Rectangle, with color.YCbCr) {
	r = r.Intersect(c.Rect)
	for y := r.Min.Y; y < r.Max.Y; y++ {
		for x := r.Min.X; x < r.Max.X; x++ {
			at := c.COffset(x, y)
			c.Y[c.YOffset(x, y)], c.Cb[at], c.Cr[at] = with.Y, with.Cb, with.Cr
		}
	}
}

// frame draws a border of a width inside of r.
func (c canvas) frame(r image.Rectangle, width int, with color.YCbCr) {
	c.fill(image.Rect(r.Min.X, r.Min.Y, r.Max.X, r.Min.Y+width), with)
	c.fill(image.Rect(r.Min.X, r.Max.Y-width, r.Max.X, r.Max.Y), with)
	c.fill(image.Rect(r.Min.X, r.Min.Y, r.Min.X+width, r.Max.Y), with)
	c.fill(image.Rect(r.Max.X-width, r.Min.Y, r.Max.X, r.Max.Y), with)
}

// annotate draws an overlay. All of it is inside of the picture.
func annotate(img *image.YCbCr, faces []Face, o Overlay) error {
	c := canvas{img}
	height := img.Rect.Dy()
	if o.Boxes {
		for _, f := range faces {
			c.frame(f.Box, max(2, height/240), f.State.colour())
		}
	}
	if !o.Names {
		return nil
	}
	p, err := newPen(max(13, float64(height)/32))
	if err != nil {
		return err
	}
	for _, f := range faces {
		if text := f.label(); text != "" {
			p.label(c, f.Box, text, f.State.colour())
		}
	}
	return nil
}

func (f Face) label() string {
	switch f.State {
	case Known:
		return fmt.Sprintf("%s %.2f", f.Name, f.Score)
	case Unknown:
		return "unknown"
	}
	return ""
}

func (s State) colour() color.YCbCr {
	rgb := [...][3]uint8{Undecided: {200, 200, 200}, Unknown: {255, 140, 0}, Known: {0, 200, 80}}[s]
	y, cb, cr := color.RGBToYCbCr(rgb[0], rgb[1], rgb[2])
	return color.YCbCr{Y: y, Cb: cb, Cr: cr}
}

// pen writes names in a font that has Latin, Greek and Cyrillic letters.
type pen struct {
	font    *opentype.Font
	face    font.Face
	scratch sfnt.Buffer
}

func newPen(size float64) (*pen, error) {
	parsed, err := opentype.Parse(goregular.TTF)
	if err != nil {
		return nil, fmt.Errorf("read font: %w", err)
	}
	face, err := opentype.NewFace(parsed, &opentype.FaceOptions{Size: size, DPI: 72})
	if err != nil {
		return nil, fmt.Errorf("read font: %w", err)
	}
	return &pen{font: parsed, face: face}, nil
}

// label writes text on a plate above the box, or else where there is room.
func (p *pen) label(c canvas, box image.Rectangle, text string, colour color.YCbCr) {
	m := p.face.Metrics()
	ascent, height := m.Ascent.Ceil(), (m.Ascent + m.Descent).Ceil()
	pad := max(2, height/5)
	text = p.fitting(text, c.Rect.Dx()-2*pad)
	plate := image.Rect(0, 0, font.MeasureString(p.face, text).Ceil()+2*pad, height+pad)
	plate = plate.Add(image.Pt(box.Min.X, box.Min.Y-plate.Dy()))
	if plate.Min.Y < c.Rect.Min.Y {
		plate = plate.Add(image.Pt(0, box.Max.Y-plate.Min.Y)) // below
	}
	if plate.Max.Y > c.Rect.Max.Y {
		plate = plate.Add(image.Pt(0, c.Rect.Max.Y-plate.Max.Y))
	}
	plate = plate.Add(image.Pt(max(min(0, c.Rect.Max.X-plate.Max.X), c.Rect.Min.X-plate.Min.X), 0))
	c.fill(plate, color.YCbCr{Y: 24, Cb: 128, Cr: 128})
	c.fill(image.Rect(plate.Min.X, plate.Max.Y-max(2, pad/2), plate.Max.X, plate.Max.Y), colour)
	d := font.Drawer{
		Dst: c, Src: image.White, Face: p.face,
		Dot: fixed.P(plate.Min.X+pad, plate.Min.Y+ascent),
	}
	d.DrawString(text)
}

// fitting is text as this font can write it, "?" for each letter that it does
// not have, and no wider than the picture.
func (p *pen) fitting(text string, width int) string {
	var runes []rune
	for _, r := range text {
		switch i, err := p.font.GlyphIndex(&p.scratch, r); {
		case err == nil && i != 0:
			runes = append(runes, r)
		case unicode.Is(unicode.Mn, r): // an accent that is written on its own
		default:
			runes = append(runes, '?')
		}
	}
	fits := func(s []rune) bool { return font.MeasureString(p.face, string(s)).Ceil() <= width }
	if fits(runes) {
		return string(runes)
	}
	for n := len(runes) - 1; n > 0; n-- {
		if short := append(runes[:n:n], '…'); fits(short) {
			return string(short)
		}
	}
	return ""
}
