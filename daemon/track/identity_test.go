package track

import (
	"testing"
	"time"
)

func TestANameNeedsMinSeenLooksAndUnknownTwiceAsMany(t *testing.T) {
	for _, minSeen := range []int{1, 3, 5} {
		s := newScene(t)
		s.MinSeen = minSeen
		s.enroll(1)
		for range 2 * minSeen {
			s.see(face{who: 1, at: square(100, 100)}, face{who: 2, at: square(400, 100)})
		}
		named, unknown := time.Duration(minSeen)*step, 2*time.Duration(minSeen)*step
		s.tells(named.String()+" recognized t1 p1", unknown.String()+" unknown t2")
		d := s.Policy.Decide(s.gallery.Search(s.tracks[0].evidence.Probe()))
		if tr := s.told[0].Track; tr.Score < 0.8 || tr.Score > 1 || tr.Confidence < 0.99 || tr.Quality != 0.9 || tr.Score > d.Score {
			t.Errorf("recognised with %+v", tr)
		}
		if tr := s.told[1].Track; tr.Score > 0.1 || tr.Confidence > 0.01 {
			t.Errorf("unknown with score %v, confidence %v", tr.Score, tr.Confidence)
		}
	}
}

func TestABlurredFrameNamesNobodyAndSplitsNothing(t *testing.T) {
	s := newScene(t)
	s.MinSeen = 1
	s.enroll(1)
	s.enroll(2)
	here := square(100, 100)
	blurred := face{who: 2, at: here, quality: 0.05}
	s.see(blurred)
	s.tells()
	for range 3 {
		s.see(face{who: 1, at: here})
		s.see(blurred) // too poor to count at all
	}
	for range 5 { // sharp enough to count, and like somebody else
		s.hold(time.Second, face{who: 1, at: here})
		s.see(face{who: 2, at: here, quality: 0.3})
	}
	s.hold(time.Second, face{who: 1, at: here})
	s.tells("200ms recognized t1 p1")
}

func TestAnotherFaceInTheSamePlaceIsAnotherTrack(t *testing.T) {
	s := newScene(t)
	s.enroll(1)
	s.enroll(2)
	first, second, third := square(100, 100), square(130, 110), square(130, 100)
	s.hold(time.Second, face{who: 1, at: first})
	s.tells("300ms recognized t1 p1")
	s.hold(time.Second, face{who: 2, at: second}) // less than half a face away: seen at the next regular look
	s.tells("1.4s left t1 p1", "1.6s recognized t2 p2")
	if left := s.told[1]; left.Track.Box != first || left.Track.Last.Sub(s.start) != 300*time.Millisecond {
		t.Errorf("who left was last seen in %v at %v", left.Track.Box, left.Track.Last.Sub(s.start))
	}
	s.hold(time.Second, face{who: 3, at: square(190, 110)}) // a leap: seen at once
	s.tells("2.2s left t2 p2", "2.7s unknown t3")
	s.hold(1500*time.Millisecond, face{who: 4, at: third}) // one stranger for another
	s.tells("3.2s left t3", "3.7s unknown t4")
	s.hold(2*time.Second, face{who: 1, at: third})
	if got := s.tracks[0]; got.ID != "t5" || got.Person != "p1" {
		t.Errorf("in the end %s is %q", got.ID, got.Person)
	}
}

func TestAStrangerWhoLooksABitAlikeIsFound(t *testing.T) {
	s := newScene(t)
	s.enroll(1)
	s.enroll(2)
	here := square(100, 100)
	s.hold(10*time.Second, face{who: 1, at: here})
	s.unread = nil
	// Too much like person 1 for a stranger, and clearly person 2.
	s.hold(1200*time.Millisecond, face{who: 2, at: here, also: 1, alike: 0.4})
	if got := s.tracks[0]; got.Person != "p2" {
		t.Errorf("the face is %q: %v", got.Person, s.lines(s.unread))
	}
}

func TestANameThatTheEvidenceNoLongerBearsIsWithdrawn(t *testing.T) {
	s := newScene(t)
	s.enroll(1)
	here := square(100, 100)
	s.hold(500*time.Millisecond, face{who: 1, at: here, like: 0.65})
	s.tells("300ms recognized t1 p1")
	// One of whom the first looks flattered: not a stranger to them, just not
	// as good.
	s.hold(30*time.Second, face{who: 1, at: here, like: 0.4})
	if score := s.gallery.Search(s.tracks[0].evidence.Probe()).Best.Score; score >= s.Policy.Threshold {
		t.Fatalf("score %v is no dip", score)
	}
	s.tells() // a dip is allowed
	s.hold(120*time.Second, face{who: 1, at: here, like: 0.22})
	if got := s.tracks[0]; got.Person != "" || len(s.told) != 3 {
		t.Errorf("track %s is still %q: %v", got.ID, got.Person, s.lines(s.told))
	}
}

func TestWhoIsEnrolledWhileInViewIsRecognised(t *testing.T) {
	s := newScene(t)
	me := face{who: 1, at: square(100, 100)}
	s.hold(3*time.Second, me)
	s.tells("600ms unknown t1")
	s.enroll(1)
	s.hold(lookAgain, me)
	s.tells("3.6s recognized t1 p1")
	s.hold(3*time.Second, me)
	s.see()
	s.Close(s.now)
	s.collect()
	s.tells("7.1s left t1 p1")
}

func TestWhoIsDeletedWhileInViewIsNeverNamedAgain(t *testing.T) {
	s := newScene(t)
	s.enroll(1)
	me := face{who: 1, at: square(100, 100)}
	s.hold(time.Second, me)
	s.tells("300ms recognized t1 p1")
	s.forget("p1")
	s.hold(3*time.Second, me)
	s.tells("1.1s left t1", "1.6s unknown t2")
	if left := s.told[1].Track; left.Person != "" || left.Score != 0 || left.Confidence != 0 {
		t.Errorf("left as %q with %v, %v", left.Person, left.Score, left.Confidence)
	}
	s.enrollAs(1, "again")
	s.hold(lookAgain, me)
	s.tells("4.6s recognized t2 again")
}

func TestWhoIsDeletedWhileOutOfSightLeavesWithoutAName(t *testing.T) {
	s := newScene(t)
	s.enroll(1)
	s.hold(time.Second, face{who: 1, at: square(100, 100)})
	s.see()
	s.forget("p1")
	s.Expire(s.now)
	s.Expire(s.now.Add(time.Minute))
	s.collect()
	s.tells("300ms recognized t1 p1", "1.1s left t1")
}

func TestWhoIsDeletedBetweenSearchAndNewsIsNotNamed(t *testing.T) {
	s := newScene(t)
	s.enroll(1)
	delete(s.known, "p1") // and is still in the gallery
	s.hold(time.Second, face{who: 1, at: square(100, 100)})
	s.tells("600ms unknown t1")
}

func TestOfTwoWhoFitOneNameTheBetterKeepsIt(t *testing.T) {
	s := newScene(t)
	s.enroll(1)
	good := face{who: 1, at: square(100, 100), like: 0.9}
	poor := face{who: 1, at: square(400, 100), like: 0.65}
	s.hold(4*time.Second, good, poor)
	s.tells("300ms recognized t1 p1", "600ms unknown t2")
	s.hold(time.Second, poor) // the better one leaves for less than Lost: its name is free
	if tr := s.tracks[0]; tr.Person != "p1" {
		t.Errorf("alone, the other one is %q", tr.Person)
	}
}

func TestANameGoesOnlyToAClearlyBetterFit(t *testing.T) {
	old := face{who: 1, at: square(100, 100), like: 0.7}
	for _, c := range []struct {
		like  float32
		takes bool
	}{{0.70, false}, {0.72, false}, {0.9, true}} {
		s := newScene(t)
		s.enroll(1)
		s.hold(2*time.Second, old)
		s.tells("300ms recognized t1 p1")
		s.hold(20*time.Second, old, face{who: 1, at: square(400, 100), like: c.like})
		if c.takes {
			// The old one is somebody else, who turns out to be nobody known.
			s.tells("2.3s left t1 p1", "2.3s recognized t2 p1", "2.9s unknown t3")
			if s.tracks[0].ID != "t3" || s.tracks[1].ID != "t2" {
				t.Errorf("the tracks are %s, %s", s.tracks[0].ID, s.tracks[1].ID)
			}
		} else {
			s.tells("2.6s unknown t2")
		}
	}
}

func TestATrackWhoseFaceChangedGivesItsNameUp(t *testing.T) {
	s := newScene(t)
	s.MinSeen = 1
	s.enroll(1)
	here, there := square(100, 100), square(400, 100)
	s.hold(1000*time.Millisecond, face{who: 1, at: here})
	s.see(face{who: 2, at: here})                          // the regular look: one that does not fit
	s.see(face{who: 1, at: there}, face{who: 2, at: here}) // the name is wanted before the second one
	s.hold(step, face{who: 1, at: there}, face{who: 2, at: here})
	s.tells("100ms recognized t1 p1", "1.2s left t1 p1", "1.2s recognized t2 p1", "1.3s unknown t3")
}

func TestAFaceFoundAgainElsewhereGoesOnAsItsTrack(t *testing.T) {
	s := newScene(t)
	s.enroll(1)
	s.hold(time.Second, face{who: 1, at: square(100, 100)})
	s.see()
	s.hold(time.Second, face{who: 1, at: square(400, 200)})
	s.tells("300ms recognized t1 p1")
	if tr := s.tracks[0]; len(s.Tracks()) != 1 || tr.ID != "t1" || tr.Person != "p1" || tr.Last.Sub(tr.First) != 2*time.Second {
		t.Errorf("%d tracks; %s is %q, seen for %v", len(s.Tracks()), tr.ID, tr.Person, tr.Last.Sub(tr.First))
	}
	s.Close(s.now)
	s.collect()
	s.tells("2.1s left t1 p1")
}

func TestAnUnknownWhoTurnsOutToBeOneOutOfSightTakesTheName(t *testing.T) {
	s := newScene(t)
	s.MinSeen = 1
	s.enroll(1)
	s.hold(time.Second, face{who: 1, at: square(100, 100)})
	s.see()
	s.see(face{who: 1, at: square(400, 200), like: 0.5})
	s.see(face{who: 1, at: square(400, 200), like: 0.5})
	s.hold(1200*time.Millisecond, face{who: 1, at: square(400, 200), like: 0.95})
	s.tells("100ms recognized t1 p1", "1.3s unknown t2", "2.3s left t1 p1", "2.3s recognized t2 p1")
}

func TestASettledFaceIsLookedAtOnceASecond(t *testing.T) {
	s := newScene(t)
	s.enroll(1)
	me := face{who: 1, at: square(100, 100)}
	s.hold(300*time.Millisecond, me)
	if s.looks != 3 {
		t.Errorf("%d looks until it was recognised", s.looks)
	}
	s.hold(10*time.Second, me)
	if s.looks != 13 {
		t.Errorf("%d looks in ten seconds more", s.looks-3)
	}
	s.see()
	s.see(me)
	if s.looks != 14 {
		t.Errorf("%d looks when it came back", s.looks-13)
	}
}

func TestWhatIsNoFaceOrTooPoorIsLookedAtLessAndLess(t *testing.T) {
	for what, f := range map[string]face{
		"poster":   {at: square(100, 100), none: true},
		"far away": {who: 1, at: square(100, 100), quality: 0.05},
	} {
		s := newScene(t)
		s.enroll(1)
		for range 50 {
			s.see(f)
			s.see() // the detector, too, is in doubt
		}
		if s.looks > maxFruitless+1+10 {
			t.Errorf("%s: %d looks in ten seconds", what, s.looks)
		}
		s.tells()
		// Once somebody stands there, one look brings the others back.
		s.hold(1300*time.Millisecond, face{who: 1, at: square(100, 100)})
		if got := s.tracks[0].Person; got != "p1" {
			t.Errorf("%s, then a face: it is %q", what, got)
		}
	}
}
