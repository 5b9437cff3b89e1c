package track

import (
	"time"

	"facerecd/daemon/event"
	"facerecd/inference"
	"facerecd/match"
)

const (
	// minQuality is what a face must have to count as evidence: below, an
	// embedding says more about the blur than about the person.
	minQuality = 0.1
	// stranger is the cosine with a track's evidence, as a share of the
	// policy's threshold, below which a face is somebody else's. With the
	// shipped models that is 0.34: of 926 photos of people in LFW compared
	// with three others of the same person, 0.9 % are below; of 265,680
	// compared with somebody else's, 98.6 % (at 0.15, 82 %).
	stranger = 0.6
	// dubious is the least cosine between the evidence and the person a track
	// was named after, as a share of the threshold, with which it keeps the
	// name. One person's score may dip below the threshold for a while.
	dubious = 0.8
	// patience is how many looks in a row must be a stranger's before the
	// track is split, so that one bad frame splits nothing.
	patience = 2
	// unknownFactor is how many times more looks "unknown" needs than a name:
	// a wrong alarm about a member of the household is worse than a late one
	// about a stranger.
	unknownFactor = 2
)

// Look counts a face of a track as evidence, and decides. The face has its
// embedding. When it is plainly somebody else's than the track's, that track
// ends and a new one begins in its place.
func (t *Tracker) Look(tr *Track, at time.Time, f inference.Face) {
	at = t.advance(at)
	tr.looked = at
	if !(f.Quality.Score >= minQuality) {
		tr.fruitless++
		return
	}
	tr.fruitless = 0
	if t.strange(tr, f.Embedding) {
		if tr.disagreed++; tr.disagreed < patience {
			return
		}
		t.renew(tr, at)
		tr.looked = at
	}
	tr.disagreed, tr.agreed = 0, sighting{tr.Last, tr.Box}
	tr.Quality = max(tr.Quality, f.Quality.Score)
	tr.evidence.Add(f.Embedding, f.Quality.Score)
	t.decide(tr, at)
}

// strange tells whether a face is another one than the track's: unlike those
// before, or so little like them that it fits somebody else who is enrolled.
func (t *Tracker) strange(tr *Track, embedding []float32) bool {
	if tr.evidence.Seen() == 0 {
		return false
	}
	agrees := tr.evidence.Agrees(embedding)
	if agrees < stranger*t.Policy.Threshold {
		return true
	}
	if tr.Announced == "" || agrees >= t.Policy.Threshold {
		return false
	}
	d := t.Policy.Decide(t.Gallery.Search(embedding))
	return d.Person != "" && d.Person != tr.Person
}

// decide tells about a track when what is known of it has changed.
func (t *Tracker) decide(tr *Track, at time.Time) {
	probe := tr.evidence.Probe()
	if probe == nil || tr.evidence.Seen() < t.MinSeen {
		return
	}
	r := t.Gallery.Search(probe)
	d := t.Policy.Decide(r)
	if d.Person != "" && !t.Known(d.Person) {
		d.Person = "" // deleted this moment
	}
	switch {
	case tr.Person != "" && d.Person != tr.Person:
		if d.Person != "" || score(r, tr.Person) < dubious*t.Policy.Threshold {
			t.renew(tr, at)
			tr.looked = at
		}
	case d.Person != "" && t.claim(tr, d, at):
		tr.Person, tr.Score, tr.Confidence = d.Person, d.Score, d.Confidence
		if tr.Announced != event.Recognized {
			t.tell(tr, event.Recognized, at)
		}
	case tr.Announced == "" && tr.evidence.Seen() >= unknownFactor*t.MinSeen:
		tr.Score, tr.Confidence = d.Score, d.Confidence
		t.tell(tr, event.Unknown, at)
	}
}

// score is a person's in a ranking; -1, the least, when neither first nor second.
func score(r match.Ranking, person string) float32 {
	for _, c := range [...]match.Candidate{r.Best, r.Second} {
		if c.Person == person {
			return c.Score
		}
	}
	return -1
}

// claim tells whether a track may have the name that was decided on, and takes
// it from who has it: two faces in one picture are not one person.
//
// Of two in view, who has the name keeps it unless the other fits better by the
// policy's margin, lest it goes back and forth between two that fit alike;
// whose last look did not fit the evidence is no longer who was named. A track
// that is out of sight was this face, before it moved too far or was hidden: it
// goes on here, and there is nothing to tell.
func (t *Tracker) claim(tr *Track, d match.Decision, at time.Time) bool {
	for _, o := range t.tracks {
		if o == tr || o.Person != d.Person {
			continue
		}
		switch {
		case o.frame == t.frame && o.disagreed == 0 && d.Score <= o.Score+t.Policy.Margin:
			return false
		case o.frame == t.frame:
			t.renew(o, at)
		case tr.Announced == "":
			tr.ID, tr.First, tr.Quality, tr.Announced = o.ID, o.First, max(tr.Quality, o.Quality), o.Announced
			t.drop(o)
		default:
			t.end(o, at)
		}
		break // nobody else can have it
	}
	return true
}
