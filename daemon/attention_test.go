package daemon

import (
	"slices"
	"testing"
	"time"

	"facerecd/daemon/event"
	"facerecd/daemon/track"
	"facerecd/inference"
	"facerecd/match"
)

// lit is a picture with one level everywhere but in a rectangle.
func lit(t *testing.T, level byte, x, y, width, height int) inference.View {
	t.Helper()
	const w, h = 640, 480
	pix := slices.Repeat([]byte{80}, w*h)
	for row := y; row < y+height; row++ {
		for column := x; column < x+width; column++ {
			pix[row*w+column] = level
		}
	}
	v, err := inference.Gray(pix, w, h, w)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// settled is a tracker in which somebody is known to be at the box.
func settled(t *testing.T, at time.Time, box inference.Box) *track.Tracker {
	t.Helper()
	ids := &event.IDs{}
	tr := &track.Tracker{
		Gallery: match.NewGallery("test", 4), Policy: match.Policy{Threshold: 0.5}, MinSeen: 1,
		Lost: lost, NewID: ids.Next, Known: func(string) bool { return false },
	}
	face := inference.Face{Embedding: []float32{1, 0, 0, 0}}
	face.Quality.Score = 1
	for !tr.Settled() || len(tr.Found()) == 0 {
		found := tr.Update(at, []inference.Detection{{Box: box}})
		tr.Look(found[0], at, face)
	}
	return tr
}

func TestAttentionIsPaidToWhatChanges(t *testing.T) {
	empty := lit(t, 80, 0, 0, 0, 0)
	head := inference.Box{X: 300, Y: 100, Width: 80, Height: 80}
	nobody := func(*testing.T, time.Time) *track.Tracker { return &track.Tracker{Lost: lost} }
	somebody := func(t *testing.T, at time.Time) *track.Tracker { return settled(t, at, head) }
	for _, tt := range []struct {
		name    string
		who     func(*testing.T, time.Time) *track.Tracker
		idle    time.Duration
		picture inference.View
		after   time.Duration // the last picture that was searched
		want    bool
	}{
		{"nothing changes", nobody, time.Second, empty, 100 * time.Millisecond, false},
		{"nothing changes for long", nobody, time.Second, empty, time.Second, true},
		{"each picture is wanted", nobody, 0, empty, 100 * time.Millisecond, true},
		{"something comes", nobody, time.Second, lit(t, 160, 40, 300, 40, 40), 100 * time.Millisecond, true},
		{"the clock went back", nobody, time.Second, empty, -time.Hour, true},
		{"who is there stands still", somebody, time.Second, empty, 900 * time.Millisecond, false},
		{"who is there moves a little", somebody, time.Second, lit(t, 160, 330, 150, 40, 40), 200 * time.Millisecond, false},
		{"who is there goes on moving", somebody, time.Second, lit(t, 160, 330, 150, 40, 40), 300 * time.Millisecond, true},
		{"somebody else comes", somebody, time.Second, lit(t, 160, 20, 150, 40, 40), 100 * time.Millisecond, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			at := time.Now()
			a := attention{Idle: tt.idle}
			tr := tt.who(t, at)
			for n := range 20 {
				a.wants(empty, at.Add(time.Duration(n-20)*100*time.Millisecond), tr)
			}
			a.searched = at
			if got := a.wants(tt.picture, at.Add(tt.after), tr); got != tt.want {
				t.Errorf("searched: %v, want %v", got, tt.want)
			}
		})
	}
}

func TestAFaceThatIsNotSettledIsSearchedForInEachPicture(t *testing.T) {
	at := time.Now()
	a := attention{Idle: time.Second}
	ids := &event.IDs{}
	tr := &track.Tracker{Lost: lost, NewID: ids.Next}
	v := lit(t, 80, 0, 0, 0, 0)
	a.wants(v, at, tr)
	tr.Update(at, []inference.Detection{{Box: inference.Box{X: 300, Y: 100, Width: 80, Height: 80}}})
	for n := range 5 {
		if !a.wants(v, at.Add(time.Duration(n)*10*time.Millisecond), tr) {
			t.Errorf("picture %d is not searched", n)
		}
	}
}
