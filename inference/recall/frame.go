package recall

import (
	"image"
	"image/color"
	"math"
	"math/rand/v2"

	"golang.org/x/image/draw"

	"facerecd/inference"
)

const (
	// margin is how much of its surroundings a cut-out face keeps: the side of
	// the cut-out, in box widths. It holds the hair and the neck.
	margin = 2.2
	// feather is the share of a cut-out's radius over which it fades.
	feather = 0.25
)

// cutout is a face with its surroundings, fading towards a round border.
type cutout struct {
	image *image.NRGBA
	box   inference.Box // of the face, in the cut-out's pixels
}

// cut takes a face out of a photo. Where the photo ends, so does the cut-out.
func cut(photo image.Image, face inference.Box) cutout {
	side := int(margin * face.Width)
	c := face.Centre()
	corner := image.Pt(int(c.X)-side/2, int(c.Y)-side/2)
	origin := photo.Bounds().Min.Add(corner)
	m := image.NewNRGBA(image.Rect(0, 0, side, side))
	half := float64(side) / 2
	for y := range side {
		for x := range side {
			at := origin.Add(image.Pt(x, y))
			if !at.In(photo.Bounds()) {
				continue
			}
			away := math.Hypot(float64(x)+0.5-half, float64(y)+0.5-half) / half
			r, g, b, _ := photo.At(at.X, at.Y).RGBA()
			alpha := min(max((1-away)/feather, 0), 1)
			m.SetNRGBA(x, y, color.NRGBA{byte(r >> 8), byte(g >> 8), byte(b >> 8), byte(255 * alpha)})
		}
	}
	face.X -= float32(corner.X)
	face.Y -= float32(corner.Y)
	return cutout{m, face}
}

// place draws the cut-out so that its face is so wide, around a point, and
// returns the face's box in the frame.
func (c cutout) place(frame draw.Image, centre image.Point, width float64) inference.Box {
	scale := width / float64(c.box.Width)
	side := max(int(math.Round(float64(c.image.Rect.Dx())*scale)), 1)
	scale = float64(side) / float64(c.image.Rect.Dx())
	origin := centre.Sub(image.Pt(side/2, side/2))
	draw.CatmullRom.Scale(frame, image.Rectangle{origin, origin.Add(image.Pt(side, side))}, c.image, c.image.Rect, draw.Over, nil)
	s := float32(scale)
	return inference.Box{
		X: float32(origin.X) + c.box.X*s, Y: float32(origin.Y) + c.box.Y*s,
		Width: c.box.Width * s, Height: c.box.Height * s,
	}
}

// fill covers the frame with one, four or nine parts of photos, some mirrored:
// the more there are, the finer is what they show.
func fill(frame *image.RGBA, photos []image.Image, rng *rand.Rand) {
	n := 1 + rng.IntN(3)
	size := frame.Rect.Size()
	for i := range n * n {
		x, y := i%n, i/n
		to := image.Rect(x*size.X/n, y*size.Y/n, (x+1)*size.X/n, (y+1)*size.Y/n)
		photo := photos[rng.IntN(len(photos))]
		from := crop(photo.Bounds(), to.Size(), rng)
		draw.ApproxBiLinear.Scale(frame, to, photo, from, draw.Src, nil)
		if rng.IntN(2) == 0 {
			mirror(frame.SubImage(to).(*image.RGBA))
		}
	}
}

// crop picks the largest part of the wanted shape, or one down to half of it.
func crop(r image.Rectangle, shape image.Point, rng *rand.Rand) image.Rectangle {
	zoom := min(float64(r.Dx())/float64(shape.X), float64(r.Dy())/float64(shape.Y)) * (0.5 + 0.5*rng.Float64())
	w, h := max(int(float64(shape.X)*zoom), 1), max(int(float64(shape.Y)*zoom), 1)
	at := r.Min.Add(image.Pt(rng.IntN(r.Dx()-w+1), rng.IntN(r.Dy()-h+1)))
	return image.Rectangle{at, at.Add(image.Pt(w, h))}
}

func mirror(m *image.RGBA) {
	r := m.Rect
	for y := r.Min.Y; y < r.Max.Y; y++ {
		for a, b := r.Min.X, r.Max.X-1; a < b; a, b = a+1, b-1 {
			left, right := m.RGBAAt(a, y), m.RGBAAt(b, y)
			m.SetRGBA(a, y, right)
			m.SetRGBA(b, y, left)
		}
	}
}
