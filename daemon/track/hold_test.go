package track

import (
	"testing"
	"time"

	"facerecd/inference"
)

func (s *scene) still(d time.Duration) {
	s.t.Helper()
	for range int(d / step) {
		s.now = s.now.Add(step)
		s.Hold(s.now)
		s.collect()
	}
}

func TestWhoIsThereInAStillPictureStaysAndWhoWasNotLeaves(t *testing.T) {
	s := newScene(t)
	s.enroll(1)
	s.enroll(2)
	one := face{who: 1, at: inference.Box{X: 100, Y: 100, Width: 80, Height: 80}}
	two := face{who: 2, at: inference.Box{X: 400, Y: 100, Width: 80, Height: 80}}
	s.hold(500*time.Millisecond, one, two)
	s.tells("300ms recognized t1 p1", "300ms recognized t2 p2")
	s.see(one) // the other one has turned away
	s.still(5 * time.Second)
	s.tells("2.5s left t2 p2")
	tr := s.see(one)[0]
	if tr.ID != "t1" || tr.Last.Sub(tr.First) != s.now.Sub(tr.First) {
		t.Errorf("after the still picture it is track %s, seen for %v", tr.ID, tr.Last.Sub(tr.First))
	}
}

// Of three pictures one is searched; the motion is that of the face all the same.
func TestAFaceThatIsSearchedForNowAndThenKeepsItsTrack(t *testing.T) {
	s := newScene(t)
	s.enroll(1)
	at := func(x float32) face { return face{who: 1, at: inference.Box{X: x, Y: 100, Width: 80, Height: 80}} }
	for x := range 5 {
		s.see(at(float32(10 * x)))
	}
	for x := float32(70); x < 600; x += 30 {
		s.still(200 * time.Millisecond)
		s.see(at(x))
	}
	s.tells("300ms recognized t1 p1")
	if v := s.tracks[0].velocity.X; v < 80 || v > 120 {
		t.Errorf("it moves by %v pixels a second, not by 100", v)
	}
}

func TestSettledAreThoseWhoWereTold(t *testing.T) {
	s := newScene(t)
	s.enroll(1)
	f := face{who: 1, at: inference.Box{X: 100, Y: 100, Width: 80, Height: 80}}
	if !s.Settled() {
		t.Error("nobody is there, and yet somebody is to be looked at")
	}
	for n := range 5 {
		s.see(f)
		if got, want := s.Settled(), n >= 2; got != want {
			t.Errorf("after picture %d it is settled: %v", n+1, got)
		}
	}
}
