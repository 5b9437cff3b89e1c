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

// MarshalJSON writes the event as the contract has it. A number that is none
// (NaN, ±Inf), which JSON cannot hold, becomes 0: an event is not lost over it.
func (e Event) MarshalJSON() ([]byte, error) {
	type plain Event // without this method
	p := plain(e)
	p.Score, p.Confidence, p.Quality = finite(e.Score), finite(e.Confidence), finite(e.Quality)
	// The outer fields win over the embedded ones of the same name, and come
	// first; the order of the keys stays that of Event.
	return json.Marshal(struct {
		V    int    `json:"v"`
		ID   string `json:"id"`
		Type Type   `json:"type"`
		Time string `json:"time"`
		plain
	}{e.V, e.ID, e.Type, FormatTime(e.Time), p})
}

func finite(x float32) float32 {
	if math.IsNaN(float64(x)) || math.IsInf(float64(x), 0) {
		return 0
	}
	return x
}
