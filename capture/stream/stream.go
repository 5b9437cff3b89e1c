// Package stream makes a capture.Source of what can only be read by blocking:
// a program's output, the body of an HTTP answer.
package stream

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"facerecd/capture"
)

// DefaultStart is how long a stream may take to its first frame: a network
// camera sends nothing that can be decoded before its next key frame.
const DefaultStart = 15 * time.Second

// Reader yields the frames of a stream.
type Reader interface {
	// Next blocks until the next frame and overwrites f with it, Seq and At
	// aside. After capture.ErrBadFrame it is called again; any other error
	// ends the stream, and says why in words for the user.
	Next(f *capture.Frame) error

	// Close ends a Next in progress and frees everything. It is called once,
	// also after Next has failed.
	Close() error
}

// Options says how a stream is read. The zero value takes every frame.
type Options struct {
	Start time.Duration // how long the first frame may take; 0 means DefaultStart
	Stall time.Duration // how long each later frame may take; 0 means capture.DefaultStallAfter

	// FPS, when above 0, leaves frames out, so that no more than so many a
	// second are delivered in the mean.
	FPS float64

	// Detail, when set, says in the error of a stalled stream what is known
	// of the reason; "" when nothing is.
	Detail func() string
}

// Source is a stream as a capture.Source. It reads ahead, so that nothing
// queues up in a pipe or a socket behind a slow reader, and delivers the newest
// frame; those it replaced are a gap in Seq.
type Source struct {
	reader Reader
	o      Options

	box *capture.Mailbox // what was read and not delivered yet
	bad chan error       // a damaged frame that nobody was told of

	began   chan struct{} // closed when the first frame was read
	ended   chan struct{} // closed when nothing reads any more; err says why
	err     error
	closed  chan struct{}
	close   sync.Once
	closing error
}

// Open starts to read, and waits for the first frame. The Source owns r, which
// is closed when Open fails.
func Open(ctx context.Context, r Reader, o Options) (*Source, error) {
	if o.Start <= 0 {
		o.Start = DefaultStart
	}
	if o.Stall <= 0 {
		o.Stall = capture.DefaultStallAfter
	}
	s := &Source{
		reader: r, o: o,
		box: capture.NewMailbox(), bad: make(chan error, 1),
		began: make(chan struct{}), ended: make(chan struct{}), closed: make(chan struct{}),
	}
	go s.run()
	timer := time.NewTimer(o.Start)
	defer timer.Stop()
	var err error
	select {
	case <-s.began:
		return s, nil
	case <-s.ended:
		err = s.err
	case <-ctx.Done():
		err = ctx.Err()
	case <-timer.C:
		err = s.stalled(o.Start)
	}
	return nil, errors.Join(err, s.Close())
}

// run reads until the stream ends, which Close makes it do.
func (s *Source) run() {
	defer close(s.ended)
	var (
		seq uint64
		due time.Time // of the next frame, when there may be too many
		f   = new(capture.Frame)
	)
	for {
		select {
		case <-s.closed: // and the reader may have much that it has read ahead
			s.err = errClosed
			return
		default:
		}
		if err := s.reader.Next(f); errors.Is(err, capture.ErrBadFrame) {
			select {
			case s.bad <- err:
			default: // one is as bad as two
			}
			continue
		} else if err != nil {
			s.err = err
			return
		}
		f.At = time.Now()
		if s.o.FPS > 0 {
			period := time.Duration(float64(time.Second) / s.o.FPS)
			// A camera's own beat wavers; do not leave every other frame out
			// because they are a little early.
			if f.At.Before(due.Add(-period / 8)) {
				continue
			}
			due = due.Add(period)
			if due.Before(f.At) {
				due = f.At.Add(period)
			}
		}
		seq++
		f.Seq = seq
		f = s.box.Put(f)
		if seq == 1 {
			close(s.began)
		}
	}
}

var errClosed = errors.New("read camera: it is closed")

// Read implements capture.Source.
func (s *Source) Read(ctx context.Context, f *capture.Frame) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case <-s.closed:
		return errClosed
	default:
	}
	select {
	case got := <-s.box.Newest(): // also the last one of a stream that has ended
		s.deliver(got, f)
		return nil
	default:
	}
	timer := time.NewTimer(s.o.Stall)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-s.closed:
		return errClosed
	case got := <-s.box.Newest():
		s.deliver(got, f)
		return nil
	case err := <-s.bad:
		return err
	case <-s.ended:
		return s.err
	case <-timer.C:
		return s.stalled(s.o.Stall)
	}
}

// deliver copies the frame, so that the caller's memory is used again, and so
// is the stream's.
func (s *Source) deliver(got, f *capture.Frame) {
	data := append(f.Data[:0], got.Data...)
	*f = *got
	f.Data = data
	s.box.Recycle(got)
}

func (s *Source) stalled(after time.Duration) error {
	detail := ""
	if s.o.Detail != nil {
		detail = s.o.Detail()
	}
	if detail != "" {
		return fmt.Errorf("%w: none in %v: %s", capture.ErrStalled, after, detail)
	}
	return fmt.Errorf("%w: none in %v", capture.ErrStalled, after)
}

// Close implements capture.Source. Nothing reads any more when it returns.
func (s *Source) Close() error {
	s.close.Do(func() {
		close(s.closed)
		s.closing = s.reader.Close()
		<-s.ended
	})
	return s.closing
}
