package mqtt

import (
	"encoding/json"
	"time"

	"facerecd/daemon/event"
)

// CameraStatus is the payload of Topics.Status: what a camera is doing, and if
// it is not streaming, why and what to do. It is retained, and told when State
// or Code changes.
type CameraStatus struct {
	V      int       // contract version; 0 stands for event.Version
	Time   time.Time // when this was written
	Camera string    // as configured
	State  string    // starting, streaming, failed or ended: a capture.State; or off
	Code   string    // why, for programs, by capture.Code; "" while starting or streaming
	Hint   string    // what the user can do about it; "" as Code
	Since  time.Time // when State or Code became so
}

// MarshalJSON writes it as the contract has it: keys v, time, camera, state,
// code, hint and since; times like those of events.
func (s CameraStatus) MarshalJSON() ([]byte, error) {
	if s.V == 0 {
		s.V = event.Version
	}
	return json.Marshal(struct {
		V      int    `json:"v"`
		Time   string `json:"time"`
		Camera string `json:"camera"`
		State  string `json:"state"`
		Code   string `json:"code"`
		Hint   string `json:"hint"`
		Since  string `json:"since"`
	}{s.V, event.FormatTime(s.Time), s.Camera, s.State, s.Code, s.Hint, event.FormatTime(s.Since)})
}
