package live

import (
	"flag"
	"image"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the golden pictures anew")

// hall is a picture with a ramp of gray, so that what is drawn stands out.
func hall() *image.YCbCr {
	img := image.NewYCbCr(image.Rect(0, 0, 320, 240), image.YCbCrSubsampleRatio420)
	for i := range img.Y {
		img.Y[i] = byte(40 + i%img.YStride/3)
	}
	for i := range img.Cb {
		img.Cb[i], img.Cr[i] = 128, 128
	}
	return img
}

func TestOverlaysLookAsTheyDid(t *testing.T) {
	people := []Face{
		{Box: image.Rect(30, 60, 110, 150), Name: "Ana Müller", Score: 0.8068, State: Known},
		{Box: image.Rect(130, 60, 190, 130), State: Unknown},
		{Box: image.Rect(220, 50, 280, 120)},
	}
	for name, tt := range map[string]struct {
		faces   []Face
		overlay Overlay
	}{
		"boxes": {people, Overlay{Boxes: true}},
		"names": {people, Overlay{Names: true}},
		"both":  {people, Overlay{Boxes: true, Names: true}},
		"edges": {[]Face{ // where a label has no room
			{Box: image.Rect(0, 0, 60, 50), Name: "Top left", Score: 1, State: Known},
			{Box: image.Rect(290, 100, 320, 140), Name: "Right edge", Score: 0.5, State: Known},
			{Box: image.Rect(0, 190, 320, 240), Name: strings.Repeat("Very long name ", 6), Score: 0.5, State: Known},
		}, Overlay{Boxes: true, Names: true}},
		"whole": {[]Face{{Box: image.Rect(0, 0, 320, 240), Name: "Too near", Score: 0.5, State: Known}}, Overlay{Boxes: true, Names: true}},
		"scripts": {[]Face{
			{Box: image.Rect(10, 40, 90, 80), Name: "Ελένη", Score: 0.5, State: Known},
			{Box: image.Rect(10, 110, 90, 150), Name: "Иван", Score: 0.5, State: Known},
			{Box: image.Rect(10, 180, 90, 220), Name: "李明", Score: 0.5, State: Known},
			{Box: image.Rect(160, 40, 240, 80), Name: "Jose\u0301", Score: 0.5, State: Known},
		}, Overlay{Names: true}},
	} {
		t.Run(name, func(t *testing.T) {
			img := hall()
			if err := annotate(img, tt.faces, tt.overlay); err != nil {
				t.Fatal(err)
			}
			golden(t, name, img)
		})
	}
}

func golden(t *testing.T, name string, img image.Image) {
	t.Helper()
	path := filepath.Join("testdata", name+".png")
	if *update {
		rgba := image.NewRGBA(img.Bounds())
		for y := range rgba.Rect.Dy() {
			for x := range rgba.Rect.Dx() {
				rgba.Set(x, y, img.At(x, y))
			}
		}
		out, err := os.Create(path)
		if err != nil {
			t.Fatal(err)
		}
		defer out.Close()
		if err := png.Encode(out, rgba); err != nil {
			t.Fatal(err)
		}
	}
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	want, err := png.Decode(file)
	if err != nil {
		t.Fatal(err)
	}
	same(t, img, want, 8) // arm64 rounds elsewhere
}

func TestNothingIsWrittenOutsideOfThePicture(t *testing.T) {
	// A picture within a larger one, whose rest must stay as it is.
	for _, size := range []image.Point{{1, 1}, {7, 5}, {40, 30}, {160, 8}} {
		outer := hall()
		inner := outer.SubImage(image.Rectangle{Max: size}.Add(image.Pt(64, 64))).(*image.YCbCr)
		for _, box := range []image.Rectangle{
			image.Rect(60, 60, 300, 200), image.Rect(-9, -9, 2, 2), image.Rect(70, 66, 70, 66), image.Rect(500, 500, 600, 600),
		} {
			f := Face{Box: box, Name: "Somebody 李", Score: 0.5, State: Known}
			if err := annotate(inner, []Face{f}, Overlay{Boxes: true, Names: true}); err != nil {
				t.Fatal(err)
			}
		}
		clean := hall()
		for y := range 240 {
			for x := range 320 {
				if at := image.Pt(x, y); !at.In(inner.Rect) && outer.YCbCrAt(x, y).Y != clean.YCbCrAt(x, y).Y {
					t.Fatalf("%v: written at %v", size, at)
				}
			}
		}
	}
}

func TestNamesThatTheFontCannotWrite(t *testing.T) {
	p, err := newPen(14)
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{
		"Ana":             "Ana",
		"José Zoë Łukasz": "José Zoë Łukasz",
		"Jose\u0301":      "Jose",
		"李明":              "??",
		"Ann 😀":           "Ann ?",
		"":                "",
	} {
		if got := p.fitting(text, 1000); got != want {
			t.Errorf("%q is written %q, want %q", text, got, want)
		}
	}
	if got := p.fitting("A long name", 40); !strings.HasSuffix(got, "…") || len(got) > 10 {
		t.Errorf("cut to %q", got)
	}
}
