//go:build !race

// With the race detector, Go is ten times slower and C is not.

package bench_test

import (
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"facerecd/capture"
	"facerecd/capture/jpeg"
	"facerecd/cross/testkit"
	"facerecd/daemon"
	"facerecd/daemon/bench"
	"facerecd/inference"
)

// bencher takes the demo photos through the shipped models as frames of a
// camera.
func bencher(t *testing.T, width, height int, format capture.Format) *bench.Bench {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	vision, err := daemon.OpenVision(testkit.Models(t), testkit.Runtime(t), 1, log)
	if err != nil {
		t.Fatal(err)
	}
	b := &bench.Bench{Warmup: 4, Clock: bench.ProcessorTime, Match: func([]float32) {}}
	vision.Wrap = func(role string, n inference.Network) inference.Network {
		b.Models = append(b.Models, &bench.Probe{Role: role, Network: n})
		return b.Models[len(b.Models)-1]
	}
	engine, err := vision.Engine()
	if err != nil {
		t.Fatal(err)
	}
	decoder := jpeg.New(log)
	t.Cleanup(func() {
		if err := engine.Close(); err != nil {
			t.Error(err)
		}
		if err := decoder.Close(); err != nil {
			t.Error(err)
		}
	})
	b.Engine = engine.Engine
	b.View = func(f *capture.Frame) (inference.View, error) { return daemon.ViewOf(f, decoder) }
	for _, name := range []string{"obama.jpg", "obama2.jpg", "obama3.jpg", "biden.jpg"} {
		frames, err := bench.Load(t.Context(), filepath.Join(testkit.Photos(t), name), width, height, format, log)
		if err != nil {
			t.Fatal(err)
		}
		b.Frames = append(b.Frames, frames...)
	}
	b.Count = 10 * len(b.Frames)
	return b
}

// A frame may cost so much more than its models alone. bench/README.md has the
// goals, 1.25 and 1.5; what is above them here is for a busy machine, which slows
// models and the rest differently.
//
// What counts is the processor's time, and of each frame the fastest of many
// tries: whatever disturbs only adds. Those tries go on for as long as they are
// too slow, up to a limit, so that it takes a real regression to fail.
func TestFrameCostsLittleMoreThanItsModels(t *testing.T) {
	for _, c := range []struct {
		name          string
		width, height int
		format        capture.Format
		most          float64
	}{
		{"YUYV 640x480", 640, 480, capture.YUYV, 1.35},
		{"MJPEG 1280x720", 1280, 720, capture.JPEG, 1.7},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.format == capture.JPEG {
				if d, err := jpeg.NewTurbo(); err != nil {
					t.Fatalf("%v: install the package libturbojpeg0", err)
				} else if err := d.Close(); err != nil {
					t.Error(err)
				}
			}
			b := bencher(t, c.width, c.height, c.format)
			total, raw := make([]time.Duration, len(b.Frames)), make([]time.Duration, len(b.Frames))
			least := func(at *time.Duration, v time.Duration) {
				if *at == 0 || v < *at {
					*at = v
				}
			}
			var ratio float64
			for range 6 {
				samples, err := b.Run(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				for i := range samples {
					at := (i + b.Warmup) % len(b.Frames)
					least(&total[at], samples[i].Total)
					least(&raw[at], samples[i].Raw())
				}
				var all, models time.Duration
				for i := range total {
					all += total[i]
					models += raw[i]
				}
				if ratio = float64(all) / float64(models); ratio <= c.most {
					t.Logf("%.2f times the models' own time", ratio)
					return
				}
			}
			t.Errorf("a frame takes %.2f times as long as its models alone, want %.2f at most: run facerecd bench to see which stage", ratio, c.most)
		})
	}
}

// The calls into C, the decoder's and the models', and all in between.
func TestBenchedFramesAllocateNothing(t *testing.T) {
	for name, format := range map[string]capture.Format{"YUYV": capture.YUYV, "JPEG": capture.JPEG} {
		b := bencher(t, 640, 480, format)
		b.Warmup = 2 * len(b.Frames) // which fills what is used again
		samples, err := b.Run(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		// The runtime itself allocates now and then.
		if got := b.Summarise(samples).Allocations; got > 0.5 {
			t.Errorf("%s: %.1f allocations a frame", name, got)
		}
	}
}
