package daemon

import (
	"maps"
	"slices"
	"time"

	"facerecd/daemon/config"
	"facerecd/daemon/event"
	"facerecd/daemon/track"
	"facerecd/inference"
)

// rules are what the owner has set about the faces of one camera: which of them
// are looked at, in which zone one is, and which of their events are kept and
// announced. A Pipeline asks them, and nobody else. The zero value looks at all,
// and announces all.
type rules struct {
	Zones    []config.Zone
	Cooldown time.Duration            // between two recognitions of one person; 0: all are told
	Camera   config.Hours             // the camera's quiet hours
	Device   config.Hours             // everybody's
	Synced   func() bool              // tells whether the clock is right; nil: it is
	Notify   func(person string) bool // tells who is announced; nil: everybody

	faces map[string]face        // by track: those in view of which something has happened
	named map[string]recognition // by person: their last one that was kept
}

// face is what became of the events of a track that is in view.
type face struct {
	kept      bool        // one was kept
	announced bool        // one was announced
	stranger  bool        // one was announced that says unknown
	quiet     event.Quiet // why the last one was not announced
}

// recognition is when somebody was recognised, and whether that was announced.
type recognition struct {
	at        time.Time
	announced bool
}

// seen are the detections that are to be looked at, found without the others.
// frame is the size of the picture.
func (r *rules) seen(found []inference.Detection, frame [2]int) []inference.Detection {
	return slices.DeleteFunc(found, func(d inference.Detection) bool {
		z := r.zone(d.Box, frame)
		return z != nil && z.Ignore
	})
}

// zone is the first that the middle of a face is in, or nil. A face is where its
// middle is, as people see it, not its whole body's feet: nobody knows where
// those are.
func (r *rules) zone(box inference.Box, frame [2]int) *config.Zone {
	middle := box.Centre()
	p := config.Point{X: float64(middle.X) / float64(frame[0]), Y: float64(middle.Y) / float64(frame[1])}
	for i := range r.Zones {
		if r.Zones[i].Points.Contains(p) {
			return &r.Zones[i]
		}
	}
	return nil
}

// zoneName is the name of zone, or nil.
func (r *rules) zoneName(box inference.Box, frame [2]int) *string {
	if z := r.zone(box, frame); z != nil {
		return &z.Name
	}
	return nil
}

// judge tells whether a change makes an event, and why that is not announced, ""
// when it is. It is asked once about each change.
//
// What is told of each track stays whole: left is kept if something of its track
// was, and announced if something of it was, whatever holds by then.
func (r *rules) judge(c track.Change) (quiet event.Quiet, kept bool) {
	id := c.Track.ID
	f := r.faces[id]
	if c.Type == event.Left {
		delete(r.faces, id)
		if f.announced {
			f.quiet = ""
		}
		return f.quiet, f.kept
	}
	f.quiet = r.silence(c, f)
	if c.Type == event.Recognized && r.again(c, f) {
		return "", false
	}
	f.kept = true
	if f.quiet == "" {
		f.announced = true
		f.stranger = f.stranger || c.Type == event.Unknown
	}
	if r.faces == nil {
		r.faces = make(map[string]face)
	}
	r.faces[id] = f
	return f.quiet, true
}

// silence is why a change is not to be announced. With a clock that nobody has
// set all is: an event that came late is better than one that never came. So
// is the name of somebody who was announced as a stranger, which takes that back.
func (r *rules) silence(c track.Change, f face) event.Quiet {
	now := c.At.Local()
	if (r.Camera.Contains(now) || r.Device.Contains(now)) && (r.Synced == nil || r.Synced()) {
		return event.QuietHours
	}
	if c.Type == event.Recognized && !f.stranger && r.Notify != nil && !r.Notify(c.Track.Person) {
		return event.QuietPerson
	}
	return ""
}

// again tells whether a recognition comes so soon after the last one of the
// person that it is none, and notes it otherwise. What was kept and not announced
// keeps no other from being announced. Who was told as unknown is no stranger:
// that is news.
func (r *rules) again(c track.Change, f face) bool {
	if r.Cooldown <= 0 {
		return false
	}
	maps.DeleteFunc(r.named, func(_ string, last recognition) bool { return c.At.Sub(last.at) >= r.Cooldown })
	last, soon := r.named[c.Track.Person]
	announced := f.quiet == ""
	if soon && !f.kept && (last.announced || !announced) {
		return true
	}
	if r.named == nil {
		r.named = make(map[string]recognition)
	}
	r.named[c.Track.Person] = recognition{c.At, announced}
	return false
}

// quietHours tells whether there are any.
func (p *parts) quietHours() bool {
	return len(*p.quiet.Load()) > 0 || slices.ContainsFunc(p.units.list(), func(u *unit) bool { return len(u.settings.Quiet) > 0 })
}
