package daemon

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"facerecd/daemon/api"
	"facerecd/match"
	"facerecd/match/store"
)

// newRoster is that of a device with an empty store, and a model "m" with so many
// elements.
func newRoster(t *testing.T, device string, size int) *Roster {
	t.Helper()
	s, err := store.Open(t.TempDir(), store.Options{Device: device})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	r := &Roster{Store: s, Gallery: match.NewGallery("m", size)}
	if err := r.Load(); err != nil {
		t.Fatal(err)
	}
	return r
}

// Enroll adds templates to the person who has the name, or to a new one with
// newID, without asking whose face they show.
func (r *Roster) Enroll(name, newID string, templates []match.Template) (match.Person, error) {
	r.change.Lock()
	defer r.change.Unlock()
	p, err := r.Store.FindByName(name)
	if errors.Is(err, store.ErrNotFound) {
		p = match.Person{ID: newID, Name: name}
	} else if err != nil {
		return p, fmt.Errorf("find person: %w", err)
	}
	return r.enroll(p, templates)
}

func TestPeopleAreSelectedByNameAndInPages(t *testing.T) {
	r := newRoster(t, "", 2)
	for i, name := range []string{"Ana María", "Bea", "Žana", "ANATOL", "Cy"} {
		id := fmt.Sprint("p", i)
		if _, err := r.Enroll(name, id, []match.Template{{ID: id + "t", Model: "m", Vector: []float32{1, float32(i)}}}); err != nil {
			t.Fatal(err)
		}
	}
	for _, tc := range []struct {
		which api.Selection
		want  []string
	}{
		{api.Selection{}, []string{"p0", "p1", "p2", "p3", "p4"}},
		{api.Selection{Name: "ana"}, []string{"p0", "p2", "p3"}},
		{api.Selection{Name: "A  M"}, []string{"p0"}},
		{api.Selection{Name: "x"}, nil},
		{api.Selection{Limit: 2}, []string{"p0", "p1"}},
		{api.Selection{After: "p1", Limit: 2}, []string{"p2", "p3"}},
		{api.Selection{Name: "ana", After: "p0", Limit: 1}, []string{"p2"}},
		{api.Selection{After: "p4"}, nil},
	} {
		people, err := r.List(t.Context(), tc.which)
		var got []string
		for _, p := range people {
			got = append(got, p.ID)
			if p.Templates != 1 || p.Name == "" {
				t.Errorf("%+v", p)
			}
		}
		if err != nil || !slices.Equal(got, tc.want) {
			t.Errorf("%+v: %v, %v; want %v", tc.which, got, err, tc.want)
		}
	}
}

// TestWhoIsDeletedDuringACheckIsNotInIt deletes between the comparison and the
// answer.
func TestWhoIsDeletedDuringACheckIsNotInIt(t *testing.T) {
	r := newRoster(t, "", 2)
	for _, id := range []string{"ana", "bo"} {
		templates := []match.Template{
			{ID: id + "1", Model: "m", Vector: []float32{1, 0}},
			{ID: id + "2", Model: "m", Vector: []float32{-1, 0}}, // missed
		}
		if _, err := r.Enroll(id, id, templates); err != nil {
			t.Fatal(err)
		}
	}
	policy := match.Policy{Threshold: 0.5, Slope: 10, Offset: -3}
	c, err := r.Checkup(t.Context(), policy)
	if err != nil || len(c.Missed) != 2 || len(c.Confusable) != 1 || len(c.Hurts) != 4 || len(c.Few) != 2 {
		t.Fatalf("%+v, %v", c, err)
	}
	r.mu.Lock()
	delete(r.names, "ana") // as the last step of a deletion leaves it
	r.mu.Unlock()
	c, err = r.Checkup(t.Context(), policy)
	if err != nil || len(c.Missed) != 1 || len(c.Confusable) != 0 || len(c.Hurts) != 0 || len(c.Few) != 1 || c.Few[0].Person.ID != "bo" {
		t.Errorf("%+v, %v", c, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := r.Checkup(ctx, policy); !errors.Is(err, context.Canceled) {
		t.Errorf("after a cancel: %v", err)
	}
}
