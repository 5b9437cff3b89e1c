package capture

import (
	"context"
	"sync"
	"sync/atomic"
)

// Mailbox holds the newest frame of one camera for a reader that may be
// slower than the camera: a frame that nobody took is replaced by the next,
// and counted as skipped. Frames travel in a circle, so that nothing is
// allocated after the first few:
//
//	writer: f = box.Put(f)                            // and fill the frame that came back
//	reader: f, err := box.Take(ctx); …; box.Recycle(f)
//
// Any number of goroutines may write and read; each frame reaches one reader.
type Mailbox struct {
	put     sync.Mutex  // one writer at a time, so that a slot just emptied stays empty
	slot    chan *Frame // the newest frame, not taken yet
	spare   chan *Frame // frames that were read, free to be filled again
	skipped atomic.Uint64
}

// NewMailbox makes an empty Mailbox.
func NewMailbox() *Mailbox {
	// One frame is with the writer, one in the slot and one with the reader:
	// one spare is enough for the circle, the second is for a second reader.
	return &Mailbox{slot: make(chan *Frame, 1), spare: make(chan *Frame, 2)}
}

// Put hands f, which belongs to the box from now on, to the next reader, and
// returns a frame for the writer to fill. It never waits for a reader.
func (m *Mailbox) Put(f *Frame) *Frame {
	m.put.Lock()
	defer m.put.Unlock()
	var free *Frame
	select {
	case free = <-m.slot:
		m.skipped.Add(1)
	default:
	}
	m.slot <- f
	if free != nil {
		return free
	}
	select {
	case free = <-m.spare:
		return free
	default:
		return new(Frame)
	}
}

// Take waits for a frame that nobody has taken. It belongs to the caller, to
// keep or to give back with Recycle. The error is ctx's.
func (m *Mailbox) Take(ctx context.Context) (*Frame, error) {
	select {
	case f := <-m.slot:
		return f, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Newest is what Take waits for, to be waited for beside other things: each
// frame that it yields is taken.
func (m *Mailbox) Newest() <-chan *Frame { return m.slot }

// Recycle gives a taken frame back to be filled again: the caller must not
// touch it, nor its Data, any more.
func (m *Mailbox) Recycle(f *Frame) {
	select {
	case m.spare <- f:
	default: // enough of them: the garbage collector has this one
	}
}

// Skipped is the number of frames that were replaced before anybody took them.
func (m *Mailbox) Skipped() uint64 { return m.skipped.Load() }
