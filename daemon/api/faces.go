package api

import (
	"context"
	"fmt"
	"image"
	"net/http"
	"slices"
	"time"
)

const (
	maxWork      = 2                // requests that decode and recognise at once
	workPatience = 10 * time.Second // of a request that waits for that
	retryAfter   = "5"              // seconds, told to those who waited in vain

	// maxHeldBytes is room for two full requests, with what growing buffers
	// waste.
	maxHeldBytes = 160 << 20
)

func (s *service) register(w http.ResponseWriter, r *http.Request) error {
	if err := s.throttle(w, r); err != nil {
		return err
	}
	held := &share{of: &s.memory}
	defer held.release()
	f, err := readForm(w, r, held)
	if err != nil {
		return err
	}
	query := r.URL.Query()
	if !f.named {
		f.name = query.Get("name")
	}
	if query.Has("force") {
		if f.force, err = parseForce(query.Get("force")); err != nil {
			return err
		}
	}
	name, err := PersonName(f.name)
	if err != nil {
		return err
	}
	if len(f.images) == 0 {
		return noImages("Send one or more JPEG or PNG files in the form field images, as in curl -F name=ana -F images=@a.jpg.")
	}
	// The slot is taken when the body is in memory: a slow sender keeps nobody
	// from working.
	if err := acquire(r.Context(), s.work, workPatience); err != nil {
		return err
	}
	defer func() { <-s.work }()
	e, err := s.Faces.Enroll(r.Context(), name, decoded(f.images), f.force)
	if err != nil {
		return err
	}
	if e.Accepted == 0 {
		return refused(e)
	}
	e.complete()
	s.Log.Info("enrolled", "person", e.Person.ID, "accepted", e.Accepted, "rejected", len(e.Rejected))
	w.Header().Set("Location", "/api/v1/people/"+e.Person.ID)
	return s.answer(w, http.StatusCreated, e)
}

// refused is the answer to an enrolment of which nothing was stored.
func refused(e Enrollment) *Problem {
	p := problem(http.StatusUnprocessableEntity, CodeNoUsableImage,
		"None of the images could be used, so nobody was enrolled; rejected says why for each of them.")
	if i := slices.IndexFunc(e.Images, func(v Verdict) bool { return v.LooksLike != nil }); i >= 0 {
		p = problem(http.StatusConflict, CodeLooksLike, fmt.Sprintf(
			"Nobody was enrolled, because the face looks like %s, who is enrolled already. If it is somebody else, such as a twin, enrol again with force=true.",
			e.Images[i].LooksLike.Name))
	}
	p.Rejected, p.Images = e.Rejected, e.Images
	return p
}

func (s *service) recognize(w http.ResponseWriter, r *http.Request) error {
	if err := s.throttle(w, r); err != nil {
		return err
	}
	img, done, err := s.picture(w, r)
	if err != nil {
		return err
	}
	defer done()
	found, err := s.Faces.Recognize(r.Context(), img)
	if err != nil {
		return err
	}
	found.Faces = orEmpty(found.Faces)
	for i := range found.Faces {
		found.Faces[i].Reasons = orEmpty(found.Faces[i].Reasons)
	}
	return s.answer(w, http.StatusOK, found)
}

// picture is the one image of a request. With it the caller has a slot to work in,
// and memory, until done is called.
func (s *service) picture(w http.ResponseWriter, r *http.Request) (img image.Image, done func(), err error) {
	held := &share{of: &s.memory}
	done = held.release
	defer func() {
		if err != nil {
			done()
		}
	}()
	e, err := readPicture(w, r, held)
	if err != nil {
		return nil, done, err
	}
	if e.err != nil {
		return nil, done, pictureProblem(e.err)
	}
	if err := acquire(r.Context(), s.work, workPatience); err != nil {
		return nil, done, err
	}
	done = func() {
		<-s.work
		held.release()
	}
	if img, err = decode(e.data); err != nil {
		return nil, done, pictureProblem(err)
	}
	return img, done, nil
}

// acquire takes a slot, waiting for it at most as long as patience.
func acquire(ctx context.Context, slots chan struct{}, patience time.Duration) error {
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return errBusy()
	}
}

func errBusy() error {
	return problem(http.StatusServiceUnavailable, CodeBusy, "facerecd is busy with other requests; try again in a few seconds.")
}
