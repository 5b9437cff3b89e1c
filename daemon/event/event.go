// Package event holds the facts that facerecd tells the world, and the log
// through which each of them goes: stored first, then published.
package event

import (
	"encoding/json"
	"fmt"
	"time"
)

// Type says what happened to a track.
type Type string

// The event types of contract version 1.
const (
	Recognized Type = "recognized" // the face is an enrolled person's
	Unknown    Type = "unknown"    // looked at long enough, and nobody's who is known
	Left       Type = "left"       // a face that had been announced is gone
)

// Types returns all of them.
func Types() []Type { return []Type{Recognized, Unknown, Left} }

// Version is the contract version, the "v" of every event.
const Version = 1

// Quiet is why an event is not announced: it is in the history, and not published.
type Quiet string

// The reasons. An event that is announced has none.
const (
	QuietHours  Quiet = "hours"  // it happened in the quiet hours
	QuietPerson Quiet = "person" // the person is one whose coming and going is not announced
)

// Person names who was recognised.
type Person struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// Event is one message on <base>/<camera>/event, or one that is not published and
// says why in Quiet. Boxes are in pixels of the
// frame: x, y, width, height.
type Event struct {
	V          int       `json:"v"`
	ID         string    `json:"id"` // ULID; the same event delivered twice has the same id
	Type       Type      `json:"type"`
	Time       time.Time `json:"time"` // UTC
	Device     string    `json:"device"`
	Camera     string    `json:"camera"`
	Track      string    `json:"track"`
	Person     *Person   `json:"person"`     // null unless recognised
	Score      float32   `json:"score"`      // cosine of the best person, -1..1
	Confidence float32   `json:"confidence"` // calibrated probability that it is that person, 0..1
	Box        [4]int    `json:"box"`
	Frame      [2]int    `json:"frame"` // width, height
	Quality    float32   `json:"quality"`
	SeenForMS  int64     `json:"seen_for_ms"`

	// Seq counts the device's events, over restarts too. Boot names the run of the
	// daemon that saw it. Neither comes from a clock, which may jump.
	Seq         uint64 `json:"seq"`
	Boot        string `json:"boot"`
	ClockSynced bool   `json:"clock_synced"` // whether Time can be trusted

	Stranger *string `json:"stranger"` // the lasting id of somebody who is not enrolled; null when there is none
	Zone     *string `json:"zone"`     // the camera's zone that the face was in; null outside of all

	Quiet Quiet `json:"quiet,omitempty"` // never in a published one

	// When the frame was taken, and when the last model was done with it, on the
	// monotonic clock; zero if neither caused the event. They are neither stored
	// nor published.
	Taken   time.Time `json:"-"`
	Decided time.Time `json:"-"`

	// What was seen, for those who keep it: the track's evidence, a unit vector, and a
	// picture of the face, a JPEG; nil when there is none. They are not published.
	Embedding []float32 `json:"-"`
	Picture   []byte    `json:"-"`
	Model     string    `json:"-"` // the model pack that made Embedding, in what History gives
}

// Redact removes the person from a stored event's JSON, for a person who was
// deleted before the event could be published.
func Redact(payload []byte) ([]byte, error) {
	var e Event
	if err := json.Unmarshal(payload, &e); err != nil {
		return nil, fmt.Errorf("decode stored event: %w", err)
	}
	return json.Marshal(e.withoutPerson())
}

// Name says who it was, nil for nobody who is known; score and confidence, which
// were another's, are 0 then.
func (e *Event) Name(p *Person) {
	if e.Person = p; p == nil {
		e.Score, e.Confidence = 0, 0
	}
}

func (e Event) withoutPerson() Event {
	e.Name(nil)
	e.Embedding, e.Picture = nil, nil
	return e
}
