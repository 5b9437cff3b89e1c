package event

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"time"

	"facerecd/match/store"
)

// Filter chooses events. What is zero in it does not matter.
type Filter struct {
	Person   string // Person.ID
	Camera   string // as configured
	Type     Type
	Stranger string
	Track    string
	Since    time.Time // of events then or later
	Until    time.Time // of events before
}

// Records is what a History is read from; store.Store is the one that ships, and
// says what its methods do.
type Records interface {
	Find(before string, limit int, wanted func(store.Row) (bool, error)) ([]store.Row, error)
	Recorded(id string) (store.Row, error)
	Like(model string, probe []float32, least float32, limit int) ([]store.Hit, error)
	Relabel(edit func(store.Row) (store.Row, bool, error)) (int, error)
}

var _ Records = (*store.Store)(nil)

// Past is an event of the history, and what that has of the face.
type Past struct {
	Event
	HasEmbedding bool    `json:"embedding"` // it can be found by a picture, and enrolled
	HasPicture   bool    `json:"picture"`
	Similarity   float32 `json:"similarity"` // cosine with the face that was searched for; else 0
}

// History is what happened. It is safe for concurrent use.
type History struct{ Records Records }

// Find returns at most limit events that f wants, newest first: those before the
// event with the id, or the newest when before is "".
func (h *History) Find(_ context.Context, f Filter, before string, limit int) ([]Past, error) {
	want := f.matcher()
	rows, err := h.Records.Find(before, limit, func(r store.Row) (bool, error) {
		_, ok, err := want(r)
		return ok, err
	})
	if err != nil {
		return nil, err
	}
	events := make([]Past, len(rows))
	for i, row := range rows {
		if events[i], err = recall(row); err != nil {
			return nil, err
		}
	}
	return events, nil
}

// Get returns the event with the id, with what was seen, or store.ErrNotFound.
func (h *History) Get(_ context.Context, id string) (Past, error) {
	row, err := h.Records.Recorded(id)
	if err != nil {
		return Past{}, err
	}
	e, err := recall(row)
	e.Model, e.Embedding, e.Picture = row.Face.Model, row.Face.Vector, row.Face.Picture
	return e, err
}

// Like returns at most limit events whose embedding, made by the model, has a
// cosine of least or more with the probe, the best first.
func (h *History) Like(model string, probe []float32, least float32, limit int) ([]Past, error) {
	found, err := h.Records.Like(model, probe, least, limit)
	if err != nil {
		return nil, err
	}
	hits := make([]Past, len(found))
	for i, f := range found {
		if hits[i], err = recall(f.Row); err != nil {
			return nil, err
		}
		hits[i].Similarity = f.Score
	}
	return hits, nil
}

// Relabel has change say better who was seen in the events that f wants: it may
// set Person, and what is said of it, and Stranger, and answers whether it did. The
// type stays what was told when it happened. It returns how many events have
// changed, or store.ErrForgotten when one would become a person's who was deleted.
func (h *History) Relabel(f Filter, change func(*Event) bool) (int, error) {
	want := f.matcher()
	return h.Records.Relabel(func(r store.Row) (store.Row, bool, error) {
		e, ok, err := want(r)
		if err != nil || !ok || !change(&e) {
			return r, false, err
		}
		r.Person = ""
		if e.Person != nil {
			r.Person = e.Person.ID
		}
		r.Payload, err = json.Marshal(e)
		return r, true, err
	})
}

// matcher tells of a row whether f wants it, and decodes it then.
func (f Filter) matcher() func(store.Row) (Event, bool, error) {
	// Few rows have all of these in them, and decoding the others takes ten times
	// as long as all else.
	var needs [][]byte
	for key, value := range map[string]string{
		"camera": f.Camera, "type": string(f.Type), "stranger": f.Stranger, "track": f.Track,
	} {
		if value != "" {
			text, _ := json.Marshal(value) // a string cannot fail
			needs = append(needs, fmt.Appendf(nil, "%q:%s", key, text))
		}
	}
	return func(r store.Row) (e Event, ok bool, err error) {
		switch {
		case f.Person != "" && r.Person != f.Person,
			!f.Since.IsZero() && r.At.Before(f.Since),
			!f.Until.IsZero() && !r.At.Before(f.Until):
			return e, false, nil
		}
		for _, need := range needs {
			if !bytes.Contains(r.Payload, need) {
				return e, false, nil
			}
		}
		e, err = decode(r)
		ok = (f.Camera == "" || e.Camera == f.Camera) && (f.Type == "" || e.Type == f.Type) &&
			(f.Track == "" || e.Track == f.Track) && (f.Stranger == "" || e.Stranger != nil && *e.Stranger == f.Stranger)
		return e, ok, err
	}
}

func recall(r store.Row) (Past, error) {
	e, err := decode(r)
	return Past{Event: e, HasEmbedding: r.Embedded, HasPicture: r.Pictured}, err
}

func decode(r store.Row) (e Event, err error) {
	if err := json.Unmarshal(r.Payload, &e); err != nil {
		return e, fmt.Errorf("decode stored event %s: %w", r.ID, err)
	}
	return e, nil
}
