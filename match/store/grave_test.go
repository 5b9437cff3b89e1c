package store

import (
	"errors"
	"fmt"
	"testing"

	"facerecd/match"
)

func TestADeletedPersonStaysDeletedAfterAStart(t *testing.T) {
	s := open(t, t.TempDir(), Options{})
	must(t, s.Enroll(ana(), templates("P1", 1)))
	got[Receipt](t)(s.Delete("P1", redactAll))
	for range 2 {
		if g, ok := s.Grave(MarkOf("P1")); !ok || g != (Grave{Mark: MarkOf("P1"), Deleted: true}) {
			t.Errorf("grave %+v, %v", g, ok)
		}
		wantError(t, s.Enroll(ana(), templates("P1", 1)), "enrol person: person was deleted: enrol them with a new id")
		if len(filesWith(t, s.dir, "P1-T")) > 0 {
			t.Error("the grave says whose it is")
		}
		s = reopen(t, s)
	}
	must(t, s.Enroll(match.Person{ID: "P2", Name: "Ana"}, templates("P2", 1)))
}

func TestDeleteAllDeletesAsFarAsItGets(t *testing.T) {
	s := open(t, t.TempDir(), Options{})
	for _, id := range []string{"P1", "P2"} {
		must(t, s.Enroll(match.Person{ID: id, Name: id}, templates(id, 2)))
	}
	receipts, err := s.DeleteAll([]string{"P1", "P0", "P2"}, redactAll)
	wantError(t, err, `delete person: person "P0": not found`)
	if want := (Receipt{Person: "P1", Templates: 2, Purged: true}); len(receipts) != 1 || receipts[0] != want {
		t.Errorf("receipts %+v", receipts)
	}
}

func TestGravesAreMergedAndKept(t *testing.T) {
	m, a, b := MarkOf("P1"), MarkOf("P2"), MarkOf("P3")
	if b.Compare(a) < 0 {
		a, b = b, a
	}
	for _, tc := range []struct{ one, other, want Grave }{
		{Grave{m, true, Mark{}}, Grave{m, false, b}, Grave{m, true, b}},
		{Grave{m, false, b}, Grave{m, false, a}, Grave{m, false, a}},
		{Grave{m, false, a}, Grave{m, false, a}, Grave{m, false, a}},
		{Grave{m, true, Mark{}}, Grave{m, true, Mark{}}, Grave{m, true, Mark{}}},
	} {
		s := open(t, t.TempDir(), Options{})
		must(t, s.Bury(tc.one))
		must(t, s.Bury(tc.other, Grave{Mark: MarkOf("P9"), Deleted: true}))
		s = reopen(t, s)
		if g, _ := s.Grave(m); g != tc.want || tc.one.Merge(tc.other) != tc.want || tc.other.Merge(tc.one) != tc.want {
			t.Errorf("%+v and %+v are %+v, want %+v", tc.one, tc.other, g, tc.want)
		}
		if n := len(s.Graves()); n != 2 {
			t.Errorf("%d graves", n)
		}
	}
}

func TestANameIsVersioned(t *testing.T) {
	s := open(t, t.TempDir(), Options{Device: "door"})
	version := func(want match.Version) {
		t.Helper()
		if p := got[match.Person](t)(s.Person("P1")); p.Version != want {
			t.Errorf("version %+v, want %+v", p.Version, want)
		}
	}
	must(t, s.Enroll(ana(), templates("P1", 1)))
	version(match.Version{Counter: 1, Device: "door"})
	must(t, s.Enroll(ana(), templates("P1", 2)))
	version(match.Version{Counter: 1, Device: "door"})
	must(t, s.SetNames(match.Person{ID: "P1", Name: "Anna", Version: match.Version{Counter: 7, Device: "gate"}}))
	version(match.Version{Counter: 7, Device: "gate"})
	got[match.Person](t)(s.Rename("P1", "Ana"))
	s = reopen(t, s)
	version(match.Version{Counter: 8, Device: "door"})
	got[match.Person](t)(s.Rename("P1", "Ana"))
	version(match.Version{Counter: 8, Device: "door"})
}

func TestTwoPeopleExchangeTheirNames(t *testing.T) {
	s := open(t, t.TempDir(), Options{})
	must(t, s.Enroll(match.Person{ID: "P1", Name: "Ana"}, nil))
	must(t, s.Enroll(match.Person{ID: "P2", Name: "Bob"}, nil))
	must(t, s.SetNames(match.Person{ID: "P1", Name: "Bob"}, match.Person{ID: "P2", Name: "Ana"}))
	for name, want := range map[string]string{"ana": "P2", "bob": "P1"} {
		if p := got[match.Person](t)(s.FindByName(name)); p.ID != want {
			t.Errorf("%s is %s", name, p.ID)
		}
	}
	wantError(t, s.SetNames(match.Person{ID: "P1", Name: "Ana"}), "name people: name is taken by person P2: choose another, or add the images to that person")
	wantError(t, s.SetNames(match.Person{ID: "P3", Name: "Cid"}), `name people: person "P3": not found`)
}

func TestAbsorbTakesEverythingAlong(t *testing.T) {
	s := open(t, t.TempDir(), Options{})
	must(t, s.Enroll(match.Person{ID: "P1", Name: "Ana M"}, templates("P1", 2)))
	two := templates("P2", 3)
	two[1].Crop = []byte("crop")
	must(t, s.Enroll(match.Person{ID: "P2", Name: "Ana"}, two))
	appendRows(t, s, 0, 1200, "P2") // more than one batch
	must(t, s.Ack(1))
	_, before := s.Backlog()

	must(t, s.Absorb("P2", "P1"))
	count, size := s.Backlog()
	if count != 1199 || size != before {
		t.Errorf("%d events wait, of %d bytes; before 1199 of %d", count, size, before)
	}
	wantError(t, s.Enroll(match.Person{ID: "P2", Name: "Ana"}, nil), "enrol person: person was deleted: enrol them with a new id")
	s = reopen(t, s)
	var ids string
	must(t, s.Templates(func(m match.Template) error {
		if m.Person != "P1" {
			t.Errorf("template of %s", m.Person)
		}
		ids += " " + m.ID
		return nil
	}))
	if want := " P1-T0000 P1-T0001 P2-T0000 P2-T0001 P2-T0002"; ids != want {
		t.Errorf("templates%s, want%s", ids, want)
	}
	if p, err := s.FindByName("Ana M"); err != nil || p.ID != "P1" {
		t.Errorf("Ana M is %+v, %v", p, err)
	}
	if _, err := s.FindByName("Ana"); !errors.Is(err, ErrNotFound) {
		t.Errorf("Ana: %v", err)
	}
	if _, err := s.Person("P2"); !errors.Is(err, ErrNotFound) {
		t.Errorf("P2: %v", err)
	}
	if crop, err := s.Crop("P1", "P2-T0001"); string(crop) != "crop" || err != nil {
		t.Errorf("crop %q, %v", crop, err)
	}
	if _, err := s.Crop("P2", "P2-T0001"); !errors.Is(err, ErrNotFound) {
		t.Errorf("the old crop: %v", err)
	}
	if g, _ := s.Grave(MarkOf("P2")); g != (Grave{Mark: MarkOf("P2"), Into: MarkOf("P1")}) {
		t.Errorf("grave %+v", g)
	}
	receipt := got[Receipt](t)(s.Delete("P1", redactAll))
	if receipt.History != 1200 || receipt.Queued != 1199 || receipt.Crops != 1 {
		t.Errorf("the events are not deleted with the one who has them: %+v", receipt)
	}
}

func TestAbsorbRefuses(t *testing.T) {
	s := open(t, t.TempDir(), Options{})
	for i := range 3 {
		id := fmt.Sprintf("P%d", i)
		must(t, s.Enroll(match.Person{ID: id, Name: id}, templates(id, 1)))
	}
	got[Receipt](t)(s.Delete("P0", redactAll))
	wantError(t, s.Absorb("P1", "P0"), "unite people: person was deleted: nobody can be taken into them")
	wantError(t, s.Absorb("P1", "P1"), "unite people: person was deleted: nobody can be taken into them")
	wantError(t, s.Absorb("P9", "P1"), `unite people: person "P9": not found`)
	wantError(t, s.Absorb("P1", "P3"), `unite people: person "P3": not found`)
	if p, err := s.Person("P1"); err != nil || p.Templates != 1 {
		t.Errorf("after a refusal: %+v, %v", p, err)
	}
}
