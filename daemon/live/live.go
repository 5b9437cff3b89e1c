// Package live shows what a camera sees, with or without boxes and names.
//
// Nothing is done for nobody: a frame is copied when a watcher waits for one,
// and encoded by that watcher, not by the pipeline that the frame comes from.
// Whoever is slow waits less often, and so sees the newest frame; there are no
// queues.
package live

import (
	"context"
	"image"
	"sync"
	"sync/atomic"
	"time"

	"facerecd/inference"
)

// interval is the least mean time between two frames that are shown.
const interval = 100 * time.Millisecond

// Overlay is what is drawn into a picture.
type Overlay struct {
	Boxes bool // around each face
	Names bool // "unknown" for strangers, nothing while that is undecided
}

// Frame is what a pipeline has looked at.
type Frame struct {
	At    time.Time
	View  inference.View // as people see it, upright
	JPEG  []byte         // nil, or the file that View was decoded from
	Faces []Face
}

// Face is one face of a Frame.
type Face struct {
	Box   image.Rectangle // in the View's pixels
	Name  string          // "" unless Known
	Score float32         // cosine with the person, when Known
	State State
}

// State is what was found out about a face.
type State uint8

// The states of a Face.
const (
	Undecided State = iota
	Unknown
	Known
)

// Picture is an encoded Frame. Others may read it too: it is not changed.
type Picture struct {
	JPEG []byte
	At   time.Time
}

// Hub takes one camera's frames to those who watch it. The zero Hub is ready.
// One goroutine calls Wanted and Show, any number call Next.
type Hub struct {
	due time.Time // when the next frame is shown, of the goroutine that shows

	wish atomic.Pointer[wish] // nil: nobody waits
	mu   sync.Mutex           // for changes of wish and of what it points to
}

// wish is the next frame, for which watchers wait.
type wish struct {
	waiting map[Overlay]int // watchers; the key is there while somebody waits
	granted chan struct{}   // closed when shot is set
	shot    *shot
}

// Next waits for the next frame and returns it as a JPEG with the overlay, in
// full-range BT.601 colours. The error is ctx's, or the encoder's.
func (h *Hub) Next(ctx context.Context, o Overlay) (Picture, error) {
	w := h.join(o)
	select {
	case <-w.granted:
		return w.shot.picture(o)
	case <-ctx.Done():
		h.leave(w, o)
		return Picture{}, ctx.Err()
	}
}

func (h *Hub) join(o Overlay) *wish {
	h.mu.Lock()
	defer h.mu.Unlock()
	w := h.wish.Load()
	if w == nil {
		w = &wish{waiting: map[Overlay]int{}, granted: make(chan struct{})}
		h.wish.Store(w)
	}
	w.waiting[o]++
	return w
}

// leave takes a wish back, unless it is being granted.
func (h *Hub) leave(w *wish, o Overlay) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.wish.Load() != w {
		return
	}
	if w.waiting[o]--; w.waiting[o] == 0 {
		delete(w.waiting, o)
	}
	if len(w.waiting) == 0 {
		h.wish.Store(nil)
	}
}

// Wanted tells whether anybody waits for the frame of that time. While nobody
// does, that costs one atomic load. A nil Hub wants nothing.
func (h *Hub) Wanted(at time.Time) bool {
	// Half an interval early is on time, so that of a camera with just this
	// rate, which is never quite even, each frame is shown.
	return h != nil && h.wish.Load() != nil && !at.Before(h.due.Add(-interval/2))
}

// Show gives a frame to all who wait. It copies what they need of it, and
// does not wait for them.
func (h *Hub) Show(f Frame) {
	h.mu.Lock()
	w := h.wish.Swap(nil) // nobody else changes it from here on
	h.mu.Unlock()
	if w == nil {
		return
	}
	h.due = h.due.Add(interval)
	if h.due.Before(f.At) {
		h.due = f.At.Add(interval)
	}
	w.shot = newShot(f, w.waiting)
	close(w.granted)
}
