package daemon

import (
	"context"
	"errors"
	"fmt"
	"image"
	"time"

	"facerecd/daemon/api"
	"facerecd/daemon/event"
	"facerecd/inference"
	"facerecd/match"
	"facerecd/match/store"
)

// History is what was seen, to be looked into and to be learnt from; it is the
// api.History of the HTTP port. It is safe for concurrent use.
type History struct {
	event.History
	Faces *Faces
	// Newest is told of the newest event of a person of whom the history says something
	// else now; the zero Event when there is none.
	Newest func(person string, e event.Event)
}

var _ api.History = (*History)(nil)

// Get implements api.History.
func (h *History) Get(ctx context.Context, id string) (event.Past, error) {
	e, err := h.History.Get(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		err = fmt.Errorf("%w: %w", api.ErrEventNotFound, err)
	}
	return e, err
}

// Search implements api.History.
func (h *History) Search(_ context.Context, img image.Image, limit int) ([]event.Past, *api.Rejection, error) {
	faces, err := h.Faces.look(img)
	if err != nil {
		return nil, nil, err
	}
	face, reason, detail := theOne(faces)
	if face == nil {
		return nil, &api.Rejection{Reason: reason, Detail: detail}, nil
	}
	hits, err := h.Like(h.Faces.Roster.Gallery.Model(), face.Embedding, h.Faces.Policy().Threshold, limit)
	return hits, nil, err
}

// Enroll implements api.History.
func (h *History) Enroll(ctx context.Context, id, name string, force bool) (api.Enrollment, error) {
	e, err := h.Get(ctx, id)
	if err != nil {
		return api.Enrollment{}, err
	}
	t, err := h.template(e)
	if err != nil {
		return api.Enrollment{}, err
	}
	good := candidate{template: t, quality: inference.Quality{Score: e.Quality}}
	enrolled, err := h.Faces.admit(name, []api.Verdict{{Image: e.ID, Quality: e.Quality}}, []candidate{good}, []int{0}, force)
	enrolled.Suggestions = nil // they would come from where the face looked, which is not known
	if err != nil || enrolled.Accepted == 0 {
		return enrolled, err
	}
	return enrolled, h.name(ctx, e, &event.Person{ID: enrolled.Person.ID, Name: enrolled.Person.Name})
}

// template is the face of an event as one that is enrolled.
func (h *History) template(e event.Past) (match.Template, error) {
	f := h.Faces
	if e.Embedding == nil || e.Model != f.Roster.Gallery.Model() {
		return match.Template{}, api.ErrNoEmbedding
	}
	t := match.Template{ID: f.IDs.Next(), Model: e.Model, Vector: e.Embedding, Quality: e.Quality, Created: time.Now().UTC()}
	if f.KeepCrops {
		t.Crop = e.Picture
	}
	return t, nil
}

// Reject implements api.History.
func (h *History) Reject(ctx context.Context, id string) (event.Past, error) {
	e, err := h.Get(ctx, id)
	if err != nil {
		return e, err
	}
	if e.Person == nil {
		return e, api.ErrNobody
	}
	if roster := h.Faces.Roster; e.Embedding != nil && e.Model == roster.Gallery.Model() {
		// Who is no more, or another by now, is not mistaken for anybody.
		if err := roster.Reject(e.Person.ID, e.Embedding); err != nil && !errors.Is(err, api.ErrPersonNotFound) {
			return e, err
		}
	}
	if err := h.name(ctx, e, nil); err != nil {
		return e, err
	}
	return h.Get(ctx, id)
}

// name says who was seen in an event, nil for nobody who is known; and with it in the
// others of its track that had said the same.
func (h *History) name(ctx context.Context, e event.Past, who *event.Person) error {
	was := idOf(e.Person)
	_, err := h.Relabel(event.Filter{Camera: e.Camera, Track: e.Track}, func(other *event.Event) bool {
		if other.ID != e.ID && (e.Track == "" || idOf(other.Person) != was) {
			return false
		}
		other.Name(who)
		if who != nil {
			other.Stranger = nil
		}
		return true
	})
	if errors.Is(err, store.ErrForgotten) {
		err = fmt.Errorf("%w: %w", api.ErrPersonNotFound, err)
	}
	for _, id := range []string{was, idOf(who)} {
		if id == "" || err != nil {
			continue
		}
		var newest []event.Past
		if newest, err = h.Find(ctx, event.Filter{Person: id}, "", 1); err == nil {
			h.Newest(id, append(newest, event.Past{})[0].Event)
		}
	}
	return err
}

func idOf(p *event.Person) string {
	if p == nil {
		return ""
	}
	return p.ID
}
