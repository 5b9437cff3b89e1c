package recall

import (
	"context"
	"errors"
	"image"
	"image/color"
	"iter"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"golang.org/x/image/draw"

	"facerecd/inference"
)

func plain(c color.Color, width, height int) *image.RGBA {
	m := image.NewRGBA(image.Rect(0, 0, width, height))
	draw.Draw(m, m.Rect, image.NewUniform(c), image.Point{}, draw.Src)
	return m
}

func each(photos ...image.Image) iter.Seq2[image.Image, error] {
	return func(yield func(image.Image, error) bool) {
		for _, m := range photos {
			if !yield(m, nil) {
				return
			}
		}
	}
}

// A red square on green stands for a face: what place says is where it is.
func TestFaceIsWhereItsBoxSays(t *testing.T) {
	photo := plain(color.RGBA{0, 200, 0, 255}, 250, 250)
	face := image.Rect(70, 80, 170, 180)
	draw.Draw(photo, face, image.NewUniform(color.RGBA{200, 0, 0, 255}), image.Point{}, draw.Src)
	c := cut(photo, inference.Box{X: 70, Y: 80, Width: 100, Height: 100})
	for _, width := range []float64{16, 32, 96} {
		frame := plain(color.RGBA{0, 0, 200, 255}, 640, 480)
		box := c.place(frame, image.Pt(333, 222), width)
		if math.Abs(float64(box.Width)-width) > 0.03*width || math.Abs(float64(box.Centre().X)-333) > 1.5 || math.Abs(float64(box.Centre().Y)-222) > 1.5 {
			t.Errorf("%.0f pixels: box %+v", width, box)
		}
		in, out := box.Centre(), inference.Point{X: box.X - 0.1*box.Width, Y: box.Centre().Y}
		if frame.RGBAAt(int(in.X), int(in.Y)).R < 150 || frame.RGBAAt(int(out.X), int(out.Y)).G < 100 {
			t.Errorf("%.0f pixels: %v inside, %v beside", width, frame.RGBAAt(int(in.X), int(in.Y)), frame.RGBAAt(int(out.X), int(out.Y)))
		}
		if corner := frame.RGBAAt(333-int(width), 222-int(width)); corner.B != 200 {
			t.Errorf("%.0f pixels: the cut-out's corner shows: %v", width, corner)
		}
	}
}

func TestOneSeedMakesOneFrame(t *testing.T) {
	scene := image.NewRGBA(image.Rect(0, 0, 200, 150))
	rng := rand.New(rand.NewPCG(7, 7))
	for i := range scene.Pix {
		scene.Pix[i] = byte(rng.Uint32())
	}
	frame := func(seed uint64) []byte {
		m := image.NewRGBA(image.Rect(0, 0, 320, 240))
		fill(m, []image.Image{scene}, rand.New(rand.NewPCG(seed, 0)))
		return m.Pix
	}
	if !slices.Equal(frame(1), frame(1)) {
		t.Error("one seed made two frames")
	}
	if slices.Equal(frame(1), frame(2)) {
		t.Error("two seeds made one frame")
	}
}

// claims is a detector that says the same of every picture. The real one is
// measured in TestEvalDetectionTellsTheDetectorsApart of the command line.
type claims []inference.Detection

func (c claims) Detect(inference.View) ([]inference.Detection, error) { return c, nil }

func (c claims) Locate(_ inference.View, d inference.Detection) (inference.Face, error) {
	return inference.Face{Detection: d}, nil
}

func TestWhatIsFoundWhereNobodyIsCountsAsFalse(t *testing.T) {
	b := Bench{
		Backgrounds: []image.Image{plain(color.Gray{90}, 64, 64)}, Width: 640, Height: 480,
		Sizes: []int{16}, Faces: 3, Empty: 5, Threshold: 0.3,
		cutouts: []cutout{cut(plain(color.White, 250, 250), inference.Box{X: 75, Y: 75, Width: 100, Height: 100})},
	}
	steps := 0
	b.Step = func() { steps++ }
	photos := each(plain(color.White, 50, 50), plain(color.Black, 50, 50))
	weak := claims{{Box: inference.Box{Width: 5, Height: 5}, Score: 0.2}}
	got, err := b.Measure(t.Context(), weak, photos)
	if err != nil {
		t.Fatal(err)
	}
	if got.Photos != 2 || got.Missed != 0 || got.MissedByScore != 2 || got.Empty != 5 || got.False != 5 || got.FalseWeak != 5 || got.FalseReal != 0 {
		t.Errorf("%+v", got)
	}
	if want := (Recall{16, 3, 0}); len(got.Recall) != 1 || got.Recall[0] != want {
		t.Errorf("%+v, want %+v", got.Recall, want)
	}
	if want := b.Steps(2); steps != want {
		t.Errorf("%d steps, announced were %d", steps, want)
	}
	if got, err = b.Measure(t.Context(), claims{}, photos); err != nil || got.Missed != 2 || got.False != 0 {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestPhotosWithoutFacesAreNoPeople(t *testing.T) {
	b := Bench{Faces: 1}
	err := b.Collect(t.Context(), claims{}, each(plain(color.White, 50, 50)))
	if err == nil || err.Error() != "no photo holds a face of 80 pixels or more: are these photos of people?" {
		t.Error(err)
	}
}

func TestMeasuringCanBeStopped(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("enough")
	cancel(why)
	b := Bench{Faces: 1}
	if _, err := b.Measure(ctx, claims{}, each(plain(color.White, 50, 50))); !errors.Is(err, why) {
		t.Error(err)
	}
}
