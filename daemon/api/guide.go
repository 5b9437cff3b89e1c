package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"net/http"
	"slices"
	"sync"
	"time"
)

const (
	guideTime = 60 * time.Second       // for all poses
	guidePace = 200 * time.Millisecond // from one look to the next
	// guideAgain is when guidance is sent again that has not changed: with the wait
	// and the look that may be under way, within two seconds.
	guideAgain = 1500 * time.Millisecond
)

// Guide is an enrolment before a camera. Its methods are called one after the
// other.
type Guide interface {
	// Look takes the camera's next picture, and says what to do. The picture
	// must not be kept.
	Look(img image.Image) (Guidance, error)
	// Enroll stores what was taken, as Faces.Enroll does with images that are
	// called as their poses. When nothing was taken, nobody is enrolled, and the
	// one image of the answer says what stood in the way most.
	Enroll(ctx context.Context, name string, force bool) (Enrollment, error)
}

// Guidance says what somebody before a camera is to do.
type Guidance struct {
	Step   Direction `json:"step"`           // what is asked for now; when all are taken, what was asked for last
	Taken  int       `json:"taken"`          // poses taken so far
	Of     int       `json:"of"`             // poses that are wanted
	Code   string    `json:"code"`           // for programs: why there is no pose taken now, or GuideTaken
	Detail string    `json:"detail"`         // sentence, for people: what to do
	Box    [4]int    `json:"box,omitzero"`   // x, y, width, height of the face in Frame, when there is one
	Frame  [2]int    `json:"frame,omitzero"` // width and height of the picture, pixels
}

// The codes of a Guidance, beside no_face, several_faces and the reasons for
// which an image of an enrolment is rejected.
const (
	GuideTaken     = "taken"         // this look was taken
	GuideStill     = "hold_still"    // so that it can be
	GuideFront     = "look_straight" // for the step front
	GuideTurnLeft  = "turn_left"
	GuideTurnRight = "turn_right"
	GuideTurnOther = "turn_other" // for the second side
	GuideBusy      = "busy"       // nobody has looked: other requests are being worked on
)

// GuideRequest is what a client sends.
type GuideRequest struct {
	Name  string      `json:"name"`
	Force bool        `json:"force,omitempty"`
	Poses []Direction `json:"poses,omitempty"` // empty: AllPoses
}

// AllPoses are the poses of an enrolment before a camera, in the order in which
// they are asked for.
func AllPoses() []Direction { return []Direction{Front, Left, Right} }

// guideRequest reads a request for a guided enrolment.
func guideRequest(w http.ResponseWriter, r *http.Request) (GuideRequest, error) {
	var body struct {
		Name  *string     `json:"name"`
		Force bool        `json:"force"`
		Poses []Direction `json:"poses"`
	}
	name, err := readName(w, r, &body, &body.Name)
	if err != nil {
		return GuideRequest{}, err
	}
	for i, pose := range body.Poses {
		if !slices.Contains(AllPoses(), pose) || slices.Contains(body.Poses[:i], pose) {
			return GuideRequest{}, badParameter(`poses must be some of front, left and right, each once: ["front"].`)
		}
	}
	if len(body.Poses) == 0 {
		body.Poses = AllPoses()
	}
	return GuideRequest{Name: name, Force: body.Force, Poses: body.Poses}, nil
}

// guides are the cameras before which somebody is being enrolled.
type guides struct {
	mu   sync.Mutex
	busy map[string]bool
}

// begin takes a camera until leave is called.
func (g *guides) begin(camera string) (leave func(), err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.busy[camera] {
		return nil, problem(http.StatusServiceUnavailable, CodeBusy, "Somebody is being enrolled before this camera; try again when that has ended.")
	}
	if g.busy == nil {
		g.busy = make(map[string]bool)
	}
	g.busy[camera] = true
	return sync.OnceFunc(func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		delete(g.busy, camera)
	}), nil
}

// enrolBefore enrols who stands before a camera, and tells them what to do.
func (s *service) enrolBefore(w http.ResponseWriter, r *http.Request) error {
	if err := s.throttle(w, r); err != nil {
		return err
	}
	want, err := guideRequest(w, r)
	if err != nil {
		return err
	}
	l, err := s.look(r)
	if err != nil {
		return err
	}
	defer l.leave()
	l.overlay = Overlay{} // nobody is enrolled with a box around the face
	leave, err := s.guides.begin(l.camera)
	if err != nil {
		return err
	}
	defer leave()
	p, err := l.next(silence) // until there is one, the answer can be a problem
	if err != nil {
		return err
	}
	g := &guided{
		look: l, out: newEventStream(w), guide: s.Faces.Guide(want.Poses),
		said: Guidance{Step: want.Poses[0], Of: len(want.Poses)}, at: time.Now(),
	}
	e, err := g.enrol(p, want)
	leave() // whoever is told that it is over may begin again at once
	switch {
	case errors.Is(err, errLeft):
	case err == nil:
		_ = g.send("result", e) // stored, whether or not they still read it
	default:
		if problem := s.problemOf(r, err); problem != nil {
			_ = g.send("problem", problem)
		}
	}
	return nil
}

// errLeft is that the client does not read any more.
var errLeft = errors.New("the client has left")

// guided is a guide at work.
type guided struct {
	*look
	out   stream
	guide Guide
	said  Guidance  // last
	at    time.Time // when that was
}

// enrol looks until all poses are taken or the time is over, and enrols with
// what there is.
func (g *guided) enrol(p Picture, want GuideRequest) (Enrollment, error) {
	for end := time.Now().Add(guideTime); ; {
		pace := time.After(guidePace)
		said, err := g.see(p)
		if err == nil {
			err = g.tell(said)
		}
		if err != nil {
			return Enrollment{}, err
		}
		if said.Taken == said.Of || !time.Now().Before(end) {
			break
		}
		select {
		case <-pace:
		case <-g.ctx.Done():
		}
		if p, err = g.picture(); err != nil {
			return Enrollment{}, err
		}
	}
	e, err := g.guide.Enroll(g.ctx, want.Name, want.Force)
	if err != nil {
		return e, err
	}
	if e.Accepted == 0 {
		p := refused(e)
		if g.said.Taken == 0 && len(e.Rejected) > 0 {
			p.Detail = fmt.Sprintf("No look could be taken in %.0f seconds, so nobody was enrolled. %s", guideTime.Seconds(), e.Rejected[0].Detail)
		}
		return e, p
	}
	e.complete()
	g.Log.Info("enrolled before a camera", "person", e.Person.ID, "accepted", e.Accepted, "rejected", len(e.Rejected))
	return e, nil
}

// see has a picture looked at, unless all who look are busy until something
// must be said again.
func (g *guided) see(p Picture) (Guidance, error) {
	switch err := acquire(g.ctx, g.work, max(g.due(), guidePace)); {
	case err == nil:
		defer func() { <-g.work }()
	case g.ctx.Err() != nil:
		return g.said, g.because(err)
	default:
		busy := Guidance{Step: g.said.Step, Taken: g.said.Taken, Of: g.said.Of}
		busy.Code, busy.Detail = GuideBusy, "Wait a moment: facerecd is busy."
		return busy, nil
	}
	img, err := decode(p.JPEG)
	if err != nil {
		return g.said, fmt.Errorf("read picture of camera: %w", err)
	}
	said, err := g.guide.Look(img)
	if err != nil {
		return said, fmt.Errorf("look at picture of camera: %w", err)
	}
	return said, nil
}

// picture waits for the next one. Its error is the answer.
func (g *guided) picture() (Picture, error) {
	for began := time.Now(); ; {
		p, err := g.wait(g.due())
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(began) >= silence {
			return p, g.because(err)
		}
		if err := g.tell(g.said); err != nil {
			return p, err
		}
	}
}

// due is how long it is until something must be said again.
func (g *guided) due() time.Duration { return time.Until(g.at.Add(guideAgain)) }

// tell sends guidance that is news, or due.
func (g *guided) tell(said Guidance) error {
	if said == g.said && g.due() > 0 {
		return nil
	}
	g.said, g.at = said, time.Now()
	return g.send("guidance", said)
}

// send sends an event. Its error is errLeft, or a bug.
func (g *guided) send(kind string, v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode %s: %w", kind, err)
	}
	if !g.out.write(fmt.Appendf(nil, "event: %s\ndata: %s\n\n", kind, data)) {
		return errLeft
	}
	return nil
}
