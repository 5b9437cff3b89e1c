package event

import (
	"context"
	"encoding/json"
	"errors"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"facerecd/match"
	"facerecd/match/store"
)

func openStore(t *testing.T) *store.Store {
	t.Helper()
	s, err := store.Open(t.TempDir(), store.Options{})
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

func newLog(s Store) *Log {
	return &Log{Store: s, Device: "pi-door", Topic: func(camera string) string { return "facerecd/pi-door/" + camera + "/event" }}
}

func TestRecordStoresThenShows(t *testing.T) {
	s := openStore(t)
	if err := s.Enroll(match.Person{ID: "P1", Name: "Ana"}, nil); err != nil {
		t.Fatal(err)
	}
	l := newLog(s)
	l.Now = func() time.Time { return time.Date(2026, 11, 24, 9, 0, 0, 123456789, time.Local) }
	live := l.Subscribe(t.Context())
	if err := l.Record(Event{Type: Recognized, Camera: "door", Person: &Person{"P1", "Ana"}, Score: 0.7}); err != nil {
		t.Fatal(err)
	}
	shown := <-live
	pending, err := s.Pending(0, 10)
	if err != nil || len(pending) != 1 {
		t.Fatalf("%d events wait for MQTT, %v", len(pending), err)
	}
	q := pending[0]
	payload, _ := json.Marshal(shown)
	if q.ID != shown.ID || q.Topic != "facerecd/pi-door/door/event" || q.Person != "P1" || !q.At.Equal(shown.Time) || string(q.Payload) != string(payload) {
		t.Errorf("stored %+v\n%s\nshown  %s", q, q.Payload, payload)
	}
	if shown.V != 1 || shown.Device != "pi-door" || shown.ID == "" || shown.Time.Nanosecond() != 123_000_000 || shown.Time.Location() != time.UTC {
		t.Errorf("not filled in: %+v", shown)
	}
	history, err := l.History(t.Context(), "", 10)
	if err != nil || len(history) != 1 || !reflect.DeepEqual(history[0], shown) {
		t.Errorf("history %+v, %v", history, err)
	}
}

func TestAQuietEventIsKeptAndShownAndNotPublished(t *testing.T) {
	s := openStore(t)
	l := newLog(s)
	live := l.Subscribe(t.Context())
	for _, quiet := range []Quiet{"", QuietHours, QuietPerson, ""} {
		if err := l.Record(Event{Type: Unknown, Camera: "door", Quiet: quiet}); err != nil {
			t.Fatal(err)
		}
		if shown := <-live; shown.Quiet != quiet {
			t.Errorf("shown %+v, want %q", shown, quiet)
		}
	}
	history, err := l.History(t.Context(), "", 10)
	if err != nil || len(history) != 4 || history[2].Quiet != QuietHours || history[1].Quiet != QuietPerson || l.Recorded(Unknown) != 4 {
		t.Errorf("history %+v, %v", history, err)
	}
	pending, err := s.Pending(0, 10)
	if err != nil || len(pending) != 2 || pending[0].Seq != 1 || pending[1].Seq != 4 {
		t.Fatalf("waiting %+v, %v", pending, err)
	}
	for _, q := range pending {
		if strings.Contains(string(q.Payload), "quiet") {
			t.Errorf("published: %s", q.Payload)
		}
	}
}

// withoutAna is a store that has deleted Ana, who was P1.
func withoutAna(t *testing.T) *store.Store {
	t.Helper()
	s := openStore(t)
	if err := s.Enroll(match.Person{ID: "P1", Name: "Ana"}, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Delete("P1", Redact); err != nil {
		t.Fatal(err)
	}
	return s
}

func TestAPersonDeletedMeanwhileIsNotRecorded(t *testing.T) {
	l := newLog(withoutAna(t))
	live := l.Subscribe(t.Context())
	if err := l.Record(Event{Type: Left, Camera: "door", Person: &Person{"P1", "Ana"}, Score: 0.7}); err != nil {
		t.Fatal(err)
	}
	history, err := l.History(t.Context(), "", 10)
	if err != nil || len(history) != 1 {
		t.Fatalf("history %+v, %v", history, err)
	}
	for _, e := range []Event{<-live, history[0]} {
		if e.Person != nil || e.Score != 0 || e.Type != Left {
			t.Errorf("recorded %+v", e)
		}
	}
}

// failing is a Store whose disk is full.
type failing struct{ *store.Store }

func (failing) AppendAll(int, func(int, uint64) (store.Row, error)) error {
	return errors.New("disk is full")
}

func TestAnEventThatIsNotStoredIsNotShown(t *testing.T) {
	l := newLog(failing{openStore(t)})
	live := l.Subscribe(t.Context())
	err := l.Record(Event{Type: Unknown, Camera: "door"})
	if err == nil || err.Error() != "record event of camera door: disk is full" {
		t.Errorf("error %v", err)
	}
	if len(live) != 0 {
		t.Error("shown all the same")
	}
}

func TestASlowSubscriberLosesItsOldestAndHoldsNobodyUp(t *testing.T) {
	l := newLog(memory{})
	slow, quick := l.Subscribe(t.Context()), l.Subscribe(t.Context())
	const n = Buffer + 10
	for i := range n {
		if err := l.Record(Event{Type: Unknown, Camera: "door", Track: strconv.Itoa(i)}); err != nil {
			t.Fatal(err)
		}
		if e := <-quick; e.Track != strconv.Itoa(i) {
			t.Fatalf("the quick one got %s, want %d", e.Track, i)
		}
	}
	for i := n - Buffer; i < n; i++ {
		if e := <-slow; e.Track != strconv.Itoa(i) {
			t.Fatalf("the slow one got %s, want %d", e.Track, i)
		}
	}
	if l.Missed() != 10 {
		t.Errorf("missed %d, want 10", l.Missed())
	}
}

// memory keeps nothing. What a store does is tested with the real one above.
type memory struct{}

func (memory) AppendAll(int, func(int, uint64) (store.Row, error)) error { return nil }
func (memory) History(string, int) ([]store.Row, error)                  { return nil, nil }

func TestAllSeeOneOrder(t *testing.T) {
	s := openStore(t)
	l := newLog(s)
	a, b := l.Subscribe(t.Context()), l.Subscribe(t.Context())
	var cameras sync.WaitGroup
	for range 4 {
		cameras.Go(func() {
			for range 20 {
				if err := l.Record(Event{Type: Unknown, Camera: "door"}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	cameras.Wait()
	pending, err := s.Pending(0, 100)
	if err != nil || len(pending) != 80 {
		t.Fatalf("%d events, %v", len(pending), err)
	}
	last := ""
	for _, q := range pending {
		if x, y := <-a, <-b; x.ID != q.ID || y.ID != q.ID || q.ID <= last {
			t.Fatalf("subscribers got %s and %s, the store has %s after %s", x.ID, y.ID, q.ID, last)
		}
		last = q.ID
	}
}

func TestASubscriptionEndsWithItsContext(t *testing.T) {
	l := newLog(memory{})
	ctx, cancel := context.WithCancel(t.Context())
	live := l.Subscribe(ctx)
	var recorder sync.WaitGroup
	stop := make(chan struct{})
	recorder.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				_ = l.Record(Event{Type: Unknown, Camera: "door"})
			}
		}
	})
	<-live
	cancel()
	for range live { // until it is closed
	}
	close(stop)
	recorder.Wait()
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for range l.Subscribe(ended) {
	}
}
