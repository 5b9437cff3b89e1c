package inference

import (
	"fmt"
	"image"
	"image/color"
	"math/rand/v2"
	"testing"
)

// frames returns noise in every layout, so that no two neighbours are alike,
// each with padded rows.
func frames(t testing.TB, width, height int) map[string]View {
	t.Helper()
	r := rand.New(rand.NewPCG(uint64(width), uint64(height)))
	buffer := make([]byte, (4*width+16)*(2*height+2))
	for i := range buffer {
		buffer[i] = byte(r.Uint32())
	}
	all := map[string]View{}
	add := func(name string, v View, err error) {
		if err != nil {
			t.Fatal(err)
		}
		all[name] = v
	}
	stride := 4 * (width + 2)
	for name, make := range map[string]func([]byte, int, int, int) (View, error){"YUYV": YUYV, "NV12": NV12, "I420": I420, "RGB": RGB, "gray": Gray} {
		v, err := make(buffer, width, height, stride)
		add(name, v, err)
	}
	for _, ratio := range []image.YCbCrSubsampleRatio{
		image.YCbCrSubsampleRatio444, image.YCbCrSubsampleRatio422, image.YCbCrSubsampleRatio420,
		image.YCbCrSubsampleRatio440, image.YCbCrSubsampleRatio411, image.YCbCrSubsampleRatio410,
	} {
		m := image.NewYCbCr(image.Rect(0, 0, width, height), ratio)
		for _, plane := range [][]byte{m.Y, m.Cb, m.Cr} {
			copy(plane, buffer)
			buffer = append(buffer[7:], buffer[:7]...) // other noise for the next
		}
		add(ratio.String(), FromImage(m), nil)
	}
	return all
}

// picture reads a view pixel by pixel, as its planes are.
func picture(v View) *image.RGBA {
	m := image.NewRGBA(image.Rect(0, 0, v.Width, v.Height))
	at := func(p Plane, x, y int) uint8 {
		if p.Pix == nil {
			return 0
		}
		return p.Pix[p.Offset+(y>>p.YShift)*p.Stride+(x>>p.XShift)*p.Step]
	}
	for y := range v.Height {
		for x := range v.Width {
			m.SetRGBA(x, y, color.RGBA{at(v.Planes[0], x, y), at(v.Planes[1], x, y), at(v.Planes[2], x, y), 255})
		}
	}
	return m
}

// turnedPicture is the definition: a quarter turn at a time, then the mirror.
func turnedPicture(m *image.RGBA, turn Turn) *image.RGBA {
	for range turn.Degrees / 90 {
		size := m.Rect.Size()
		next := image.NewRGBA(image.Rect(0, 0, size.Y, size.X))
		for y := range size.Y {
			for x := range size.X {
				next.SetRGBA(size.Y-1-y, x, m.RGBAAt(x, y)) // the top becomes the right side
			}
		}
		m = next
	}
	if turn.Mirror {
		next := image.NewRGBA(m.Rect)
		for y := range m.Rect.Dy() {
			for x := range m.Rect.Dx() {
				next.SetRGBA(m.Rect.Dx()-1-x, y, m.RGBAAt(x, y))
			}
		}
		m = next
	}
	return m
}

func turns() []Turn {
	return []Turn{{0, false}, {90, false}, {180, false}, {270, false}, {0, true}, {90, true}, {180, true}, {270, true}}
}

func samePicture(t *testing.T, got, want *image.RGBA) {
	t.Helper()
	if got.Rect != want.Rect {
		t.Errorf("the picture is %v, want %v", got.Rect, want.Rect)
		return
	}
	for y := range want.Rect.Dy() {
		for x := range want.Rect.Dx() {
			if got.RGBAAt(x, y) != want.RGBAAt(x, y) {
				t.Errorf("(%d,%d) is %v, want %v", x, y, got.RGBAAt(x, y), want.RGBAAt(x, y))
				return
			}
		}
	}
}

func TestTurnedPictureIsTheNaiveOne(t *testing.T) {
	for _, size := range [][2]int{{8, 6}, {160, 90}, {7, 5}, {1, 1}, {2, 3}, {3, 64}} {
		for name, v := range frames(t, size[0], size[1]) {
			whole := picture(v.wholeSamples())
			for _, turn := range turns() {
				t.Run(fmt.Sprintf("%s %dx%d %+v", name, size[0], size[1], turn), func(t *testing.T) {
					want := turnedPicture(whole, turn)
					if turn == (Turn{}) {
						want = picture(v) // not even the odd column is left out
					}
					turner := &Turner{Turn: turn}
					samePicture(t, picture(turner.View(v)), want)
					samePicture(t, picture(turner.View(v)), want) // the buffer is used again
				})
			}
		}
	}
}

func TestFourTurnsAreNone(t *testing.T) {
	for name, v := range frames(t, 14, 9) {
		for _, turn := range []Turn{{90, false}, {180, false}, {270, false}, {0, true}} {
			got := v
			for range 4 {
				got = (&Turner{Turn: turn}).View(got)
			}
			if want := v.wholeSamples(); got.Levels != want.Levels || got.Planes[1].XShift != want.Planes[1].XShift || got.Planes[1].YShift != want.Planes[1].YShift {
				t.Errorf("%s %+v: the layout is another one: %+v", name, turn, got)
			} else {
				samePicture(t, picture(got), picture(want))
			}
		}
	}
}

func TestNoTurnCopiesNothing(t *testing.T) {
	v := frames(t, 8, 6)["YUYV"]
	for _, turn := range []Turn{{}, {Degrees: 360}} {
		turner := &Turner{Turn: turn}
		if got := turner.View(v); got.Planes[0].Step != 2 || &got.Planes[0].Pix[0] != &v.Planes[0].Pix[0] || turner.pix != nil {
			t.Errorf("%+v copies", turn)
		}
	}
}

func TestTurnerUsesItsBufferAgain(t *testing.T) {
	all := frames(t, 64, 48)
	turner := &Turner{Turn: Turn{Degrees: 90}}
	turner.View(all["RGB"])
	if n := testing.AllocsPerRun(10, func() { turner.View(all["YUYV"]) }); n != 0 {
		t.Errorf("%v allocations a frame", n)
	}
}

func BenchmarkTurn(b *testing.B) {
	all := frames(b, 640, 480)
	for name, layout := range map[string]string{"YUYV": "YUYV", "MJPEG": image.YCbCrSubsampleRatio422.String()} {
		for _, turn := range turns()[1:5] {
			b.Run(fmt.Sprintf("%s/%d,%v", name, turn.Degrees, turn.Mirror), func(b *testing.B) {
				turner := &Turner{Turn: turn}
				for b.Loop() {
					turner.View(all[layout])
				}
			})
		}
	}
}
