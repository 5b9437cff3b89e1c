package track

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"pgregory.net/rapid"

	"facerecd/daemon/event"
	"facerecd/inference"
	"facerecd/match"
)

const (
	size = 256                    // of an embedding
	step = 100 * time.Millisecond // from frame to frame
)

// face is what a camera sees of somebody.
type face struct {
	who     int // axis of their embeddings; two people have nothing in common
	at      inference.Box
	like    float32 // cosine with the enrolled template; 0 stands for 0.8
	quality float32 // 0 stands for 0.9
	none    bool    // the close look finds no face
	// also is somebody whom the face is like by alike.
	also  int
	alike float32
}

// square is a box of 80x80 pixels.
func square(x, y float32) inference.Box { return inference.Box{X: x, Y: y, Width: 80, Height: 80} }

// scene is a tracker on a real gallery, and what it has told.
type scene struct {
	*Tracker
	t       rapid.TB
	gallery *match.Gallery
	known   map[string]bool
	now     time.Time
	start   time.Time
	ids     int
	noise   int // axis that was used last for what nobody else has
	looks   int
	tracks  []*Track // of the last frame's faces
	told    []Change // all
	unread  []Change
}

func newScene(t rapid.TB) *scene {
	s := &scene{t: t, gallery: match.NewGallery("m", size), known: map[string]bool{}, start: time.Now()}
	s.now = s.start
	s.Tracker = &Tracker{
		Gallery: s.gallery,
		Policy:  match.Policy{Threshold: 0.56, Margin: 0.05, Slope: 31.7, Offset: -12.2},
		MinSeen: 3, Lost: 2 * time.Second,
		NewID: func() string { s.ids++; return fmt.Sprintf("t%d", s.ids) },
		Known: func(id string) bool { return s.known[id] },
	}
	return s
}

// id is what somebody is enrolled as.
func id(who int) string { return fmt.Sprintf("p%d", who) }

func (s *scene) enroll(who int) { s.enrollAs(who, id(who)) }

func (s *scene) enrollAs(who int, id string) {
	v := make([]float32, size)
	v[who] = 1
	if err := s.gallery.Add(match.Template{ID: id, Person: id, Model: "m", Vector: v}); err != nil {
		s.t.Fatal(err)
	}
	s.known[id] = true
}

func (s *scene) forget(id string) {
	s.gallery.RemovePerson(id)
	delete(s.known, id)
}

// embedding is a new look of a face: what it does not share with the template
// it shares half with the person's other looks.
func (s *scene) embedding(f face) []float32 {
	v := make([]float32, size)
	like := f.like
	if like == 0 {
		like = 0.8
	}
	v[f.who] = like
	v[f.also] += f.alike
	rest := 1 - like*like - f.alike*f.alike
	s.noise = (s.noise + 1) % (size - 100)
	v[50+f.who] = float32(math.Sqrt(float64(rest / 2)))
	v[100+s.noise] = v[50+f.who]
	return v
}

// see shows the tracker one frame, as the pipeline does, and returns the track
// of each face.
func (s *scene) see(faces ...face) []*Track {
	s.t.Helper()
	s.now = s.now.Add(step)
	return s.seeAt(s.now, faces...)
}

func (s *scene) seeAt(at time.Time, faces ...face) []*Track {
	s.t.Helper()
	var found []inference.Detection
	for _, f := range faces {
		found = append(found, inference.Detection{Box: f.at, Score: 0.9})
	}
	s.tracks = s.Update(at, found)
	for i, tr := range s.tracks {
		if !s.Wants(tr, at) {
			continue
		}
		s.looks++
		if faces[i].none {
			s.Doubt(tr, at)
			continue
		}
		f := inference.Face{Detection: found[i], Embedding: s.embedding(faces[i]), Quality: inference.Quality{Score: 0.9}}
		if faces[i].quality > 0 {
			f.Quality.Score = faces[i].quality
		}
		s.Look(tr, at, f)
	}
	s.collect()
	return s.tracks
}

// hold shows the same frame for a while.
func (s *scene) hold(d time.Duration, faces ...face) {
	s.t.Helper()
	for range int(d / step) {
		s.see(faces...)
	}
}

// collect takes the changes, and checks all that must hold of them and of
// the tracks at any time.
func (s *scene) collect() {
	s.t.Helper()
	fresh := s.Changes()
	s.unread = append(s.unread, fresh...)
	s.told = append(s.told, fresh...)
	last := map[string]Change{}
	for i, c := range s.told {
		before, again := last[c.Track.ID]
		last[c.Track.ID] = c
		bad := func(what string) { s.t.Errorf("%s: change %d of\n%s", what, i, strings.Join(s.lines(s.told), "\n")) }
		switch c.Type {
		case event.Unknown:
			if again || c.Track.Person != "" {
				bad("unknown after something else")
			}
		case event.Recognized:
			if again && before.Type != event.Unknown || c.Track.Person == "" {
				bad("recognised twice, or as nobody")
			}
		case event.Left:
			if !again || before.Type == event.Left {
				bad("left and was not there")
			}
			if p := c.Track.Person; p != before.Track.Person && (p != "" || s.known[before.Track.Person]) {
				bad("left as another one")
			}
		}
		if c.Track.Last.Before(c.Track.First) || c.At.Before(c.Track.Last) || i > 0 && c.At.Before(s.told[i-1].At) {
			bad("times out of order")
		}
	}
	names := map[string]bool{}
	for _, tr := range s.Tracker.Tracks() {
		if tr.Person != "" && names[tr.Person] {
			s.t.Errorf("two tracks are %s", tr.Person)
		}
		names[tr.Person] = true
		if told := last[tr.ID]; told.Type != tr.Announced || told.Track.Person != tr.Person {
			s.t.Errorf("track %s is %s %s and was told as %s %s", tr.ID, tr.Announced, tr.Person, told.Type, told.Track.Person)
		}
	}
}

// lines are changes as text, with the time since the scene began.
func (s *scene) lines(changes []Change) []string {
	lines := []string{}
	for _, c := range changes {
		lines = append(lines, strings.TrimSpace(fmt.Sprintf("%v %s %s %s", c.At.Sub(s.start).Round(time.Millisecond), c.Type, c.Track.ID, c.Track.Person)))
	}
	return lines
}

// tells checks what was told since it was last called.
func (s *scene) tells(want ...string) {
	s.t.Helper()
	if got := s.lines(s.unread); !slices.Equal(got, want) {
		s.t.Errorf("told\n  %s\nwant\n  %s", strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
	s.unread = nil
}
