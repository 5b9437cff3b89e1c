package daemon

import (
	"context"
	"errors"
	"fmt"
	"time"

	"facerecd/daemon/api"
	"facerecd/daemon/event"
	"facerecd/match"
	"facerecd/match/store"
)

// List implements api.Strangers.
func (s *Strangers) List(_ context.Context, ignored bool, before int64, limit int) (page []api.Stranger, next int64, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, st := range s.all.All() {
		if st.Ignored && !ignored || before > 0 && int64(st.Age) >= before {
			continue
		}
		if len(page) == limit {
			return page, next, nil
		}
		page = append(page, api.Stranger{
			ID: st.ID, Count: st.Count, FirstSeen: st.First, LastSeen: st.Last, Cameras: st.Cameras, Ignored: st.Ignored,
		})
		next = int64(st.Age)
	}
	return page, 0, nil
}

// find is the stranger with the id, or api.ErrStrangerNotFound. The caller holds mu.
func (s *Strangers) find(id string) (match.Stranger, error) {
	st, ok := s.all.Get(id)
	if !ok {
		return st, api.ErrStrangerNotFound
	}
	return st, nil
}

// Picture implements api.Strangers.
func (s *Strangers) Picture(_ context.Context, id string) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := s.find(id); err != nil {
		return nil, err
	}
	picture, err := s.Store.Portrait(id)
	if errors.Is(err, store.ErrNotFound) {
		return nil, api.ErrNoPortrait
	}
	return picture, err
}

// Name implements api.Strangers. It is done in steps, of which each can be
// repeated: should it be interrupted, the stranger is still there to be named
// again.
func (s *Strangers) Name(_ context.Context, id, name string) (n api.Naming, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	st, err := s.find(id)
	if err != nil {
		return n, err
	}
	if st.Model != s.Roster.Gallery.Model() {
		return n, api.ErrStrangerStale
	}
	templates, err := s.templates(st, name)
	if err != nil {
		return n, err
	}
	if n.Person, err = s.Roster.Enroll(name, s.IDs.Next(), templates); err != nil {
		return n, err
	}
	n.Accepted = len(templates)
	who := event.Person{ID: n.Person.ID, Name: n.Person.Name}
	if n.Relabelled, err = s.Store.EditHistory(identify(id, &who)); err != nil {
		return n, err
	}
	if err := s.Store.DeleteStranger(id); err != nil {
		return n, err
	}
	s.all.Remove(id)
	return n, nil
}

// templates are what a stranger's exemplars add to the person of that name.
func (s *Strangers) templates(st match.Stranger, name string) ([]match.Template, error) {
	known, err := s.Roster.Templates(name)
	if err != nil {
		return nil, err
	}
	var fresh []match.Template
	best := 0 // the picture is, if not of the best one, of one as good
next:
	for _, e := range st.Exemplars {
		for _, t := range known {
			if match.Duplicate(t.Vector, e.Vector) {
				continue next
			}
		}
		fresh = append(fresh, match.Template{
			ID: s.IDs.Next(), Model: st.Model, Vector: e.Vector, Quality: e.Quality, Created: time.Now().UTC(),
		})
		if e.Quality > fresh[best].Quality {
			best = len(fresh) - 1
		}
	}
	if s.KeepCrops && len(fresh) > 0 {
		if fresh[best].Crop, err = s.Store.Portrait(st.ID); err != nil && !errors.Is(err, store.ErrNotFound) {
			return nil, err
		}
	}
	return fresh, nil
}

// identify is event.Identify for whole rows.
func identify(stranger string, p *event.Person) func(store.Row) (store.Row, bool, error) {
	return func(r store.Row) (store.Row, bool, error) {
		payload, changed, err := event.Identify(r.Payload, stranger, p)
		if changed && p != nil && r.Person == "" {
			r.Person = p.ID
		}
		r.Payload = payload
		return r, changed, err
	}
}

// Ignore implements api.Strangers.
func (s *Strangers) Ignore(_ context.Context, id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	st, err := s.find(id)
	if err != nil || st.Ignored {
		return err
	}
	ignored := 0
	for _, other := range s.all.All() {
		if other.Ignored {
			ignored++
		}
	}
	if ignored >= maxStrangers {
		return api.ErrTooManyIgnored
	}
	st.Ignored = true
	if err := s.Store.PutStranger(st, nil); err != nil {
		return err
	}
	return s.all.Put(st)
}

// Forget implements api.Strangers.
func (s *Strangers) Forget(_ context.Context, id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := s.find(id); err != nil {
		return err
	}
	// The stranger goes last: interrupted, it is still there to be forgotten again.
	for _, edit := range []func(func(store.Row) (store.Row, bool, error)) (int, error){s.Store.EditHistory, s.Store.EditQueue} {
		if _, err := edit(identify(id, nil)); err != nil {
			return err
		}
	}
	if err := s.Store.DeleteStranger(id); err != nil {
		return err
	}
	s.all.Remove(id)
	s.Store.Purge()
	return nil
}

// DropStrangers deletes all that was stored of strangers, by whom an owner who
// turned it off does not want to be surprised.
func DropStrangers(s *store.Store) (int, error) {
	n, err := s.DropStrangers()
	if err != nil || n == 0 {
		return n, err
	}
	if _, err := s.EditHistory(identify("", nil)); err != nil {
		return n, fmt.Errorf("take strangers out of the history: %w", err)
	}
	return n, nil
}
