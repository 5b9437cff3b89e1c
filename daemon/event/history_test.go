package event

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"facerecd/match"
	"facerecd/match/store"
)

var noon = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

// past is a history of six events, two of them Ana's.
func past(t *testing.T) (*store.Store, *History) {
	t.Helper()
	s := openStore(t)
	if err := s.Enroll(match.Person{ID: "P1", Name: "Ana"}, nil); err != nil {
		t.Fatal(err)
	}
	stranger := "S1"
	l := newLog(s)
	ana := &Person{"P1", "Ana"}
	for i, e := range []Event{
		{Type: Recognized, Camera: "door", Track: "T1", Person: ana, Score: 0.7, Confidence: 0.9},
		{Type: Unknown, Camera: "door", Track: "T2", Stranger: &stranger},
		{Type: Left, Camera: "door", Track: "T2", Stranger: &stranger},
		{Type: Left, Camera: "door", Track: "T1", Person: ana},
		{Type: Unknown, Camera: `the "back" <door>`, Track: "T3"},
		{Type: Unknown, Camera: "unknown", Track: `","camera":"door"`},
	} {
		e.Time = noon.Add(time.Duration(i) * time.Minute)
		if err := l.Record(e); err != nil {
			t.Fatal(err)
		}
	}
	return s, &History{s}
}

// numbers are the sequence numbers of what a filter finds.
func numbers(t *testing.T, h *History, f Filter) string {
	t.Helper()
	events, err := h.Find(t.Context(), f, "", 100)
	if err != nil {
		t.Fatal(err)
	}
	var s []string
	for _, e := range events {
		s = append(s, fmt.Sprint(e.Seq))
	}
	return strings.Join(s, " ")
}

func TestAFilterFindsWhatItSays(t *testing.T) {
	_, h := past(t)
	for _, tc := range []struct {
		name string
		f    Filter
		want string
	}{
		{"everything", Filter{}, "6 5 4 3 2 1"},
		{"a person", Filter{Person: "P1"}, "4 1"},
		{"nobody", Filter{Person: "P2"}, ""},
		{"a camera", Filter{Camera: "door"}, "4 3 2 1"},
		{"a camera whose name needs quoting", Filter{Camera: `the "back" <door>`}, "5"},
		{"a type", Filter{Type: Unknown}, "6 5 2"},
		{"a stranger", Filter{Stranger: "S1"}, "3 2"},
		{"a track", Filter{Track: "T1"}, "4 1"},
		{"since", Filter{Since: noon.Add(3 * time.Minute)}, "6 5 4"},
		{"until", Filter{Until: noon.Add(3 * time.Minute)}, "3 2 1"},
		{"all at once", Filter{Person: "P1", Camera: "door", Type: Left, Track: "T1", Since: noon.Add(time.Minute), Until: noon.Add(time.Hour)}, "4"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := numbers(t, h, tc.f); got != tc.want {
				t.Errorf("found %s, want %s", got, tc.want)
			}
		})
	}
	page, err := h.Find(t.Context(), Filter{Camera: "door"}, "", 2)
	if err != nil || len(page) != 2 {
		t.Fatalf("%+v, %v", page, err)
	}
	page, err = h.Find(t.Context(), Filter{Camera: "door"}, page[1].ID, 2)
	if err != nil || len(page) != 2 || page[0].Seq != 2 || page[1].Seq != 1 {
		t.Errorf("next page %+v, %v", page, err)
	}
}

func TestRelabelSaysWhoItWas(t *testing.T) {
	s, h := past(t)
	n, err := h.Relabel(Filter{Stranger: "S1"}, func(e *Event) bool {
		e.Person = &Person{"P1", "Ana"}
		return true
	})
	if err != nil || n != 2 {
		t.Errorf("%d changed, %v", n, err)
	}
	n, err = h.Relabel(Filter{Track: "T1"}, func(e *Event) bool {
		*e = e.withoutPerson()
		return e.Type == Recognized
	})
	if err != nil || n != 1 {
		t.Errorf("%d changed, %v", n, err)
	}
	if got := numbers(t, h, Filter{Person: "P1"}); got != "4 3 2" {
		t.Errorf("Ana is in %s", got)
	}
	events, err := h.Find(t.Context(), Filter{Type: Recognized}, "", 9)
	if err != nil || len(events) != 1 || events[0].Person != nil || events[0].Score != 0 || events[0].Track != "T1" {
		t.Errorf("%+v, %v", events, err)
	}
	if _, err := s.Delete("P1", Redact); err != nil {
		t.Fatal(err)
	}
	_, err = h.Relabel(Filter{}, func(e *Event) bool {
		e.Person = &Person{"P1", "Ana"}
		return true
	})
	if !errors.Is(err, store.ErrForgotten) {
		t.Errorf("to somebody deleted: %v", err)
	}
	if got := numbers(t, h, Filter{}); got != "6 5 1" {
		t.Errorf("history %s after the deletion", got)
	}
}

func TestTheHistoryKeepsWhatItIsToKeepOfAFace(t *testing.T) {
	seen := Event{Camera: "door", Embedding: []float32{0.6, 0.8}, Picture: []byte("jpeg")}
	large := seen
	large.Picture = make([]byte, store.MaxPicture+1)
	for _, tc := range []struct {
		name     string
		model    string
		pictures bool
		e        Event
		typ      Type
		want     string
	}{
		{"both", "m1", true, seen, Unknown, "m1 [0.6 0.8] 4"},
		{"a recognition", "m1", true, seen, Recognized, "m1 [0.6 0.8] 4"},
		{"somebody left", "m1", true, seen, Left, " [] 0"},
		{"no pictures", "m1", false, seen, Unknown, "m1 [0.6 0.8] 0"},
		{"nothing", "", false, seen, Unknown, " [] 0"},
		{"too large a picture", "m1", true, large, Unknown, "m1 [0.6 0.8] 0"},
		{"nothing was seen", "m1", true, Event{Camera: "door"}, Unknown, " [] 0"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := openStore(t)
			l := newLog(s)
			l.Model, l.Pictures = tc.model, tc.pictures
			tc.e.Type = tc.typ
			if err := l.Record(tc.e); err != nil {
				t.Fatal(err)
			}
			h := &History{s}
			events, err := h.Find(t.Context(), Filter{}, "", 9)
			if err != nil || len(events) != 1 || events[0].Embedding != nil || events[0].Picture != nil {
				t.Fatalf("%+v, %v", events, err)
			}
			e, err := h.Get(t.Context(), events[0].ID)
			if got := fmt.Sprint(e.Model, " ", e.Embedding, " ", len(e.Picture)); err != nil || got != tc.want {
				t.Errorf("kept %s (%v), want %s", got, err, tc.want)
			}
		})
	}
}

// TestPicturesOfACrowdAreStored has more of them at once than a transaction takes.
func TestPicturesOfACrowdAreStored(t *testing.T) {
	s := openStore(t)
	l := newLog(s)
	l.Pictures = true
	var crowd []Event
	for range 12 {
		crowd = append(crowd, Event{Type: Unknown, Camera: "door", Picture: make([]byte, 100<<10)})
	}
	crowd[5].Picture = make([]byte, store.MaxPicture)
	if n, err := l.RecordAll(crowd); err != nil || n != len(crowd) {
		t.Fatalf("%d stored, %v", n, err)
	}
	h := &History{s}
	events, err := h.Find(t.Context(), Filter{}, "", 99)
	if err != nil || len(events) != len(crowd) {
		t.Fatalf("%d events, %v", len(events), err)
	}
	for i, e := range events {
		e, err := h.Get(t.Context(), e.ID)
		if want := crowd[len(crowd)-1-i]; err != nil || len(e.Picture) != len(want.Picture) {
			t.Errorf("a picture of %d bytes, want %d (%v)", len(e.Picture), len(want.Picture), err)
		}
	}
}

func TestAFaceOfSomebodyDeletedMeanwhileIsNotKept(t *testing.T) {
	s := withoutAna(t)
	l := newLog(s)
	l.Model, l.Pictures = "m1", true
	e := Event{Type: Recognized, Camera: "door", Person: &Person{"P1", "Ana"}, Embedding: []float32{1}, Picture: []byte("jpeg")}
	if err := l.Record(e); err != nil {
		t.Fatal(err)
	}
	h := &History{s}
	events, err := h.Find(t.Context(), Filter{}, "", 9)
	if err != nil || len(events) != 1 {
		t.Fatalf("%+v, %v", events, err)
	}
	if e, err := h.Get(t.Context(), events[0].ID); err != nil || e.Embedding != nil || e.Picture != nil {
		t.Errorf("kept %+v, %v", e, err)
	}
}

// BenchmarkFind asks 10,000 events for those of one camera of ten, and for what is
// not there.
func BenchmarkFind(b *testing.B) {
	s, err := store.Open(b.TempDir(), store.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	l := newLog(s)
	l.Model = "m1"
	for i := 0; i < 10_000; i += 100 {
		var events []Event
		for j := range 100 {
			events = append(events, Event{
				Type: Unknown, Time: noon, Camera: fmt.Sprint("camera ", j%10), Track: "01K9Z3T7Q8W5V2M4N6P8R0S1T2",
				Embedding: make([]float32, 192),
			})
		}
		if _, err := l.RecordAll(events); err != nil {
			b.Fatal(err)
		}
	}
	h := &History{s}
	for name, f := range map[string]Filter{"page": {Camera: "camera 7"}, "nothing": {Camera: "garden"}} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, err := h.Find(b.Context(), f, "", 50); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	b.Run("newest 2000", func(b *testing.B) {
		for b.Loop() {
			if _, err := l.History(b.Context(), "", 2000); err != nil {
				b.Fatal(err)
			}
		}
	})
}
