package daemon

import (
	"time"

	"facerecd/daemon/track"
	"facerecd/inference"
)

// calm is how often a camera's pictures are searched for faces while only those
// move who are known to be there: nobody is far from where they were.
const calm = 300 * time.Millisecond

// attention chooses the pictures that are searched for faces, so that a scene in
// which nothing happens costs next to nothing. A change anywhere else than where
// settled faces are is searched at once.
type attention struct {
	Idle time.Duration // a picture like the one before is searched so often all the same; 0: each is

	motion   inference.Motion
	searched time.Time
	known    []inference.Box
}

// wants tells whether to search the next picture.
func (a *attention) wants(v inference.View, at time.Time, t *track.Tracker) bool {
	if a.Idle <= 0 {
		return true
	}
	changed := a.motion.Look(v)
	if since := at.Sub(a.searched); since >= 0 && since < a.Idle && t.Settled() {
		if !changed || since < calm && !a.motion.Beyond(a.around(t.Found(), v)) {
			return false
		}
	}
	a.searched = at
	return true
}

// around is where those move who are there: a head and shoulders, and what is
// below them.
func (a *attention) around(found []*track.Track, v inference.View) []inference.Box {
	a.known = a.known[:0]
	for _, tr := range found {
		b := tr.Box
		a.known = append(a.known, inference.Box{X: b.X - b.Width, Y: b.Y - b.Height, Width: 3 * b.Width, Height: float32(v.Height) - b.Y + b.Height})
	}
	return a.known
}
