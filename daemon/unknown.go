package daemon

import (
	"bytes"
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

// find is the stranger with the id, or api.ErrStrangerNotFound.
func (s *Strangers) find(id string) (match.Stranger, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	st, ok := s.all.Get(id)
	if !ok {
		return st, api.ErrStrangerNotFound
	}
	return st, nil
}

// Picture implements api.Strangers.
func (s *Strangers) Picture(_ context.Context, id string) ([]byte, error) {
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
	s.edit.Lock()
	defer s.edit.Unlock()
	st, err := s.find(id)
	if err != nil {
		return n, err
	}
	if st.Model != s.Roster.Gallery.Model() {
		return n, api.ErrStrangerStale
	}
	if n.Person, n.Accepted, err = s.enroll(st, name); err != nil {
		return n, err
	}
	if n.Relabelled, err = s.relabel(id, &event.Person{ID: n.Person.ID, Name: n.Person.Name}); err != nil {
		return n, err
	}
	return n, s.erase(id)
}

// relabel takes a stranger out of the history, or with the id "" all of them, and
// puts who it was in, if that is known now.
func (s *Strangers) relabel(id string, who *event.Person) (int, error) {
	past := event.History{Records: s.Store}
	return past.Relabel(event.Filter{Stranger: id}, func(e *event.Event) bool {
		if e.Stranger == nil {
			return false
		}
		e.Stranger = nil
		if e.Person == nil && who != nil {
			e.Name(who)
		}
		return true
	})
}

// erase deletes strangers, by somebody's wish.
func (s *Strangers) erase(ids ...string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.Store.DeleteStrangers(ids...); err != nil {
		return err
	}
	for _, id := range ids {
		s.all.Remove(id)
	}
	return nil
}

// enroll adds a stranger's exemplars to the person of that name, or makes one, and
// says how many were worth it. Whom they look like is not asked: the owner has seen
// the picture.
func (s *Strangers) enroll(st match.Stranger, name string) (p match.Person, accepted int, err error) {
	a := Applicant{Name: name, NewID: s.IDs.Next(), Policy: *s.Policy(), Force: true}
	best := 0 // the picture is of it, or of one that is as good
	for i, e := range st.Exemplars {
		a.Templates = append(a.Templates, match.Template{
			ID: s.IDs.Next(), Model: st.Model, Vector: e.Vector, Quality: e.Quality, Created: time.Now().UTC(),
		})
		if e.Quality > st.Exemplars[best].Quality {
			best = i
		}
	}
	if s.KeepCrops && len(a.Templates) > 0 {
		if a.Templates[best].Crop, err = s.Store.Portrait(st.ID); err != nil && !errors.Is(err, store.ErrNotFound) {
			return p, 0, err
		}
	}
	p, verdicts, err := s.Roster.Admit(a)
	if err != nil {
		return p, 0, err
	}
	for _, v := range verdicts {
		if v.Code == match.Accepted {
			accepted++
		}
	}
	if accepted == 0 { // all were known
		p, err = s.Store.FindByName(name)
	}
	return p, accepted, err
}

// Ignore implements api.Strangers.
func (s *Strangers) Ignore(_ context.Context, id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	st, ok := s.all.Get(id)
	if !ok {
		return api.ErrStrangerNotFound
	}
	if _, ignored := s.count(); !st.Ignored && ignored >= maxStrangers {
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
	s.edit.Lock()
	defer s.edit.Unlock()
	if _, err := s.find(id); err != nil {
		return err
	}
	// The stranger goes last: interrupted, they are still there to be forgotten.
	theirs := []byte(`"stranger":"` + id + `"`)
	if err := s.Store.DropFaces(func(r store.Row) bool { return bytes.Contains(r.Payload, theirs) }); err != nil {
		return err
	}
	if _, err := s.relabel(id, nil); err != nil {
		return err
	}
	if err := s.erase(id); err != nil {
		return err
	}
	s.Store.Purge()
	return nil
}

// ForgetAlike deletes the strangers who look like somebody with these templates,
// who is to be deleted, and says how many. Those of a model that none of the
// templates is of might; they go too.
func (s *Strangers) ForgetAlike(templates []match.Template) (int, error) {
	if len(templates) == 0 {
		return 0, nil
	}
	s.mu.Lock()
	var alike []string
	for _, st := range s.all.All() {
		if s.alike(st, templates) {
			alike = append(alike, st.ID)
		}
	}
	s.mu.Unlock()
	if len(alike) == 0 {
		return 0, nil
	}
	return len(alike), s.erase(alike...)
}

func (s *Strangers) alike(st match.Stranger, templates []match.Template) bool {
	least, comparable := s.Policy().Threshold, false
	for _, t := range templates {
		if t.Model != st.Model {
			continue
		}
		comparable = true
		if match.Cosine(t.Vector, st.Sum) >= least {
			return true
		}
		for _, e := range st.Exemplars {
			if match.Cosine(t.Vector, e.Vector) >= least {
				return true
			}
		}
	}
	return !comparable
}

// Drop deletes all that was stored of strangers, and says how many there were.
func (s *Strangers) Drop() (int, error) {
	n, err := s.Store.DropStrangers()
	if err != nil || n == 0 {
		return n, err
	}
	if _, err := s.relabel("", nil); err != nil {
		return n, fmt.Errorf("take strangers out of the history: %w", err)
	}
	s.Store.Purge()
	return n, nil
}
