package track

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"facerecd/daemon/event"
)

// Whatever happens in front of a camera, what is told agrees with itself (which
// scene.collect checks after each frame), names only who is there, and when
// things calm down everybody is who they are.
func TestWhateverHappensEverybodyIsWhoTheyAre(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		s := newScene(r)
		s.MinSeen = rapid.IntRange(1, 4).Draw(r, "min_seen")
		ids := map[int]string{} // what people are enrolled as
		var faces []face
		free := func() []int {
			var all []int
			for who := range 5 {
				if !slices.ContainsFunc(faces, func(f face) bool { return f.who == who }) {
					all = append(all, who)
				}
			}
			return all
		}
		check := func() {
			for i, tr := range s.tracks {
				for _, c := range s.unread {
					if c.Type == event.Recognized && c.Track.ID == tr.ID && c.Track.Person != ids[faces[i].who] {
						r.Fatalf("person %d of %v was told to be %s", faces[i].who, ids, c.Track.Person)
					}
				}
			}
			s.unread = nil
		}
		for n := range rapid.IntRange(1, 25).Draw(r, "scenes") {
			i := 0
			if len(faces) > 0 {
				i = rapid.IntRange(0, len(faces)-1).Draw(r, "face")
			}
			switch who := rapid.IntRange(0, 4).Draw(r, "person"); rapid.IntRange(0, 6).Draw(r, "what") {
			case 0: // somebody comes, at a place of their own
				if all := free(); slices.Contains(all, who) {
					faces = append(faces, face{who: who, at: square(float32(who)*120, float32(rapid.IntRange(0, 300).Draw(r, "y")))})
				}
			case 1: // somebody goes
				if len(faces) > 0 {
					faces = slices.Delete(slices.Clone(faces), i, i+1)
				}
			case 2: // another one in the same place
				if all := free(); len(faces) > 0 && slices.Contains(all, who) {
					faces = slices.Clone(faces)
					faces[i].who = who
				}
			case 3:
				if ids[who] == "" {
					ids[who] = fmt.Sprintf("p%d.%d", who, n)
					s.enrollAs(who, ids[who])
				}
			case 4:
				if ids[who] != "" {
					s.forget(ids[who])
					delete(ids, who)
				}
			case 5: // the clock stands still, or goes back a little
				s.now = s.now.Add(-time.Duration(rapid.IntRange(0, 3).Draw(r, "back")) * step)
			case 6: // one bad frame
				bad := slices.Clone(faces)
				for i := range bad {
					bad[i].quality = 0.05
				}
				s.see(bad...)
				check()
			}
			for range rapid.IntRange(0, 12).Draw(r, "frames") {
				s.see(faces...)
				check()
			}
		}
		s.hold(lookAgain+s.Lost+time.Second, faces...)
		s.unread = nil
		if len(s.Tracks()) != len(faces) {
			r.Fatalf("%d tracks of %d faces", len(s.Tracks()), len(faces))
		}
		for i, tr := range s.tracks {
			if tr.Person != ids[faces[i].who] || tr.Announced == "" {
				r.Fatalf("person %d of %v is %s %q: %v", faces[i].who, ids, tr.Announced, tr.Person, s.lines(s.told))
			}
		}
		s.Close(s.now)
		s.collect()
		open := map[string]bool{}
		for _, c := range s.told {
			open[c.Track.ID] = c.Type != event.Left
		}
		for id, is := range open {
			if is {
				r.Fatalf("track %s never left: %v", id, s.lines(s.told))
			}
		}
	})
}
