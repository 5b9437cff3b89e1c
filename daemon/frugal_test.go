package daemon

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"facerecd/capture"
)

// pictures are a camera's frames of one and the same thing, with its noise.
func pictures(f *capture.Frame, n int) []*capture.Frame {
	random := rand.New(rand.NewPCG(7, 8))
	all := make([]*capture.Frame, n)
	for i := range all {
		next := *f
		next.Data = slices.Clone(f.Data)
		for j := range next.Data {
			next.Data[j] = byte(min(max(int(next.Data[j])+random.IntN(7)-3, 0), 255))
		}
		all[i] = &next
	}
	return all
}

// cost is the processor time for a second of ten frames, once those who are in
// view are known.
func cost(t *testing.T, idle time.Duration, frames []*capture.Frame, faces int) time.Duration {
	t.Helper()
	b := newBench(newEngine(t))
	b.Attend.Idle = idle
	at := time.Now()
	show := func(n int) {
		for i := range n {
			f := *frames[i%len(frames)]
			at = at.Add(100 * time.Millisecond)
			f.At = at
			if err := b.process(&f); err != nil {
				t.Fatal(err)
			}
			b.settle()
		}
	}
	show(20)
	if n := len(b.Tracker.Found()); n != faces || !b.Tracker.Settled() {
		t.Fatalf("%d faces are seen, want %d", n, faces)
	}
	const seconds = 10
	before := processorTime(t)
	show(10 * seconds)
	return (processorTime(t) - before) / seconds
}

func processorTime(t *testing.T) time.Duration {
	t.Helper()
	var used unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &used); err != nil {
		t.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// The limits are ratios, which hold on any machine; the log has what they come to here.
func TestAStillSceneCostsLittle(t *testing.T) {
	for _, tt := range []struct {
		name  string
		photo string
		most  float64 // of the cost of searching each frame, and looking at whom it shows once a second
	}{
		{"nobody there", "", 0.2},
		{"somebody who is known stands still", "obama", 0.35},
	} {
		t.Run(tt.name, func(t *testing.T) {
			faces, frame := 0, &capture.Frame{Format: capture.YUYV, Width: 640, Height: 480, Stride: 1280, Data: slices.Repeat([]byte{90, 128}, 640*480)}
			if tt.photo != "" {
				faces, frame = 1, shot(t, tt.photo)
			}
			frames := pictures(frame, 10)
			all, some := cost(t, 0, frames, faces), cost(t, time.Second, frames, faces)
			t.Logf("a second of ten frames: %v, and %v when each is searched: %.1f %% of a processor", some, all, 100*some.Seconds())
			if ratio := some.Seconds() / all.Seconds(); ratio > tt.most {
				t.Errorf("it costs %.2f of searching each frame, want %.2f at most", ratio, tt.most)
			}
		})
	}
}
