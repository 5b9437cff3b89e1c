package store

import (
	"bytes"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"facerecd/cross/testkit"
	"facerecd/match"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(crashDir); dir != "" {
		crashChild(dir)
		return
	}
	goleak.VerifyTestMain(
		m,
		// Badger v4.9.6 does not end these when Open fails (DB.cleanup).
		goleak.IgnoreTopFunction("github.com/dgraph-io/ristretto/v2/z.(*AllocatorPool).freeupAllocators"),
		goleak.IgnoreTopFunction("github.com/dgraph-io/badger/v4.(*DB).monitorCache"),
	)
}

// open opens a store that is closed when the test ends.
func open(t testing.TB, dir string, opts Options) *Store {
	t.Helper()
	s, err := Open(dir, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func reopen(t testing.TB, s *Store) *Store {
	t.Helper()
	must(t, s.Close())
	opts := s.opts
	return open(t, s.dir, opts)
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func got[T any](t testing.TB) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		must(t, err)
		return v
	}
}

// wantError compares an error's text, and so what the user reads.
func wantError(t testing.TB, err error, want string) {
	t.Helper()
	if err == nil || err.Error() != want {
		t.Errorf("error: %v\nwant:  %s", err, want)
	}
}

func ana() match.Person { return match.Person{ID: "P1", Name: "Ana"} }

func templates(person string, n int) []match.Template {
	r := rand.New(rand.NewPCG(1, uint64(len(person))))
	ts := make([]match.Template, n)
	for i := range ts {
		ts[i] = match.Template{
			ID: fmt.Sprintf("%s-T%04d", person, i), Person: person, Model: "mobilefacenet-int8-1",
			Quality: 0.9, Created: time.Date(2026, 11, 24, 10, 0, i%60, 5, time.UTC),
		}
		for range 192 {
			ts[i].Vector = append(ts[i].Vector, float32(r.NormFloat64()))
		}
	}
	return ts
}

func row(i int, person string) Row {
	return Row{
		ID: fmt.Sprintf("E%05d", i), Person: person, Topic: "facerecd/pi/door/event",
		At:      time.Date(2026, 11, 24, 10, 0, 0, i, time.UTC),
		Payload: fmt.Appendf(nil, `{"n":%d,"person":%q}`, i, person),
	}
}

func appendRows(t testing.TB, s *Store, from, to int, person string) {
	t.Helper()
	for i := from; i < to; i++ {
		if _, err := s.Append(row(i, person)); err != nil {
			t.Fatal(err)
		}
	}
}

// ids lists the events that wait.
func pendingIDs(t testing.TB, s *Store) string {
	t.Helper()
	var ids []string
	for _, q := range got[[]Queued](t)(s.Pending(0, 1000)) {
		ids = append(ids, q.ID)
	}
	return strings.Join(ids, " ")
}

func historyIDs(t testing.TB, s *Store, before string, limit int) string {
	t.Helper()
	var ids []string
	for _, r := range got[[]Row](t)(s.History(before, limit)) {
		ids = append(ids, r.ID)
	}
	return strings.Join(ids, " ")
}

func redactAll([]byte) ([]byte, error) { return []byte(`{"person":null}`), nil }

// filesWith lists the files of a store in which a text occurs.
func filesWith(t testing.TB, dir, text string) (names []string) {
	t.Helper()
	files := got[[]string](t)(filepath.Glob(filepath.Join(dir, "*")))
	for _, f := range files {
		data := got[[]byte](t)(os.ReadFile(f))
		if bytes.Contains(data, []byte(text)) {
			names = append(names, filepath.Base(f))
		}
	}
	return names
}

// logTo is a log that a test reads.
func logTo(l *testkit.Buffer, level slog.Level) *slog.Logger {
	return slog.New(slog.NewTextHandler(l, &slog.HandlerOptions{Level: level}))
}
