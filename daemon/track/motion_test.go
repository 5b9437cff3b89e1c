package track

import (
	"testing"
	"time"

	"facerecd/inference"
)

func TestAFaceThatWalksAcrossKeepsItsTrack(t *testing.T) {
	for _, c := range []struct {
		what string
		side float32
		by   float32 // from frame to frame
	}{
		{"slowly", 80, 8},
		{"at 2 m from the camera", 45, 39},
		{"as fast as is promised", 45, 1.15 * 45},
	} {
		s := newScene(t)
		s.enroll(1)
		frames := 0
		for x := float32(0); x < 640; x += c.by {
			s.see(face{who: 1, at: inference.Box{X: x, Y: 100, Width: c.side, Height: c.side}})
			frames++
		}
		s.tells("300ms recognized t1 p1")
		if tr := s.tracks[0]; tr.ID != "t1" || tr.Last.Sub(tr.First) != time.Duration(frames-1)*step {
			t.Errorf("%s: ends as track %s, seen for %v", c.what, tr.ID, tr.Last.Sub(tr.First))
		}
	}
}

func TestAFaceThatComesNearKeepsItsTrack(t *testing.T) {
	s := newScene(t)
	for side := float32(30); side < 400; side *= 1.1 {
		s.see(face{who: 1, at: inference.Box{X: 320 - side/2, Y: 200 - side/2, Width: side, Height: side}})
	}
	s.tells("600ms unknown t1")
}

func TestFacesThatCrossKeepTheirTracks(t *testing.T) {
	for hidden := range 6 { // frames for which one covers the other
		s := newScene(t)
		s.enroll(1)
		s.enroll(2)
		var met int
		for i := range 41 {
			x := float32(i) * 12
			a := face{who: 1, at: square(x, 100)}
			b := face{who: 2, at: square(480-x, 112)}
			if i >= 21-hidden/2 && met < hidden {
				met++
				s.see(a)
			} else {
				s.see(a, b)
			}
			if s.tracks[0].ID != "t1" || len(s.tracks) > 1 && s.tracks[1].ID != "t2" {
				t.Fatalf("%d frames hidden: in frame %d the tracks are %s, %v", hidden, i, s.tracks[0].ID, s.tracks[1:])
			}
		}
		s.tells("300ms recognized t1 p1", "300ms recognized t2 p2")
	}
}

func TestAStandingFaceKeepsItsTrackFromOneWhoPassesWhereAnotherWasHidden(t *testing.T) {
	s := newScene(t)
	s.enroll(1)
	s.enroll(2)
	s.hold(time.Second, face{who: 1, at: square(300, 100)}, face{who: 2, at: square(0, 100)})
	s.tells("300ms recognized t1 p1", "300ms recognized t2 p2")
	for x := float32(0); x < 560; x += 20 { // person 2 walks in front of person 1
		if x > 220 && x < 380 {
			s.see(face{who: 2, at: square(x, 100)})
		} else {
			s.see(face{who: 2, at: square(x, 100)}, face{who: 1, at: square(300, 100)})
		}
		if s.tracks[0].ID != "t2" {
			t.Fatalf("at %v the passer-by is %s", x, s.tracks[0].ID)
		}
	}
	s.tells()
}

func TestALargeFaceIsNoContinuationOfASmallOne(t *testing.T) {
	s := newScene(t)
	s.see(face{who: 1, at: inference.Box{X: 300, Y: 100, Width: 40, Height: 40}})
	s.see(face{who: 2, at: inference.Box{X: 260, Y: 60, Width: 120, Height: 120}})
	if got := s.tracks[0].ID; got != "t2" {
		t.Errorf("track %s", got)
	}
}

func TestEqualAndEarlierTimesDoNoHarm(t *testing.T) {
	s := newScene(t)
	s.enroll(1)
	me := face{who: 1, at: square(100, 100)}
	for _, ms := range []int{100, 100, 90, 110, 105} {
		s.seeAt(s.start.Add(time.Duration(ms)*time.Millisecond), me)
	}
	s.tells("100ms recognized t1 p1")
	tr := s.tracks[0]
	if tr.Last.Sub(s.start) != 110*time.Millisecond || tr.Last.Sub(tr.First) != 10*time.Millisecond {
		t.Errorf("seen from %v to %v", tr.First.Sub(s.start), tr.Last.Sub(s.start))
	}
	if p := tr.predicted(tr.Last.Add(time.Second)); p != tr.Box {
		t.Errorf("a face that stands still is expected at %v", p)
	}
	// The pipeline looks after the tracks at the time of day, and then gets a
	// frame that was taken before that.
	s.Expire(s.start.Add(2 * time.Second))
	s.seeAt(s.start.Add(1900*time.Millisecond), me)
	s.tells()
	s.Expire(s.start.Add(4 * time.Second))
	s.collect()
	s.tells("4s left t1 p1")
}

func TestAFaceHasLeftWhenItWasUnseenForLost(t *testing.T) {
	s := newScene(t)
	s.enroll(1)
	me := face{who: 1, at: square(100, 100)}
	s.hold(time.Second, me)
	s.tells("300ms recognized t1 p1")
	for range 19 {
		s.see()
	}
	s.see(me) // just in time
	s.tells()
	s.hold(1900*time.Millisecond, face{who: 2, at: square(400, 100)})
	s.Expire(s.now.Add(step - 1))
	s.collect()
	s.tells("3.6s unknown t2")
	s.Expire(s.now.Add(step))
	s.collect()
	s.tells("5s left t1 p1")
	if last := s.told[len(s.told)-1].Track; last.Last.Sub(s.start) != 3*time.Second || last.Box != me.at {
		t.Errorf("left at %v, %v", last.Last.Sub(s.start), last.Box)
	}
	s.see(me)
	if s.tracks[0].ID != "t3" {
		t.Errorf("who comes back is %s", s.tracks[0].ID)
	}
}

func TestCloseEndsEveryTrackOnce(t *testing.T) {
	s := newScene(t)
	s.enroll(1)
	s.hold(time.Second, face{who: 1, at: square(100, 100)}, face{who: 2, at: square(300, 100)})
	s.see(face{who: 1, at: square(100, 100)}, face{who: 2, at: square(300, 100)}, face{who: 3, at: square(500, 100)})
	s.tells("300ms recognized t1 p1", "600ms unknown t2")
	s.Close(s.now)
	s.Close(s.now)
	s.collect()
	s.tells("1.1s left t1 p1", "1.1s left t2")
	if n := len(s.Tracks()); n > 0 {
		t.Errorf("%d tracks are left", n)
	}
}

func TestAMotionIsNotTrustedForLong(t *testing.T) {
	s := newScene(t)
	for x := float32(0); x < 200; x += 20 {
		s.see(face{who: 1, at: square(x, 100)})
	}
	tr := s.tracks[0]
	for after, want := range map[time.Duration]float32{0: 180, step: 200, 5 * step: 280, time.Minute: 280} {
		if got := tr.predicted(s.now.Add(after)); got.X < want-1 || got.X > want+1 || got.Y != 100 {
			t.Errorf("expected at %v after %v, want x = %v", got, after, want)
		}
	}
}
