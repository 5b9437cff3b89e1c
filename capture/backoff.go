package capture

import (
	"errors"
	"time"
)

// backoff is how long to wait before a source that failed is opened again.
type backoff struct {
	reason   string // Code of the last failure
	failures int    // in a row, for that reason
}

const (
	firstPause = 250 * time.Millisecond
	maxPause   = 5 * time.Second

	// An open that finds no camera costs microseconds, and whoever plugs one
	// in looks at what happens: it is back within three seconds, however long
	// it was away.
	absentPause = 500 * time.Millisecond
)

// next is the pause after the failure. It doubles with each one in a row for
// the same reason, up to what suits the reason: a cable that was pulled is
// plugged in again by somebody who waits, and the first stream after that may
// break; a camera that another program holds, or that udev is still giving to
// its group, will be free in a moment.
func (b *backoff) next(err error) time.Duration {
	if code := Code(err); code != b.reason {
		*b = backoff{reason: code}
	}
	longest := maxPause
	switch {
	case errors.Is(err, ErrNotFound):
		return absentPause
	case errors.Is(err, ErrUnplugged), errors.Is(err, ErrStream):
		longest = time.Second
	case errors.Is(err, ErrBusy), errors.Is(err, ErrPermission):
		longest = 2 * time.Second
	}
	pause := firstPause << min(b.failures, 10)
	b.failures++
	return min(pause, longest)
}
