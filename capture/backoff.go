package capture

import (
	"errors"
	"time"
)

// backoff is how long to wait before a source that failed is opened again.
type backoff struct {
	failures int // in a row
}

const (
	firstPause = 250 * time.Millisecond
	maxPause   = 5 * time.Second

	// An open that finds no camera costs microseconds, and whoever plugs one
	// in looks at what happens: it is back within three seconds, however long
	// it was away.
	absentPause = 500 * time.Millisecond
)

// next is the pause after the failure. It doubles with each one in a row, up
// to what suits the reason: a cable that was pulled is plugged in again by
// somebody who waits, and a camera that another program holds, or that udev is
// still giving to its group, will be free in a moment.
func (b *backoff) next(err error) time.Duration {
	longest := maxPause
	switch {
	case errors.Is(err, ErrNotFound):
		b.failures = 0 // what is plugged in next starts anew
		return absentPause
	case errors.Is(err, ErrUnplugged):
		longest = time.Second
	case errors.Is(err, ErrBusy), errors.Is(err, ErrPermission):
		longest = 2 * time.Second
	}
	pause := firstPause << min(b.failures, 10)
	b.failures++
	return min(pause, longest)
}
