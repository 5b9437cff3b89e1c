// Package capturetest holds what the tests of capture and its users share: a
// camera that follows a script, and the suite that every Source must pass.
package capturetest

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"facerecd/capture"
)

// Step is what one Read of a Fake does: it waits, and then yields a frame, or
// the error when there is one.
type Step struct {
	Wait time.Duration // Forever: until the context ends or the source is closed
	Err  error
	Same bool   // the frame repeats the picture of the one before it
	Skip uint64 // numbers that are left out before the frame's
}

// Forever is the Wait of a source that sends nothing.
const Forever = time.Duration(-1)

// Frames is n frames, one each interval.
func Frames(n int, every time.Duration) []Step {
	return slices.Repeat([]Step{{Wait: every}}, n)
}

// Freeze is n frames, one each interval, with the picture of the frame before
// them, also when that one came from another Run.
func Freeze(n int, every time.Duration) []Step {
	return slices.Repeat([]Step{{Wait: every, Same: true}}, n)
}

// Fail is one Read that fails at once.
func Fail(err error) []Step { return []Step{{Err: err}} }

// Stall is a Read that yields nothing.
func Stall() []Step { return []Step{{Wait: Forever}} }

// Fake is a camera that follows a script: each Open takes the next of its
// Runs, and the last one is played again when they are used up. Its frames are
// 4x2 gray, and every byte of a frame is the low byte of its Seq, unless it
// repeats a picture. The zero Fake opens and then sends nothing.
type Fake struct {
	Runs []Run

	mu      sync.Mutex
	opened  int
	open    int
	seq     uint64
	picture byte // every byte of the last frame
}

// Run is the script of one opening. When its Steps are used up the source
// sends nothing more.
type Run struct {
	OpenErr error
	Steps   []Step
}

// Open is a capture.Camera's Open.
func (f *Fake) Open(ctx context.Context) (capture.Source, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.opened++
	var run Run
	if len(f.Runs) > 0 {
		run = f.Runs[min(f.opened, len(f.Runs))-1]
	}
	if run.OpenErr != nil {
		return nil, run.OpenErr
	}
	f.open++
	return &fakeSource{fake: f, steps: run.Steps, closed: make(chan struct{})}, nil
}

// Opened is how often Open was called.
func (f *Fake) Opened() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.opened
}

// StillOpen is the number of sources that were opened and not closed.
func (f *Fake) StillOpen() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.open
}

// next is the number of the step's frame, and every byte of its picture.
func (f *Fake) next(s Step) (seq uint64, picture byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.seq += 1 + s.Skip
	if !s.Same {
		f.picture = byte(f.seq)
	}
	return f.seq, f.picture
}

type fakeSource struct {
	fake   *Fake
	steps  []Step
	once   sync.Once
	closed chan struct{}
}

var errClosed = errors.New("read from a closed source")

func (s *fakeSource) Read(ctx context.Context, f *capture.Frame) error {
	step := Step{Wait: Forever}
	if len(s.steps) > 0 {
		step = s.steps[0]
	}
	var due <-chan time.Time
	if step.Wait != Forever {
		timer := time.NewTimer(step.Wait)
		defer timer.Stop()
		due = timer.C
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-s.closed:
		return errClosed
	default:
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-s.closed:
		return errClosed
	case <-due:
	}
	s.steps = s.steps[1:]
	if step.Err != nil {
		return step.Err
	}
	seq, picture := s.fake.next(step)
	f.Seq, f.At = seq, time.Now()
	f.Format, f.Width, f.Height, f.Stride = capture.Gray, 4, 2, 4
	f.Data = f.Data[:0]
	for range 8 {
		f.Data = append(f.Data, picture)
	}
	return nil
}

func (s *fakeSource) Close() error {
	s.once.Do(func() {
		close(s.closed)
		s.fake.mu.Lock()
		defer s.fake.mu.Unlock()
		s.fake.open--
	})
	return nil
}
