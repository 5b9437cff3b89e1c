package event

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"facerecd/match/store"
)

// jumps is a clock that is set years back and ahead.
type jumps struct {
	mu sync.Mutex
	n  int
}

func (j *jumps) now() time.Time {
	years := []int{0, -56, 30, 0, 74, -1, 1}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.n++
	return time.Date(2026, 11, 24, 12, 0, j.n, 0, time.UTC).AddDate(years[j.n%len(years)], 0, 0)
}

// TestNothingIsReorderedOrExpiredByAClockThatJumps records over several runs,
// by a clock that jumps between all of them and within.
func TestNothingIsReorderedOrExpiredByAClockThatJumps(t *testing.T) {
	dir := t.TempDir()
	clock := &jumps{}
	const runs, each = 4, 20
	boots := map[string]bool{}
	lastID := ""
	for run := range runs {
		s, err := store.Open(dir, store.Options{MaxAge: time.Hour, GCInterval: time.Millisecond})
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		var tidying sync.WaitGroup
		tidying.Go(func() {
			if err := s.Run(ctx); err != nil {
				t.Error(err)
			}
		})
		l := newLog(s)
		l.Now, l.Synced = clock.now, func() bool { return run%2 == 1 }
		for i := range each {
			if err := l.Record(Event{Type: Unknown, Camera: "door", Track: strconv.Itoa(run*each + i)}); err != nil {
				t.Fatal(err)
			}
		}
		waiting, err := s.Pending(0, 1000)
		if err != nil || len(waiting) != (run+1)*each || s.Dropped() != 0 {
			t.Fatalf("run %d: %d events wait, %d were dropped, %v", run, len(waiting), s.Dropped(), err)
		}
		lastID = ""
		for i, q := range waiting {
			e := decoded(t, q.Payload)
			if e.Track != strconv.Itoa(i) || e.Seq != uint64(i+1) || q.Seq != e.Seq {
				t.Fatalf("run %d: event %s with number %d (stored under %d) in place %d", run, e.Track, e.Seq, q.Seq, i)
			}
			if e.ID <= lastID {
				t.Fatalf("run %d: id %s after %s", run, e.ID, lastID)
			}
			lastID = e.ID
			boots[e.Boot] = true
			if e.ClockSynced != (i/each%2 == 1) {
				t.Fatalf("event %d says clock_synced %v", i, e.ClockSynced)
			}
		}
		history, err := l.History(t.Context(), waiting[10].ID, 100)
		if err != nil || len(history) != 10 || history[0].Track != "9" || history[9].Track != "0" {
			t.Fatalf("history before event 10: %d events, %v", len(history), err)
		}
		stop()
		tidying.Wait()
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if len(boots) != runs || boots[""] {
		t.Errorf("%d runs have the boot ids %v", runs, boots)
	}
}

func decoded(t *testing.T, payload []byte) (e Event) {
	t.Helper()
	if err := json.Unmarshal(payload, &e); err != nil {
		t.Fatal(err)
	}
	return e
}

// TestEventsThatComeTogetherAreWrittenTogether also holds for those of one
// camera, and keeps their order.
func TestEventsThatComeTogetherAreWrittenTogether(t *testing.T) {
	s := openStore(t)
	l := newLog(s)
	const cameras, each = 8, 10
	before := s.Commits()
	var all sync.WaitGroup
	for c := range cameras {
		all.Go(func() {
			var events []Event
			for i := range each {
				events = append(events, Event{Type: Unknown, Camera: fmt.Sprint("camera ", c), Track: strconv.Itoa(i)})
			}
			if n, err := l.RecordAll(events); n != each || err != nil {
				t.Errorf("recorded %d, %v", n, err)
			}
		})
	}
	all.Wait()
	commits := s.Commits() - before
	t.Logf("%d events in %d transactions", cameras*each, commits)
	if commits > 2+cameras*each/together {
		t.Errorf("%d events took %d transactions", cameras*each, commits)
	}
	pending, err := s.Pending(0, 1000)
	if err != nil || len(pending) != cameras*each || l.Recorded(Unknown) != cameras*each {
		t.Fatalf("%d events, %d counted, %v", len(pending), l.Recorded(Unknown), err)
	}
	next := map[string]int{}
	for _, q := range pending {
		e := decoded(t, q.Payload)
		if e.Track != strconv.Itoa(next[e.Camera]) {
			t.Fatalf("%s: event %s, want %d", e.Camera, e.Track, next[e.Camera])
		}
		next[e.Camera]++
	}
}

func TestALoneEventIsNotHeldBack(t *testing.T) {
	s := openStore(t)
	l := newLog(s)
	var took []time.Duration
	for range 20 {
		time.Sleep(2 * gather)
		began := time.Now()
		if err := l.Record(Event{Type: Unknown, Camera: "door"}); err != nil {
			t.Fatal(err)
		}
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	t.Logf("an event is on the disk after %v (median), %v at most", took[len(took)/2], took[len(took)-1])
}

// TestOneBadEventOfABatchHarmsNoOther has a neighbour whose person was deleted,
// and one that the store refuses.
func TestOneBadEventOfABatchHarmsNoOther(t *testing.T) {
	s := withoutAna(t)
	l := newLog(s)
	n, err := l.RecordAll([]Event{
		{Type: Unknown, Camera: "door", Track: "0"},
		{Type: Recognized, Camera: "door", Track: "1", Person: &Person{"P1", "Ana"}, Score: 0.7},
		{Type: Unknown, Camera: "door", Track: "2"},
		{Type: Recognized, Camera: "door", Track: "3", Person: &Person{"no id", "Eva"}},
		{Type: Unknown, Camera: "door", Track: "4"}, // after the one that fails: its caller tries both again
	})
	if n != 3 || !errors.Is(err, store.ErrInvalid) {
		t.Errorf("recorded %d, %v", n, err)
	}
	pending, err := s.Pending(0, 10)
	if err != nil || len(pending) != 3 {
		t.Fatalf("%d events, %v", len(pending), err)
	}
	for i, q := range pending {
		if e := decoded(t, q.Payload); e.Track != strconv.Itoa(i) || e.Person != nil || e.Seq != uint64(i+1) {
			t.Errorf("event %d: %s", i, q.Payload)
		}
	}
}

func TestTheKernelSaysWhetherTheClockIsRight(t *testing.T) {
	var c Clock
	first := c.Synced()
	t.Logf("clock synced: %v", first)
	if c.Synced() != first {
		t.Error("asked again at once, it says something else")
	}
}
