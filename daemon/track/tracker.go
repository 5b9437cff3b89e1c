package track

import (
	"cmp"
	"iter"
	"slices"
	"time"

	"facerecd/daemon/event"
	"facerecd/inference"
	"facerecd/match"
)

const (
	// reach is how far, in sides of its box, a detection may be from where a
	// track is expected. Walking past at 2 m a face moves by one in 0.1 s, and
	// until it was seen twice nobody knows which way.
	reach = 1.2
	// sudden is the distance from where it was expected, in sides of the box,
	// beyond which a face is looked at at once: it may be another one.
	sudden = 0.5
	// missed is what a track that was not found in the frame before is held to
	// be further away, so that it does not snatch the face of one that was.
	missed = 0.5
	// maxCoast, in seconds, is how far a track's motion is trusted ahead.
	maxCoast = 0.5
	// maxFruitless is how many looks in a row may tell nothing, for want of a
	// face or of quality, before the rest are spaced out.
	maxFruitless = 3
	// lookAgain is how often a face whose identity is settled is looked at
	// again, to notice that somebody was enrolled or took its place.
	lookAgain = time.Second
)

// Matcher finds who an embedding is most like; match.Gallery is one.
type Matcher interface {
	Search(probe []float32) match.Ranking
}

// Tracker follows the faces of one camera. One goroutine uses it at a time.
//
// The times that it is given are those of the frames, with a monotonic reading
// as capture.Frame has it. One that lies before an earlier one counts as that.
type Tracker struct {
	Gallery Matcher
	Policy  match.Policy
	MinSeen int                  // embeddings needed before anybody is named
	Lost    time.Duration        // unseen for so long, a face has left
	NewID   func() string        // names tracks
	Known   func(id string) bool // whether a person is (still) enrolled

	tracks  []*Track
	changes []Change
	frame   int       // number of the newest frame
	now     time.Time // the latest time that was given
}

// Tracks are the faces being followed, in no order.
func (t *Tracker) Tracks() []*Track { return t.tracks }

// Update continues the tracks with a frame's detections, and returns the
// track of each detection. Tracks that were not found for Lost end.
func (t *Tracker) Update(at time.Time, found []inference.Detection) []*Track {
	at = t.advance(at)
	type pairing struct {
		track, found int
		away, cost   float32
	}
	var pairings []pairing
	for i, tr := range t.tracks {
		box := tr.predicted(at)
		for j, d := range found {
			p := pairing{track: i, found: j, away: apart(box, d.Box)}
			if !(p.away <= reach) {
				continue
			}
			p.cost = p.away
			if tr.frame < t.frame {
				p.cost += missed
			}
			pairings = append(pairings, p)
		}
	}
	slices.SortStableFunc(pairings, func(a, b pairing) int { return cmp.Compare(a.cost, b.cost) })

	before := t.frame
	t.frame++
	assigned := make([]*Track, len(found))
	for _, p := range pairings {
		tr := t.tracks[p.track]
		if tr.frame == t.frame || assigned[p.found] != nil {
			continue // taken
		}
		if (tr.frame < before || p.away > sudden) && tr.fruitless <= maxFruitless {
			tr.looked = time.Time{}
		}
		tr.follow(at, t.frame, found[p.found].Box)
		assigned[p.found] = tr
	}
	for j, d := range found {
		if assigned[j] == nil {
			assigned[j] = &Track{ID: t.NewID(), First: at, Last: at, Box: d.Box, found: at, frame: t.frame}
			t.tracks = append(t.tracks, assigned[j])
		}
	}
	t.Expire(at)
	return assigned
}

// Hold is what Update is for a frame that was not searched, because nothing new is
// to be seen: the faces of the last one that was are where they were.
func (t *Tracker) Hold(at time.Time) {
	at = t.advance(at)
	for tr := range t.inView() {
		tr.Last = at
	}
	t.Expire(at)
}

// Found are the tracks of the faces in the last frame that was searched, in no order.
func (t *Tracker) Found() []*Track { return slices.Collect(t.inView()) }

// Settled tells whether no face of the last frame that was searched needs to be
// looked at soon.
func (t *Tracker) Settled() bool {
	for tr := range t.inView() {
		if !tr.settled() || tr.looked.IsZero() {
			return false
		}
	}
	return true
}

func (t *Tracker) inView() iter.Seq[*Track] {
	return func(yield func(*Track) bool) {
		for _, tr := range t.tracks {
			if tr.frame == t.frame && !yield(tr) {
				return
			}
		}
	}
}

// Wants tells whether looking at a track's face now would tell something new.
func (t *Tracker) Wants(tr *Track, at time.Time) bool {
	return !tr.settled() || tr.looked.IsZero() || t.advance(at).Sub(tr.looked) >= lookAgain
}

// Doubt notes that a close look at a track found no face. It is looked at
// again, but not in every frame: a poster is no face for long.
func (t *Tracker) Doubt(tr *Track, at time.Time) {
	tr.looked = t.advance(at)
	tr.fruitless++
}

// Expire ends the tracks that were not seen for Lost, and those of people who
// were deleted meanwhile. Update does so too; call it when no frames come.
func (t *Tracker) Expire(at time.Time) {
	at = t.advance(at)
	for _, tr := range slices.Clone(t.tracks) {
		switch {
		case at.Sub(tr.Last) >= t.Lost:
			t.end(tr, at)
		case tr.Person != "" && !t.Known(tr.Person):
			t.renew(tr, at)
		}
	}
}

// Close ends every track.
func (t *Tracker) Close(at time.Time) {
	at = t.advance(at)
	for _, tr := range slices.Clone(t.tracks) {
		t.end(tr, at)
	}
}

// Changes are what there is to tell since it was last called, in order.
func (t *Tracker) Changes() []Change {
	c := t.changes
	t.changes = nil
	return c
}

// advance moves the clock on to a time, unless it is there already. Expire is
// given the time of day, and the next frame may have been taken before that.
func (t *Tracker) advance(at time.Time) time.Time {
	if at.After(t.now) {
		t.now = at
	}
	return t.now
}

// end forgets a track whose face is out of sight.
func (t *Tracker) end(tr *Track, at time.Time) {
	t.drop(tr)
	t.leave(tr, at)
}

func (t *Tracker) drop(tr *Track) {
	t.tracks = slices.DeleteFunc(t.tracks, func(o *Track) bool { return o == tr })
}

// renew ends a track whose face, or another one, is still there, and begins
// a new one in its place: the pointer is the same, nothing else but the
// place and the motion is.
func (t *Tracker) renew(tr *Track, at time.Time) {
	t.leave(tr, at)
	*tr = Track{ID: t.NewID(), First: tr.Last, Last: tr.Last, Box: tr.Box, found: tr.found, velocity: tr.velocity, frame: tr.frame}
}

// leave tells that a track has ended, when it had been told of. What was seen
// in its place since the last look that fitted was not its face.
func (t *Tracker) leave(tr *Track, at time.Time) {
	if tr.Announced == "" {
		return
	}
	last := *tr
	if last.disagreed > 0 {
		last.Last, last.Box = last.agreed.at, last.agreed.box
	}
	if last.Person != "" && !t.Known(last.Person) {
		last.Person, last.Score, last.Confidence = "", 0, 0
	}
	t.changes = append(t.changes, Change{event.Left, last, at})
}

func (t *Tracker) tell(tr *Track, what event.Type, at time.Time) {
	tr.Announced = what
	t.changes = append(t.changes, Change{what, *tr, at})
}
