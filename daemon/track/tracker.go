package track

import (
	"cmp"
	"slices"
	"time"

	"facerecd/daemon/event"
	"facerecd/inference"
	"facerecd/match"
)

const (
	// minIoU is how much a detection must overlap a track's predicted box to
	// continue it. A walking person's face still overlaps by half at 5 fps.
	minIoU = 0.2
	// maxCoast, in seconds, is how far a track's motion is trusted ahead.
	maxCoast = 0.5
	// minQuality is what a face must have to count as evidence: below, an
	// embedding says more about the blur than about the person.
	minQuality = 0.1
	// stranger is the cosine with a track's evidence below which a face is
	// somebody else's: far under any threshold for the same person, so that a
	// grimace does not end a track.
	stranger = 0.15
	// patience is how many looks in a row must be a stranger's before the
	// track is split, so that one bad frame splits nothing.
	patience = 2
	// unknownFactor is how many times more looks "unknown" needs than a name:
	// a wrong alarm about a member of the household is worse than a late one
	// about a stranger.
	unknownFactor = 2
	// maxDoubts is how many looks in a row may find no face before the rest are
	// spaced out.
	maxDoubts = 3
	// lookAgain is how often a face whose identity is settled is looked at
	// again, to notice that somebody was enrolled or took its place.
	lookAgain = time.Second
)

// Matcher finds who an embedding is most like; match.Gallery is one.
type Matcher interface {
	Search(probe []float32) match.Ranking
}

// Tracker follows the faces of one camera. One goroutine uses it at a time.
type Tracker struct {
	Gallery Matcher
	Policy  match.Policy
	MinSeen int                  // embeddings needed before anybody is named
	Lost    time.Duration        // unseen for so long, a face has left
	NewID   func() string        // names tracks
	Known   func(id string) bool // whether a person is (still) enrolled

	tracks  []*Track
	changes []Change
}

// Tracks are the faces being followed, in no order.
func (t *Tracker) Tracks() []*Track { return t.tracks }

// Update continues the tracks with a frame's detections, and returns the
// track of each detection. Tracks that were not found for Lost end.
func (t *Tracker) Update(at time.Time, found []inference.Detection) []*Track {
	type pairing struct {
		track, found int
		iou          float32
	}
	var pairings []pairing
	for i, tr := range t.tracks {
		box := tr.predicted(at)
		for j, d := range found {
			if iou := box.IoU(d.Box); iou >= minIoU {
				pairings = append(pairings, pairing{i, j, iou})
			}
		}
	}
	slices.SortStableFunc(pairings, func(a, b pairing) int { return cmp.Compare(b.iou, a.iou) })

	assigned := make([]*Track, len(found))
	taken := make([]bool, len(t.tracks))
	for _, p := range pairings {
		if !taken[p.track] && assigned[p.found] == nil {
			taken[p.track], assigned[p.found] = true, t.tracks[p.track]
			t.tracks[p.track].follow(at, found[p.found].Box)
		}
	}
	for j, d := range found {
		if assigned[j] == nil {
			assigned[j] = t.begin(at, d.Box)
		}
	}
	t.Expire(at)
	return assigned
}

// Wants tells whether looking at a track's face now would tell something new.
func (t *Tracker) Wants(tr *Track, at time.Time) bool {
	settled := tr.Announced != "" && tr.disagreed == 0 || tr.doubts > maxDoubts
	return !settled || at.Sub(tr.looked) >= lookAgain
}

// Look counts a face of a track as evidence, and decides. The face has its
// embedding. When it is plainly somebody else's than the track's, that track
// ends and a new one begins in its place.
func (t *Tracker) Look(tr *Track, at time.Time, f inference.Face) {
	tr.looked = at
	if f.Quality.Score < minQuality {
		return
	}
	if tr.evidence.Seen() > 0 && tr.evidence.Agrees(f.Embedding) < stranger {
		if tr.disagreed++; tr.disagreed < patience {
			return
		}
		t.end(tr, at)
		tr = t.begin(at, tr.Box)
		tr.looked = at
	}
	tr.disagreed, tr.doubts = 0, 0
	tr.Quality = max(tr.Quality, f.Quality.Score)
	tr.evidence.Add(f.Embedding, f.Quality.Score)
	t.decide(tr, at)
}

// Doubt notes that a close look at a track found no face. It is looked at
// again, but not in every frame: a poster is no face for long.
func (t *Tracker) Doubt(tr *Track, at time.Time) {
	tr.looked = at
	tr.doubts++
}

// decide tells about a track when what is known of it has changed.
func (t *Tracker) decide(tr *Track, at time.Time) {
	probe := tr.evidence.Probe()
	if probe == nil || tr.evidence.Seen() < t.MinSeen {
		return
	}
	d := t.Policy.Decide(t.Gallery.Search(probe))
	switch {
	case d.Person != "" && !t.yields(tr, d):
		news := tr.Announced != event.Recognized || tr.Person != d.Person
		tr.Person, tr.Score, tr.Confidence = d.Person, d.Score, d.Confidence
		if news {
			t.tell(tr, event.Recognized, at)
		}
	case tr.Announced == "" && tr.evidence.Seen() >= unknownFactor*t.MinSeen:
		tr.Score, tr.Confidence = d.Score, d.Confidence
		t.tell(tr, event.Unknown, at)
	}
	// Otherwise what was told stands: one person's score may dip for a while.
}

// yields tells whether a track must leave a name to another one in view: two
// faces in one picture are not one person. The better fit keeps it.
func (t *Tracker) yields(tr *Track, d match.Decision) bool {
	return slices.ContainsFunc(t.tracks, func(o *Track) bool {
		return o != tr && o.Person == d.Person && o.Last.Equal(tr.Last) && o.Score >= d.Score
	})
}

// Expire ends the tracks that were not seen for Lost, and takes their names
// from those of people who were deleted meanwhile. Update does so too; call it
// when no frames come.
func (t *Tracker) Expire(at time.Time) {
	for _, tr := range slices.Clone(t.tracks) {
		if tr.Person != "" && !t.Known(tr.Person) {
			// They are looked at anew, as a face that was never announced.
			tr.Announced, tr.Person, tr.Score, tr.Confidence = "", "", 0, 0
		}
		if at.Sub(tr.Last) >= t.Lost {
			t.end(tr, at)
		}
	}
}

// Close ends every track.
func (t *Tracker) Close(at time.Time) {
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

func (t *Tracker) begin(at time.Time, box inference.Box) *Track {
	tr := &Track{ID: t.NewID(), First: at}
	tr.follow(at, box)
	t.tracks = append(t.tracks, tr)
	return tr
}

func (t *Tracker) end(tr *Track, at time.Time) {
	t.tracks = slices.DeleteFunc(t.tracks, func(o *Track) bool { return o == tr })
	if tr.Announced != "" {
		t.changes = append(t.changes, Change{event.Left, *tr, at})
	}
}

func (t *Tracker) tell(tr *Track, what event.Type, at time.Time) {
	tr.Announced = what
	t.changes = append(t.changes, Change{what, *tr, at})
}
