package daemon

import (
	"slices"
	"testing"
	"time"

	"facerecd/daemon/config"
	"facerecd/daemon/event"
	"facerecd/daemon/track"
	"facerecd/inference"
)

// step is something that happens to a track, and what is to become of it.
type step struct {
	after  time.Duration // from noon, in seconds
	what   event.Type
	track  string
	person string
	want   string // "told", "muted", or why it is quiet
}

var noon = time.Date(2026, 11, 24, 12, 0, 0, 0, time.Local)

func (s step) change() track.Change {
	return track.Change{Type: s.what, Track: track.Track{ID: s.track, Person: s.person}, At: noon.Add(s.after * time.Second)}
}

func play(t *testing.T, r *rules, steps []step) {
	t.Helper()
	for _, s := range steps {
		quiet, kept := r.judge(s.change())
		got := string(quiet)
		if !kept {
			got = "muted"
		} else if quiet == "" {
			got = "told"
		}
		if got != s.want {
			t.Errorf("%d s, %s of track %s: %s, want %s", s.after, s.what, s.track, got, s.want)
		}
	}
	if steps[len(steps)-1].what == event.Left && len(r.faces) > 0 {
		t.Errorf("tracks that have left are kept: %v", r.faces)
	}
}

func TestWithoutRulesAllIsTold(t *testing.T) {
	r := new(rules)
	play(t, r, []step{
		{0, event.Recognized, "1", "ana", "told"},
		{1, event.Recognized, "2", "ana", "told"},
		{2, event.Left, "2", "ana", "told"},
		{3, event.Left, "1", "ana", "told"},
	})
	found := []inference.Detection{{Score: 1}, {Score: 2}}
	if got := r.seen(found, [2]int{640, 480}); len(got) != 2 {
		t.Errorf("looks at %v", got)
	}
	if r.zoneName(inference.Box{X: 1, Y: 1, Width: 9, Height: 9}, [2]int{640, 480}) != nil {
		t.Error("there is a zone")
	}
}

func TestACooldownMutesWholeTracksOfOnePerson(t *testing.T) {
	r := &rules{Cooldown: time.Minute}
	play(t, r, []step{
		{0, event.Recognized, "1", "ana", "told"},
		{5, event.Left, "1", "ana", "told"},
		{10, event.Recognized, "2", "ana", "muted"},
		{11, event.Recognized, "3", "bo", "told"}, // somebody else
		{20, event.Left, "2", "ana", "muted"},
		{21, event.Left, "3", "bo", "told"},
		{30, event.Unknown, "4", "", "told"},
		{31, event.Recognized, "4", "ana", "told"}, // was told as a stranger
		{32, event.Left, "4", "ana", "told"},
		{90, event.Recognized, "5", "ana", "muted"}, // 59 s after that
		{92, event.Recognized, "6", "ana", "told"},
		{93, event.Left, "5", "ana", "muted"},
		{94, event.Left, "6", "", "told"}, // deleted meanwhile
	})
	r.judge(step{after: 999, what: event.Recognized, track: "7", person: "bo"}.change())
	if len(r.named) != 1 {
		t.Errorf("people who were recognised long ago are remembered: %v", r.named)
	}
}

func TestInQuietHoursNothingIsAnnounced(t *testing.T) {
	spans := func(from, to int) config.Hours { return config.Hours{{From: 12*60 + from, To: 12*60 + to}} }
	for name, r := range map[string]*rules{
		"the device's": {Device: spans(1, 2)},
		"the camera's": {Camera: spans(1, 2), Device: config.Hours{{From: 0, To: 60}}},
	} {
		t.Run(name, func(t *testing.T) {
			play(t, r, []step{
				{50, event.Unknown, "1", "", "told"},
				{55, event.Recognized, "2", "ana", "told"},
				{60, event.Unknown, "3", "", "hours"},
				{61, event.Left, "2", "ana", "told"},        // who was announced has left, whatever the hour
				{62, event.Recognized, "1", "ana", "hours"}, // opens no door
				{63, event.Left, "1", "ana", "told"},
				{64, event.Left, "3", "", "hours"},
				{100, event.Unknown, "4", "", "hours"},
				{101, event.Recognized, "5", "bo", "hours"},
				{119, event.Unknown, "6", "", "hours"},
				{120, event.Recognized, "4", "bo", "told"}, // they are over
				{121, event.Left, "4", "bo", "told"},
				{122, event.Left, "5", "bo", "hours"}, // its beginning was not announced
				{123, event.Left, "6", "", "hours"},
			})
		})
	}
}

func TestQuietHoursNeedAClockThatIsRight(t *testing.T) {
	synced := false
	r := &rules{Device: config.Hours{{From: 0, To: 24 * 60}}, Synced: func() bool { return synced }}
	play(t, r, []step{{0, event.Unknown, "1", "", "told"}, {1, event.Left, "1", "", "told"}})
	synced = true
	play(t, r, []step{{2, event.Unknown, "2", "", "hours"}, {3, event.Left, "2", "", "hours"}})
}

func TestWhoIsNotAnnouncedIsInTheHistory(t *testing.T) {
	silent := map[string]bool{"ana": true}
	r := &rules{Notify: func(person string) bool { return !silent[person] }}
	play(t, r, []step{
		{0, event.Recognized, "1", "ana", "person"},
		{1, event.Recognized, "2", "bo", "told"},
		{2, event.Left, "1", "ana", "person"},
		{3, event.Left, "2", "bo", "told"},
		{4, event.Unknown, "3", "", "told"},
		{5, event.Recognized, "3", "ana", "told"}, // takes back that a stranger is there
		{6, event.Left, "3", "ana", "told"},
		{7, event.Recognized, "4", "ana", "person"},
	})
	silent["ana"] = false // while she is in view
	play(t, r, []step{
		{8, event.Left, "4", "ana", "person"},
		{9, event.Recognized, "5", "ana", "told"},
	})
	silent["ana"] = true
	play(t, r, []step{{10, event.Left, "5", "ana", "told"}})
}

func TestTheRulesWorkTogether(t *testing.T) {
	r := &rules{
		Cooldown: time.Minute, Device: config.Hours{{From: 12*60 + 1, To: 12*60 + 2}},
		Notify: func(person string) bool { return person != "ana" },
	}
	play(t, r, []step{
		// What was announced counts for all, what was not counts for its like.
		{10, event.Recognized, "1", "bo", "told"},
		{11, event.Left, "1", "bo", "told"},
		{61, event.Recognized, "2", "bo", "muted"},
		{62, event.Left, "2", "bo", "muted"},
		{70, event.Recognized, "3", "bo", "hours"},
		{71, event.Left, "3", "bo", "hours"},
		{80, event.Recognized, "4", "bo", "muted"},
		{81, event.Left, "4", "bo", "muted"},
		{120, event.Recognized, "5", "bo", "told"}, // 50 s after one of which nobody heard
		{121, event.Left, "5", "bo", "told"},
		{122, event.Recognized, "6", "bo", "muted"},
		{123, event.Left, "6", "bo", "muted"},
		// A stranger in the quiet hours who is somebody whose coming is not announced.
		{200, event.Recognized, "7", "ana", "person"},
		{201, event.Recognized, "8", "ana", "muted"},
		{202, event.Left, "8", "ana", "muted"},
		{203, event.Left, "7", "ana", "person"},
		{24*3600 + 60, event.Unknown, "9", "", "hours"},
		{24*3600 + 120, event.Recognized, "9", "ana", "person"}, // nobody heard of a stranger
		{24*3600 + 121, event.Left, "9", "ana", "person"},
	})
}

// Whatever the rules are and whenever they change, what is announced of a track
// is whole: no left without a beginning, no beginning without left.
func FuzzLeftFollowsItsTrack(f *testing.F) {
	f.Add([]byte("\x00\x01\x02\x03\x40\x81\xc2\x05\x06\x47"))
	f.Add([]byte("ababABAB0123"))
	f.Fuzz(func(t *testing.T, script []byte) {
		var now time.Duration
		loud := true
		hours := config.Hours{{From: 12 * 60, To: 12*60 + 1}, {From: 12*60 + 2, To: 12*60 + 3}}
		r := &rules{Cooldown: 20 * time.Second, Device: hours, Synced: func() bool { return loud }, Notify: func(p string) bool { return p == "bo" || loud }}
		last := map[string]event.Type{}
		begun, ended := map[string]bool{}, map[string]bool{} // announced so
		kept, gone := map[string]bool{}, map[string]bool{}
		judge := func(what event.Type, id, person string) {
			quiet, keep := r.judge(step{now, what, id, person, ""}.change())
			begins := what != event.Left
			if keep && begins {
				kept[id] = true
			}
			if keep && quiet == "" && begins {
				begun[id] = true
			}
			if !begins {
				gone[id], ended[id] = keep, keep && quiet == ""
				if gone[id] != kept[id] || ended[id] != begun[id] {
					t.Errorf("track %s: kept %v, announced %v; left: kept %v, announced %v", id, kept[id], begun[id], gone[id], ended[id])
				}
			}
			last[id] = what
		}
		leave := func(id string) {
			if last[id] == event.Unknown || last[id] == event.Recognized {
				judge(event.Left, id, "")
			}
		}
		for _, b := range script {
			now += time.Duration(b >> 5)
			id := string('a' + rune(b&7))
			person := []string{"ana", "bo"}[b>>3&1]
			switch b >> 4 & 3 {
			case 0:
				if last[id] == "" {
					judge(event.Unknown, id, "")
				}
			case 1:
				if last[id] == "" || last[id] == event.Unknown {
					judge(event.Recognized, id, person)
				}
			case 2:
				leave(id)
			case 3:
				loud = !loud
			}
		}
		for id := range last {
			leave(id)
		}
		if len(r.faces) > 0 {
			t.Errorf("tracks that have left are kept: %v", r.faces)
		}
	})
}

func TestAFaceIsInTheFirstZoneThatItsMiddleIsIn(t *testing.T) {
	box := func(x, y float32) inference.Box { return inference.Box{X: x - 50, Y: y - 20, Width: 100, Height: 40} }
	left, right := config.Polygon{{X: 0, Y: 0}, {X: 0.5, Y: 0}, {X: 0.5, Y: 1}, {X: 0, Y: 1}}, config.Polygon{{X: 0.5, Y: 0}, {X: 1, Y: 0}, {X: 1, Y: 1}}
	r := &rules{Zones: []config.Zone{
		{Name: "door", Points: config.Polygon{{X: 0, Y: 0}, {X: 0.1, Y: 0}, {X: 0.1, Y: 1}, {X: 0, Y: 1}}},
		{Name: "television", Points: left, Ignore: true},
		{Name: "porch", Points: left},
		{Name: "yard", Points: right},
	}}
	frame := [2]int{1000, 500}
	for _, tt := range []struct {
		x, y    float32
		zone    string
		ignored bool
	}{
		{50, 250, "door", false}, // before what is ignored
		{300, 250, "television", true},
		{499, 250, "television", true},
		{700, 100, "yard", false},
		{600, 450, "", false},
		{-20, 250, "", false}, // half outside of the picture
	} {
		name := ""
		if z := r.zoneName(box(tt.x, tt.y), frame); z != nil {
			name = *z
		}
		if name != tt.zone {
			t.Errorf("%v, %v is in %q, want %q", tt.x, tt.y, name, tt.zone)
		}
		seen := r.seen([]inference.Detection{{Box: box(tt.x, tt.y)}, {Box: box(50, 50)}}, frame)
		if ignored := len(seen) == 1; ignored != tt.ignored || !slices.ContainsFunc(seen, func(d inference.Detection) bool { return d.Box == box(50, 50) }) {
			t.Errorf("%v, %v: looks at %v", tt.x, tt.y, seen)
		}
	}
}
