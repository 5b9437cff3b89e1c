package capture

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

// DefaultStallAfter is how long a source may send nothing: longer than any
// exposure or start-up of a camera, shorter than somebody waits at a door.
const DefaultStallAfter = 5 * time.Second

// The pause before a camera that failed is opened again doubles from one to
// the other. A run as long as the longest pause is a good one: it starts the
// pauses anew, and only then is the camera said to have recovered, so that a
// camera that flaps neither spins nor floods the log.
const (
	firstPause = 250 * time.Millisecond
	maxPause   = 5 * time.Second
	goodRun    = maxPause
)

// Camera keeps a Source open and its newest frame in a Mailbox. Failures end
// the Source, never the Camera.
type Camera struct {
	Name string                                // for the log
	Open func(context.Context) (Source, error) // opens the source; called again after each failure
	Box  *Mailbox                              // gets the frames
	Log  *slog.Logger                          // a line when the camera fails, one when it has recovered

	// OnStatus, when set, is called from Run's goroutine each time State or
	// Code changes. Frames wait while it runs.
	OnStatus func(Status)

	// StallAfter is how long the source may send no good frame before it is
	// closed and opened again with ErrStalled. 0 means DefaultStallAfter. It
	// must be longer than the time between two frames.
	StallAfter time.Duration

	mu     sync.Mutex
	status Status
}

// Status is the camera's present state and counters, from any goroutine.
func (c *Camera) Status() Status {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.status
}

// Run reads the source until ctx is done or a recording has ended, opening it
// again whenever it fails. It returns nil in both cases (the State tells them
// apart), and the source is closed by then. Run is called once.
func (c *Camera) Run(ctx context.Context) error {
	c.enter(Starting, nil)
	var (
		frame   = new(Frame)
		pause   = firstPause
		failure string // code of the failure that is in the log and not over
	)
	recovered := func() {
		pause = firstPause
		if failure != "" {
			c.Log.Info("camera recovered", "camera", c.Name, "after", failure)
			failure = ""
		}
	}
	for {
		var err error
		frame, err = c.stream(ctx, frame, recovered)
		if ctx.Err() != nil {
			return nil
		}
		if errors.Is(err, ErrEnd) {
			c.enter(Ended, err)
			return nil
		}
		if code := Code(err); code != failure {
			failure = code
			c.Log.Warn("camera failed", "camera", c.Name, "code", code, "err", err, "hint", Hint(err))
		}
		c.enter(Failed, err)
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(pause):
		}
		pause = min(2*pause, maxPause)
		c.count(func(s *Status) { s.Reopened++ })
	}
}

// stream opens the source once and reads it until it fails; the error is never
// nil. It calls good when frames have come for as long as a good run lasts. It
// returns the frame that is free to be filled next.
func (c *Camera) stream(ctx context.Context, f *Frame, good func()) (_ *Frame, err error) {
	src, err := c.Open(ctx)
	if err != nil {
		return f, err
	}
	defer func() {
		if cerr := src.Close(); cerr != nil {
			err = errors.Join(err, fmt.Errorf("close camera: %w", cerr))
		}
	}()

	stallAfter := c.StallAfter
	if stallAfter <= 0 {
		stallAfter = DefaultStallAfter
	}
	read, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	stall := time.AfterFunc(stallAfter, func() {
		cancel(fmt.Errorf("%w: none that is whole in %v", ErrStalled, stallAfter))
	})
	defer stall.Stop()

	start := time.Now()
	for settled := false; ; {
		switch err := src.Read(read, f); {
		case err == nil:
		case errors.Is(err, ErrBadFrame) && read.Err() == nil:
			c.count(func(s *Status) { s.Damaged++ })
			continue
		case errors.Is(context.Cause(read), ErrStalled):
			return f, context.Cause(read)
		default:
			return f, err
		}
		stall.Reset(stallAfter)
		f = c.Box.Put(f)
		c.count(func(s *Status) { s.Frames++ })
		c.enter(Streaming, nil)
		if !settled && time.Since(start) >= goodRun {
			settled = true
			good()
		}
	}
}

// enter changes the state, and tells so when it or its reason is a new one.
func (c *Camera) enter(state State, err error) {
	var code, hint string
	if err != nil {
		code, hint = Code(err), Hint(err)
	}
	c.mu.Lock()
	s := &c.status
	if s.State == state && s.Code == code {
		c.mu.Unlock()
		return
	}
	s.State, s.Code, s.Err, s.Hint, s.Since = state, code, err, hint, time.Now()
	now := *s
	c.mu.Unlock()
	if c.OnStatus != nil {
		c.OnStatus(now)
	}
}

func (c *Camera) count(add func(*Status)) {
	c.mu.Lock()
	add(&c.status)
	c.mu.Unlock()
}
