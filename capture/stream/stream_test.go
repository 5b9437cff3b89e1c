package stream_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"facerecd/capture"
	"facerecd/capture/capturetest"
	"facerecd/capture/stream"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// steps is a Reader that follows a script of pauses and errors, and then
// blocks, or repeats its last step when it loops.
type steps struct {
	steps []capturetest.Step
	loop  bool

	once   sync.Once
	n      byte
	closed chan struct{}
}

func script(loop bool, s ...[]capturetest.Step) *steps {
	return &steps{steps: slices.Concat(s...), loop: loop, closed: make(chan struct{})}
}

func (s *steps) Next(f *capture.Frame) error {
	step := capturetest.Step{Wait: capturetest.Forever}
	if len(s.steps) > 0 {
		step = s.steps[0]
		if !s.loop || len(s.steps) > 1 {
			s.steps = s.steps[1:]
		}
	}
	var due <-chan time.Time
	if step.Wait != capturetest.Forever {
		due = time.After(step.Wait)
	}
	select {
	case <-s.closed:
		return errors.New("the reader is closed")
	case <-due:
	}
	if step.Err != nil {
		return step.Err
	}
	s.n++
	f.Format, f.Width, f.Height, f.Stride = capture.Gray, 2, 1, 2
	f.Data = append(f.Data[:0], s.n, s.n)
	return nil
}

func (s *steps) Close() error {
	s.once.Do(func() { close(s.closed) })
	return nil
}

func TestStreamsKeepTheSourceContract(t *testing.T) {
	capturetest.Suite(t, func(t *testing.T) capture.Source {
		src, err := stream.Open(t.Context(), script(true, capturetest.Frames(1, 50*time.Millisecond)), stream.Options{})
		if err != nil {
			t.Fatal(err)
		}
		return src
	})
}

func open(t *testing.T, r stream.Reader, o stream.Options) *stream.Source {
	t.Helper()
	src, err := stream.Open(t.Context(), r, o)
	return capturetest.Opened(t, src, err)
}

// buffered is a Reader that has no end of what it has read ahead, closed or not.
type buffered struct{ *steps }

func (b buffered) Next(f *capture.Frame) error {
	if b.n < 1 {
		return b.steps.Next(f)
	}
	time.Sleep(100 * time.Millisecond)
	return capture.ErrBadFrame
}

func TestCloseDoesNotGoThroughWhatWasReadAhead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := open(t, buffered{script(false, capturetest.Frames(1, 0))}, stream.Options{})
		closed := make(chan error, 1)
		go func() { closed <- src.Close() }()
		select {
		case err := <-closed:
			if err != nil {
				t.Error(err)
			}
		case <-time.After(time.Second):
			t.Fatal("it does")
		}
	})
}

func TestASlowReaderGetsTheNewestFrame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := open(t, script(true, capturetest.Frames(1, 100*time.Millisecond)), stream.Options{})
		var f capture.Frame
		for _, want := range []uint64{1, 11, 12, 13} {
			if err := src.Read(t.Context(), &f); err != nil {
				t.Fatal(err)
			}
			if f.Seq != want || f.Data[0] != byte(want) {
				t.Errorf("frame %d with data %d, want %d", f.Seq, f.Data[0], want)
			}
			if want == 1 {
				time.Sleep(1010 * time.Millisecond)
			}
		}
	})
}

func TestFramesAboveTheRateAreLeftOut(t *testing.T) {
	tests := []struct {
		every time.Duration // the camera's
		fps   float64
		want  int // in 3 s
	}{
		{time.Second / 30, 10, 30},
		{time.Second / 15, 10, 30},
		{time.Second / 10, 10, 30},
		{time.Second / 5, 10, 15},
		{time.Second / 30, 0, 90},
	}
	for _, test := range tests {
		t.Run(fmt.Sprint(test.every, test.fps), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				src := open(t, script(true, capturetest.Frames(1, test.every)), stream.Options{FPS: test.fps})
				ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
				defer cancel()
				n := 0
				for src.Read(ctx, new(capture.Frame)) == nil {
					n++
				}
				if n < test.want-1 || n > test.want+1 {
					t.Errorf("%d frames in 3 s, want %d", n, test.want)
				}
			})
		})
	}
}

func TestReadSaysWhatBecameOfTheStream(t *testing.T) {
	gone := errors.New("the program ended")
	tests := []struct {
		name   string
		script *steps
		detail string
		want   []string // each Read after the first frame; "" for a frame
	}{
		{"damaged and good", script(false, capturetest.Frames(1, 0), capturetest.Fail(capture.ErrBadFrame), capturetest.Frames(1, time.Second)), "", []string{"damaged frame", ""}},
		{"ends", script(false, capturetest.Frames(1, 0), []capturetest.Step{{Wait: time.Second, Err: gone}}), "", []string{"the program ended", "the program ended"}},
		{"freezes", script(false, capturetest.Frames(1, 0)), "", []string{"camera sends no frames: none in 5s"}},
		{"freezes, and something is known", script(false, capturetest.Frames(1, 0)), "timeout of the sensor", []string{"camera sends no frames: none in 5s: timeout of the sensor"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				test.script.closed = make(chan struct{}) // of this bubble
				src := open(t, test.script, stream.Options{Detail: func() string { return test.detail }})
				if err := src.Read(t.Context(), new(capture.Frame)); err != nil {
					t.Fatal(err)
				}
				for i, want := range test.want {
					got := ""
					if err := src.Read(t.Context(), new(capture.Frame)); err != nil {
						got = err.Error()
					}
					if got != want {
						t.Errorf("Read %d: %q, want %q", i, got, want)
					}
				}
			})
		})
	}
}

func TestOpenWaitsForTheFirstFrame(t *testing.T) {
	busy := fmt.Errorf("%w: failed to acquire camera", capture.ErrBusy)
	tests := []struct {
		name   string
		script *steps
		err    string
		is     error
		took   time.Duration
	}{
		{"late", script(false, capturetest.Frames(1, 9*time.Second)), "", nil, 9 * time.Second},
		{"damaged ones first", script(false, capturetest.Fail(capture.ErrBadFrame), capturetest.Frames(1, time.Second)), "", nil, time.Second},
		{"never", script(false), "camera sends no frames: none in 15s", capture.ErrStalled, 15 * time.Second},
		{"fails", script(false, capturetest.Fail(busy)), "camera in use by another program: failed to acquire camera", capture.ErrBusy, 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				test.script.closed = make(chan struct{}) // of this bubble
				start := time.Now()
				src, err := stream.Open(t.Context(), test.script, stream.Options{})
				if test.err == "" {
					if err != nil {
						t.Fatal(err)
					}
					defer src.Close()
				} else if err == nil || err.Error() != test.err || !errors.Is(err, test.is) {
					t.Errorf("Open: %v, want %s", err, test.err)
				}
				if took := time.Since(start); took != test.took {
					t.Errorf("Open took %v, want %v", took, test.took)
				}
				if test.err != "" {
					<-test.script.closed // or the bubble is dead
				}
			})
		})
	}
}

func TestADoneContextEndsOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := stream.Open(ctx, script(false), stream.Options{}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Open: %v", err)
		}
	})
}
