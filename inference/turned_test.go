package inference_test

import (
	"image"
	"image/color"
	"image/draw"
	"math"
	"testing"

	"facerecd/inference"
)

// A camera that hangs turned to the left sees people turned to the right: what
// it sees is made here by turning a photo, and turned upright again by the
// rest of the circle.
func TestTurnedCameraFindsTheSameFaces(t *testing.T) {
	e := newEngine(t)
	frame, _ := street(t)
	upright := inference.FromImage(halved(frame))
	want := faces(t, e, upright)
	if len(want) != 3 {
		t.Fatalf("%d faces in the upright frame", len(want))
	}
	for _, mirror := range []bool{false, true} {
		for _, degrees := range []int{0, 90, 180, 270} {
			hung := (&inference.Turner{Turn: inference.Turn{Degrees: degrees}}).View(upright)
			turn := inference.Turn{Degrees: 360 - degrees, Mirror: mirror}
			got := faces(t, e, (&inference.Turner{Turn: turn}).View(hung))
			if !mirror && len(got) != len(want) {
				t.Errorf("hung by %d: %d faces, want %d", degrees, len(got), len(want))
			}
			for _, f := range want {
				if !isAmong(f, got, mirror, float32(frame.Rect.Dx())) {
					t.Errorf("hung by %d, mirror %v: the face at %+v is not found again", degrees, mirror, f.Box)
				}
			}
		}
	}
}

// isAmong tells whether one of got is the face f, perhaps mirrored within a
// picture of that width: its nose is there, and it is the same person's. To the
// networks a mirrored face is a little another one.
func isAmong(f inference.Face, got []inference.Face, mirrored bool, width float32) bool {
	const nose = 2
	alike, near := 0.999, 0.01
	if mirrored {
		alike, near = 0.9, 0.05
	}
	for _, g := range got {
		at, want := g.Landmarks[nose], f.Landmarks[nose]
		if mirrored {
			at.X = width - at.X
		}
		if math.Hypot(float64(at.X-want.X), float64(at.Y-want.Y)) < near*float64(f.Box.Width) && cosine(g.Embedding, f.Embedding) > alike {
			return true
		}
	}
	return false
}

// halved is a picture as most USB cameras send it, with chroma of half the width.
func halved(m image.Image) *image.YCbCr {
	whole := image.NewRGBA(m.Bounds())
	draw.Draw(whole, whole.Rect, m, whole.Rect.Min, draw.Src)
	half := image.NewYCbCr(whole.Rect, image.YCbCrSubsampleRatio422)
	for y := range whole.Rect.Dy() {
		for x := range whole.Rect.Dx() {
			c := whole.RGBAAt(x, y)
			luma, cb, cr := color.RGBToYCbCr(c.R, c.G, c.B)
			half.Y[half.YOffset(x, y)] = luma
			half.Cb[half.COffset(x, y)], half.Cr[half.COffset(x, y)] = cb, cr
		}
	}
	return half
}
