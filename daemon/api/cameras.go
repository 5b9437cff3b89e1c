package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	snapshotPatience = 2 * time.Second // for the picture of a snapshot
	// silence ends a stream: the last picture, which stays on the screen, would
	// pass for a live one.
	silence = 5 * time.Second
	// boundary is between the pictures of a stream. It is in no JPEG.
	boundary = "facerecd-picture"
)

// ErrCameraChanged is how a Cameras ends the wait for a picture of a camera
// that is no longer there as it was.
var ErrCameraChanged = errors.New("the camera was taken out of the configuration, or changed")

// ErrCameraOff is the answer of a Cameras for a camera that is switched off.
var ErrCameraOff = errors.New("the camera is switched off")

type camerasAnswer struct {
	Cameras []Camera `json:"cameras"`
}

func (s *service) listCameras(w http.ResponseWriter, _ *http.Request) error {
	return s.answer(w, http.StatusOK, camerasAnswer{orEmpty(s.Cameras.List())})
}

// snapshot answers with the camera's next picture.
func (s *service) snapshot(w http.ResponseWriter, r *http.Request) error {
	l, err := s.look(r)
	if err != nil {
		return err
	}
	defer l.leave()
	p, err := l.next(snapshotPatience)
	if err != nil {
		return err
	}
	w.Header().Set("X-Timestamp", timestamp(p))
	return s.sendPicture(w, p.JPEG)
}

// sendPicture answers with a JPEG.
func (s *service) sendPicture(w http.ResponseWriter, jpeg []byte) error {
	w.Header().Set("Content-Length", strconv.Itoa(len(jpeg)))
	s.send(w, http.StatusOK, "image/jpeg", jpeg)
	return nil
}

// streamPictures sends one picture after the other, each the newest when the
// client is ready for it.
func (s *service) streamPictures(w http.ResponseWriter, r *http.Request) error {
	l, err := s.look(r)
	if err != nil {
		return err
	}
	defer l.leave()
	p, err := l.next(silence) // until there is one, the answer can be a problem
	if err != nil {
		return err
	}
	first := true
	SendPictures(w, r, func() (Picture, error) {
		if first {
			first = false
			return p, nil
		}
		return l.next(silence)
	})
	return nil
}

// SendPictures answers with Motion JPEG: what next returns, until it fails or
// the client goes.
func SendPictures(w http.ResponseWriter, r *http.Request, next func() (Picture, error)) {
	shortQueue(r)
	w.Header().Set("Content-Type", "multipart/x-mixed-replace; boundary="+boundary)
	w.Header().Set("X-Accel-Buffering", "no") // nginx would keep pictures back
	out := newStream(w)
	if !out.write([]byte("--"+boundary)) || r.Method == http.MethodHead {
		return
	}
	for {
		p, err := next()
		if err != nil {
			out.write([]byte("--\r\n"))
			return
		}
		if !out.write(part(p)) {
			return
		}
	}
}

// part is what follows a boundary: the picture, and the next boundary, for
// browsers do not show a picture before they have seen that.
func part(p Picture) []byte {
	head := fmt.Sprintf("\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\nX-Timestamp: %s\r\n\r\n", len(p.JPEG), timestamp(p))
	return slices.Concat([]byte(head), p.JPEG, []byte("\r\n--"+boundary))
}

// timestamp is when the picture was taken, as the contract writes times.
func timestamp(p Picture) string { return p.At.UTC().Format(time.RFC3339Nano) }

// look is a request's at one camera.
type look struct {
	*service
	request *http.Request
	camera  string
	overlay Overlay
	ctx     context.Context
	leave   func()
}

func (s *service) look(r *http.Request) (l *look, err error) {
	l = &look{service: s, request: r}
	if l.camera, err = s.findCamera(r.PathValue("name")); err != nil {
		return nil, err
	}
	if l.overlay, err = overlayOf(r); err != nil {
		return nil, err
	}
	if l.ctx, l.leave, err = s.watch(r); err != nil {
		return nil, err
	}
	return l, nil
}

// next waits for the next picture. Its error is the answer.
func (l *look) next(patience time.Duration) (Picture, error) {
	p, err := l.wait(patience)
	return p, l.because(err)
}

// wait waits for the next picture. Its error is context.DeadlineExceeded when
// none comes.
func (l *look) wait(patience time.Duration) (Picture, error) {
	ctx, cancel := context.WithTimeout(l.ctx, patience)
	defer cancel()
	return l.Cameras.Next(ctx, l.camera, l.overlay)
}

// because is the answer to why there is no picture.
func (l *look) because(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, ErrCameraOff):
		return problem(http.StatusServiceUnavailable, CodeNoPicture, "The camera is switched off; switch it on under Settings on the page at /, over MQTT or in Home Assistant.")
	case errors.Is(err, ErrCameraChanged):
		return problem(http.StatusServiceUnavailable, CodeNoPicture, "The camera was changed, or taken out, this moment; GET /api/v1/cameras lists those that there are now.")
	case l.request.Context().Err() != nil:
		return l.request.Context().Err()
	case l.closing.Err() != nil:
		return problem(http.StatusServiceUnavailable, CodeNotReady, "facerecd is stopping; ask again when it is back.")
	case errors.Is(err, context.DeadlineExceeded):
		return l.noPicture()
	}
	return fmt.Errorf("show camera: %w", err)
}

// noPicture says why the camera shows nothing.
func (l *look) noPicture() error {
	detail := "It sends pictures, but they cannot be looked at; GET /healthz says what is wrong."
	for _, c := range l.Cameras.List() {
		switch {
		case c.Name != l.camera:
		case c.Hint != "":
			detail = fmt.Sprintf("It is %s (%s): %s.", c.State, c.Code, strings.TrimSuffix(c.Hint, "."))
		case c.State == "starting":
			detail = "It is starting; try again in a few seconds."
		}
	}
	return problem(http.StatusServiceUnavailable, CodeNoPicture, "There is no picture of the camera now. "+detail)
}

// findCamera returns the name of the camera that has it, or that slug.
func (s *service) findCamera(name string) (string, error) {
	var slugs []string
	for _, c := range s.Cameras.List() {
		if strings.EqualFold(name, c.Slug) || strings.EqualFold(name, c.Name) {
			return c.Name, nil
		}
		slugs = append(slugs, c.Slug)
	}
	detail := "There is no camera; add one to cameras in the configuration."
	if len(slugs) > 0 {
		detail = fmt.Sprintf("There is no camera with this name; these there are: %s.", strings.Join(slugs, ", "))
	}
	return "", problem(http.StatusNotFound, CodeCameraNotFound, detail)
}

// overlayOf reads a request's overlay, such as boxes,names.
func overlayOf(r *http.Request) (o Overlay, err error) {
	for _, list := range r.URL.Query()["overlay"] {
		for what := range strings.SplitSeq(list, ",") {
			switch what {
			case "boxes":
				o.Boxes = true
			case "names":
				o.Names = true
			case "":
			default:
				return o, badParameter("overlay must be boxes, names, or both: overlay=boxes,names.")
			}
		}
	}
	return o, nil
}
