// Package track follows faces from frame to frame, sums the evidence of who
// each of them is, and says when there is something to tell.
package track

import (
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

	velocity  inference.Point // of the box centre, pixels per second
	evidence  match.Evidence
	looked    time.Time // when a face of it was last embedded
	disagreed int       // looks in a row that did not fit the evidence
	doubts    int       // looks in a row that found no face
	hits      int       // frames in which it was detected
}

// Change is something to tell about a track. Track is a copy, as it was then.
type Change struct {
	Type  event.Type
	Track Track
	At    time.Time
}

// predicted is where the track's box should be at a time.
func (t *Track) predicted(at time.Time) inference.Box {
	b, dt := t.Box, float32(at.Sub(t.Last).Seconds())
	if dt > maxCoast {
		dt = maxCoast
	}
	b.X += t.velocity.X * dt
	b.Y += t.velocity.Y * dt
	return b
}

// follow moves the track to where it was found.
func (t *Track) follow(at time.Time, box inference.Box) {
	if dt := float32(at.Sub(t.Last).Seconds()); dt > 0 && t.hits > 0 {
		was, is := t.Box.Centre(), box.Centre()
		const fresh = 0.5 // weight of the newest step in the smoothed velocity
		t.velocity.X += fresh * ((is.X-was.X)/dt - t.velocity.X)
		t.velocity.Y += fresh * ((is.Y-was.Y)/dt - t.velocity.Y)
	}
	t.Box, t.Last = box, at
	t.hits++
}
