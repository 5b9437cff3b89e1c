package daemon

import (
	"context"
	"sync"
	"time"
)

// meter measures how many frames a second a camera delivers, over the last few
// seconds.
type meter struct {
	Frames func() uint64 // counts them

	mu    sync.Mutex
	marks []mark // the oldest first
}

// mark is what the counter showed at one time.
type mark struct {
	at     time.Time
	frames uint64
}

// memory is how many seconds a rate is the mean of.
const memory = 5

// Run reads the counter once a second until ctx ends.
func (m *meter) Run(ctx context.Context) error {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		m.read(time.Now())
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

func (m *meter) read(at time.Time) {
	now := mark{at, m.Frames()}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.marks = append(m.marks, now)
	m.marks = m.marks[max(len(m.marks)-memory-1, 0):]
}

// Rate is the frames a second; 0 in the first second. From any goroutine.
func (m *meter) Rate() float64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.marks) < 2 {
		return 0
	}
	first, last := m.marks[0], m.marks[len(m.marks)-1]
	return float64(last.frames-first.frames) / last.at.Sub(first.at).Seconds()
}
