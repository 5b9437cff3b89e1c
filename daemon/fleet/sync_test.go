package fleet

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"facerecd/match"
	"facerecd/match/store"
)

// pass lets time pass, and everybody finish what they do then.
func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func TestWhatOneDeviceKnowsAllKnow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHub()
		a, b, other := newDevice(t, 1, "m"), newDevice(t, 1, "m"), newDevice(t, 2, "m")
		for _, d := range []*device{a, b, other} {
			d.run(t)
			d.connect(h)
		}
		synctest.Wait()
		began := time.Now()
		a.say(person("P1", "Ana", 1, "a", template1("T1", "m", 0.5)))
		synctest.Wait()
		if !time.Now().Equal(began) {
			t.Error("it takes longer than the wire does")
		}
		if r := b.of("P1"); r.Name != "Ana" || len(r.Templates) != 1 {
			t.Errorf("the other device has %+v", r)
		}
		b.say(deleted("P1"))
		synctest.Wait()
		if r := a.of("P1"); r.Alive() {
			t.Errorf("deleted, and still %+v", r)
		}
		if n := h.published; n != 2 {
			t.Errorf("%d messages for two changes", n)
		}
		if s := b.Status(); s != (Status{Fleet: b.Codec.Fleet(), InStep: true, Published: 1, Taken: 1}) {
			t.Errorf("status %+v", s)
		}
		if s := other.Status(); s.Taken+s.Refused+s.Published > 0 || len(other.people.records) > 0 {
			t.Errorf("a device of another fleet has %+v", s)
		}
	})
}

func TestAReplayedRecordIsReplacedByOneDevice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHub()
		all := []*device{newDevice(t, 1, "m"), newDevice(t, 1, "m"), newDevice(t, 1, "m"), newDevice(t, 1, "m")}
		for _, d := range all {
			d.run(t)
			d.connect(h)
		}
		synctest.Wait()
		all[0].say(person("P1", "Ana", 1, "a"))
		synctest.Wait()
		old := h.history[0]
		all[1].say(person("P1", "Anna", 2, "b"))
		synctest.Wait()
		before := h.published
		for range 3 {
			h.put(old.topic, true, old.payload)
			pass(time.Second)
		}
		synctest.Wait()
		if n := h.published - before; n < 3 || n > 6 { // two devices may draw almost the same pause
			t.Errorf("%d corrections of 3 replays by %d devices", n, len(all))
		}
		stale, lines := uint64(0), 0
		for _, d := range all {
			if d.of("P1").Name != "Anna" {
				t.Error("the old name is back")
			}
			stale += d.Status().Stale
			lines += strings.Count(d.log.String(), "\n")
		}
		if stale != uint64(h.published-before) || lines > len(all) {
			t.Errorf("%d counted, %d lines logged", stale, lines)
		}
		r, err := all[0].Codec.Open(strings.TrimPrefix(old.topic, "facerecd/_fleet/"), h.retained[old.topic])
		if err != nil || r.Name != "Anna" {
			t.Errorf("the broker has %+v, %v", r, err)
		}
	})
}

func TestGarbageIsRefusedSaidOnceAndReplaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHub()
		d := newDevice(t, 1, "m")
		d.run(t)
		d.connect(h)
		synctest.Wait()
		d.say(person("P1", "Ana", 1, "a"))
		synctest.Wait()
		good := h.history[0]
		for range 5 {
			h.put(good.topic, true, good.payload[:len(good.payload)-1])
		}
		synctest.Wait()
		if s := d.Status(); s.Refused != 5 || !errors.Is(s.Reason, ErrSize) || s.ReasonSince.IsZero() {
			t.Errorf("status %+v", s)
		}
		if n := strings.Count(d.log.String(), "level=WARN"); n != 1 {
			t.Errorf("logged:\n%s", d.log)
		}
		pass(2 * restoreAfter)
		if _, err := d.Codec.Open(strings.TrimPrefix(good.topic, d.Prefix+"/"), h.retained[good.topic]); err != nil {
			t.Errorf("the broker has no record: %v", err)
		}
		h.put(good.topic, true, nil)
		pass(2 * restoreAfter)
		if h.retained[good.topic] == nil {
			t.Error("a record that was taken off the broker stays away")
		}
		pass(2 * lookAgain)
		if s := d.Status(); s.Reason != nil || !s.InStep {
			t.Errorf("status %+v", s)
		}
	})
}

func TestADeletionOutlivesADeviceThatWasOffAndTheBroker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHub()
		a, b := newDevice(t, 1, "m"), newDevice(t, 1, "m")
		for _, d := range []*device{a, b} {
			d.run(t)
			d.connect(h)
		}
		synctest.Wait()
		a.say(person("P1", "Ana", 1, "a"))
		synctest.Wait()
		b.disconnect()
		a.say(deleted("P1"))
		synctest.Wait()
		a.disconnect()
		h.forget()
		pass(40 * 24 * time.Hour)
		b.say(person("P1", "Anna", 7, "b", template1("T", "m", 0.5))) // who knows nothing of it
		b.connect(h)
		pass(time.Minute)
		a.connect(h)
		pass(time.Minute)
		if a.of("P1").Alive() || b.of("P1").Alive() {
			t.Error("the person is back")
		}
	})
}

func TestAMutedBrokerIsSaid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHub()
		h.deny = true
		d := newDevice(t, 1, "m")
		d.run(t)
		d.connect(h)
		pass(10 * time.Minute)
		if s := d.Status(); s.InStep || !errors.Is(s.Err, errDenied) {
			t.Errorf("status %+v", s)
		}
		if n := strings.Count(d.log.String(), "level=WARN"); n != 1 {
			t.Errorf("logged:\n%s", d.log)
		}
		h.mu.Lock()
		h.deny = false
		h.mu.Unlock()
		pass(2 * retryAfter)
		if s := d.Status(); !s.InStep || s.Err != nil {
			t.Errorf("status %+v", s)
		}
	})
}

func TestAFullDiskIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHub()
		a, b := newDevice(t, 1, "m"), newDevice(t, 1, "m")
		b.people.err = errors.New("disk full")
		for _, d := range []*device{a, b} {
			d.run(t)
			d.connect(h)
		}
		synctest.Wait()
		a.say(person("P1", "Ana", 1, "a"))
		pass(time.Second)
		if s := b.Status(); s.InStep || s.Err == nil || s.Err.Error() != "take in people: disk full" {
			t.Errorf("status %+v", s)
		}
		b.people.mu.Lock()
		b.people.err = nil
		b.people.mu.Unlock()
		pass(2 * retryAfter)
		if s := b.Status(); !s.InStep || b.of("P1").Name != "Ana" {
			t.Errorf("status %+v", s)
		}
	})
}

func TestWhatWasMissedIsAskedForAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHub()
		a, b := newDevice(t, 1, "m"), newDevice(t, 1, "m")
		for _, d := range []*device{a, b} {
			d.run(t)
			d.connect(h)
		}
		synctest.Wait()
		b.line.hub.mu.Lock()
		filters := b.line.filters
		b.line.filters, b.line.missed = nil, true
		b.line.hub.mu.Unlock()
		a.say(person("P1", "Ana", 1, "a"))
		synctest.Wait()
		h.mu.Lock()
		b.line.filters = filters
		h.mu.Unlock()
		a.say(person("P2", "Bob", 1, "a"))
		pass(2 * restoreAfter)
		if b.of("P1").Name != "Ana" || b.of("P2").Name != "Bob" {
			t.Error("something is missing")
		}
	})
}

// TestAllDevicesAgreeInTheEnd does everything at random, on devices with two
// model packs, which come and go, with a broker that loses its state and
// somebody who replays and clears what is there. Then all are connected.
func TestAllDevicesAgreeInTheEnd(t *testing.T) {
	for seed := range uint64(60) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { agree(t, rand.New(rand.NewPCG(seed, 1))) })
		})
	}
}

func agree(t *testing.T, random *rand.Rand) {
	h := newHub()
	var all []*device
	for i := range 4 {
		d := newDevice(t, 1, fmt.Sprint("m", i%2))
		d.run(t)
		all = append(all, d)
	}
	templates := map[string]map[string]bool{} // of each person, all that were enrolled
	dead := map[string]bool{}
	people, number := 0, 0
	for range 150 {
		d := all[random.IntN(len(all))]
		id := fmt.Sprint("P", random.IntN(people+1))
		r := d.of(id)
		switch random.IntN(10) {
		case 0, 1, 2: // enrol, or add to somebody
			if !r.Alive() {
				break
			}
			if r.ID == "" {
				id = fmt.Sprint("P", people)
				people++
				r = person(id, id, 1, d.people.model)
			}
			number++
			one := template1(fmt.Sprint("T", number), d.people.model, 0.5)
			if templates[id] == nil {
				templates[id] = map[string]bool{}
			}
			if len(templates[id]) == MaxTemplates {
				break
			}
			templates[id][one.ID] = true
			d.say(Merge(r, person(id, r.Name, r.Version.Counter, r.Version.Device, one)))
		case 3: // rename
			if r.ID != "" {
				r.Name = fmt.Sprint("N", random.IntN(100))
				r.Version = match.Version{Counter: r.Version.Counter + 1, Device: fmt.Sprint(random.IntN(4))}
				d.say(r)
			}
		case 4: // delete
			if r.ID != "" && random.IntN(3) == 0 {
				dead[id] = true
				d.say(deleted(id))
			}
		case 5: // make templates anew for this model
			if r.ID != "" {
				r.Templates = slices.Clone(r.Templates)
				for i := range r.Templates {
					r.Templates[i].Model = d.people.model
				}
				d.say(r)
			}
		case 6, 7:
			d.connect(h)
		case 8:
			d.disconnect()
		case 9:
			synctest.Wait()
			if len(h.history) == 0 {
				break
			}
			m := h.history[random.IntN(len(h.history))]
			switch random.IntN(4) {
			case 0:
				h.put(m.topic, true, nil)
			case 1:
				h.put(m.topic, true, m.payload[:random.IntN(len(m.payload)-1)+1])
			case 2:
				h.put(m.topic, true, m.payload)
			case 3:
				h.forget()
			}
		}
		pass(time.Duration(random.IntN(500)) * time.Millisecond)
	}
	for _, d := range all {
		d.connect(h)
	}
	pass(time.Minute)
	synctest.Wait()
	before := h.published
	pass(2 * lookAgain)
	synctest.Wait()
	if n := h.published - before; n > 0 {
		t.Errorf("they go on about it: %d messages", n)
	}
	for i, d := range all {
		if s := d.Status(); !s.InStep {
			t.Errorf("status %+v", s)
		}
		for id := range templates {
			r, first := d.of(id), all[0].of(id)
			if r.Alive() == dead[id] {
				t.Fatalf("device %d: %s is alive: %v", i, id, r.Alive())
			}
			if r.Name != first.Name || r.Version != first.Version {
				t.Errorf("device %d calls %s %s, the first %s", i, id, r.Name, first.Name)
			}
			for _, tm := range r.Templates {
				if tm.Model != d.people.model && slices.ContainsFunc(all, func(o *device) bool {
					return slices.ContainsFunc(o.of(id).Templates, func(u match.Template) bool { return u.ID == tm.ID && u.Model == d.people.model })
				}) {
					t.Errorf("device %d has %s of another model, although it is there of its own", i, tm.ID)
				}
			}
			if dead[id] {
				continue
			}
			has := map[string]bool{}
			for _, tm := range r.Templates {
				has[tm.ID] = true
			}
			if !maps.Equal(has, templates[id]) {
				t.Errorf("device %d has %d templates of %s, want %d", i, len(has), id, len(templates[id]))
			}
		}
	}
}

func TestChangesOfOneDeviceKeepTheirOrder(t *testing.T) {
	var d debts
	marks := []store.Mark{store.MarkOf("a"), store.MarkOf("b"), store.MarkOf("c"), store.MarkOf("d")}
	now := time.Now()
	d.correct(marks[3], nil, now.Add(time.Second), false)
	d.correct(marks[1], nil, now.Add(2*time.Second), true)
	for _, m := range marks[:3] {
		d.owe(m)
	}
	d.owe(marks[0])
	for i, want := range marks[:3] {
		m, one, wait := d.next(now)
		if m != want || wait != 0 || one.stale != (i == 1) {
			t.Fatalf("owed %d: wait %v", i, wait)
		}
		d.owe(marks[2])  // grows
		d.settle(m, one) // which keeps what has grown since
		d.settle(m, one) // and is harmless twice
		if i == 2 {
			if m, _, _ := d.next(now); m != marks[2] {
				t.Error("what has grown meanwhile is lost")
			}
			d.settle(m, d.of[m])
		}
	}
	if _, _, wait := d.next(now); wait != time.Second {
		t.Errorf("the correction is due in %v", wait)
	}
	if m, one, wait := d.next(now.Add(time.Second)); wait != 0 || m != marks[3] {
		t.Error("the correction is not due")
	} else {
		d.settle(m, one)
	}
	if _, _, wait := d.next(now); wait >= 0 || len(d.of) > 0 {
		t.Error("something is still owed")
	}
}
