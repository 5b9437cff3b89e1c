package daemon

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"facerecd/daemon/config"
	"facerecd/daemon/event"
)

// events are those that came over MQTT from the camera door, without repeats.
func (e *ear) events(t *testing.T) (all []event.Event) {
	t.Helper()
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, m := range e.messages {
		if m.Topic() != "facerecd/pi/door/event" {
			continue
		}
		var next event.Event
		if err := json.Unmarshal(m.Payload(), &next); err != nil {
			t.Fatal(err)
		}
		if len(all) == 0 || next.Seq > all[len(all)-1].Seq {
			all = append(all, next)
		}
	}
	return all
}

// history is everything that was stored, the oldest first.
func (r *rig) history(t *testing.T) []event.Event {
	t.Helper()
	all, err := r.Daemon.health.parts.log.History(t.Context(), "", 10000)
	if err != nil {
		t.Fatal(err)
	}
	slices.Reverse(all)
	return all
}

// happens waits for an event in the history that is one of these, and returns it.
func (r *rig) happens(t *testing.T, after uint64, what string, is func(event.Event) bool) (found event.Event) {
	t.Helper()
	eventually(t, what, func() bool {
		all := r.history(t)
		i := slices.IndexFunc(all, func(e event.Event) bool { return e.Seq > after && is(e) })
		if i >= 0 {
			found = all[i]
		}
		return i >= 0
	})
	return found
}

func (r *rig) newest(t *testing.T) uint64 {
	t.Helper()
	if all := r.history(t); len(all) > 0 {
		return all[len(all)-1].Seq
	}
	return 0
}

// TestWhatIsToldOverMQTTFollowsTheRules runs the daemon with its real parts
// through everything that an owner can set.
func TestWhatIsToldOverMQTTFollowsTheRules(t *testing.T) {
	long(t)
	c := settings(t, folder(t, "obama", "biden"))
	c.MQTT.Images = true
	c.Cameras[0].Hold = 3 * time.Second // longer than it takes somebody to have left
	f := &file{now: c}
	r := start(t, c, func(d *Daemon) { d.Load, d.Synced = f.load, func() bool { return true } })
	ear := listen(t, r.broker)
	enrolled, err := r.Register(t.Context(), "Ana", []string{photo(t, "obama2"), photo(t, "obama3")})
	if err != nil {
		t.Fatal(err)
	}
	id := enrolled.Person.ID
	names := func(e event.Event) bool { return e.Type == event.Recognized && e.Person != nil && e.Person.ID == id }
	told := func(after uint64, is func(event.Event) bool) bool {
		return slices.ContainsFunc(ear.events(t), func(e event.Event) bool { return e.Seq > after && is(e) })
	}
	unknown := func(e event.Event) bool { return e.Type == event.Unknown }
	loud := r.happens(t, 0, "Ana is recognised", func(e event.Event) bool { return names(e) && e.Quiet == "" })
	eventually(t, "her coming is published", func() bool { return told(loud.Seq-1, names) })

	// Somebody whose coming is not announced.
	if p, err := r.SetNotify(t.Context(), id, false); err != nil || p.Notify {
		t.Fatalf("%+v, %v", p, err)
	}
	quiet := r.happens(t, r.newest(t), "Ana is recognised and not announced", func(e event.Event) bool { return names(e) && e.Quiet == event.QuietPerson })
	eventually(t, "her topic says that she is there", func() bool {
		s := ear.state(t, anaTopic)
		return s.Present && s.LastSeen.After(quiet.Time.Add(-time.Second)) &&
			told(loud.Seq, func(e event.Event) bool { return e.ID == s.Event && e.Type == event.Left }) // the last of hers that was published
	})
	eventually(t, "a stranger is announced", func() bool { return told(quiet.Seq, unknown) })
	if told(quiet.Seq-1, names) {
		t.Error("Ana's coming is published")
	}
	if _, err := r.SetNotify(t.Context(), id, true); err != nil {
		t.Fatal(err)
	}
	after := r.newest(t)
	eventually(t, "her coming is published again", func() bool { return told(after, names) })

	// Quiet hours, all day long, from one moment to the next.
	door := r.unit("door")
	f.write(func(c *config.Config) { c.Quiet = config.Hours{{From: 0, To: 24 * 60}} })
	r.reload(t)
	if r.unit("door") != door {
		t.Error("the camera was started anew")
	}
	eventually(t, "the pipeline has taken them over", func() bool { return door.pipeline.tuning.Load() == nil })
	after = r.newest(t) + 2 // whoever was about to be told
	hours := func(e event.Event) bool { return e.Quiet == event.QuietHours && e.Type != event.Left }
	first := r.happens(t, after, "somebody comes in the quiet hours", hours)
	const face = "facerecd/pi/door/face"
	pictures := ear.count(face)
	r.happens(t, first.Seq, "somebody else comes in the quiet hours", hours)
	if n := ear.count(face); pictures == 0 || n != pictures {
		t.Errorf("%d pictures of faces before the quiet hours, %d in them", pictures, n-pictures)
	}
	if told(first.Seq-1, func(e event.Event) bool { return e.Type != event.Left }) {
		t.Errorf("in the quiet hours it is published: %+v", ear.events(t))
	}
	f.write(func(c *config.Config) { c.Quiet = nil })
	r.reload(t)
	after = r.newest(t)
	eventually(t, "they are over", func() bool { return told(after, unknown) })

	// Zones: the camera begins anew with them.
	whole := config.Polygon{{X: 0, Y: 0}, {X: 1, Y: 0}, {X: 1, Y: 1}, {X: 0, Y: 1}}
	f.write(func(c *config.Config) { c.Cameras[0].Zones = []config.Zone{{Name: "Porch", Points: whole}} })
	r.reload(t)
	after = r.newest(t)
	eventually(t, "events name the zone", func() bool {
		return told(after, func(e event.Event) bool { return unknown(e) && e.Zone != nil && *e.Zone == "Porch" })
	})
	f.write(func(c *config.Config) {
		c.Cameras[0].Zones = []config.Zone{{Name: "Television", Points: whole, Ignore: true}}
	})
	r.reload(t)
	after = r.newest(t)
	time.Sleep(time.Second)
	r.streams(t, "door")
	if now := r.newest(t); now != after {
		t.Errorf("%d events of faces that are not looked at", now-after)
	}

	// What was published is whole: who has come has left, but for who has not yet.
	r.stop(t)
	checkWhole(t, ear.events(t))
}

// checkWhole checks that each track that was told of has left once, and nobody
// else has.
func checkWhole(t *testing.T, all []event.Event) {
	t.Helper()
	open := map[string]int{}
	for _, e := range all {
		switch {
		case e.Quiet != "":
			t.Errorf("published: %+v", e)
		case e.Type != event.Left:
			open[e.Track]++
		case open[e.Track] == 0:
			t.Errorf("who was not announced has left: %+v", e)
		default:
			delete(open, e.Track)
		}
	}
	if len(open) > 0 {
		t.Errorf("who was announced has not left: %v", open)
	}
}

func TestQuietHoursWithoutARightClockAreSaid(t *testing.T) {
	c := settings(t, photo(t, "obama"))
	c.Cameras = nil
	c.Quiet = config.Hours{{From: 0, To: 60}}
	f := &file{now: c}
	r := start(t, c, func(d *Daemon) { d.Load, d.Synced = f.load, func() bool { return false } })
	const want = "there are quiet hours, and no time service has set the clock: until one does, all is announced. See `timedatectl`"
	if check, ok := r.check("quiet_clock"); !ok || check.Hint != want {
		t.Errorf("health: %+v", check)
	}
	f.write(func(c *config.Config) { c.Quiet = nil })
	r.reload(t)
	if _, ok := r.check("quiet_clock"); ok {
		t.Error("there are no quiet hours any more")
	}
}
