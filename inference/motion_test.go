package inference_test

import (
	"math/rand/v2"
	"testing"

	"facerecd/inference"
)

// noisy is a gray picture of a still scene as a camera sends it, brighter by
// light, with something of the given brightness in a square of side pixels.
func noisy(t *testing.T, random *rand.Rand, light, x, y, side, brightness int) inference.View {
	t.Helper()
	const width, height = 640, 480
	pix := make([]byte, width*height)
	for i := range pix {
		level := 60 + i%width/8 + light
		if dx, dy := i%width-x, i/width-y; dx >= 0 && dx < side && dy >= 0 && dy < side {
			level = brightness
		}
		pix[i] = byte(min(max(level+int(random.NormFloat64()*6), 0), 255))
	}
	v, err := inference.Gray(pix, width, height, width)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestStillPicturesAreStillDespiteNoiseAndSlowLight(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	var m inference.Motion
	if !m.Look(noisy(t, random, 0, 0, 0, 0, 0)) {
		t.Error("the first picture is nothing new")
	}
	moved := 0
	for n := range 200 {
		if m.Look(noisy(t, random, n/20, 0, 0, 0, 0)) { // a cloud passes within 20 s
			moved++
		}
	}
	if moved > 2 {
		t.Errorf("%d of 200 pictures are said to have changed", moved)
	}
}

func TestAFaceThatComesIsAChangeWhereItIs(t *testing.T) {
	for _, side := range []int{24, 40, 120} {
		random := rand.New(rand.NewPCG(3, 4))
		var m inference.Motion
		for range 20 {
			m.Look(noisy(t, random, 0, 0, 0, 0, 0))
		}
		if !m.Look(noisy(t, random, 0, 300, 200, side, 180)) {
			t.Errorf("a face of %d pixels is not noticed", side)
		}
		around := []inference.Box{{X: 280, Y: 180, Width: float32(side) + 40, Height: float32(side) + 40}}
		if m.Beyond(around) {
			t.Errorf("a face of %d pixels is noticed where it is not", side)
		}
		if !m.Beyond(nil) || !m.Beyond([]inference.Box{{X: 0, Y: 0, Width: 100, Height: 100}}) {
			t.Errorf("a face of %d pixels is taken for one that is elsewhere", side)
		}
	}
}

func TestWhatStaysIsUsualSoon(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	var m inference.Motion
	for range 20 {
		m.Look(noisy(t, random, 0, 0, 0, 0, 0))
	}
	n := 0
	for m.Look(noisy(t, random, 0, 300, 200, 80, 180)) && n < 100 {
		n++
	}
	if n < 3 || n > 30 {
		t.Errorf("it is news for %d pictures", n)
	}
}

func TestMotionReadsEveryLayoutAndSize(t *testing.T) {
	for _, size := range [][2]int{{640, 480}, {1280, 720}, {161, 121}, {40, 40}, {7, 5}, {1, 1}, {480, 640}} {
		w, h := size[0], size[1]
		pix := make([]byte, 4*w*h+4*w+4*h+16)
		yuyv, err1 := inference.YUYV(pix, w, h, 2*(w+1))
		nv12, err2 := inference.NV12(pix, w, h, w+1)
		rgb, err3 := inference.RGB(pix, w, h, 3*w)
		if err1 != nil || err2 != nil || err3 != nil {
			t.Fatal(err1, err2, err3)
		}
		var m inference.Motion
		for range 2 {
			for _, v := range []inference.View{yuyv, nv12, rgb} {
				m.Look(v)
			}
		}
		if w >= 4 && h >= 4 && m.Look(yuyv) {
			t.Errorf("%dx%d: black has changed", w, h)
		}
	}
}

func BenchmarkMotion(b *testing.B) {
	pix := make([]byte, 2*640*480)
	v, err := inference.YUYV(pix, 640, 480, 2*640)
	if err != nil {
		b.Fatal(err)
	}
	var m inference.Motion
	m.Look(v)
	b.ReportAllocs()
	for b.Loop() {
		m.Look(v)
	}
}
