// Package track follows faces from frame to frame, sums the evidence of who
// each of them is, and says when there is something to tell.
//
// A track is one face's, and has one identity: it may go from unannounced to
// unknown to recognised, and never further. When what was told of it turns out
// to be no longer so, because another face took its place, the person was
// deleted, or another face in view fits the name better, the track ends with
// Left, and the face goes on as a new track with a new id. So whoever reads the
// changes sees, for every id, at most one Unknown, at most one Recognized after
// it, and then exactly one Left, which has the same person.
package track

import (
	"math"
	"time"

	"facerecd/daemon/event"
	"facerecd/inference"
	"facerecd/match"
)

// Track is one face followed through a camera's frames. It belongs to its
// Tracker; read it between calls only.
type Track struct {
	ID          string
	First, Last time.Time // when it was first and last seen
	Box         inference.Box
	Quality     float32 // of the best face so far, 0..1

	// Announced is what was last told of this track, "" when nothing was.
	// Person, Score and Confidence go with it.
	Announced  event.Type
	Person     string // match.Person.ID; "" unless recognised
	Score      float32
	Confidence float32

	found     time.Time       // when Box was where it is; Last may be later, see Hold
	velocity  inference.Point // of the box centre, pixels per second
	frame     int             // number of the last frame that it was found in
	evidence  match.Evidence
	agreed    sighting  // of the last look that fitted the evidence
	looked    time.Time // when it was last looked at closely; zero: look again now
	disagreed int       // looks in a row that did not fit the evidence
	fruitless int       // looks in a row that told nothing
}

// Probe is what is known of the track's face, a new unit vector; nil when that
// is nothing.
func (t *Track) Probe() []float32 { return t.evidence.Probe() }

// sighting is where a face was seen.
type sighting struct {
	at  time.Time
	box inference.Box
}

// Change is something to tell about a track. Track is a copy, as it was then.
type Change struct {
	Type  event.Type
	Track Track
	At    time.Time
}

// predicted is where the track's box should be at a time.
func (t *Track) predicted(at time.Time) inference.Box {
	dt := min(float32(at.Sub(t.found).Seconds()), maxCoast)
	b := t.Box
	b.X += t.velocity.X * dt
	b.Y += t.velocity.Y * dt
	return b
}

// follow moves the track to where it was found.
func (t *Track) follow(at time.Time, frame int, box inference.Box) {
	if dt := float32(at.Sub(t.found).Seconds()); dt > 0 {
		was, is := t.Box.Centre(), box.Centre()
		const fresh = 0.5 // weight of the newest step in the smoothed velocity
		t.velocity.X += fresh * ((is.X-was.X)/dt - t.velocity.X)
		t.velocity.Y += fresh * ((is.Y-was.Y)/dt - t.velocity.Y)
	}
	t.Box, t.found, t.Last, t.frame = box, at, at, frame
}

// settled tells whether looking at the face again soon would hardly tell
// anything new.
func (t *Track) settled() bool {
	return t.Announced != "" && t.disagreed == 0 || t.fruitless > maxFruitless
}

// apart is the distance of two boxes' centres in sides of the mean of both,
// +Inf when one is more than twice as large as the other. Unlike the overlap it
// still tells near from far when a small face moves by more than its own size
// from one frame to the next, as that of somebody who crosses the picture does.
func apart(a, b inference.Box) float32 {
	sideA, sideB := (a.Width+a.Height)/2, (b.Width+b.Height)/2
	if !(sideA <= 2*sideB && sideB <= 2*sideA) {
		return float32(math.Inf(1))
	}
	ca, cb := a.Centre(), b.Centre()
	return float32(math.Hypot(float64(ca.X-cb.X), float64(ca.Y-cb.Y))) / ((sideA + sideB) / 2)
}
