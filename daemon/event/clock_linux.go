package event

import (
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Clock asks the kernel whether the wall clock is right. The zero value is
// ready; it is safe for concurrent use.
type Clock struct {
	mu     sync.Mutex
	asked  time.Time
	synced bool
}

// Synced tells whether a time service keeps the clock, by the kernel's
// STA_UNSYNC (adjtimex(2)). The answer is at most a second old. It is false when
// the kernel does not tell, as nobody knows then.
func (c *Clock) Synced() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.asked.IsZero() || time.Since(c.asked) >= time.Second {
		c.asked, c.synced = time.Now(), synced()
	}
	return c.synced
}

func synced() bool {
	var t unix.Timex // no mode: it only reads
	state, err := unix.Adjtimex(&t)
	return err == nil && state != unix.TIME_ERROR && t.Status&unix.STA_UNSYNC == 0
}
