package store

import (
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"facerecd/match"
)

func TestEnrolledPeopleAreThereAfterReopening(t *testing.T) {
	s := open(t, t.TempDir(), Options{})
	p := match.Person{ID: "P1", Name: "  Ana  María ", Created: time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)}
	want := templates("P1", 3)
	must(t, s.Enroll(p, want))
	s = reopen(t, s)

	stored := got[match.Person](t)(s.Person("P1"))
	if stored.Name != "Ana María" || !stored.Created.Equal(p.Created) || stored.Updated.IsZero() || stored.Templates != 3 {
		t.Errorf("person %+v", stored)
	}
	var read []match.Template
	must(t, s.Templates(func(t match.Template) error { read = append(read, t); return nil }))
	if !reflect.DeepEqual(read, want) {
		t.Errorf("templates\n%v\nwant\n%v", read, want)
	}
	if people := got[[]match.Person](t)(s.People()); len(people) != 1 || people[0] != stored {
		t.Errorf("people %+v", people)
	}
}

func TestEnrollingAgainAddsTemplatesAndKeepsCreated(t *testing.T) {
	s := open(t, t.TempDir(), Options{})
	must(t, s.Enroll(ana(), templates("P1", 2)))
	first := got[match.Person](t)(s.Person("P1"))
	more := templates("P1", 3)
	must(t, s.Enroll(match.Person{ID: "P1", Name: "Anna", Created: time.Unix(0, 0)}, more)) // two ids are known, one is new
	p := got[match.Person](t)(s.Person("P1"))
	if p.Templates != 3 || !p.Created.Equal(first.Created) || p.Name != "Anna" {
		t.Errorf("person %+v after %+v", p, first)
	}
	if _, err := s.FindByName("Ana"); !errors.Is(err, ErrNotFound) {
		t.Errorf("the old name still leads somewhere: %v", err)
	}
}

func TestEnrollSaysWhatIsWrongAndStoresNothing(t *testing.T) {
	s := open(t, t.TempDir(), Options{})
	must(t, s.Enroll(match.Person{ID: "P0", Name: "Straße Ä"}, nil))
	with := func(change func(*match.Template)) []match.Template {
		ts := templates("P1", 3)
		change(&ts[2])
		return ts
	}
	for _, tc := range []struct {
		name   string
		person match.Person
		ts     []match.Template
		want   string
	}{
		{"empty name", match.Person{ID: "P1", Name: " \t "}, nil, "enrol person: invalid name: it is empty"},
		{"control character", match.Person{ID: "P1", Name: "A\x00"}, nil, "enrol person: invalid name: it has control characters"},
		{"broken UTF-8", match.Person{ID: "P1", Name: "A\xff"}, nil, "enrol person: invalid name: it is not UTF-8"},
		{"long name", match.Person{ID: "P1", Name: strings.Repeat("a", 201)}, nil, "enrol person: invalid name: it is longer than 200 bytes"},
		{"name taken", match.Person{ID: "P1", Name: " sTRASSE  ä"}, nil, ""},
		{"name taken in another case", match.Person{ID: "P1", Name: "straße  ä"}, nil, "enrol person: name is taken by person P0: choose another, or add the images to that person"},
		{"no id", match.Person{Name: "Ana"}, nil, `enrol person: invalid person id "": use a ULID`},
		{"id with a slash", match.Person{ID: "P1/x", Name: "Ana"}, nil, `enrol person: invalid person id "P1/x": use a ULID`},
		{"somebody else's template", ana(), with(func(t *match.Template) { t.Person = "P2" }), `enrol person: invalid template P1-T0002: it belongs to person "P2", not P1`},
		{"no vector", ana(), with(func(t *match.Template) { t.Vector = nil }), "enrol person: template P1-T0002: invalid vector: it has 0 elements, 1 to 8192 are possible"},
		{"not finite", ana(), with(func(t *match.Template) { t.Vector[7] = float32(math.Inf(1)) }), "enrol person: template P1-T0002: invalid vector: element 7 is +Inf"},
		{"no model", ana(), with(func(t *match.Template) { t.Model = "" }), `enrol person: template P1-T0002: invalid model id "": it has 0 bytes, 1 to 200 are possible`},
		{"NaN quality", ana(), with(func(t *match.Template) { t.Quality = float32(math.NaN()) }), "enrol person: template P1-T0002: invalid quality NaN"},
		{"too much at once", ana(), templates("P1", 2000), "enrol person: invalid number of templates: 2000 are too much at once, add them in parts"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			err := s.Enroll(tc.person, tc.ts)
			if tc.want == "" { // ß and SS are not one letter in another case
				must(t, err)
				got[Receipt](t)(s.Delete("P1", redactAll))
				delete(s.graves, MarkOf("P1"))
				return
			}
			wantError(t, err, tc.want)
			if p, err := s.Person("P1"); !errors.Is(err, ErrNotFound) {
				t.Errorf("stored %+v, %v", p, err)
			}
			must(t, s.Templates(func(m match.Template) error { t.Errorf("template %s is stored", m.ID); return nil }))
		})
	}
}

func TestNamesAreFoundInAnyCase(t *testing.T) {
	s := open(t, t.TempDir(), Options{})
	must(t, s.Enroll(match.Person{ID: "P1", Name: "Élodie Šimić"}, nil))
	for _, name := range []string{"Élodie Šimić", "élodie šimić", " ÉLODIE\tŠIMIĆ "} {
		if p, err := s.FindByName(name); err != nil || p.ID != "P1" {
			t.Errorf("%q finds %v, %v", name, p, err)
		}
	}
	_, err := s.FindByName("Elodie")
	wantError(t, err, "find person by name: nobody has this name: not found")
}

func TestRename(t *testing.T) {
	s := open(t, t.TempDir(), Options{})
	must(t, s.Enroll(ana(), templates("P1", 1)))
	must(t, s.Enroll(match.Person{ID: "P2", Name: "Bo"}, nil))
	_, err := s.Rename("P1", "BO")
	wantError(t, err, "change person: name is taken by person P2: choose another, or add the images to that person")
	_, err = s.Rename("P3", "Cy")
	wantError(t, err, `change person: person "P3": not found`)
	_, err = s.Rename("P1", "")
	wantError(t, err, "change person: invalid name: it is empty")

	if p := got[match.Person](t)(s.Rename("P1", " ANA ")); p.Name != "ANA" || p.Templates != 1 {
		t.Errorf("another case of the own name: %+v", p)
	}
	if p := got[match.Person](t)(s.FindByName("ana")); p.ID != "P1" {
		t.Errorf("found %+v", p)
	}
	got[match.Person](t)(s.Rename("P1", "Cy"))
	if _, err := s.FindByName("ana"); !errors.Is(err, ErrNotFound) {
		t.Errorf("the old name still leads somewhere: %v", err)
	}
	got[match.Person](t)(s.Rename("P2", "Ana")) // and is free
}

func TestWhoIsNotAnnouncedStaysSo(t *testing.T) {
	s := open(t, t.TempDir(), Options{})
	check := func(id string, want bool) match.Person {
		t.Helper()
		p := got[match.Person](t)(s.Person(id))
		if p.Notify != want {
			t.Errorf("%+v", p)
		}
		return p
	}
	must(t, s.Enroll(ana(), templates("P1", 1)))
	before := check("P1", true) // although ana has it false
	edited := got[match.Person](t)(s.Edit("P1", match.Edit{Notify: new(false)}))
	if edited.Notify || edited.Name != "Ana" || edited.Version != before.Version || edited.Templates != 1 || edited.Updated.Before(before.Updated) {
		t.Errorf("%+v was %+v", edited, before)
	}
	s = reopen(t, s)
	check("P1", false)
	if people := got[[]match.Person](t)(s.People()); people[0].Notify {
		t.Errorf("%+v", people)
	}
	must(t, s.Enroll(match.Person{ID: "P1", Name: "Ana", Notify: true}, templates("P1", 2))) // more photos
	check("P1", false)
	must(t, s.SetNames(match.Person{ID: "P1", Name: "Bea", Version: match.Version{Counter: 7}})) // from the fleet
	check("P1", false)
	both := got[match.Person](t)(s.Edit("P1", match.Edit{Name: new("Cid"), Notify: new(true)}))
	if !both.Notify || both.Name != "Cid" || both.Version.Counter != 8 {
		t.Errorf("%+v", both)
	}
	must(t, s.Enroll(match.Person{ID: "P2", Name: "Bo"}, nil))
	_, err := s.Edit("P1", match.Edit{Name: new("bo"), Notify: new(false)})
	wantError(t, err, "change person: name is taken by person P2: choose another, or add the images to that person")
	check("P1", true)
	_, err = s.Edit("P3", match.Edit{Notify: new(false)})
	wantError(t, err, `change person: person "P3": not found`)

	got[match.Person](t)(s.Edit("P2", match.Edit{Notify: new(false)}))
	must(t, s.Absorb("P2", "P1"))
	if heir := check("P1", false); heir.Name != "Cid" || heir.Version.Counter != 8 {
		t.Errorf("%+v", heir)
	}
}

// As they were stored before there was such a thing.
func TestWhoWasEnrolledBeforeIsAnnounced(t *testing.T) {
	p := got[match.Person](t)(decodePerson("P1", []byte(`{"name":"Ana","created":"2026-01-02T03:04:05Z","updated":"2026-01-02T03:04:05Z"}`)))
	if !p.Notify {
		t.Errorf("%+v", p)
	}
}

func TestPersonTemplatesAreOnlyThatPersons(t *testing.T) {
	s := open(t, t.TempDir(), Options{})
	must(t, s.Enroll(ana(), templates("P1", 2)))
	must(t, s.Enroll(match.Person{ID: "P11", Name: "Bo"}, templates("P11", 1)))
	n := 0
	must(t, s.PersonTemplates("P1", func(m match.Template) error {
		n++
		if m.Person != "P1" {
			t.Errorf("template of %s", m.Person)
		}
		return nil
	}))
	if n != 2 {
		t.Errorf("%d templates, want 2", n)
	}
	stop := errors.New("stop")
	if err := s.Templates(func(match.Template) error { return stop }); err != stop {
		t.Errorf("error %v, want the one of yield", err)
	}
}
