package daemon

import (
	"time"

	"facerecd/daemon/event"
	"facerecd/daemon/track"
)

// cooldown keeps one camera from telling again and again of the same person,
// who goes to and fro. A track whose recognition is not told has no left either,
// so that what is told of each track stays whole.
type cooldown struct {
	For time.Duration // between two recognitions of one person; 0: all are told

	named     map[string]time.Time // when each person was told of last
	strangers map[string]bool      // tracks that are in view and were told as unknown
	muted     map[string]bool      // tracks that are in view and not told
}

// mutes tells whether a change is not to be told. It is asked once about each.
func (c *cooldown) mutes(change track.Change) bool {
	tr := &change.Track
	if c.For <= 0 {
		return false
	}
	if c.named == nil {
		c.named, c.strangers, c.muted = make(map[string]time.Time), make(map[string]bool), make(map[string]bool)
	}
	switch change.Type {
	case event.Unknown:
		c.strangers[tr.ID] = true
	case event.Recognized:
		last, again := c.named[tr.Person]
		// Who was told as unknown is no stranger: that is news.
		if again && change.At.Sub(last) < c.For && !c.strangers[tr.ID] {
			c.muted[tr.ID] = true
			return true
		}
		c.named[tr.Person] = change.At
	case event.Left:
		muted := c.muted[tr.ID]
		delete(c.muted, tr.ID)
		delete(c.strangers, tr.ID)
		return muted
	}
	return false
}
