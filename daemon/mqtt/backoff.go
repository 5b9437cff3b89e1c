package mqtt

import (
	"context"
	"math/rand/v2"
	"time"
)

// backoff spaces attempts: the first wait is about min, each later one twice as
// long, up to max. Each is drawn from the upper half of its range, so that many
// devices do not all come back to a restarted broker at once.
type backoff struct {
	min, max time.Duration
	next     time.Duration
}

func (b *backoff) reset() { b.next = 0 }

// duration is how long to wait this time.
func (b *backoff) duration() time.Duration {
	d := min(max(b.next, b.min), b.max)
	b.next = 2 * d
	return d/2 + rand.N(d/2+1)
}

// wait ends after the duration, or with ctx. It calls each once a second.
func (b *backoff) wait(ctx context.Context, each func()) {
	t := time.NewTimer(b.duration())
	defer t.Stop()
	second := time.NewTicker(time.Second)
	defer second.Stop()
	for {
		select {
		case <-t.C:
			return
		case <-ctx.Done():
			return
		case <-second.C:
			each()
		}
	}
}
