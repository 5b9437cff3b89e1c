package store

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/dgraph-io/badger/v4"

	"facerecd/cross/testkit"
	"facerecd/match"
)

const (
	marker     = "Zaphod-Beeblebrox"
	cropMarker = "two-heads-three-arms"
)

// withCrops gives the templates of withMarker their crops.
func withCrops(t *testing.T, s *Store) {
	t.Helper()
	ts := templates("P1", 4)
	for i := range ts {
		ts[i].Model, ts[i].Crop = marker, []byte(cropMarker)
	}
	must(t, s.Enroll(match.Person{ID: "P1", Name: marker}, ts))
}

// withMarker enrols a person whose name, model and events carry the marker.
func withMarker(t *testing.T, s *Store, events int) {
	t.Helper()
	ts := templates("P1", 4)
	for i := range ts {
		ts[i].Model = marker
	}
	must(t, s.Enroll(match.Person{ID: "P1", Name: marker}, ts))
	must(t, s.Enroll(match.Person{ID: "P2", Name: "Trillian-McMillan"}, templates("P2", 2)))
	for i := range events {
		r := row(i, "P1")
		r.Payload = fmt.Appendf(nil, `{"person":%q,"n":%d}`, marker, i)
		got[uint64](t)(s.Append(r))
	}
	got[uint64](t)(s.Append(row(events, "P2")))
}

func TestDeleteForgetsThePersonAndStillDeliversTheEvents(t *testing.T) {
	s := open(t, t.TempDir(), Options{})
	withMarker(t, s, 4)
	withCrops(t, s)
	must(t, s.Ack(1)) // published already

	receipt := got[Receipt](t)(s.Delete("P1", func(p []byte) ([]byte, error) {
		return bytes.ReplaceAll(p, []byte(marker), []byte("nobody")), nil
	}))
	if want := (Receipt{Person: "P1", Templates: 4, Crops: 4, History: 4, Queued: 3, Purged: true}); receipt != want {
		t.Errorf("receipt %+v, want %+v", receipt, want)
	}
	for range 2 {
		if _, err := s.Person("P1"); !errors.Is(err, ErrNotFound) {
			t.Errorf("person: %v", err)
		}
		if _, err := s.FindByName(marker); !errors.Is(err, ErrNotFound) {
			t.Errorf("name: %v", err)
		}
		left := 0
		must(t, s.Templates(func(m match.Template) error {
			left++
			if m.Person != "P2" {
				t.Errorf("template of %s", m.Person)
			}
			return nil
		}))
		if left != 2 {
			t.Errorf("%d templates of the other person, want 2", left)
		}
		if got := historyIDs(t, s, "", 10); got != "E00004" {
			t.Errorf("history: %s", got)
		}
		for i, q := range got[[]Queued](t)(s.Pending(0, 10)) {
			want := Queued{Seq: uint64(i + 2), Row: row(i+1, "")}
			want.Payload = fmt.Appendf(nil, `{"person":"nobody","n":%d}`, i+1)
			if i == 3 {
				want = Queued{Seq: 5, Row: row(4, "P2")}
			}
			if fmt.Sprint(q) != fmt.Sprint(want) {
				t.Errorf("waiting event\n%v\nwant\n%v", q, want)
			}
		}
		if count, _ := s.Backlog(); count != 4 {
			t.Errorf("%d events wait, want 4", count)
		}
		s = reopen(t, s)
	}
	_, err := s.Delete("P1", redactAll)
	wantError(t, err, `delete person: person "P1": not found`)
}

// TestDeleteLeavesNoTraceInAnyFile looks for the marker in every byte of the
// directory, as somebody with the SD card could, and does so after closing and
// while the store is open.
func TestDeleteLeavesNoTraceInAnyFile(t *testing.T) {
	for _, tc := range []struct {
		name string
		prep func(*testing.T, *Store) *Store
	}{
		{"in the write-ahead log", func(_ *testing.T, s *Store) *Store { return s }},
		{"in a table", func(t *testing.T, s *Store) *Store { return reopen(t, s) }},
		{"in tables of several levels", func(t *testing.T, s *Store) *Store {
			// More than Badger keeps on its last level alone (10 MiB).
			for i := range 60 {
				must(t, s.SetSetting(fmt.Sprint(i), make([]byte, MaxValue)))
			}
			must(t, s.Compact())
			got[match.Person](t)(s.Rename("P1", marker+" again"))
			s = reopen(t, s)
			levels := map[int]bool{}
			for _, table := range s.db.Tables() {
				levels[table.Level] = true
			}
			if len(levels) < 2 {
				t.Fatalf("the tables are on levels %v", levels)
			}
			got[uint64](t)(s.Append(Row{ID: "E9", Person: "P1", Topic: "t", Payload: []byte(marker)}))
			return s
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := open(t, t.TempDir(), Options{})
			withMarker(t, s, 20)
			withCrops(t, s)
			s = tc.prep(t, s)
			for _, m := range []string{marker, cropMarker} {
				if len(filesWith(t, s.dir, m)) == 0 {
					t.Fatalf("%s is in no file to begin with; the test proves nothing", m)
				}
			}
			if receipt := got[Receipt](t)(s.Delete("P1", redactAll)); !receipt.Purged {
				t.Errorf("receipt %+v", receipt)
			}
			for _, m := range []string{marker, cropMarker} {
				if files := filesWith(t, s.dir, m); files != nil {
					t.Errorf("%s is in %v of the open store", m, files)
				}
			}
			must(t, s.Close())
			for _, m := range []string{marker, cropMarker} {
				if files := filesWith(t, s.dir, m); files != nil {
					t.Errorf("%s is in %v of the closed store", m, files)
				}
			}
			if files := filesWith(t, s.dir, "Trillian"); files == nil {
				t.Error("the other person is gone as well")
			}
		})
	}
}

func TestAnOldNameLeavesTheFilesWithRun(t *testing.T) {
	s := open(t, t.TempDir(), Options{})
	withMarker(t, s, 0)
	got[match.Person](t)(s.Rename("P1", "Ana"))
	for i := range 4 { // the templates carry the marker as their model
		must(t, s.Enroll(ana(), templates("P1", 4)[i:i+1]))
	}
	must(t, s.tidy())
	if files := filesWith(t, s.dir, marker); files != nil {
		t.Errorf("the old name is in %v", files)
	}
}

func TestDeleteDoesNothingWhenAnEventCannotBeRedacted(t *testing.T) {
	s := open(t, t.TempDir(), Options{})
	withMarker(t, s, 3)
	n := 0
	_, err := s.Delete("P1", func(p []byte) ([]byte, error) {
		if n++; n == 3 {
			return nil, errors.New("not JSON")
		}
		return p, nil
	})
	wantError(t, err, "delete person: take the person out of event E00002: not JSON")
	if p := got[match.Person](t)(s.Person("P1")); p.Templates != 4 {
		t.Errorf("person %+v", p)
	}
	if got := historyIDs(t, s, "", 10); got != "E00003 E00002 E00001 E00000" {
		t.Errorf("history: %s", got)
	}
	got[uint64](t)(s.Append(row(9, "P1"))) // nobody was forgotten
}

func TestNothingIsStoredOfAPersonAfterDelete(t *testing.T) {
	s := open(t, t.TempDir(), Options{})
	must(t, s.Enroll(ana(), nil))
	got[Receipt](t)(s.Delete("P1", redactAll))
	_, err := s.Append(row(0, "P1"))
	wantError(t, err, "append event: person was deleted: take the person out of the event")
	wantError(t, s.Enroll(ana(), nil), "enrol person: person was deleted: enrol them with a new id")
	must(t, s.Enroll(match.Person{ID: "P3", Name: "Ana"}, nil)) // the name is free
}

// TestALargeDeleteIsFinishedAfterAnInterruption has more rows than one
// transaction takes.
func TestALargeDeleteIsFinishedAfterAnInterruption(t *testing.T) {
	s := open(t, t.TempDir(), Options{})
	withMarker(t, s, 0)
	withCrops(t, s)
	fill(t, s, 8000)
	calls, crash := 0, errors.New("power cut")
	_, err := s.Delete("P1", func(p []byte) ([]byte, error) {
		// The first 8000 calls find out whether it works.
		if calls++; calls > 8000+1000 {
			return nil, crash
		}
		return redactAll(p)
	})
	if !errors.Is(err, crash) {
		t.Fatalf("error %v", err)
	}
	s = reopen(t, s)
	if _, err := s.Person("P1"); !errors.Is(err, ErrNotFound) {
		t.Errorf("person: %v", err)
	}
	must(t, s.Templates(func(m match.Template) error {
		if m.Person == "P1" {
			t.Error("a template of a half-deleted person is given out")
		}
		return nil
	}))
	for _, q := range got[[]Queued](t)(s.Pending(0, 1<<20)) {
		if bytes.Contains(q.Payload, []byte(marker)) {
			t.Fatal("an event of a half-deleted person is given out")
		}
	}
	_, err = s.Append(Row{ID: "E", Person: "P1"})
	if !errors.Is(err, ErrForgotten) {
		t.Errorf("append: %v", err)
	}

	for len(s.Appended()) > 0 {
		<-s.Appended()
	}
	receipts := got[[]Receipt](t)(s.FinishDeletes(redactAll))
	if len(receipts) != 1 || receipts[0].Person != "P1" || receipts[0].Queued == 0 || !receipts[0].Purged {
		t.Errorf("receipts %+v", receipts)
	}
	<-s.Appended() // for those that were held back
	if count, _ := s.Backlog(); count != 8001 {
		t.Errorf("%d events wait, want 8001", count)
	}
	pending := got[[]Queued](t)(s.Pending(0, 1<<20))
	if len(pending) != 8001 {
		t.Errorf("%d events are given out, want 8001", len(pending))
	}
	must(t, s.Close())
	for _, m := range []string{marker, cropMarker} {
		if files := filesWith(t, s.dir, m); files != nil {
			t.Errorf("%s is in %v", m, files)
		}
	}
	s = open(t, s.dir, Options{})
	if receipts := got[[]Receipt](t)(s.FinishDeletes(redactAll)); receipts != nil {
		t.Errorf("finished twice: %+v", receipts)
	}
}

// fill appends events of P1 in large transactions, to spare thousands of fsyncs.
func fill(t *testing.T, s *Store, n int) {
	t.Helper()
	for from := s.events.seq + 1; n > 0; n -= batch {
		must(t, s.db.Update(func(txn *badger.Txn) error {
			for i := range uint64(min(n, batch)) {
				r := encodeRow(Row{ID: "E", Person: "P1", Payload: []byte(marker)}, 0)
				must(t, txn.Set(sequenceKey(queuePrefix, from+i), r))
				must(t, txn.Set(sequenceKey(historyPrefix, from+i), r))
			}
			l := eventLog{seq: from + batch}
			return txn.Set([]byte(eventsKey), l.encode(0))
		}))
		from += uint64(batch)
	}
	must(t, s.load())
}

func TestResidueOfAFailedPurgeIsRemovedByRun(t *testing.T) {
	var logged testkit.Buffer
	s := open(t, t.TempDir(), Options{Log: logTo(&logged, slog.LevelInfo)})
	withMarker(t, s, 2)
	plenty := s.opts.MinFree
	s.mu.Lock()
	_, err := s.forget("P1", redactAll)
	s.opts.MinFree = 1 << 60 // the disk is too full to rewrite anything
	purged := s.purge()
	s.mu.Unlock()
	must(t, err)
	if purged || !strings.Contains(logged.String(), "may still be in the store's files") {
		t.Errorf("purged %v, log %s", purged, logged.String())
	}
	if strings.Contains(logged.String(), marker) {
		t.Errorf("the name is in the log: %s", logged.String())
	}
	s.opts.MinFree = plenty
	s = reopen(t, s)
	must(t, s.tidy())
	if files := filesWith(t, s.dir, marker); files != nil {
		t.Errorf("the marker is in %v", files)
	}
	if left := got[bool](t)(s.hasResidue()); left {
		t.Error("the mark of residue is left")
	}
	if p := got[match.Person](t)(s.Person("P2")); p.Templates != 2 {
		t.Errorf("the other person: %+v", p)
	}
}
