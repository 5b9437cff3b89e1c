package event

import (
	"encoding/json"
	"math"
	"time"
)

// timeLayout is RFC 3339 with exactly three decimals, so that times have one
// width and sort as text.
const timeLayout = "2006-01-02T15:04:05.000Z07:00"

// FormatTime writes a time as every message of the contract does: RFC 3339,
// UTC, milliseconds.
func FormatTime(t time.Time) string { return t.UTC().Format(timeLayout) }

// plain is an Event without its methods.
type plain Event

// wire is an event as the contract has it. The outer fields win over the embedded
// ones of the same name, and come first; the order of the keys stays that of Event.
type wire struct {
	V    int    `json:"v"`
	ID   string `json:"id"`
	Type Type   `json:"type"`
	Time string `json:"time"`
	plain
}

func (e Event) wire() wire {
	p := plain(e)
	p.Score, p.Confidence, p.Quality = finite(e.Score), finite(e.Confidence), finite(e.Quality)
	return wire{e.V, e.ID, e.Type, FormatTime(e.Time), p}
}

// MarshalJSON writes the event as the contract has it. A number that is none
// (NaN, ±Inf), which JSON cannot hold, becomes 0: an event is not lost over it.
func (e Event) MarshalJSON() ([]byte, error) { return json.Marshal(e.wire()) }

// MarshalJSON writes the event as the HTTP port's history has it.
func (p Past) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		wire
		HasEmbedding bool    `json:"embedding"`
		HasPicture   bool    `json:"picture"`
		Similarity   float32 `json:"similarity,omitempty"`
	}{p.wire(), p.HasEmbedding, p.HasPicture, p.Similarity})
}

func finite(x float32) float32 {
	if math.IsNaN(float64(x)) || math.IsInf(float64(x), 0) {
		return 0
	}
	return x
}
