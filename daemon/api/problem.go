package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"syscall"
	"time"
)

// The codes of a Problem. They are stable: a program may branch on them, and
// openapi.yaml lists them all.
const (
	CodeNameEmpty      = "name_empty"
	CodeNameInvalid    = "name_invalid"
	CodeNameTooLong    = "name_too_long"
	CodeNameTaken      = "name_taken"
	CodeNoImages       = "no_images"
	CodeNoUsableImage  = "no_usable_image"
	CodeLooksLike      = "looks_like"
	CodeTooManyImages  = "too_many_images"
	CodeBodyTooLarge   = "body_too_large"
	CodeBodyMalformed  = "body_malformed"
	CodeMediaType      = "unsupported_media_type"
	CodeUploadTooSlow  = "upload_too_slow"
	CodeBadParameter   = "bad_parameter"
	CodeUnauthorized   = "unauthorized"
	CodeTooMany        = "too_many_requests"
	CodeCrossOrigin    = "cross_origin"
	CodeWrongHost      = "wrong_host"
	CodeNotFound       = "not_found"
	CodePersonNotFound = "person_not_found"
	CodeCameraNotFound = "camera_not_found"
	CodeEventNotFound  = "event_not_found"
	CodeNoPerson       = "no_person"
	CodeNoEmbedding    = "no_embedding"
	CodeNoPicture      = "no_picture"
	CodeBadBackup      = "bad_backup"
	CodeOtherModel     = "other_model"
	CodeMethod         = "method_not_allowed"
	CodeBusy           = "busy"
	CodeNotReady       = "not_ready"
	CodeDiskFull       = "disk_full"
	CodeInternal       = "internal"

	CodeStrangerNotFound = "stranger_not_found"
	CodeStrangerStale    = "stranger_stale"
	CodeTooManyIgnored   = "too_many_ignored"
)

// Problem is every error answer (RFC 9457), and the error that a client gets
// from one. An implementation of this package's interfaces may return one to
// choose the answer itself.
type Problem struct {
	Type     string      `json:"type"`   // about:blank: Code says more
	Title    string      `json:"title"`  // the status in words
	Status   int         `json:"status"` // HTTP status
	Detail   string      `json:"detail"` // a sentence that says what to do
	Code     string      `json:"code"`
	Rejected []Rejection `json:"rejected,omitempty"` // with CodeNoUsableImage and CodeLooksLike, each image's reason
	Images   []Verdict   `json:"images,omitempty"`   // likewise, in full
}

func (p *Problem) Error() string { return p.Detail }

func problem(status int, code, detail string) *Problem {
	return &Problem{Type: "about:blank", Title: http.StatusText(status), Status: status, Detail: detail, Code: code}
}

// fail answers with the problem that err is.
func (s *service) fail(w http.ResponseWriter, r *http.Request, err error) {
	p := s.problemOf(r, err)
	if p == nil {
		return
	}
	if p.Status == http.StatusServiceUnavailable && w.Header().Get("Retry-After") == "" {
		w.Header().Set("Retry-After", retryAfter)
	}
	s.write(w, p.Status, "application/problem+json", p)
}

// problemOf is what err is to the caller, or nil when nobody reads an answer.
func (s *service) problemOf(r *http.Request, err error) *Problem {
	p, known := errors.AsType[*Problem](err)
	switch {
	case known:
	case errors.Is(err, ErrPersonNotFound):
		p = problem(http.StatusNotFound, CodePersonNotFound, "There is no person with this id; GET /api/v1/people lists them.")
	case errors.Is(err, ErrNameTaken):
		p = problem(http.StatusConflict, CodeNameTaken, "Another person has this name; choose a different one, or delete that person first.")
	case errors.Is(err, syscall.ENOSPC):
		s.Log.Error("request failed", "route", r.Pattern, "error", err)
		p = problem(http.StatusInsufficientStorage, CodeDiskFull, "The disk of this device is full, and nothing was stored. Free some space on it, for instance with journalctl --vacuum-size=50M, and try again.")
	case errors.Is(err, ErrEventNotFound):
		p = problem(http.StatusNotFound, CodeEventNotFound, "There is no event with this id, or no longer; GET /api/v1/events lists what there is.")
	case errors.Is(err, ErrNobody):
		p = problem(http.StatusConflict, CodeNoPerson, "The event names nobody, so there is nobody to take out of it.")
	case errors.Is(err, ErrNoEmbedding):
		p = problem(http.StatusConflict, CodeNoEmbedding, "Nothing is stored of this event's face that could be compared: it is not kept of every event, or another model pack made it. Take another event, or enrol with photos.")
	case r.Context().Err() != nil && errors.Is(err, context.Canceled):
		return nil // the caller is gone, or the daemon stops
	default:
		s.Log.Error("request failed", "route", r.Pattern, "error", err)
		p = problem(http.StatusInternalServerError, CodeInternal, "Something failed inside facerecd; its log says what (journalctl -u facerecd).")
	}
	return p
}

// answer writes v as JSON.
func (s *service) answer(w http.ResponseWriter, status int, v any) error {
	s.write(w, status, "application/json", v)
	return nil
}

func (s *service) write(w http.ResponseWriter, status int, mediaType string, v any) {
	var body bytes.Buffer
	enc := json.NewEncoder(&body)
	enc.SetEscapeHTML(false) // never shown as HTML: nosniff, and no such media type
	if err := enc.Encode(v); err != nil {
		s.Log.Error("encode answer", "error", err)
		body.Reset()
		status, mediaType = http.StatusInternalServerError, "application/problem+json"
		_ = enc.Encode(problem(status, CodeInternal, "Something failed inside facerecd; its log says what (journalctl -u facerecd)."))
	}
	s.send(w, status, mediaType, body.Bytes())
}

// send is the one place where an answer that is not a stream is written. Its
// write error means that the caller has gone, which is their right.
func (s *service) send(w http.ResponseWriter, status int, mediaType string, body []byte) {
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(writePatience))
	w.Header().Set("Content-Type", mediaType)
	w.WriteHeader(status)
	_, _ = w.Write(body)
}
