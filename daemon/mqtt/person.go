package mqtt

import (
	"encoding/json"
	"time"

	"facerecd/daemon/event"
)

// PersonState is the payload of Topics.Person: where somebody was last seen. It
// is retained.
type PersonState struct {
	Time       time.Time // when this was written
	Person     event.Person
	Cameras    []string  // in whose view the person is, by name; none: not present
	Camera     string    // that saw the person last; "" if none did
	LastSeen   time.Time // zero if none did
	Confidence float32   // of the last recognition
	Event      string    // id of the last event that names the person; "": there is none
}

// MarshalJSON writes it as the contract has it: keys v, time, person, present,
// cameras, camera, last_seen, confidence and event; the last four are null when
// there is nothing to say.
func (p PersonState) MarshalJSON() ([]byte, error) {
	if p.Cameras == nil {
		p.Cameras = []string{}
	}
	out := struct {
		V          int          `json:"v"`
		Time       string       `json:"time"`
		Person     event.Person `json:"person"`
		Present    bool         `json:"present"`
		Cameras    []string     `json:"cameras"`
		Camera     *string      `json:"camera"`
		LastSeen   *string      `json:"last_seen"`
		Confidence *float32     `json:"confidence"`
		Event      *string      `json:"event"`
	}{V: event.Version, Time: event.FormatTime(p.Time), Person: p.Person, Present: len(p.Cameras) > 0, Cameras: p.Cameras}
	if p.Camera != "" {
		out.Camera = &p.Camera
	}
	if !p.LastSeen.IsZero() {
		out.LastSeen = new(event.FormatTime(p.LastSeen))
	}
	if p.Event != "" {
		out.Event, out.Confidence = &p.Event, &p.Confidence
	}
	return json.Marshal(out)
}
