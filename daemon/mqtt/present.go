package mqtt

import (
	"encoding/json"
	"time"

	"facerecd/daemon/event"
)

// Present is the payload of Topics.Present: who is in view of a camera now. It
// is retained, so that who subscribes late knows at once.
type Present struct {
	V       int       // contract version; 0 stands for event.Version
	Time    time.Time // since when this is so
	Camera  string
	People  []Visible // recognised, in the order in which they came
	Unknown int       // faces that are nobody's who is known
}

// Visible is a person in view.
type Visible struct {
	ID    string // person id
	Name  string
	Track string    // the track that the events speak of
	Since time.Time // when the track began
}

// MarshalJSON writes it as the contract has it: keys v, time, camera, people
// and unknown; times like those of events; people is never null.
func (p Present) MarshalJSON() ([]byte, error) {
	if p.V == 0 {
		p.V = event.Version
	}
	if p.People == nil {
		p.People = []Visible{}
	}
	return json.Marshal(struct {
		V       int       `json:"v"`
		Time    string    `json:"time"`
		Camera  string    `json:"camera"`
		People  []Visible `json:"people"`
		Unknown int       `json:"unknown"`
	}{p.V, event.FormatTime(p.Time), p.Camera, p.People, p.Unknown})
}

// MarshalJSON writes the keys id, name, track and since.
func (v Visible) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		ID    string `json:"id"`
		Name  string `json:"name"`
		Track string `json:"track"`
		Since string `json:"since"`
	}{v.ID, v.Name, v.Track, event.FormatTime(v.Since)})
}
