package daemon

import (
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"facerecd/cross/testkit"
	"facerecd/daemon/api"
	"facerecd/daemon/event"
	"facerecd/daemon/fleet"
	"facerecd/match"
	"facerecd/match/store"
)

// newMembers is the roster of a device with an empty store and model "m".
func newMembers(t *testing.T) (*members, *testkit.Buffer) {
	t.Helper()
	r := newRoster(t, "here", 2)
	log := new(testkit.Buffer)
	return &members{Roster: r, Log: slog.New(slog.NewTextHandler(log, nil))}, log
}

// alive is a record of somebody with one template of each model.
func alive(id, name string, counter uint64, models ...string) fleet.Record {
	var templates []match.Template
	for i, model := range models {
		templates = append(templates, match.Template{ID: "T" + id, Model: model, Vector: []float32{1, float32(i)}, Quality: 0.5})
	}
	return fleet.OfPerson(match.Person{
		ID: id, Name: name, Created: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), Version: match.Version{Counter: counter, Device: "there"},
	}, templates)
}

func gone(id string) fleet.Record {
	return fleet.OfGrave(store.Grave{Mark: store.MarkOf(id), Deleted: true})
}

func united(id, into string) fleet.Record {
	return fleet.OfGrave(store.Grave{Mark: store.MarkOf(id), Into: store.MarkOf(into)})
}

// apply takes in records as fleet.Sync does, and returns who else was changed.
func (m *members) apply(t *testing.T, records ...fleet.Record) []store.Mark {
	t.Helper()
	for i, r := range records {
		if ours, ok, err := m.Record(r.Mark); err != nil {
			t.Fatal(err)
		} else if ok {
			records[i] = fleet.Merge(ours, r)
		}
	}
	touched, err := m.Apply(records)
	if err != nil {
		t.Fatal(err)
	}
	return touched
}

// state is everybody in the store, and checks that gallery and names agree.
func (m *members) state(t *testing.T) string {
	t.Helper()
	people, err := m.List(t.Context(), api.Selection{})
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	comparable, foreign := 0, 0
	for _, p := range people {
		var templates []string
		if err := m.Store.PersonTemplates(p.ID, func(tm match.Template) error {
			templates = append(templates, tm.ID+"@"+tm.Model)
			if tm.Model == "m" {
				comparable++
			} else {
				foreign++
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		all = append(all, fmt.Sprintf("%s=%s(%s)", p.ID, p.Name, strings.Join(templates, " ")))
		if name, ok := m.Name(p.ID); !ok || name != p.Name || m.id(store.MarkOf(p.ID)) != p.ID {
			t.Errorf("%s is called %q, %v", p.ID, name, ok)
		}
	}
	if len(m.names) != len(people) || len(m.ids) != len(people) || m.Gallery.Len() != comparable || m.Gallery.Foreign() != foreign {
		t.Errorf("%d names, %d ids; %d templates compared and %d foreign, of %d and %d", len(m.names), len(m.ids), m.Gallery.Len(), m.Gallery.Foreign(), comparable, foreign)
	}
	return strings.Join(all, " ")
}

// TestWhatComesFromTheFleet applies each set of records in every order, at once.
func TestWhatComesFromTheFleet(t *testing.T) {
	for _, tc := range []struct {
		name         string
		before, come []fleet.Record
		want         string
		touched      string // ids
	}{
		{"somebody new", nil, []fleet.Record{alive("P1", "Ana", 1, "m")}, "P1=Ana(TP1@m)", ""},
		{"somebody with another name", []fleet.Record{alive("P1", "Ana", 1, "m")}, []fleet.Record{alive("P1", "Anna", 2)}, "P1=Anna(TP1@m)", ""},
		{"somebody with an older name", []fleet.Record{alive("P1", "Anna", 2, "m")}, []fleet.Record{alive("P1", "Ana", 1)}, "P1=Anna(TP1@m)", ""},
		{
			"people who exchanged their names",
			[]fleet.Record{alive("P1", "Ana", 1, "m"), alive("P2", "Bob", 1, "m")},
			[]fleet.Record{alive("P1", "Bob", 2), alive("P2", "Ana", 2)},
			"P1=Bob(TP1@m) P2=Ana(TP2@m)", "",
		},
		{
			"a name that passed on",
			[]fleet.Record{alive("P1", "Ana", 1, "m")},
			[]fleet.Record{alive("P1", "Old Ana", 2), alive("P2", "Ana", 1, "m")},
			"P1=Old Ana(TP1@m) P2=Ana(TP2@m)", "",
		},
		{"a deletion", []fleet.Record{alive("P1", "Ana", 1, "m")}, []fleet.Record{gone("P1")}, "", ""},
		{
			"a deletion and a new enrolment under the name",
			[]fleet.Record{alive("P1", "Ana", 1, "m")},
			[]fleet.Record{gone("P1"), alive("P2", "Ana", 1, "m")},
			"P2=Ana(TP2@m)", "",
		},
		{"a deletion of somebody who is not here", nil, []fleet.Record{gone("P1")}, "", ""},
		{
			"two of one name, the new one later",
			[]fleet.Record{alive("P1", "Ana", 1, "m")},
			[]fleet.Record{alive("P2", "ana", 1, "m")},
			"P1=Ana(TP1@m TP2@m)", "P1 P2",
		},
		{
			"two of one name, the new one earlier",
			[]fleet.Record{alive("P2", "Ana", 1, "m")},
			[]fleet.Record{alive("P1", "ana", 1, "m")},
			"P1=ana(TP1@m TP2@m)", "P1 P2",
		},
		{
			"three of one name",
			[]fleet.Record{alive("P2", "Ana", 1, "m")},
			[]fleet.Record{alive("P3", "Ana", 1, "m"), alive("P1", "Ana", 1, "m")},
			"P1=Ana(TP1@m TP2@m TP3@m)", "P1 P2 P3",
		},
		{
			"somebody taken into another elsewhere",
			[]fleet.Record{alive("P1", "Ana", 1, "m"), alive("P2", "Bob", 1, "m")},
			[]fleet.Record{united("P2", "P1")},
			"P1=Ana(TP1@m TP2@m)", "P1",
		},
		{
			"and into somebody who is new",
			[]fleet.Record{alive("P2", "Ana", 1, "m")},
			[]fleet.Record{united("P2", "P1"), alive("P1", "Anna", 2, "m")},
			"P1=Anna(TP1@m TP2@m)", "P1",
		},
		{
			"and the name passed on",
			[]fleet.Record{alive("P2", "Ana", 1, "m")},
			[]fleet.Record{united("P2", "P1"), alive("P1", "Anna", 2, "m"), alive("P3", "Ana", 1, "m")},
			"P1=Anna(TP1@m TP2@m) P3=Ana(TP3@m)", "P1",
		},
		{"into somebody of whom nothing is known", []fleet.Record{alive("P2", "Ana", 1, "m")}, []fleet.Record{united("P2", "P1")}, "P2=Ana(TP2@m)", ""},
		{"into somebody who was deleted", []fleet.Record{alive("P2", "Ana", 1, "m")}, []fleet.Record{united("P2", "P1"), gone("P1")}, "", "P2"},
		{"what was united is deleted together", []fleet.Record{alive("P1", "Ana", 1, "m"), united("P2", "P1")}, []fleet.Record{gone("P2")}, "", "P1"},
		{
			"a chain",
			[]fleet.Record{alive("P3", "Cid", 1, "m")},
			[]fleet.Record{united("P3", "P2"), united("P2", "P1"), alive("P1", "Ana", 1, "m")},
			"P1=Ana(TP1@m TP3@m)", "P1",
		},
		{"a template of another model", nil, []fleet.Record{alive("P1", "Ana", 1, "n")}, "P1=Ana(TP1@n)", ""},
		{"a template of two models", nil, []fleet.Record{alive("P1", "Ana", 1, "n", "m")}, "P1=Ana(TP1@m)", ""},
		{"a template made anew for this model", []fleet.Record{alive("P1", "Ana", 1, "n")}, []fleet.Record{alive("P1", "Ana", 1, "m")}, "P1=Ana(TP1@m)", ""},
		{"and for another", []fleet.Record{alive("P1", "Ana", 1, "m")}, []fleet.Record{alive("P1", "Ana", 1, "n")}, "P1=Ana(TP1@m)", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for _, order := range orders(len(tc.come)) {
				m, log := newMembers(t)
				for _, r := range tc.before {
					m.apply(t, r)
				}
				var come []fleet.Record
				for _, i := range order {
					come = append(come, tc.come[i])
				}
				touched := m.apply(t, come...)
				if got := m.state(t); got != tc.want {
					t.Errorf("order %v: %s, want %s", order, got, tc.want)
				}
				want := []store.Mark{}
				for _, id := range strings.Fields(tc.touched) {
					want = append(want, store.MarkOf(id))
				}
				slices.SortFunc(touched, store.Mark.Compare)
				slices.SortFunc(want, store.Mark.Compare)
				if !slices.Equal(touched, want) {
					t.Errorf("order %v: touched %d, want %s", order, len(touched), tc.touched)
				}
				if strings.Contains(log.String(), "An") {
					t.Errorf("a name is in the log:\n%s", log)
				}
				// The same once more changes nothing.
				if m.apply(t, come...); m.state(t) != tc.want {
					t.Errorf("order %v: applied twice it is %s", order, m.state(t))
				}
				if err := m.Store.Close(); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

// orders are all permutations of 0..n-1.
func orders(n int) [][]int {
	all := [][]int{{}}
	for i := range n {
		var next [][]int
		for _, o := range all {
			for at := range len(o) + 1 {
				next = append(next, slices.Insert(slices.Clone(o), at, i))
			}
		}
		all = next
	}
	return all
}

func TestWhoWaitsForAnotherIsTakenInLater(t *testing.T) {
	m, _ := newMembers(t)
	m.apply(t, alive("P2", "Ana", 1, "m"))
	m.apply(t, united("P2", "P1"))
	m.apply(t, alive("P9", "Bob", 1, "m"))
	m.apply(t, alive("P1", "Anna", 2, "m"))
	if got, want := m.state(t), "P1=Anna(TP1@m TP2@m) P9=Bob(TP9@m)"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestATemplateThatCannotBeComparedIsLeftOut(t *testing.T) {
	m, log := newMembers(t)
	r := alive("P1", "Ana", 1, "m")
	r.Templates[0].Vector = []float32{1, 2, 3}
	m.apply(t, r)
	if got := m.state(t); got != "P1=Ana()" || !strings.Contains(log.String(), "cannot be used") {
		t.Errorf("%s; %s", got, log)
	}
}

func TestEventsOfADeletedMemberGoOutWithoutThem(t *testing.T) {
	m, _ := newMembers(t)
	m.apply(t, alive("P1", "Ana", 1, "m"), alive("P2", "Bob", 1, "m"))
	l := &event.Log{Store: m.Store, Device: "here", Topic: func(string) string { return "x" }}
	for _, id := range []string{"P1", "P2"} {
		if err := l.Record(event.Event{Type: event.Recognized, Camera: "door", Track: id, Person: &event.Person{ID: id, Name: "Somebody"}}); err != nil {
			t.Fatal(err)
		}
	}
	m.apply(t, united("P2", "P1"))
	m.apply(t, gone("P2")) // and so P1
	if m.state(t) != "" {
		t.Error(m.state(t))
	}
	queued, err := m.Store.Pending(0, 10)
	if err != nil || len(queued) != 2 {
		t.Fatalf("%d events, %v", len(queued), err)
	}
	for _, q := range queued {
		if strings.Contains(string(q.Payload), "Somebody") || q.Person != "" {
			t.Errorf("event %s", q.Payload)
		}
	}
}

// Who is announced is each device's own: what comes of a person leaves it alone, and
// when two become one, who was not to be announced here is not.
func TestWhoIsNotAnnouncedIsNotByTheFleetEither(t *testing.T) {
	m, _ := newMembers(t)
	m.apply(t, alive("P2", "Bob", 1, "m"))
	var told []store.Mark
	m.OnChange = func(mark store.Mark) { told = append(told, mark) }
	if _, err := m.Edit(t.Context(), "P2", match.Edit{Notify: new(false)}); err != nil || m.Notify("P2") {
		t.Fatalf("announced, %v", err)
	}
	if len(told) > 0 {
		t.Error("the fleet is told")
	}
	m.apply(t, alive("P2", "Bobby", 2, "m"))
	if m.Notify("P2") {
		t.Error("he is announced again, as another device has named him")
	}
	m.apply(t, alive("P1", "bobby", 1, "m")) // who was enrolled first
	if got := m.id(store.MarkOf("P2")); got != "" || m.Notify("P1") {
		t.Errorf("%q is left, P1 announced %v", got, m.Notify("P1"))
	}
	again := &Roster{Store: m.Store, Gallery: match.NewGallery("m", 2)}
	if err := again.Load(); err != nil || again.Notify("P1") {
		t.Errorf("announced after a restart, %v", err)
	}
	m.apply(t, gone("P1"))
	if len(m.silent) > 0 {
		t.Errorf("somebody who was deleted is remembered: %v", m.silent)
	}
}

func TestChangesHereAreToldAndThoseOfTheFleetAreNot(t *testing.T) {
	m, _ := newMembers(t)
	var told []store.Mark
	m.OnChange = func(mark store.Mark) { told = append(told, mark) }
	m.apply(t, alive("P1", "Ana", 1, "m"))
	if len(told) != 0 {
		t.Error("what came is told")
	}
	p, err := m.Enroll("Bob", "P2", []match.Template{{ID: "T2", Model: "m", Vector: []float32{1, 1}}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.Edit(t.Context(), p.ID, match.Edit{Name: new("Bobby")}); err != nil {
		t.Fatal(err)
	}
	if _, err := m.Delete(t.Context(), p.ID); err != nil {
		t.Fatal(err)
	}
	if want := []store.Mark{store.MarkOf("P2"), store.MarkOf("P2"), store.MarkOf("P2")}; !slices.Equal(told, want) {
		t.Errorf("%d changes told", len(told))
	}
	r, ok, err := m.Record(store.MarkOf("P2"))
	if err != nil || !ok || !fleet.Equal(r, gone("P2")) {
		t.Errorf("record %+v, %v", r, err)
	}
	if marks, err := m.Marks(); err != nil || len(marks) != 2 {
		t.Errorf("%d marks, %v", len(marks), err)
	}
}
