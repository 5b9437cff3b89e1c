package mqtt

import (
	"maps"
	"slices"
	"sync"
	"time"
)

// pace is how long a camera's status stays before the next one is published: a
// camera that flaps, on a cable that does, must not flood the broker. It is
// shorter than a camera's first pause, so that each failure is told.
const pace = 200 * time.Millisecond

// retained is the states that the broker is to keep, by topic. It is safe for
// concurrent use.
type retained struct {
	mu      sync.Mutex
	states  map[string]*state
	changed chan struct{} // receives after set; see signal
}

// state is the latest payload of a topic.
type state struct {
	payload []byte
	stale   bool          // the broker does not have it yet
	pace    time.Duration // how long one payload stays before the next
	sent    time.Time     // when the last one was published over this connection
}

// set replaces the payload of a topic. It copies it.
func (r *retained) set(topic string, payload []byte, pace time.Duration) {
	r.mu.Lock()
	if r.states == nil {
		r.states = make(map[string]*state)
	}
	s := r.states[topic]
	if s == nil {
		s = &state{pace: pace}
		r.states[topic] = s
	}
	s.payload, s.stale = slices.Clone(payload), true
	r.mu.Unlock()
	notify(r.signal())
}

// repeat has every state published once more.
func (r *retained) repeat() {
	r.renew()
	notify(r.signal())
}

// signal receives after each set. It is made by whoever comes first.
func (r *retained) signal() chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.changed == nil {
		r.changed = make(chan struct{}, 1)
	}
	return r.changed
}

// renew makes a new connection publish every state, at once.
func (r *retained) renew() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, s := range r.states {
		s.stale, s.sent = true, time.Time{}
	}
}

// take returns a state to be published now, the first by topic. When there is
// none, wait is how long until there may be one that is held back, or 0. In a
// hurry nothing is held back.
func (r *retained) take(hurry bool) (topic string, payload []byte, wait time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, topic := range slices.Sorted(maps.Keys(r.states)) {
		s := r.states[topic]
		if !s.stale {
			continue
		}
		left := s.pace - time.Since(s.sent)
		if left <= 0 || hurry {
			s.stale, s.sent = false, time.Now()
			return topic, s.payload, 0
		}
		if wait == 0 || left < wait {
			wait = left
		}
	}
	return "", nil, wait
}
