package capture

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"
)

// DefaultStallAfter is how long a source may send nothing: longer than any
// exposure or start-up of a camera, shorter than somebody waits at a door.
const DefaultStallAfter = 5 * time.Second

// DefaultFrozenAfter is how long a source may repeat one picture.
const DefaultFrozenAfter = 30 * time.Second

// goodRun is how long a camera must send pictures before it is said to have
// recovered and the pauses start anew, so that one that flaps neither spins
// nor floods the log.
const goodRun = 5 * time.Second

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

	// FrozenAfter is how long the source may send one and the same picture,
	// byte for byte, before it is closed and opened again with ErrFrozen. 0
	// means DefaultFrozenAfter. Negative means for ever: for photos, and for
	// whatever else stands still on purpose.
	//
	// What a frozen source sends is not handed on, so that it keeps nobody
	// present who has left: the camera stays Failed until the picture changes.
	FrozenAfter time.Duration

	mu     sync.Mutex
	status Status

	// Of Run's goroutine.
	pauses  backoff
	logged  []string // codes of the failures that are in the log and not over
	suspect bool     // the source was frozen and no picture has followed a different one yet
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
	frame := new(Frame)
	for {
		var err error
		frame, err = c.stream(ctx, frame)
		if ctx.Err() != nil {
			return nil
		}
		if errors.Is(err, ErrEnd) {
			c.enter(Ended, err)
			return nil
		}
		if code := Code(err); !slices.Contains(c.logged, code) {
			c.logged = append(c.logged, code)
			c.Log.Warn("camera failed", "camera", c.Name, "code", code, "err", err, "hint", Hint(err))
		}
		c.enter(Failed, err)
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(c.pauses.next(err)):
		}
		c.count(func(s *Status) { s.Reopened++ })
	}
}

// stream opens the source once and reads it until it fails; the error is never
// nil. It returns the frame that is free to be filled next.
func (c *Camera) stream(ctx context.Context, f *Frame) (_ *Frame, err error) {
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

	r := run{start: time.Now()}
	for {
		switch err := src.Read(read, f); {
		case err == nil:
		case errors.Is(err, ErrBadFrame) && read.Err() == nil:
			r.damaged++
			c.count(func(s *Status) { s.Damaged++ })
			continue
		case errors.Is(context.Cause(read), ErrStalled):
			return f, context.Cause(read)
		default:
			return f, err
		}
		stall.Reset(stallAfter)
		lost := r.lost(f.Seq)
		changed, err := c.look(&r, f)
		if err != nil {
			return f, err
		}
		if c.suspect {
			c.count(func(s *Status) { s.Lost += lost })
			continue
		}
		f = c.Box.Put(f)
		c.count(func(s *Status) { s.Frames, s.Lost = s.Frames+1, s.Lost+lost })
		c.enter(Streaming, nil)
		if changed && time.Since(r.start) >= goodRun {
			c.recovered()
		}
	}
}

// run is what is known of the source since it was opened.
type run struct {
	start   time.Time
	seq     uint64 // of the last good frame
	damaged uint64 // since that frame
	frames  uint64 // good ones
	repeats repeats
	changed time.Time // when the present picture came first
}

// lost is how many frames are missing before the one with this number. Sources
// may start to count anywhere.
func (r *run) lost(seq uint64) uint64 {
	var gap uint64
	if r.frames > 0 && seq > r.seq {
		gap = seq - r.seq - 1
		gap -= min(gap, r.damaged)
	}
	r.seq, r.damaged = seq, 0
	r.frames++
	return gap
}

// look tells whether the frame shows something new, or else fails with
// ErrFrozen when nothing was new for too long. A source that was frozen stays
// suspect until, in one run, a picture has followed a different one: that it
// starts again, with whatever picture, proves nothing.
func (c *Camera) look(r *run, f *Frame) (changed bool, _ error) {
	after := c.FrozenAfter
	switch {
	case after < 0:
		return true, nil
	case after == 0:
		after = DefaultFrozenAfter
	}
	now := time.Now()
	if !r.repeats.next(f.Data) {
		c.suspect = c.suspect && r.frames == 1
		r.changed = now
		return true, nil
	}
	if now.Sub(r.changed) < after {
		return false, nil
	}
	c.suspect = true
	return false, fmt.Errorf("%w: the same one for %v", ErrFrozen, after)
}

// recovered ends the failures that are in the log.
func (c *Camera) recovered() {
	c.pauses = backoff{}
	if n := len(c.logged); n > 0 {
		c.Log.Info("camera recovered", "camera", c.Name, "after", c.logged[n-1])
		c.logged = nil
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
