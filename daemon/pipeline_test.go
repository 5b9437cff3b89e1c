package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"facerecd/capture"
	"facerecd/capture/jpeg"
	"facerecd/cross/testkit"
	"facerecd/daemon/event"
	"facerecd/daemon/mqtt"
	"facerecd/daemon/track"
	"facerecd/inference"
	"facerecd/match"
)

// bench is a pipeline with the real models and nobody enrolled. What it tells
// is kept here, and time is that of a synctest bubble.
type bench struct {
	*Pipeline
	full atomic.Bool // the disk
	log  *testkit.Buffer

	mu      sync.Mutex
	events  []event.Event
	present []mqtt.Present
}

func newBench(e *Engine) *bench {
	pack := e.Pack()
	b := &bench{log: new(testkit.Buffer)}
	ids := &event.IDs{}
	b.Pipeline = &Pipeline{
		Camera: "door", Box: capture.NewMailbox(), Engine: e, Decoder: jpeg.NewStd(),
		Tracker: &track.Tracker{
			Gallery: match.NewGallery(pack.ID, pack.Pipeline.Embedding.Size),
			Policy:  match.Policy{Threshold: pack.Decision.Threshold},
			MinSeen: 3, Lost: lost, NewID: ids.Next, Known: func(string) bool { return false },
		},
		Names: func(string) (string, bool) { return "", false },
		Record: func(events []event.Event) (int, error) {
			if b.full.Load() {
				return 0, errors.New("the disk is full")
			}
			b.mu.Lock()
			defer b.mu.Unlock()
			b.events = append(b.events, events...)
			return len(events), nil
		},
		Present: func(p mqtt.Present) error {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.present = append(b.present, p)
			return nil
		},
		Log: slog.New(slog.NewTextHandler(b.log, nil)),
	}
	return b
}

// told is what came out so far.
func (b *bench) told() ([]event.Event, []mqtt.Present) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.events), slices.Clone(b.present)
}

// run runs the pipeline while do shows it frames.
func (b *bench) run(t *testing.T, do func()) {
	t.Helper()
	done := make(chan error, 1)
	ctx, cancel := context.WithCancel(t.Context())
	go func() { done <- b.Run(ctx) }()
	do()
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// show has the camera deliver a frame n times, ten times a second.
func (b *bench) show(f *capture.Frame, n int) {
	for range n {
		next := *f
		next.At, next.Data = time.Now(), slices.Clone(f.Data)
		b.Box.Put(&next)
		wait(100 * time.Millisecond)
	}
}

func wait(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func (b *bench) types() string {
	var s []string
	events, _ := b.told()
	for _, e := range events {
		s = append(s, string(e.Type))
	}
	return strings.Join(s, " ")
}

func TestEventsWaitForAStoreThatRefusesThem(t *testing.T) {
	engine, obama, biden := newEngine(t), shot(t, "obama"), shot(t, "biden")
	synctest.Test(t, func(t *testing.T) {
		b := newBench(engine)
		b.full.Store(true)
		b.run(t, func() {
			b.show(obama, 10)
			wait(lost)
			b.show(biden, 10)
			if b.types() != "" || !b.Failing() {
				t.Errorf("events %q, failing %v", b.types(), b.Failing())
			}
			b.full.Store(false)
			wait(2 * tick)
			if b.types() != "unknown left unknown" || b.Failing() || b.Lost() != 0 {
				t.Errorf("events %q, failing %v, lost %d", b.types(), b.Failing(), b.Lost())
			}
			events, _ := b.told()
			if !slices.IsSortedFunc(events, func(x, y event.Event) int { return x.Time.Compare(y.Time) }) {
				t.Errorf("not in the order of their times: %+v", events)
			}
			if n := strings.Count(b.log.String(), "the disk is full"); n != 1 {
				t.Errorf("%d complaints:\n%s", n, b.log)
			}
		})
		if b.types() != "unknown left unknown left" {
			t.Errorf("events %q", b.types())
		}
	})
}

func TestOfTooManyWaitingEventsTheNewestAreKept(t *testing.T) {
	b := newBench(newEngine(t))
	b.full.Store(true)
	b.frame = [2]int{640, 480}
	embedding := make([]float32, b.Engine.Pack().Pipeline.Embedding.Size)
	embedding[0] = 1
	at := time.Now()
	const more = 10
	for i := range (maxHeld + more) / 2 { // somebody comes and leaves
		at = at.Add(time.Second)
		for range 6 {
			tr := b.Tracker.Update(at, []inference.Detection{{Box: inference.Box{X: float32(i % 500), Y: 9, Width: 99, Height: 99}, Score: 1}})[0]
			b.Tracker.Look(tr, at, inference.Face{Quality: inference.Quality{Score: 1}, Embedding: embedding})
		}
		b.Tracker.Close(at)
		b.collect()
		if err := b.flush(); err == nil || err.Error() != "store event: the disk is full" {
			t.Fatalf("flush = %v", err)
		}
	}
	if b.Lost() != more {
		t.Errorf("lost %d, want %d", b.Lost(), more)
	}
	b.full.Store(false)
	if err := b.flush(); err != nil {
		t.Error(err)
	}
	if len(b.events) != maxHeld || !b.events[maxHeld-1].Time.Equal(at) {
		t.Errorf("%d events, the last of %v; want %d, %v", len(b.events), b.events[len(b.events)-1].Time, maxHeld, at)
	}
}

func TestADamagedFrameIsReportedOnceAndSurvived(t *testing.T) {
	engine, obama := newEngine(t), shot(t, "obama")
	picture := encode(t, imageOf(obama))
	synctest.Test(t, func(t *testing.T) {
		b := newBench(engine)
		b.run(t, func() {
			b.show(&capture.Frame{Format: capture.JPEG, Data: picture[:len(picture)/3]}, 5)
			if n := strings.Count(b.log.String(), "read frame: "); n != 1 || !b.Failing() {
				t.Errorf("%d complaints, failing %v:\n%s", n, b.Failing(), b.log)
			}
			b.show(&capture.Frame{Format: capture.YUYV, Width: 640, Height: 480, Stride: 1280, Data: make([]byte, 99)}, 5)
			b.show(&capture.Frame{Format: 99}, 5)
			if n := strings.Count(b.log.String(), "read frame: "); n != 3 {
				t.Errorf("%d complaints about three kinds of bad frames:\n%s", n, b.log)
			}
			b.show(&capture.Frame{Format: capture.JPEG, Data: picture}, 10)
			if b.types() != "unknown" || b.Failing() {
				t.Errorf("events %q, failing %v", b.types(), b.Failing())
			}
			b.show(&capture.Frame{Format: capture.JPEG, Data: picture[:len(picture)/3]}, int(lost/(100*time.Millisecond)))
			if b.types() != "unknown left" {
				t.Errorf("events %q: who was in view stays there while frames are damaged", b.types())
			}
		})
	})
}

// A cable that spoils a picture now and then would fill the log, and a card.
func TestAPictureThatIsDamagedNowAndThenIsNoTrouble(t *testing.T) {
	engine, obama := newEngine(t), shot(t, "obama")
	picture := encode(t, imageOf(obama))
	synctest.Test(t, func(t *testing.T) {
		b := newBench(engine)
		b.run(t, func() {
			for range 10 {
				b.show(&capture.Frame{Format: capture.JPEG, Data: picture}, 1)
				b.show(&capture.Frame{Format: capture.JPEG, Data: picture[:len(picture)/3]}, 1)
				if b.Failing() {
					t.Error("failing because of one picture")
				}
			}
			if b.log.String() != "" || b.types() != "unknown" {
				t.Errorf("events %q, log:\n%s", b.types(), b.log)
			}
		})
	})
}

func TestACameraThatIsGoneShowsNobody(t *testing.T) {
	engine, obama := newEngine(t), shot(t, "obama")
	face := theFace(t, engine, obama)
	synctest.Test(t, func(t *testing.T) {
		b := newBench(engine)
		b.run(t, func() {
			b.show(obama, 10)
			last := time.Now().Add(-100 * time.Millisecond)
			if _, present := b.told(); present[len(present)-1].Unknown != 1 {
				t.Errorf("present: %+v", present)
			}
			wait(lost + tick)
			if b.types() != "unknown left" {
				t.Fatalf("events %q", b.types())
			}
			events, present := b.told()
			e := events[1]
			if at := e.Time.Sub(last); at < lost || at > lost+tick {
				t.Errorf("left %v after it was last seen", at)
			}
			if e.SeenForMS != 900 || e.Box != face.Box.Pixels(640, 480) || e.Track != events[0].Track {
				t.Errorf("left: %+v", e)
			}
			if p := present[len(present)-1]; len(present) != 3 || p.Unknown != 0 || len(p.People) > 0 {
				t.Errorf("present: %+v, want nobody, one unknown, nobody", present)
			}
		})
	})
}

func TestEveryFormatShowsTheSameFace(t *testing.T) {
	engine, rgb := newEngine(t), shot(t, "obama")
	want := theFace(t, engine, rgb)
	for _, tt := range []struct {
		frame *capture.Frame
		like  float32 // least cosine with the face in RGB
		over  float32 // least IoU of the boxes; without colours the detector, coarse in int8, sees less
	}{
		{&capture.Frame{Format: capture.JPEG, Data: encode(t, imageOf(rgb))}, 0.98, 0.95},
		{video(rgb, capture.YUYV), 0.98, 0.95},
		{video(rgb, capture.NV12), 0.98, 0.95},
		{video(rgb, capture.I420), 0.98, 0.95},
		{video(rgb, capture.Gray), 0.8, 0.85},
	} {
		t.Run(fmt.Sprint(tt.frame.Format), func(t *testing.T) {
			got := theFace(t, engine, tt.frame)
			if iou := got.Box.IoU(want.Box); iou < tt.over {
				t.Errorf("face at %v, want %v", got.Box, want.Box)
			}
			var like float32
			for i, v := range got.Embedding {
				like += v * want.Embedding[i]
			}
			if like < tt.like {
				t.Errorf("cosine %v, want %v", like, tt.like)
			}
			t.Logf("cosine %v", like)
		})
	}
}
