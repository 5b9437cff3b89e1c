package inference

import (
	"fmt"
	"image"
	"math"
	"math/rand/v2"
	"syscall"
	"testing"

	"pgregory.net/rapid"
)

func noise(width, height int) View {
	m := image.NewRGBA(image.Rect(0, 0, width, height))
	r := rand.New(rand.NewPCG(1, 2))
	for i := range m.Pix {
		m.Pix[i] = byte(r.Uint32())
	}
	return FromImage(m)
}

func TestUnchangedPictureIsDrawnExactly(t *testing.T) {
	v := noise(16, 16)
	got := make([]float32, 3*16*16)
	new(sampler).draw(got, v, Transform{A: 1, E: 1}, 16)
	for y := range 16 {
		for x := range 16 {
			for c := range 3 {
				if want := float32(v.Planes[c].Pix[y*v.Planes[c].Stride+4*x+c]); got[(y*16+x)*3+c] != want {
					t.Fatalf("(%d,%d) channel %d: %v, want %v", x, y, c, got[(y*16+x)*3+c], want)
				}
			}
		}
	}
}

func TestHalvedPixelIsTheMeanOfFour(t *testing.T) {
	m := image.NewGray(image.Rect(0, 0, 4, 4))
	for i := range m.Pix {
		m.Pix[i] = byte(10 * i)
	}
	got := make([]float32, 3*2*2)
	new(sampler).draw(got, FromImage(m), Transform{A: 2, E: 2}, 2)
	for i, want := range []float32{25, 45, 105, 125} {
		if got[3*i] != want {
			t.Errorf("pixel %d: %v, want %v", i, got[3*i], want)
		}
	}
}

func TestOutsideOfThePictureIsBlack(t *testing.T) {
	for name, v := range layouts(t, 64, 48) {
		got := make([]float32, 3*8*8)
		new(sampler).draw(got, v, Transform{A: 1, C: 200, E: 1}, 8)
		for i, x := range got {
			if math.Abs(float64(x)) > 0.01 {
				t.Fatalf("%s: value %d is %v", name, i, x)
			}
		}
	}
}

// The separable way and the general one are two implementations of one
// definition; a rotation by nothing to speak of selects the general one.
func TestResizeAndWarpAgree(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := noise(rapid.IntRange(1, 60).Draw(t, "width"), rapid.IntRange(1, 60).Draw(t, "height"))
		scale := rapid.Float64Range(0.2, 6).Draw(t, "scale")
		tr := Transform{
			A: scale, C: rapid.Float64Range(-40, 70).Draw(t, "x"),
			E: scale, F: rapid.Float64Range(-40, 70).Draw(t, "y"),
		}
		const size = 12
		a, b := make([]float32, 3*size*size), make([]float32, 3*size*size)
		new(sampler).draw(a, v, tr, size)
		tr.B, tr.D = 1e-12, 1e-12
		for c, p := range v.Planes {
			warp(b, &p, 0, p.seen(tr), size, int(math.Ceil(scale-1e-6)))
			for i, want := range b[:size*size] {
				if math.Abs(float64(a[3*i+c]-want)) > 2 { // 8-bit weights, on noise
					t.Fatalf("pixel %d of plane %d: resize %v, warp %v", i, c, a[3*i+c], want)
				}
			}
		}
	})
}

// A row above or below the picture, of which only the coarser chroma reaches
// into it, shows nothing of the row or the picture that was drawn before.
func TestRowOutsideOfThePictureShowsNoOtherRow(t *testing.T) {
	const size = 12
	for name, v := range layouts(t, 64, 48) {
		used, got, want := new(sampler), make([]float32, 3*size*size), make([]float32, 3*size*size)
		for _, scale := range []float64{0.5, 1} {
			for down := -20.0; down < 60; down += 0.3 {
				tr := Transform{A: scale, C: 7.1, E: scale, F: down}
				used.draw(got, v, tr, size)
				tr.B, tr.D = 1e-12, 1e-12 // drawn the general way
				new(sampler).draw(want, v, tr, size)
				for i := range got {
					if math.Abs(float64(got[i]-want[i])) > 4 {
						t.Fatalf("%s, scale %v, from %.1f: value %d is %v, want %v", name, scale, down, i, got[i], want[i])
					}
				}
			}
		}
	}
}

func TestNoTransformReadsOutsideTheBuffer(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		width, height := rapid.IntRange(1, 9).Draw(t, "width"), rapid.IntRange(1, 9).Draw(t, "height")
		chroma := make([]byte, 2*(width+width%2)*height)
		v, err := YUYV(chroma, width, height, 2*(width+width%2))
		if err != nil {
			t.Fatal(err)
		}
		number := rapid.Float64Range(-300, 300)
		tr := Transform{number.Draw(t, "a"), 0, number.Draw(t, "c"), 0, number.Draw(t, "e"), number.Draw(t, "f")}
		if rapid.Bool().Draw(t, "rotated") {
			tr.B, tr.D = number.Draw(t, "b"), number.Draw(t, "d")
		}
		new(sampler).draw(make([]float32, 3*5*5), v, tr, 5) // a panic fails the test
	})
}

func TestSimilarityFindsTheMotion(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		angle := rapid.Float64Range(-3, 3).Draw(t, "angle")
		scale := rapid.Float64Range(0.1, 10).Draw(t, "scale")
		want := Transform{
			A: scale * math.Cos(angle), B: -scale * math.Sin(angle), C: rapid.Float64Range(-500, 500).Draw(t, "x"),
			D: scale * math.Sin(angle), E: scale * math.Cos(angle), F: rapid.Float64Range(-500, 500).Draw(t, "y"),
		}
		from := []Point{{38, 52}, {74, 52}, {56, 72}, {42, 92}, {71, 92}}
		var to []Point
		for _, p := range from {
			to = append(to, want.Apply(p))
		}
		got, ok := similarity(from, to)
		if !ok {
			t.Fatal("not found")
		}
		back := got.inverse()
		for i, p := range from {
			if d := dist(got.Apply(p), to[i]); d > 1e-2 {
				t.Errorf("point %d ends %v pixels off", i, d)
			}
			if d := dist(back.Apply(to[i]), p); d > 1e-2 {
				t.Errorf("point %d comes back %v pixels off", i, d)
			}
		}
	})
}

func TestSimilarityNeverMirrors(t *testing.T) {
	from := []Point{{0, 0}, {10, 0}, {0, 10}, {10, 12}}
	to := []Point{{0, 0}, {-10, 0}, {0, 10}, {-10, 12}} // its mirror image
	got, ok := similarity(from, to)
	if ok && got.A*got.E-got.B*got.D < 0 {
		t.Errorf("%+v mirrors", got)
	}
}

func TestSimilarityOfNothingIsRefused(t *testing.T) {
	nan := float32(math.NaN())
	for name, points := range map[string][]Point{
		"one place": {{3, 3}, {3, 3}, {3, 3}},
		"NaN":       {{nan, 0}, {1, nan}, {0, 1}},
	} {
		if got, ok := similarity(points, []Point{{0, 0}, {1, 0}, {0, 1}}); ok {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func dist(a, b Point) float64 { return math.Hypot(float64(a.X-b.X), float64(a.Y-b.Y)) }

// cpuTime reports the processor's time of each iteration: on a machine that is
// busy with something else, it says more than the time that passed.
func cpuTime(b *testing.B) {
	used := func() int64 {
		var u syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
			b.Fatal(err)
		}
		return u.Utime.Nano() + u.Stime.Nano()
	}
	from := used()
	b.Cleanup(func() { b.ReportMetric(float64(used()-from)/float64(b.N), "cpu-ns/op") })
}

func BenchmarkDetectorInput(b *testing.B) {
	for name, v := range cameraViews(b) {
		b.Run(name, func(b *testing.B) {
			n, s := testNetwork(192), new(sampler)
			norm := Normalisation{Mean: 127.5, Std: 127.5}
			n.show(s, v, letterbox(v.Width, v.Height, 192), false, norm)
			cpuTime(b)
			for b.Loop() {
				n.show(s, v, letterbox(v.Width, v.Height, 192), false, norm)
			}
		})
	}
}

func BenchmarkAlignment(b *testing.B) {
	for name, v := range cameraViews(b) {
		for _, scale := range []float64{0.9, 1.4, 2.2, 3.6} {
			b.Run(fmt.Sprintf("%s/%.1f", name, scale), func(b *testing.B) {
				rgb, s := make([]float32, 3*112*112), new(sampler)
				cpuTime(b)
				for b.Loop() {
					s.draw(rgb, v, Transform{scale, 0.1, 100, -0.1, scale, 50}, 112)
				}
			})
		}
	}
}

// cameraViews are noise in the two layouts that cameras have most.
func cameraViews(t testing.TB) map[string]View {
	t.Helper()
	random := rand.New(rand.NewPCG(1, 2))
	pix := make([]byte, 640*480*2)
	for i := range pix {
		pix[i] = byte(random.Uint32())
	}
	yuyv, err := YUYV(pix, 640, 480, 1280)
	if err != nil {
		t.Fatal(err)
	}
	m := image.NewYCbCr(image.Rect(0, 0, 1280, 720), image.YCbCrSubsampleRatio420)
	for _, plane := range [...][]byte{m.Y, m.Cb, m.Cr} {
		for i := range plane {
			plane[i] = byte(random.Uint32())
		}
	}
	return map[string]View{"YUYV 640x480": yuyv, "4:2:0 1280x720": FromImage(m)}
}

// testNetwork has the input of the shipped detector, and nothing else.
func testNetwork(side int) *network {
	return &network{side: side, input: newPort(Tensor{Shape: []int{1, side, side, 3}, Type: Int8, Scale: 2.0 / 255, ZeroPoint: -1})}
}
