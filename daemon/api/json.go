package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
)

// readJSON reads a request's body, one JSON object, into v. A member that v has
// no field for, or anything after the object, is an error. Its errors are
// problems; they show example, such as {"name": "new name"}, which has what in it.
func readJSON(w http.ResponseWriter, r *http.Request, v any, what, example string) error {
	if kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); kind != "application/json" && kind != "application/merge-patch+json" {
		return problem(http.StatusUnsupportedMediaType, CodeMediaType, fmt.Sprintf("Send JSON, with Content-Type: application/json: %s.", example))
	}
	dec := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxFieldSize))
	dec.DisallowUnknownFields()
	err := dec.Decode(v)
	if err == nil {
		if _, err = dec.Token(); errors.Is(err, io.EOF) {
			return nil
		} else if err == nil {
			err = errors.New("something follows the object")
		}
	}
	if p, ok := errors.AsType[*Problem](bodyProblem(w, err)); ok && p.Code != CodeBodyMalformed {
		return p
	}
	return badJSON(what, example)
}

func badJSON(what, example string) error {
	return problem(http.StatusBadRequest, CodeBodyMalformed, fmt.Sprintf("The body must be one JSON object with %s and nothing else: %s.", what, example))
}

// readName is readJSON into body, whose member name this is, and returns the
// person's name.
func readName(w http.ResponseWriter, r *http.Request, body any, name **string) (string, error) {
	const what, example = "the person's name", `{"name": "Ana"}`
	if err := readJSON(w, r, body, what, example); err != nil {
		return "", err
	}
	if *name == nil {
		return "", badJSON(what, example)
	}
	return PersonName(**name)
}
