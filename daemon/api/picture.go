package api

import (
	"errors"
	"fmt"
	"image"
	"net/http"
	"strings"
	"unicode"
	"unicode/utf8"

	"facerecd/capture/still"
)

// unknownField is the code of an image whose form field nobody reads.
const unknownField still.Code = "unknown_field"

func errImageTooLarge() error {
	return &still.Error{Code: still.TooLargeBytes, Text: fmt.Sprintf("the picture is over %d MiB: send a smaller one", MaxImageBytes>>20)}
}

func errUnknownField(field string) error {
	return &still.Error{Code: unknownField, Text: fmt.Sprintf("it was sent in the form field '%s': send images in the field images", clip(field))}
}

func decode(data []byte) (image.Image, error) {
	return still.Decode(data, still.Limits{MaxBytes: MaxImageBytes, MaxPixels: MaxPixels})
}

// Verdict is what the answer says about an upload whose Err is set.
func (u Upload) Verdict() Verdict {
	v := Verdict{Image: u.Name, Verdict: string(still.Corrupt), Detail: sentence(u.Err.Error())}
	if e, ok := errors.AsType[*still.Error](u.Err); ok {
		v.Verdict = string(e.Code)
	}
	return v
}

// pictureProblem is the answer when a request's only image cannot be used.
func pictureProblem(err error) error {
	e, ok := errors.AsType[*still.Error](err)
	if !ok {
		return err
	}
	status := http.StatusUnprocessableEntity
	switch e.Code {
	case still.NotAnImage, still.Unsupported:
		status = http.StatusUnsupportedMediaType
	case still.TooLargeBytes, still.TooManyPixels:
		status = http.StatusRequestEntityTooLarge
	case unknownField:
		status = http.StatusBadRequest
	}
	return problem(status, string(e.Code), sentence(e.Text))
}

// sentence makes one of an error's text.
func sentence(text string) string {
	first, n := utf8.DecodeRuneInString(text)
	return string(unicode.ToUpper(first)) + strings.TrimSuffix(text[n:], ".") + "."
}
