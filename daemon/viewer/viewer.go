// Package viewer shows a daemon what a camera of this machine sees: it sends
// frames to POST /recognize, tells what the answers are, and shows the pictures
// with boxes and names on a page that only its user can open.
package viewer

import (
	"context"
	"errors"
	"fmt"
	"image"
	"net/http"
	"time"

	"facerecd/capture"
	"facerecd/capture/jpeg"
	"facerecd/daemon"
	"facerecd/daemon/api"
	"facerecd/daemon/live"
)

const (
	answerPatience = 30 * time.Second // for one answer
	pause          = time.Second      // before the daemon is asked again that could not answer
)

// Daemon is who is asked; see client.Client.
type Daemon interface {
	RecognizeJPEG(ctx context.Context, picture []byte) (api.Recognition, error)
}

// Viewer asks a daemon who is in the frames of a camera. All fields but Once are
// required; they are not changed while it runs.
type Viewer struct {
	Box     *capture.Mailbox // gets the frames
	Decoder jpeg.Decoder
	Daemon  Daemon
	Every   time.Duration // at most one frame in this time
	Once    bool          // one answer, and Run ends
	Hub     *live.Hub     // shows the frames with what was answered

	// OnAnswer gets each answer and when its frame was taken, OnTrouble each
	// failure, and nil when it is over. Both are called by Run.
	OnAnswer  func(time.Time, api.Recognition) error
	OnTrouble func(error)
}

// Run asks until ctx ends, and returns nil then. A daemon that is away or busy
// is waited for; one that refuses the request, for the token or as it is no
// facerecd, ends it with the daemon's error. So does an error of OnAnswer.
func (v *Viewer) Run(ctx context.Context) error {
	tick := time.NewTicker(v.Every)
	defer tick.Stop()
	troubled := false
	for {
		f, err := v.Box.Take(ctx)
		if err != nil {
			return nil
		}
		err = v.look(ctx, f)
		v.Box.Recycle(f)
		next := tick.C
		switch r := (*refused)(nil); {
		case ctx.Err() != nil:
			return nil
		case err == nil && v.Once, errors.As(err, &r):
			return err
		case err == nil:
			if troubled {
				v.OnTrouble(nil)
			}
			troubled = false
		default:
			v.OnTrouble(err)
			troubled, next = true, time.After(pause)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-next:
		}
	}
}

// refused is an error that the next frame would get, too.
type refused struct{ error }

func (r *refused) Unwrap() error { return r.error }

// look asks about one frame, and shows it.
func (v *Viewer) look(ctx context.Context, f *capture.Frame) error {
	view, err := daemon.ViewOf(f, v.Decoder)
	if err != nil {
		return fmt.Errorf("read the camera's picture: %w", err)
	}
	shown := live.Frame{At: f.At, View: view}
	if f.Format == capture.JPEG {
		shown.JPEG = f.Data
	}
	picture, err := live.Encode(shown, live.Overlay{})
	if err != nil {
		return err
	}
	asking, cancel := context.WithTimeout(ctx, answerPatience)
	defer cancel()
	found, err := v.Daemon.RecognizeJPEG(asking, picture)
	if p, ok := errors.AsType[*api.Problem](err); ok && hopeless(p.Status) {
		return &refused{err}
	}
	if err != nil {
		return err
	}
	shown.Faces = faces(found)
	v.Hub.Show(shown)
	if err := v.OnAnswer(f.At, found); err != nil {
		return &refused{err}
	}
	return nil
}

// hopeless tells whether it is the request that is refused, and not the picture
// or the moment.
func hopeless(status int) bool {
	switch status {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusMisdirectedRequest:
		return true
	}
	return false
}

func faces(found api.Recognition) []live.Face {
	var all []live.Face
	for _, f := range found.Faces {
		face := live.Face{Box: image.Rect(f.Box[0], f.Box[1], f.Box[0]+f.Box[2], f.Box[1]+f.Box[3]), State: live.Unknown}
		if f.Person != nil {
			face.State, face.Name, face.Score = live.Known, f.Person.Name, f.Score
		}
		all = append(all, face)
	}
	return all
}
