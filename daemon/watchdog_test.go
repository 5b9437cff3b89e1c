package daemon

import (
	"context"
	"image"
	"log/slog"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"facerecd/capture"
	"facerecd/capture/jpeg"
	"facerecd/cross/testkit"
	"facerecd/daemon/mqtt"
	"facerecd/daemon/track"
)

// guarded runs a watchdog of 30 s over the parts, in a synctest bubble.
func guarded(t *testing.T, parts func() []part) (pings *atomic.Int64, log *testkit.Buffer) {
	pings, log = new(atomic.Int64), new(testkit.Buffer)
	w := &watchdog{
		Within: 30 * time.Second, Parts: parts, Log: slog.New(slog.NewTextHandler(log, nil)),
		Ping: func() { pings.Add(1) },
	}
	layer := newLayer(t.Context(), func(error) {})
	layer.run(w.Run)
	t.Cleanup(layer.stop)
	return pings, log
}

func TestWatchdogIsToldOnlyWhileEveryPartGetsOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var door, store beat
		var stands atomic.Bool // the door
		parts := func() []part {
			store.step()
			if !stands.Load() {
				door.step()
			}
			return []part{{"store", store.steps.Load(), false}, {"door", door.steps.Load(), false}}
		}
		pings, log := guarded(t, parts)
		time.Sleep(time.Minute)
		if n := pings.Load(); n < 12 || log.String() != "" {
			t.Fatalf("%d pings in a minute, log: %s", n, log)
		}

		stands.Store(true)
		time.Sleep(16 * time.Second) // half of 30 s, and a look
		synctest.Wait()
		before := pings.Load()
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		if n := pings.Load(); n > before+1 {
			t.Errorf("%d pings for a part that stands still", n-before)
		}
		if lines := strings.Count(log.String(), "\n"); lines != 1 || !strings.Contains(log.String(), "part=door") {
			t.Errorf("want one line that names the door:\n%s", log)
		}

		stands.Store(false)
		before = pings.Load()
		time.Sleep(time.Minute)
		if n := pings.Load() - before; n < 11 {
			t.Errorf("it gets on again: %d pings in a minute", n)
		}
		if !strings.Contains(log.String(), "it gets on again") {
			t.Errorf("the log does not say so:\n%s", log)
		}
	})
}

func TestASlowPartIsNotAStuckOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		pings, log := guarded(t, func() []part { // one step in 14 s
			return []part{{"pipeline", uint64(time.Since(began) / (14 * time.Second)), false}}
		})
		time.Sleep(10 * time.Minute)
		if n := pings.Load(); n < 119 || log.String() != "" {
			t.Errorf("%d pings, log: %s", n, log)
		}
	})
}

func TestAPartMayRestForTenMinutes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pings, log := guarded(t, func() []part { return []part{{"store", 1, true}} })
		time.Sleep(longestRest - time.Second)
		if n := pings.Load(); n < 119 || log.String() != "" {
			t.Errorf("%d pings, log: %s", n, log)
		}
		before := pings.Load()
		time.Sleep(time.Hour)
		if n := pings.Load(); n > before+1 || log.String() == "" {
			t.Errorf("it rests for ever: %d pings, log: %s", n-before, log)
		}
	})
}

func TestAPartHasItsTimeAgainAfterARest(t *testing.T) {
	p := part{"mqtt", 1, true}
	w := &watchdog{Within: 30 * time.Second, Log: slog.New(slog.DiscardHandler), Parts: func() []part { return []part{p} }}
	now := time.Now()
	look := func() bool {
		now = now.Add(5 * time.Second)
		return w.look(now)
	}
	for range 10 {
		if !look() {
			t.Fatal("it may rest")
		}
	}
	p.resting = false
	for i, want := range []bool{true, true, true, false} {
		if got := look(); got != want {
			t.Errorf("look %d after the rest: %v", i, got)
		}
	}
}

// After SIGSTOP and SIGCONT, nobody has had the time to get on.
func TestAProcessThatStoodStillIsNoPartsFault(t *testing.T) {
	w := &watchdog{Within: 30 * time.Second, Log: slog.New(slog.DiscardHandler), Parts: func() []part { return []part{{"door", 1, false}} }}
	now := time.Now()
	for _, look := range []struct {
		after time.Duration
		want  bool
	}{{0, true}, {5 * time.Second, true}, {time.Minute, true}, {5 * time.Second, true}, {9 * time.Second, true}, {5 * time.Second, false}} {
		now = now.Add(look.after)
		if got := w.look(now); got != look.want {
			t.Errorf("%v later: %v", look.after, got)
		}
	}
}

// deaf is a source whose driver hangs: it does not hear that its context ends.
type deaf struct{ release chan struct{} }

func (d deaf) Read(context.Context, *capture.Frame) error { <-d.release; return capture.ErrStalled }
func (d deaf) Close() error                               { return nil }

func TestACameraThatHangsInItsDriverIsNoticedAndOneThatIsAwayIsNot(t *testing.T) {
	for _, tt := range []struct {
		what string
		open func(deaf) (capture.Source, error)
		well bool
	}{
		{"hangs", func(d deaf) (capture.Source, error) { return d, nil }, false},
		{"is away", func(deaf) (capture.Source, error) { return nil, capture.ErrUnplugged }, true},
	} {
		t.Run(tt.what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := deaf{make(chan struct{})}
				u := &unit{reads: &beat{}}
				camera := &capture.Camera{
					Name: "door", Box: capture.NewMailbox(), Log: slog.New(slog.DiscardHandler),
					Open: u.reads.watch(func(context.Context) (capture.Source, error) { return tt.open(d) }),
				}
				pings, log := guarded(t, func() []part { return []part{{"camera door", u.reads.steps.Load(), u.reads.resting.Load()}} })
				layer := newLayer(t.Context(), func(error) {})
				layer.run(camera.Run)
				time.Sleep(time.Minute)
				before := pings.Load()
				time.Sleep(time.Minute)
				if well := pings.Load() > before; well != tt.well || (log.String() == "") != tt.well {
					t.Errorf("told that all is well: %v, log: %s", well, log)
				}
				close(d.release)
				layer.stop()
			})
		})
	}
}

// stuckDecoder hangs in a C library.
type stuckDecoder struct{ release chan struct{} }

func (d stuckDecoder) Decode([]byte) (*image.YCbCr, error) {
	<-d.release
	return nil, jpeg.ErrMalformed
}
func (stuckDecoder) Close() error { return nil }

func TestAPipelineThatHangsIsNoticedAndOneWithoutFramesIsNot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := stuckDecoder{make(chan struct{})}
		p := &Pipeline{
			Box: capture.NewMailbox(), Decoder: d, Tracker: &track.Tracker{}, Log: slog.New(slog.DiscardHandler),
			Present: func(mqtt.Present) error { return nil },
		}
		pings, log := guarded(t, func() []part { return []part{{"pipeline", p.beat.steps.Load(), false}} })
		layer := newLayer(t.Context(), func(error) {})
		layer.run(p.Run)
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		if n := pings.Load(); n < 119 || log.String() != "" {
			t.Errorf("without frames: %d pings, log: %s", n, log)
		}
		p.Box.Put(&capture.Frame{At: time.Now(), Format: capture.JPEG})
		time.Sleep(time.Minute)
		before := pings.Load()
		time.Sleep(time.Minute)
		if pings.Load() > before || !strings.Contains(log.String(), "part=pipeline") {
			t.Errorf("it hangs, and %d pings were sent; log: %s", pings.Load()-before, log)
		}
		close(d.release)
		layer.stop()
	})
}

func TestTheWatchdogLooksAtAllThatMustGetOn(t *testing.T) {
	r, _ := twoCameras(t)
	var names []string
	for _, p := range r.Daemon.health.parts.progress() {
		names = append(names, p.name)
	}
	if want := []string{"store", "mqtt", "pipeline of door", "camera door", "pipeline of yard", "camera yard"}; !slices.Equal(names, want) {
		t.Errorf("parts: %v", names)
	}
}
