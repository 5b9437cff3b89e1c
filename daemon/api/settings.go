package api

import (
	"errors"
	"fmt"
	"net/http"
)

// Setting is a key of the configuration, and what is in force for it.
type Setting struct {
	Key   string `json:"key"`   // as in the file, such as match.threshold
	Value any    `json:"value"` // a string, number or boolean; never a secret
}

type settingsAnswer struct {
	Settings []Setting `json:"settings"`
}

func (s *service) listSettings(w http.ResponseWriter, _ *http.Request) error {
	return s.answer(w, http.StatusOK, settingsAnswer{orEmpty(s.Settings())})
}

// switchCamera turns a camera on or off.
func (s *service) switchCamera(w http.ResponseWriter, r *http.Request) error {
	name, err := s.findCamera(r.PathValue("name"))
	if err != nil {
		return err
	}
	const what, example = "the one thing that can be changed", `{"enabled": false}`
	var change struct {
		Enabled *bool `json:"enabled"`
	}
	if err := readJSON(w, r, &change, what, example); err != nil {
		return err
	}
	if change.Enabled == nil {
		return badJSON(what, example)
	}
	switch err := s.Cameras.Switch(name, *change.Enabled); {
	case err == nil, errors.Is(err, ErrCameraChanged):
	case s.closing.Err() != nil:
		return problem(http.StatusServiceUnavailable, CodeNotReady, "facerecd is stopping; ask again when it is back.")
	default:
		return fmt.Errorf("switch camera: %w", err)
	}
	for _, c := range s.Cameras.List() {
		if c.Name == name {
			return s.answer(w, http.StatusOK, c)
		}
	}
	return problem(http.StatusNotFound, CodeCameraNotFound, "The camera was taken out of the configuration this moment; GET /api/v1/cameras lists those that there are now.")
}
