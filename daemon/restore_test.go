package daemon

import (
	"bytes"
	"io"
	"testing"

	"facerecd/daemon/api"
	"facerecd/daemon/event"
	"facerecd/match"
)

// TestWhoIsRestoredIsRestoredInTheFleet holds for who was never there, and for
// who was deleted, whom --with-deleted brings back.
func TestWhoIsRestoredIsRestoredInTheFleet(t *testing.T) {
	t.Parallel()
	m := newMosquitto(t)
	m.start(t)
	key := newKey(t)
	alone := start(t, member(t, m, "alone", newKey(t)))
	alone.register(t, "Ana", "obama2", "obama3")
	r, err := alone.Client.Backup(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	backup, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	r.Close()

	a, b := start(t, member(t, m, "a", key)), start(t, member(t, m, "b", key))
	a.inStep(t)
	b.inStep(t)
	restore := func(o api.RestoreOptions) api.Restored {
		t.Helper()
		done, err := a.Restore(t.Context(), bytes.NewReader(backup), o)
		if err != nil {
			t.Fatal(err)
		}
		return done
	}
	restore(api.RestoreOptions{})
	soon(t, "knows who was restored", "obama", "Ana", a, b)
	id := b.people(t)[0].ID
	b.forget(t, id)
	soon(t, "has forgotten them", "obama", "", a, b)
	if done := restore(api.RestoreOptions{}); done.People != 0 || done.Deleted != 1 {
		t.Errorf("restored %+v", done)
	}
	if a.sees(t, "obama") != "" {
		t.Error("who was deleted in the fleet came back")
	}
	restore(api.RestoreOptions{Replace: true, WithDeleted: true})
	soon(t, "knows who was brought back", "obama", "Ana", a, b)
	if people := b.people(t); len(people) != 1 || people[0].ID == id {
		t.Errorf("people %+v", people)
	}
}

func TestWhoIsNotAnnouncedIsNotAfterARestoreEither(t *testing.T) {
	m, _ := newMembers(t)
	if _, err := m.Enroll("Ana", "P1", []match.Template{{ID: "T1", Model: "m", Vector: []float32{1, 0}}}); err != nil {
		t.Fatal(err)
	}
	if _, err := m.Edit(t.Context(), "P1", match.Edit{Notify: new(false)}); err != nil {
		t.Fatal(err)
	}
	there, _ := newMembers(t)
	from, to := &Backups{Roster: m.Roster, IDs: &event.IDs{}, Log: m.Log}, &Backups{Roster: there.Roster, IDs: &event.IDs{}, Log: m.Log}
	backup, err := from.Backup(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer backup.Close()
	if _, err := to.Restore(t.Context(), backup, api.RestoreOptions{}); err != nil {
		t.Fatal(err)
	}
	if name, _ := there.Name("P1"); name != "Ana" || there.Notify("P1") {
		t.Errorf("%q is announced: %v", name, there.Notify("P1"))
	}
}
