package event

import (
	"crypto/rand"
	"io"
	"sync"
	"time"

	"github.com/oklog/ulid/v2"
)

// IDs makes ULIDs, each greater than the one before it, whatever the clock
// does: while the clock is behind the newest id, ids count on from there. The
// zero value is ready; it is safe for concurrent use.
type IDs struct {
	Now func() time.Time // nil: time.Now

	mu   sync.Mutex
	last ulid.ULID
}

// Next returns the next id.
func (s *IDs) Next() string {
	now := time.Now
	if s.Now != nil {
		now = s.Now
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var next ulid.ULID
	// A clock that was never set may stand before 1970, where ULIDs begin.
	ms := min(uint64(max(now().UnixMilli(), 0)), ulid.MaxTime())
	if ms > s.last.Time() || s.last.IsZero() {
		_ = next.SetTime(ms)
		_, _ = io.ReadFull(rand.Reader, next[6:]) // crypto/rand never fails
	} else {
		next = successor(s.last)
	}
	s.last = next
	return next.String()
}

// After makes all later ids greater than id. One that is no ULID is ignored.
func (s *IDs) After(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if u, err := ulid.ParseStrict(id); err == nil && u.Compare(s.last) > 0 {
		s.last = u
	}
}

// successor counts one up. The carry may run into the time, which is then one
// millisecond ahead: better than an id that goes backwards.
func successor(id ulid.ULID) ulid.ULID {
	for i := len(id) - 1; i >= 0; i-- {
		id[i]++
		if id[i] != 0 {
			break
		}
	}
	return id
}
