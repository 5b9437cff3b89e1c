package live

import (
	"bytes"
	"image"
	"image/color"
	stdjpeg "image/jpeg"
	"testing"

	"facerecd/inference"
)

func TestACropShowsItsPartOfEveryLayout(t *testing.T) {
	const w, h = 160, 120
	bright := image.Rect(64, 40, 112, 88) // a square that no other place looks like
	at := func(x, y int) byte {
		if image.Pt(x, y).In(bright) {
			return 220
		}
		return 90
	}
	rgb, yuyv := make([]byte, 3*w*h), make([]byte, 2*w*h)
	i420 := bytes.Repeat([]byte{128}, w*h*3/2)
	for y := range h {
		for x := range w {
			v := at(x, y)
			copy(rgb[3*(y*w+x):], []byte{v, v, v})
			copy(yuyv[2*(y*w+x):], []byte{v, 128})
			i420[y*w+x] = v
		}
	}
	for name, make := range map[string]func() (inference.View, error){
		"RGB":  func() (inference.View, error) { return inference.RGB(rgb, w, h, 3*w) },
		"YUYV": func() (inference.View, error) { return inference.YUYV(yuyv, w, h, 2*w) },
		"I420": func() (inference.View, error) { return inference.I420(i420, w, h, w) },
	} {
		view, err := make()
		if err != nil {
			t.Fatal(err)
		}
		file, err := Crop(view, bright)
		if err != nil {
			t.Fatal(err)
		}
		img, err := stdjpeg.Decode(bytes.NewReader(file))
		if err != nil || img.Bounds().Size() != bright.Size() {
			t.Fatalf("%s: %v, %v", name, img, err)
		}
		for _, p := range []image.Point{{1, 1}, {46, 1}, {1, 46}, {46, 46}} {
			if level := color.GrayModel.Convert(img.At(p.X, p.Y)).(color.Gray).Y; level < 200 {
				t.Errorf("%s: %v is %d", name, p, level)
			}
		}
		if file, err = Crop(view, image.Rect(-50, -50, w+50, h+50)); err != nil {
			t.Fatal(err)
		}
		if img, err = stdjpeg.Decode(bytes.NewReader(file)); err != nil || img.Bounds().Dx() != w || img.Bounds().Dy() != h {
			t.Errorf("%s: all of it: %v, %v", name, img.Bounds(), err)
		}
		if file, err = Crop(view, image.Rect(w, h, w+9, h+9)); err != nil || file != nil {
			t.Errorf("%s: nothing of it: %d bytes, %v", name, len(file), err)
		}
	}
}
