package live

import (
	"bytes"
	"context"
	"errors"
	"image"
	"image/color"
	stdjpeg "image/jpeg"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"facerecd/inference"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// gray is a frame of one level.
func gray(at time.Time, level byte) Frame {
	img := image.NewGray(image.Rect(0, 0, 64, 48))
	for i := range img.Pix {
		img.Pix[i] = level
	}
	return Frame{At: at, View: inference.FromImage(img)}
}

// levelOf is the level of a picture that gray made.
func levelOf(t testing.TB, p Picture) byte {
	t.Helper()
	img, err := stdjpeg.Decode(bytes.NewReader(p.JPEG))
	if err != nil {
		t.Fatal(err)
	}
	return color.GrayModel.Convert(img.At(20, 20)).(color.Gray).Y
}

// offer is what a pipeline does with a frame.
func offer(h *Hub, f Frame) (shown bool) {
	if !h.Wanted(f.At) {
		return false
	}
	h.Show(f)
	return true
}

func TestAFrameThatNobodyWaitsForIsNotTouched(t *testing.T) {
	var h Hub
	f := gray(time.Now(), 9)
	if n := testing.AllocsPerRun(100, func() { offer(&h, f) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
	if h.Wanted(f.At) || (*Hub)(nil).Wanted(f.At) {
		t.Error("it is wanted")
	}
	h.Show(f) // also then
	if h.wish.Load() != nil {
		t.Error("it was kept")
	}
}

func TestAWatcherThatLeftWantsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var h Hub
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		var watchers sync.WaitGroup
		for _, o := range []Overlay{{}, {}, {Boxes: true}} {
			watchers.Go(func() {
				if _, err := h.Next(ctx, o); !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("Next = %v", err)
				}
			})
		}
		synctest.Wait()
		if !h.Wanted(time.Now()) {
			t.Error("nothing is wanted while three wait")
		}
		watchers.Wait()
		if h.Wanted(time.Now()) {
			t.Error("a frame is wanted when all have left")
		}
	})
}

func TestWhoeverIsSlowGetsTheNewestFrame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var h Hub
		ctx, stop := context.WithCancel(t.Context())
		var camera sync.WaitGroup
		camera.Go(func() {
			for level := byte(1); ctx.Err() == nil; level++ { // a frame's level is its number
				time.Sleep(interval)
				offer(&h, gray(time.Now(), level))
			}
		})
		for range 5 {
			p, err := h.Next(ctx, Overlay{})
			if err != nil {
				t.Fatal(err)
			}
			if age := time.Since(p.At); age > 0 {
				t.Errorf("the picture is %v old", age)
			}
			time.Sleep(700 * time.Millisecond) // meanwhile seven go by
		}
		stop()
		camera.Wait()
	})
}

func TestAllWatchersShareOneEncoding(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var h Hub
		var mu sync.Mutex
		got := map[Overlay][]Picture{}
		var watchers sync.WaitGroup
		for _, o := range []Overlay{{}, {}, {Boxes: true}, {Boxes: true}, {Names: true}} {
			watchers.Go(func() {
				p, err := h.Next(t.Context(), o)
				if err != nil {
					t.Error(err)
				}
				mu.Lock()
				defer mu.Unlock()
				got[o] = append(got[o], p)
			})
		}
		synctest.Wait()
		f := gray(time.Now(), 99)
		f.Faces = []Face{{Box: image.Rect(5, 20, 40, 40), State: Unknown}}
		if !offer(&h, f) {
			t.Fatal("not wanted")
		}
		watchers.Wait()
		for o, n := range map[Overlay]int{{}: 2, {Boxes: true}: 2, {Names: true}: 1} {
			if len(got[o]) != n {
				t.Fatalf("%d pictures with %+v", len(got[o]), o)
			}
			if &got[o][0].JPEG[0] != &got[o][n-1].JPEG[0] {
				t.Errorf("%+v was encoded twice", o)
			}
		}
		if bytes.Equal(got[Overlay{}][0].JPEG, got[Overlay{Boxes: true}][0].JPEG) {
			t.Error("the box is not drawn, or into the plain picture too")
		}
	})
}

func TestShowDoesNotWaitAndWhatItTookIsACopy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var h Hub
		var got Picture
		var watcher sync.WaitGroup
		watcher.Go(func() { got, _ = h.Next(t.Context(), Overlay{}) })
		synctest.Wait()
		f := gray(time.Now(), 200)
		h.Show(f) // nothing else runs until this goroutine waits
		clear(f.View.Planes[0].Pix)
		watcher.Wait()
		if l := levelOf(t, got); l < 198 || l > 202 {
			t.Errorf("level %d, want 200", l)
		}
	})
}

func TestAtMostTenFramesASecond(t *testing.T) {
	for _, tt := range []struct {
		name   string
		every  time.Duration
		jitter time.Duration // every other frame is late by this much
		least  int           // of ten seconds
		most   int
	}{
		{"30 a second", time.Second / 30, 0, 99, 101},
		{"10 a second, as the camera has it", 100 * time.Millisecond, 0, 99, 101},
		{"10 a second, unevenly", 100 * time.Millisecond, 40 * time.Millisecond, 99, 101},
		{"15 a second", time.Second / 15, 10 * time.Millisecond, 98, 101},
		{"4 a second", 250 * time.Millisecond, 0, 39, 41},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var h Hub
				ctx, stop := context.WithCancel(t.Context())
				n := 0
				var watcher sync.WaitGroup
				watcher.Go(func() {
					for {
						if _, err := h.Next(ctx, Overlay{}); err != nil {
							return
						}
						n++
					}
				})
				start := time.Now()
				for i := 0; ; i++ {
					at := start.Add(time.Duration(i)*tt.every + time.Duration(i%2)*tt.jitter)
					if at.Sub(start) > 10*time.Second {
						break
					}
					time.Sleep(time.Until(at))
					offer(&h, gray(at, 1))
					synctest.Wait()
				}
				stop()
				watcher.Wait()
				if n < tt.least || n > tt.most {
					t.Errorf("%d pictures in ten seconds", n)
				}
			})
		})
	}
}

func TestFramesAfterAPauseAreNotHurried(t *testing.T) {
	var h Hub
	start := time.Now()
	shown := 0
	for _, ms := range []int{0, 100, 5000, 5010, 5020, 5030} {
		h.join(Overlay{})
		if offer(&h, gray(start.Add(time.Duration(ms)*time.Millisecond), 1)) {
			shown++
		}
	}
	if shown != 3 {
		t.Errorf("%d shown, want 3", shown)
	}
}

// BenchmarkShow is what a pipeline pays for a frame that somebody waits for,
// and BenchmarkEncode what the first of the watchers pays.
func BenchmarkShow(b *testing.B) {
	for name, f := range map[string]Frame{
		"YUYV": {View: must(inference.YUYV(make([]byte, 640*480*2), 640, 480, 1280))},
		"NV12": {View: must(inference.NV12(make([]byte, 640*480*3/2), 640, 480, 640))},
	} {
		b.Run(name, func(b *testing.B) {
			var h Hub
			for b.Loop() {
				h.join(Overlay{})
				h.Show(f)
			}
		})
	}
}

func BenchmarkEncode(b *testing.B) {
	pix := make([]byte, 640*480*2)
	for i := range pix {
		pix[i] = byte(64 + i%1280/10 + i*i%7)
	}
	f := Frame{View: must(inference.YUYV(pix, 640, 480, 1280)), Faces: []Face{{Box: image.Rect(200, 100, 320, 260), Name: "Ana", State: Known}}}
	for name, o := range map[string]Overlay{"plain": {}, "boxes,names": {Boxes: true, Names: true}} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, err := newShot(f, map[Overlay]int{o: 1}).picture(o); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
