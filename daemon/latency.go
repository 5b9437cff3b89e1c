package daemon

import (
	"sync"
	"time"

	"facerecd/daemon/event"
	"facerecd/daemon/metrics"
)

// latency measures how long events take to the broker. It is safe for
// concurrent use.
type latency struct {
	frame, decided metrics.Histogram // from the frame, and from the end of inference, to PUBACK

	mu     sync.Mutex
	flying map[uint64]event.Event
}

// maxFlying bounds the events that are measured at once, while the broker is
// away. Those after them are not measured.
const maxFlying = 1000

// numbered is the event log's. What has no moment of its own, as somebody's
// leaving, or is not published, is not measured.
func (l *latency) numbered(e event.Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.flying == nil {
		l.flying = make(map[uint64]event.Event)
	}
	if delete(l.flying, e.Seq); !e.Decided.IsZero() && e.Quiet == "" && len(l.flying) < maxFlying {
		l.flying[e.Seq] = e
	}
}

// acked is the publisher's. An event that is acknowledged again, or was recorded
// by another run of the daemon, is not measured.
func (l *latency) acked(seq uint64) {
	l.mu.Lock()
	e, ok := l.flying[seq]
	delete(l.flying, seq)
	l.mu.Unlock()
	if ok {
		l.frame.Observe(time.Since(e.Taken))
		l.decided.Observe(time.Since(e.Decided))
	}
}
