package store

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dgraph-io/badger/v4"

	"facerecd/match"
)

const model = "mobilefacenet-int8-1"

// towards is a unit vector whose cosine with towards(1) is cos.
func towards(cos float64) []float32 {
	v := make([]float32, 192)
	v[0], v[1] = float32(cos), float32(math.Sqrt(1-cos*cos))
	return v
}

// seen is an event with a face. Its picture begins with its id.
func seen(i int, person string, cos float64) Row {
	r := row(i, person)
	r.Face = Face{Model: model, Vector: towards(cos), Picture: fmt.Appendf(nil, "portrait-of-%s", r.ID)}
	return r
}

func appendAll(t testing.TB, s *Store, rows ...Row) {
	t.Helper()
	must(t, s.AppendAll(len(rows), func(i int, _ uint64) (Row, error) { return rows[i], nil }))
}

// exact fails the test unless the store counts what it holds.
func exact(t testing.TB, s *Store) {
	t.Helper()
	counted := s.events
	s.mu.Lock()
	defer s.mu.Unlock()
	must(t, s.load())
	counted.oldest = s.events.oldest // a bound
	if counted != s.events {
		t.Errorf("the store counts %+v and holds %+v", counted, s.events)
	}
}

func TestAnEventsFaceIsKeptWithIt(t *testing.T) {
	s := open(t, t.TempDir(), Options{})
	commits := s.Commits()
	appendAll(t, s, seen(0, "", 1), row(1, ""), seen(2, "", 0.5))
	if n := s.Commits() - commits; n != 1 {
		t.Errorf("%d transactions, want one for events and faces", n)
	}
	for range 2 {
		for i, want := range []Row{seen(0, "", 1), row(1, ""), seen(2, "", 0.5)} {
			want.Embedded, want.Pictured = want.Face.Vector != nil, want.Face.Picture != nil
			r := got[Row](t)(s.Recorded(want.ID))
			if found := got[[]Row](t)(s.History("", 3))[2-i]; found.Embedded != want.Embedded || found.Pictured != want.Pictured {
				t.Errorf("event %d is found as %+v", i, found)
			}
			if !reflect.DeepEqual(r, want) {
				t.Errorf("event %d is\n%+v\nwant\n%+v", i, r, want)
			}
		}
		for _, q := range got[[]Queued](t)(s.Pending(0, 9)) {
			if !reflect.DeepEqual(q.Face, Face{}) {
				t.Errorf("%s waits to be published with its face", q.ID)
			}
		}
		exact(t, s)
		s = reopen(t, s)
	}
	_, err := s.Recorded("E9")
	wantError(t, err, `read event "E9": not found`)
}

func TestAFaceThatIsNoneIsRefused(t *testing.T) {
	s := open(t, t.TempDir(), Options{})
	for want, f := range map[string]Face{
		"append event: event E00000: invalid picture: it has 262145 bytes, up to 262144 are possible": {Picture: make([]byte, MaxPicture+1)},
		`append event: event E00000: invalid model id "": it has 0 bytes, 1 to 200 are possible`:      {Vector: towards(1)},
		"append event: event E00000: invalid vector: it has 0 elements, 1 to 8192 are possible":       {Model: "m", Vector: []float32{}},
		"append event: event E00000: invalid vector: element 1 is NaN":                                {Model: "m", Vector: []float32{1, float32(math.NaN())}},
	} {
		r := row(0, "")
		r.Face = f
		_, err := s.Append(r)
		wantError(t, err, want)
	}
	largest := row(0, "")
	largest.Face = Face{Model: model, Vector: towards(1), Picture: make([]byte, MaxPicture)}
	appendAll(t, s, largest)
}

func TestTheHistoryIsBoundedByBytes(t *testing.T) {
	s := open(t, t.TempDir(), Options{MaxHistoryBytes: 5000})
	for i := range 9 {
		appendAll(t, s, seen(i, "", 1)) // some 900 bytes
	}
	if got := historyIDs(t, s, "", 10); got != "E00008 E00007 E00006 E00005 E00004" {
		t.Errorf("history: %s", got)
	}
	if got := pendingIDs(t, s); !strings.HasPrefix(got, "E00000 ") {
		t.Errorf("waiting: %s; what waits is not bounded by the history", got)
	}
	large := row(9, "")
	large.Face.Picture = make([]byte, 4500)
	appendAll(t, s, large)
	if got := historyIDs(t, s, "", 10); got != "E00009" {
		t.Errorf("history: %s; one large picture takes the place of several events", got)
	}
	exact(t, s)
	if n := keysUnder(t, s, facePrefix) + keysUnder(t, s, picturePrefix); n != 1 {
		t.Errorf("%d faces and pictures, want that of the one event", n)
	}
	s.opts.MaxHistoryBytes = 1000
	s = reopen(t, s)
	if got := historyIDs(t, s, "", 10); got != "" {
		t.Errorf("history: %s after the bound was lowered", got)
	}
	exact(t, s)
}

func keysUnder(t testing.TB, s *Store, prefix string) (n int) {
	t.Helper()
	must(t, s.view(func(txn *badger.Txn) error {
		for range keys(txn, prefix) {
			n++
		}
		return nil
	}))
	return n
}

func TestHistoryExpiresByTheTimeThatTheStoreWasOpen(t *testing.T) {
	s := open(t, t.TempDir(), Options{MaxHistoryAge: time.Hour})
	early := seen(0, "", 1)
	early.At = time.Unix(0, 0) // before the clock was set
	appendAll(t, s, early)
	s.opened = s.opened.Add(-50 * time.Minute)
	appendAll(t, s, seen(1, "", 1))
	s = reopen(t, s)
	must(t, s.tidy())
	if got := historyIDs(t, s, "", 9); got != "E00001 E00000" {
		t.Fatalf("dropped too early: %s", got)
	}
	s.opened = s.opened.Add(-11 * time.Minute)
	must(t, s.tidy())
	if got := historyIDs(t, s, "", 9); got != "E00001" {
		t.Errorf("history: %s; the age must add up over runs", got)
	}
	if got := pendingIDs(t, s); got != "E00000 E00001" {
		t.Errorf("waiting: %s", got)
	}
	exact(t, s)

	if filesWith(t, s.dir, "portrait-of-E00000") == nil {
		t.Fatal("no file has what expired; the test proves nothing")
	}
	s.opts.MaxHistoryAge = 100 * time.Hour // of the other event
	s.opened = s.opened.Add(-leftoverPatience)
	must(t, s.tidy())
	if files := filesWith(t, s.dir, "portrait-of-E00000"); files != nil {
		t.Errorf("a day later what expired is in %v", files)
	}
	if filesWith(t, s.dir, "portrait-of-E00001") == nil {
		t.Error("the other event's face is gone as well")
	}
}

func TestFindGoesOnWhereAPageEnded(t *testing.T) {
	s := open(t, t.TempDir(), Options{})
	appendRows(t, s, 0, 10, "")
	even := func(r Row) (bool, error) { return (r.ID[5]-'0')%2 == 0, nil }
	for _, tc := range []struct {
		before string
		limit  int
		want   string
	}{
		{"", 2, "E00008 E00006"},
		{"E00006", 2, "E00004 E00002"},
		{"E00005", 9, "E00004 E00002 E00000"}, // which is not wanted itself
		{"E00000", 9, ""},
		{"E000055", 2, "E00004 E00002"}, // no longer stored
	} {
		var ids []string
		for _, r := range got[[]Row](t)(s.Find(tc.before, tc.limit, even)) {
			ids = append(ids, r.ID)
		}
		if got := strings.Join(ids, " "); got != tc.want {
			t.Errorf("%d before %q: %s, want %s", tc.limit, tc.before, got, tc.want)
		}
	}
	_, err := s.Find("", 1, func(Row) (bool, error) { return false, errors.New("no JSON") })
	wantError(t, err, "read history: event 10: no JSON")
}

func TestLikeGivesTheBestFirst(t *testing.T) {
	s := open(t, t.TempDir(), Options{})
	other := seen(4, "", 1)
	other.Face.Model = "another"
	appendAll(t, s, seen(0, "", 0.9), seen(1, "", 0.5), seen(2, "", 0.9), seen(3, "", 0.59), other, row(5, ""), seen(6, "", 0.61))
	for limit, want := range map[int]string{
		9: "E00002 0.90 E00000 0.90 E00006 0.61",
		2: "E00002 0.90 E00000 0.90",
		0: "",
	} {
		var hits []string
		for _, h := range got[[]Hit](t)(s.Like(model, towards(1), 0.6, limit)) {
			hits = append(hits, fmt.Sprintf("%s %.2f", h.ID, h.Score))
		}
		if got := strings.Join(hits, " "); got != want {
			t.Errorf("limit %d: %s, want %s", limit, got, want)
		}
	}
	if hits := got[[]Hit](t)(s.Like(model, []float32{1}, 0.6, 9)); hits != nil {
		t.Errorf("a probe of another size is like %v", hits)
	}
}

func TestRelabelChangesTheHistoryAndNotTheQueue(t *testing.T) {
	s := open(t, t.TempDir(), Options{})
	must(t, s.Enroll(ana(), nil))
	appendAll(t, s, seen(0, "", 1), seen(1, "", 1), seen(2, "", 1))
	to := func(person string) func(Row) (Row, bool, error) {
		return func(r Row) (Row, bool, error) {
			r.Person, r.Payload = person, []byte("relabelled "+r.ID)
			return r, r.ID != "E00001", nil
		}
	}
	if n := got[int](t)(s.Relabel(to("P1"))); n != 2 {
		t.Errorf("%d changed, want 2", n)
	}
	exact(t, s)
	for range 2 {
		want := []Row{seen(0, "P1", 1), seen(1, "", 1), seen(2, "P1", 1)}
		want[0].Payload, want[2].Payload = []byte("relabelled E00000"), []byte("relabelled E00002")
		for _, w := range want {
			w.Embedded, w.Pictured = true, true
			if r := got[Row](t)(s.Recorded(w.ID)); !reflect.DeepEqual(r, w) {
				t.Errorf("event is\n%+v\nwant\n%+v", r, w)
			}
		}
		for i, q := range got[[]Queued](t)(s.Pending(0, 9)) {
			if !reflect.DeepEqual(q.Row, row(i, "")) {
				t.Errorf("waiting event is %+v", q)
			}
		}
		s = reopen(t, s)
	}
	_, err := s.Relabel(func(r Row) (Row, bool, error) { return r, false, errors.New("no JSON") })
	wantError(t, err, "relabel events: event 1: no JSON")
	if receipt := got[Receipt](t)(s.Delete("P1", redactAll)); receipt.History != 2 || receipt.Pictures != 2 || receipt.Queued != 0 {
		t.Errorf("receipt %+v", receipt)
	}
	_, err = s.Relabel(func(r Row) (Row, bool, error) { r.Person = "P1"; return r, true, nil })
	if !errors.Is(err, ErrForgotten) {
		t.Errorf("to somebody deleted: %v", err)
	}
	if got := historyIDs(t, s, "", 9); got != "E00001" {
		t.Errorf("history: %s", got)
	}
}

func TestRelabelOfThousands(t *testing.T) {
	s := open(t, t.TempDir(), Options{})
	fill(t, s, 8000)
	n := got[int](t)(s.Relabel(func(r Row) (Row, bool, error) {
		r.Person, r.Payload = "", []byte("{}")
		return r, true, nil
	}))
	if n != 8000 {
		t.Errorf("%d changed", n)
	}
	exact(t, s)
	for _, r := range got[[]Row](t)(s.History("", 9000)) {
		if r.Person != "" {
			t.Fatalf("%+v", r)
		}
	}
}

// TestDeleteTakesTheFaceOutOfOtherEvents has a person in events that name them, that
// name nobody and that name somebody else.
func TestDeleteTakesTheFaceOutOfOtherEvents(t *testing.T) {
	s := open(t, t.TempDir(), Options{Alike: func() float32 { return 0.6 }})
	ts := templates("P1", 2)
	ts[0].Vector, ts[1].Vector = make([]float32, 192), towards(1)
	ts[0].Vector[9] = 1
	must(t, s.Enroll(ana(), ts))
	must(t, s.Enroll(match.Person{ID: "P2", Name: "Bea"}, templates("P2", 2)))
	for i, v := range [][]float32{towards(0.62), towards(-0.62)} { // of whom it was said that they are not Bea
		must(t, s.Reject(match.Template{ID: fmt.Sprint("R", i), Person: "P2", Model: model, Vector: v}))
	}
	old := seen(5, "", -1)
	old.Face.Model = "another" // who can tell whose it is?
	appendAll(t, s, seen(0, "P1", -0.5), seen(1, "", 0.61), seen(2, "P2", 0.9), seen(3, "", -0.61), row(4, ""), old, seen(6, "P2", -0.8))
	marks := func(ids ...string) (all []string) {
		for _, id := range ids {
			all = append(all, "portrait-of-"+id)
		}
		return all
	}
	theirs, others := marks("E00000", "E00001", "E00002", "E00005"), marks("E00003", "E00006")
	theirs = append(theirs, string(encodeFace(model, towards(0.61))), string(encodeFace(model, towards(0.9))))
	theirs, others = append(theirs, string(appendVector(nil, towards(0.62)))), append(others, string(appendVector(nil, towards(-0.62))))
	s = reopen(t, s)
	for _, m := range slices.Concat(theirs, others) {
		if filesWith(t, s.dir, m) == nil {
			t.Fatalf("%q is in no file to begin with; the test proves nothing", m)
		}
	}
	want := Receipt{Person: "P1", Templates: 3, History: 1, Pictures: 4, Alike: 3, Queued: 1, Purged: true}
	if receipt := got[Receipt](t)(s.Delete("P1", redactAll)); receipt != want {
		t.Errorf("receipt %+v, want %+v", receipt, want)
	}
	exact(t, s)
	for range 2 {
		for _, m := range theirs {
			if files := filesWith(t, s.dir, m); files != nil {
				t.Errorf("%q is in %v", m, files)
			}
		}
		if got := historyIDs(t, s, "", 9); got != "E00006 E00005 E00004 E00003 E00002 E00001" {
			t.Errorf("history: %s", got)
		}
		for _, id := range []string{"E00001", "E00002", "E00005"} {
			if r := got[Row](t)(s.Recorded(id)); !reflect.DeepEqual(r.Face, Face{}) {
				t.Errorf("%s has a face: %+v", id, r)
			}
		}
		for _, m := range others {
			if filesWith(t, s.dir, m) == nil {
				t.Errorf("%q of somebody else is gone", m)
			}
		}
		for _, id := range []string{"E00003", "E00006"} {
			if r := got[Row](t)(s.Recorded(id)); r.Face.Picture == nil || r.Face.Vector == nil {
				t.Errorf("%s of somebody else lost its face", id)
			}
		}
		s = reopen(t, s)
	}
}

// TestAnInterruptedDeleteLeavesNoFaces stops a deletion that takes a series of
// transactions after each of them.
func TestAnInterruptedDeleteLeavesNoFaces(t *testing.T) {
	for stop := 1; ; stop++ {
		s := open(t, t.TempDir(), Options{Alike: func() float32 { return 0.6 }})
		ts := templates("P1", 3)
		for i := range ts {
			ts[i].Vector = towards(1)
		}
		must(t, s.Enroll(ana(), ts))
		var rows []Row
		for i := range 7 {
			rows = append(rows, seen(i, []string{"P1", ""}[i%2], 0.9))
		}
		appendAll(t, s, append(rows, seen(7, "", -1))...)
		calls, crash := 0, errors.New("power cut")
		s.mu.Lock()
		var head, changes []change
		must(t, s.db.View(func(txn *badger.Txn) (err error) {
			if head, err = s.personChanges(txn, "P1"); err != nil {
				return err
			}
			changes, err = s.rowChanges(txn, "P1", redactAll, &Receipt{})
			return err
		}))
		// One change in a transaction, as the smallest that a series may be cut into.
		err := s.forgetInSeries("P1", Grave{Mark: MarkOf("P1"), Deleted: true}, head, nil, redactAll)
		must(t, s.update(0, func(txn *badger.Txn) error { return txn.Set(forgetKey("P1"), nil) }))
		for _, c := range changes {
			if calls++; calls == stop {
				err = crash
				break
			}
			must(t, s.update(0, func(txn *badger.Txn) error { return apply(txn, []change{c}, redactAll) }))
		}
		s.mu.Unlock()
		done := err == nil
		s = reopen(t, s)
		got[[]Receipt](t)(s.FinishDeletes(redactAll))
		exact(t, s)
		if n := keysUnder(t, s, facePrefix); n != 1 {
			t.Errorf("interrupted before change %d of %d: %d faces are left", stop, len(changes), n)
		}
		if n := keysUnder(t, s, picturePrefix); n != 1 {
			t.Errorf("interrupted before change %d of %d: %d pictures are left", stop, len(changes), n)
		}
		if got := historyIDs(t, s, "", 9); got != "E00007 E00005 E00003 E00001" {
			t.Errorf("history: %s", got)
		}
		if done {
			return
		}
	}
}

func TestDroppedPicturesAndEmbeddingsAreInNoFileAndTheEventsStay(t *testing.T) {
	s := open(t, t.TempDir(), Options{})
	appendAll(t, s, seen(0, "", 1), seen(1, "", 0.5), row(2, ""))
	s = reopen(t, s)
	face := string(encodeFace(model, towards(0.5)))
	for _, m := range []string{"portrait-of-", face} {
		if filesWith(t, s.dir, m) == nil {
			t.Fatalf("no file holds %q; the test proves nothing", m)
		}
	}
	if n := got[int](t)(s.DropPictures()); n != 2 {
		t.Errorf("%d pictures dropped, want 2", n)
	}
	if r := got[Row](t)(s.Recorded("E00001")); r.Face.Picture != nil || !slices.Equal(r.Face.Vector, towards(0.5)) {
		t.Errorf("face %+v", r.Face)
	}
	exact(t, s)
	if files := filesWith(t, s.dir, "portrait-of-"); files != nil {
		t.Errorf("pictures are in %v", files)
	}
	if n := got[int](t)(s.DropEmbeddings()); n != 2 {
		t.Errorf("%d embeddings dropped, want 2", n)
	}
	exact(t, s)
	if files := filesWith(t, s.dir, face); files != nil {
		t.Errorf("embeddings are in %v", files)
	}
	if got := historyIDs(t, s, "", 9); got != "E00002 E00001 E00000" {
		t.Errorf("history: %s", got)
	}
	commits := s.Commits()
	if n := got[int](t)(s.DropEmbeddings()) + got[int](t)(s.DropPictures()); n != 0 || s.Commits() != commits {
		t.Errorf("%d dropped again, in %d transactions", n, s.Commits()-commits)
	}
}

func FuzzFaceRecord(f *testing.F) {
	f.Add(encodeFace("m", []float32{1, -2}))
	f.Add(encodeFace(model, towards(0.5)))
	f.Fuzz(func(t *testing.T, record []byte) {
		model, v, err := decodeFace(record, make([]float32, 0, 4))
		if err == nil && !bytes.Equal(encodeFace(model, v), record) && len(record) < 200 {
			t.Errorf("%v is read as %s %v", record, model, v)
		}
	})
}

// BenchmarkHistory asks for what is rare among 10,000 events.
func BenchmarkHistory(b *testing.B) {
	s := open(b, b.TempDir(), Options{})
	for from := 0; from < 10_000; from += 100 {
		var rows []Row
		for i := range 100 {
			r := seen(from+i, "", 0)
			r.Payload, r.Face.Picture = bytes.Repeat([]byte("x"), 500), nil
			rows = append(rows, r)
		}
		appendAll(b, s, rows...)
	}
	b.Run("find", func(b *testing.B) {
		for b.Loop() {
			got[[]Row](b)(s.Find("", 50, func(r Row) (bool, error) { return r.Person != "", nil }))
		}
	})
	b.Run("recorded", func(b *testing.B) {
		for b.Loop() {
			got[Row](b)(s.Recorded("E00000"))
		}
	})
	b.Run("like", func(b *testing.B) {
		for b.Loop() {
			got[[]Hit](b)(s.Like(model, towards(1), 0.6, 50))
		}
	})
}
