package daemon

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"facerecd/daemon/event"
	"facerecd/match"
)

// Nothing else in the store's files looks like it.
const secretName = "Barack Obama the Forgotten"

func TestWhoIsDeletedInViewIsNamedNoMore(t *testing.T) {
	t.Parallel()
	plug := filepath.Join(t.TempDir(), "camera")
	c := settings(t, plug)
	r := start(t, c)
	w := watch(t, r.broker, "")
	e, err := r.Register(t.Context(), secretName, []string{photo(t, "obama2"), photo(t, "obama3")})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(photo(t, "obama"), plug); err != nil {
		t.Fatal(err)
	}
	seen := w.event(t, func(e event.Event) bool { return e.Type == event.Recognized })
	w.presence(t, func(p presence) bool { return len(p.People) == 1 && p.People[0].Name == secretName })

	receipt, err := r.Delete(t.Context(), e.Person.ID)
	deleted := time.Now()
	if err != nil || receipt.Person != e.Person.ID || receipt.Templates != 2 || receipt.History < 1 || !receipt.Purged ||
		receipt.Topics != 3 || receipt.Fleet != 0 { // their own, the camera's present, and the discovery
		t.Errorf("receipt %+v, %v", receipt, err)
	}
	w.presence(t, func(p presence) bool { return len(p.People) == 0 })
	if took := time.Since(deleted); took > time.Second*slow {
		t.Errorf("the name was present for another %v", took)
	}
	again := w.event(t, func(e event.Event) bool { return e.Type == event.Unknown })
	if was := w.tracks[seen.Track]; was.Type != event.Left || was.Person != nil || !near(again.Box, seen.Box) {
		t.Errorf("the track that had the name: %+v; the same face without it: %+v", was, again)
	}
	w.presence(t, func(p presence) bool { return p.Unknown == 1 })
	r.stop(t)
	w.offline(t)
	for _, e := range w.all {
		if e.Time.After(deleted) && (e.Person != nil || e.Score != 0) {
			t.Errorf("told after the deletion: %+v", e)
		}
	}
	nothingIsLeft(t, r)
}

func TestWhoIsDeletedWhileTheBrokerIsAwayIsNotNamedLater(t *testing.T) {
	t.Parallel()
	m := newMosquitto(t)
	m.start(t)
	watch(t, m.addr, "watcher").close()
	m.stop(t)
	c := settings(t, photo(t, "obama"))
	c.MQTT.Broker = "tcp://" + m.addr
	r := start(t, c)
	e, err := r.Register(t.Context(), secretName, []string{photo(t, "obama2"), photo(t, "obama3")})
	if err != nil {
		t.Fatal(err)
	}
	recognised := func() bool {
		rows, err := r.Daemon.health.parts.store.History("", 100)
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range rows {
			if row.Person != "" {
				return true
			}
		}
		return false
	}
	eventually(t, "the person is recognised", recognised)
	receipt, err := r.Delete(t.Context(), e.Person.ID)
	if err != nil || receipt.Queued < 1 || receipt.History < 1 || !receipt.Purged || recognised() {
		t.Errorf("receipt %+v, %v", receipt, err)
	}
	m.start(t)
	w := watch(t, m.addr, "watcher")
	w.redacted = true
	if e := w.event(t, func(e event.Event) bool { return e.Type == event.Recognized }); e.Person != nil || e.Score != 0 {
		t.Errorf("told after the deletion: %+v", e)
	}
	r.stop(t)
	nothingIsLeft(t, r)
}

// nothingIsLeft looks for secretName where the daemon has stopped.
func nothingIsLeft(t *testing.T, r *rig) {
	t.Helper()
	s := reopen(t, r.Config)
	people, err := s.People()
	if err != nil || len(people) > 0 {
		t.Errorf("people %+v, %v", people, err)
	}
	if err := s.Templates(func(m match.Template) error {
		t.Errorf("template %s is left", m.ID)
		return nil
	}); err != nil {
		t.Error(err)
	}
	rows, err := s.History("", 1000)
	if err != nil {
		t.Error(err)
	}
	for _, row := range rows {
		if row.Person != "" || bytes.Contains(row.Payload, []byte(secretName)) {
			t.Errorf("event is left: %s", row.Payload)
		}
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if err := filepath.WalkDir(r.Config.DataDir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if bytes.Contains(data, []byte(secretName)) {
			t.Errorf("%s has the name", path)
		}
		return err
	}); err != nil {
		t.Error(err)
	}
	if bytes.Contains([]byte(r.log.String()), []byte(secretName)) {
		t.Error("the log has the name")
	}
}
