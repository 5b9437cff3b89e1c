package store

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"facerecd/cross/testkit"
)

func TestAppendedEventsWaitInOrderUntilAcknowledged(t *testing.T) {
	s := open(t, t.TempDir(), Options{})
	appendRows(t, s, 0, 5, "P1")
	pending := got[[]Queued](t)(s.Pending(0, 10))
	for i, q := range pending {
		if q.Seq != uint64(i+1) || !reflect.DeepEqual(q.Row, row(i, "P1")) {
			t.Errorf("event %d is %+v", i, q)
		}
	}
	if next := got[[]Queued](t)(s.Pending(pending[1].Seq, 2)); len(next) != 2 || next[0].ID != "E00002" {
		t.Errorf("after the second: %+v", next)
	}
	must(t, s.Ack(2, 4, 4, 99))
	must(t, s.Ack(2))
	must(t, s.Ack())
	if got := pendingIDs(t, s); got != "E00000 E00002 E00004" {
		t.Errorf("waiting: %s", got)
	}
	s = reopen(t, s)
	if got := pendingIDs(t, s); got != "E00000 E00002 E00004" {
		t.Errorf("waiting after reopening: %s", got)
	}
	count, size := s.Backlog()
	if count != 3 || size < 3*int64(len(row(0, "P1").Payload)) || size > 500 {
		t.Errorf("backlog of %d events, %d bytes", count, size)
	}
	must(t, s.Ack(1, 3, 5))
	if count, size := s.Backlog(); count != 0 || size != 0 {
		t.Errorf("backlog of %d events, %d bytes when all are acknowledged", count, size)
	}
}

func TestAnEventWithoutATopicIsInTheHistoryAlone(t *testing.T) {
	s := open(t, t.TempDir(), Options{})
	must(t, s.Enroll(ana(), nil))
	must(t, s.AppendAll(3, func(i int, seq uint64) (Row, error) {
		r := row(i, "P1")
		if i == 1 {
			r.Topic = ""
		}
		return r, nil
	}))
	check := func() {
		t.Helper()
		if got := pendingIDs(t, s); got != "E00000 E00002" {
			t.Errorf("waiting: %s", got)
		}
		if got := historyIDs(t, s, "", 10); got != "E00002 E00001 E00000" {
			t.Errorf("history: %s", got)
		}
		if count, _ := s.Backlog(); count != 2 {
			t.Errorf("backlog of %d events", count)
		}
	}
	check()
	s = reopen(t, s)
	check()
	if seq := got[uint64](t)(s.Append(row(3, ""))); seq != 4 {
		t.Errorf("number %d, want 4: they are counted too", seq)
	}
	must(t, s.Ack(1, 2, 3, 4))
	if count, size := s.Backlog(); count != 0 || size != 0 {
		t.Errorf("backlog of %d events, %d bytes when all are acknowledged", count, size)
	}
	if receipt := got[Receipt](t)(s.Delete("P1", redactAll)); receipt.History != 3 {
		t.Errorf("%+v: of a deleted person nothing stays", receipt)
	}
}

func TestSequenceNumbersAreNeverUsedTwice(t *testing.T) {
	s := open(t, t.TempDir(), Options{MaxHistory: 1})
	appendRows(t, s, 0, 3, "")
	must(t, s.Ack(1, 2, 3))
	s = reopen(t, s)
	if seq := got[uint64](t)(s.Append(row(3, ""))); seq != 4 {
		t.Errorf("number %d after 3, with all of them gone from the queue", seq)
	}
	// A number whose transaction failed may have been written.
	_, err := s.Append(Row{ID: "E", Payload: make([]byte, MaxValue+1)})
	wantError(t, err, "append event: invalid size of event E: payload 262145 bytes (at most 262144), topic 0 (at most 65536)")
	if seq := got[uint64](t)(s.Append(row(4, ""))); seq != 5 {
		t.Errorf("number %d, want 5", seq)
	}
}

func TestTheLargestEventFits(t *testing.T) {
	s := open(t, t.TempDir(), Options{})
	big := Row{ID: "E", Topic: "t", Payload: bytes.Repeat([]byte("x"), MaxValue)}
	got[uint64](t)(s.Append(big))
	if q := got[[]Queued](t)(s.Pending(0, 1)); !bytes.Equal(q[0].Payload, big.Payload) {
		t.Error("the payload changed")
	}
	must(t, s.SetSetting("k", big.Payload))
}

func TestAFullQueueDropsTheOldestAndSaysSo(t *testing.T) {
	var logged testkit.Buffer
	s := open(t, t.TempDir(), Options{MaxQueued: 3, Log: logTo(&logged, slog.LevelInfo)})
	appendRows(t, s, 0, 3, "")
	if logged.String() != "" || s.Dropped() != 0 {
		t.Errorf("a queue that is just full drops %d and says %s", s.Dropped(), logged.String())
	}
	appendRows(t, s, 3, 8, "")
	if got := pendingIDs(t, s); got != "E00005 E00006 E00007" {
		t.Errorf("waiting: %s", got)
	}
	if got := historyIDs(t, s, "", 10); got != "E00007 E00006 E00005 E00004 E00003 E00002 E00001 E00000" {
		t.Errorf("dropped events are in the history: %s", got)
	}
	if n := strings.Count(logged.String(), "unpublished events dropped"); n != 1 {
		t.Errorf("said %d times: %s", n, logged.String())
	}
	s = reopen(t, s)
	if s.Dropped() != 5 {
		t.Errorf("dropped %d, want 5, also after reopening", s.Dropped())
	}
}

func TestLowerLimitsHoldFromTheNextOpen(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, Options{})
	appendRows(t, s, 0, batch+20, "")
	must(t, s.Close())
	s = open(t, dir, Options{MaxQueued: 2, MaxHistory: 3})
	if got := pendingIDs(t, s); got != "E00518 E00519" {
		t.Errorf("waiting: %s", got)
	}
	if got := historyIDs(t, s, "", 10); got != "E00519 E00518 E00517" {
		t.Errorf("history: %s", got)
	}
	if s.Dropped() != batch+18 {
		t.Errorf("dropped %d", s.Dropped())
	}
}

func TestEventsExpireByTheTimeThatTheStoreWasOpen(t *testing.T) {
	s := open(t, t.TempDir(), Options{MaxAge: time.Hour})
	late := row(0, "")
	late.At = time.Unix(0, 0) // before the clock was set
	got[uint64](t)(s.Append(late))
	must(t, s.tidy())
	if got := pendingIDs(t, s); got != "E00000" {
		t.Fatalf("an event of 1970 was dropped: %s", got)
	}
	s.opened = s.opened.Add(-50 * time.Minute)
	appendRows(t, s, 1, 2, "")
	s = reopen(t, s)
	must(t, s.Enroll(ana(), nil))
	got[Receipt](t)(s.Delete("P1", redactAll)) // which reads the state again
	if age := s.age().Round(time.Minute); age != 50*time.Minute {
		t.Fatalf("the store is %v old", age)
	}
	must(t, s.tidy())
	if got := pendingIDs(t, s); got != "E00000 E00001" {
		t.Fatalf("dropped too early: %s", got)
	}
	s.opened = s.opened.Add(-11 * time.Minute)
	must(t, s.tidy())
	if got := pendingIDs(t, s); got != "E00001" || s.Dropped() != 1 {
		t.Errorf("waiting: %s, dropped %d; the age must add up over runs", got, s.Dropped())
	}
}

func TestHistoryIsPagedNewestFirst(t *testing.T) {
	s := open(t, t.TempDir(), Options{MaxHistory: 5})
	must(t, s.Enroll(ana(), nil))
	appendRows(t, s, 0, 6, "")
	got[uint64](t)(s.Append(row(6, "P1")))
	appendRows(t, s, 7, 8, "")
	for _, tc := range []struct {
		before string
		limit  int
		want   string
	}{
		{"", 2, "E00007 E00006"},
		{"E00006", 2, "E00005 E00004"},
		{"E00004", 10, "E00003"},
		{"E00003", 10, ""},
		{"E00002", 10, ""}, // no longer stored
		{"", 0, ""},
	} {
		if got := historyIDs(t, s, tc.before, tc.limit); got != tc.want {
			t.Errorf("%d before %q: %s, want %s", tc.limit, tc.before, got, tc.want)
		}
	}
	got[Receipt](t)(s.Delete("P1", redactAll))
	if got := historyIDs(t, s, "E00006", 2); got != "E00005 E00004" {
		t.Errorf("before an event that was deleted: %s", got)
	}
}

func TestAppendSaysWhatIsWrong(t *testing.T) {
	s := open(t, t.TempDir(), Options{})
	_, err := s.Append(Row{})
	wantError(t, err, `append event: invalid event id "": use a ULID`)
	_, err = s.Append(Row{ID: "E", Person: "a/b"})
	wantError(t, err, `append event: invalid person id "a/b": use a ULID`)
}

func TestAppendedWakesOnceForManyAndAfterOpen(t *testing.T) {
	s := open(t, t.TempDir(), Options{})
	select {
	case <-s.Appended():
		t.Error("woken by nothing")
	default:
	}
	appendRows(t, s, 0, 3, "")
	<-s.Appended()
	select {
	case <-s.Appended():
		t.Error("woken twice")
	default:
	}
	s = reopen(t, s)
	<-s.Appended() // three still wait
}

// TestAppendAndAckSideBySide publishes as the daemon does, while several
// cameras append.
func TestAppendAndAckSideBySide(t *testing.T) {
	s := open(t, t.TempDir(), Options{})
	must(t, s.Enroll(ana(), templates("P1", 2)))
	const cameras, each = 3, 40
	var wg sync.WaitGroup
	for c := range cameras {
		wg.Go(func() {
			for i := range each {
				r := row(i, "P1")
				r.ID = fmt.Sprintf("C%d-%05d", c, i)
				if _, err := s.Append(r); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Go(func() {
		for i := range 20 {
			if _, err := s.History("", 5); err != nil {
				t.Error(err)
			}
			if _, err := s.Rename("P1", fmt.Sprint("Ana ", i)); err != nil {
				t.Error(err)
			}
			if _, err := s.People(); err != nil {
				t.Error(err)
			}
		}
		if err := s.Compact(); err != nil {
			t.Error(err)
		}
	})
	var published []uint64
	seen := map[string]int{}
	for len(published) < cameras*each && !t.Failed() {
		<-s.Appended()
		for {
			batch, err := s.Pending(0, 7)
			must(t, err)
			if len(batch) == 0 {
				break
			}
			for _, q := range batch {
				published = append(published, q.Seq)
				var c, i int
				if _, err := fmt.Sscanf(q.ID, "C%d-%d", &c, &i); err != nil || seen[q.ID[:2]] != i {
					t.Fatalf("%s came after %d of its camera", q.ID, seen[q.ID[:2]])
				}
				seen[q.ID[:2]]++
				must(t, s.Ack(q.Seq))
			}
		}
	}
	wg.Wait()
	if !slices.IsSorted(published) {
		t.Error("published out of order")
	}
}

func TestAClosedStoreSaysSo(t *testing.T) {
	s := open(t, t.TempDir(), Options{})
	must(t, s.Close())
	must(t, s.Close())
	_, appendErr := s.Append(row(0, ""))
	_, pendingErr := s.Pending(0, 1)
	_, deleteErr := s.Delete("P1", redactAll)
	_, _, settingErr := s.Setting("k")
	for _, err := range []error{appendErr, pendingErr, deleteErr, settingErr, s.Ack(1), s.Compact(), s.Enroll(ana(), nil)} {
		if !errors.Is(err, ErrClosed) {
			t.Errorf("error %v", err)
		}
	}
}

func TestSettingsAreKept(t *testing.T) {
	s := open(t, t.TempDir(), Options{})
	if v, ok, err := s.Setting("token"); v != nil || ok || err != nil {
		t.Errorf("%q, %v, %v before it was set", v, ok, err)
	}
	must(t, s.SetSetting("token", []byte("secret")))
	must(t, s.SetSetting("empty", nil))
	s = reopen(t, s)
	if v, ok, err := s.Setting("token"); string(v) != "secret" || !ok || err != nil {
		t.Errorf("%q, %v, %v", v, ok, err)
	}
	if v, ok, err := s.Setting("empty"); len(v) != 0 || !ok || err != nil {
		t.Errorf("%q, %v, %v", v, ok, err)
	}
	wantError(t, s.SetSetting("k", make([]byte, MaxValue+1)), "invalid setting k: the key may have 200 bytes and the value 262144")
}

func TestAQueueThatTakesTooMuchSpaceDropsTheOldest(t *testing.T) {
	s := open(t, t.TempDir(), Options{MaxBytes: 3000})
	for i := range 8 {
		r := row(i, "")
		r.Payload = make([]byte, 900)
		got[uint64](t)(s.Append(r))
	}
	if got := pendingIDs(t, s); got != "E00005 E00006 E00007" || s.Dropped() != 5 {
		t.Errorf("waiting: %s, dropped %d", got, s.Dropped())
	}
	large := row(8, "")
	large.Payload = make([]byte, 2500)
	got[uint64](t)(s.Append(large))
	if got := pendingIDs(t, s); got != "E00008" || s.Dropped() != 8 {
		t.Errorf("waiting: %s, dropped %d; one large event takes the place of several", got, s.Dropped())
	}
	if _, bytes := s.Backlog(); bytes < 2500 || bytes > 3000 {
		t.Errorf("%d bytes wait", bytes)
	}
}

func TestEventsOfOneCallAreStoredTogetherOrNotAtAll(t *testing.T) {
	s := open(t, t.TempDir(), Options{})
	appendRows(t, s, 0, 1, "")
	must(t, s.Enroll(ana(), nil))
	got[Receipt](t)(s.Delete("P1", redactAll))
	commits := s.Commits()
	var told []uint64
	err := s.AppendAll(3, func(i int, seq uint64) (Row, error) {
		told = append(told, seq)
		return row(1+i, []string{"", "", "P1"}[i]), nil
	})
	if !errors.Is(err, ErrForgotten) || pendingIDs(t, s) != "E00000" || s.Commits() != commits {
		t.Errorf("error %v, waiting: %s", err, pendingIDs(t, s))
	}
	must(t, s.AppendAll(3, func(i int, seq uint64) (Row, error) {
		told = append(told, seq)
		return row(1+i, ""), nil
	}))
	if !slices.Equal(told, []uint64{2, 3, 4, 2, 3, 4}) {
		t.Errorf("numbers %d: those of what was refused come again", told)
	}
	if got := pendingIDs(t, s); got != "E00000 E00001 E00002 E00003" || s.Commits() != commits+1 {
		t.Errorf("waiting: %s after %d transactions", got, s.Commits()-commits)
	}
}
