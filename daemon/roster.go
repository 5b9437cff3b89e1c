package daemon

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"facerecd/daemon/api"
	"facerecd/daemon/event"
	"facerecd/match"
	"facerecd/match/store"
)

// Roster is everybody who is enrolled: on disk in the store, and in memory in
// the gallery, which it keeps in step. It is safe for concurrent use, and is
// the api.People of the HTTP port.
type Roster struct {
	Store   *store.Store
	Gallery *match.Gallery
	// OnChange, when set, is told of each person who was changed
	// here, one after the other. It must not block.
	OnChange func(store.Mark)
	// Topics, when set, is how many retained topics are about a person.
	Topics func(id string) int
	// OnNames, when set, is called after somebody came, went or has another name,
	// whoever changed that. It must not block.
	OnNames func()

	// ForgetAlike, when set, deletes the strangers who look like somebody with these
	// templates, before that person is deleted, and says how many.
	ForgetAlike func(templates []match.Template) (int, error)

	change sync.Mutex   // one change at a time, from the store to the gallery
	mu     sync.RWMutex // guards register
	register
}

var _ api.People = (*Roster)(nil)

// register is what is known of everybody without asking the store.
type register struct {
	names  map[string]string     // by Person.ID
	silent map[string]bool       // likewise; people who are not announced
	ids    map[store.Mark]string // of the same people
}

func newRegister(size int) register {
	return register{names: make(map[string]string, size), silent: make(map[string]bool), ids: make(map[store.Mark]string, size)}
}

func (r *register) put(p match.Person) {
	r.names[p.ID] = p.Name
	if delete(r.silent, p.ID); !p.Notify {
		r.silent[p.ID] = true
	}
	r.ids[store.MarkOf(p.ID)] = p.ID
}

func (r *register) drop(id string) {
	delete(r.names, id)
	delete(r.silent, id)
	delete(r.ids, store.MarkOf(id))
}

// Load reads the store into the gallery, having finished what a crash may have
// left of a deletion.
func (r *Roster) Load() error {
	if _, err := r.Store.FinishDeletes(event.Redact); err != nil {
		return fmt.Errorf("finish a deletion: %w", err)
	}
	people, err := r.Store.People()
	if err != nil {
		return fmt.Errorf("read people: %w", err)
	}
	all, templates := newRegister(len(people)), 0
	for _, p := range people {
		all.put(p)
		templates += p.Templates
	}
	r.Gallery.Grow(templates)
	if err := r.Store.Templates(func(t match.Template) error { return r.Gallery.Add(t) }); err != nil {
		return fmt.Errorf("read templates: %w", err)
	}
	if err := r.reject(""); err != nil {
		return err
	}
	r.mu.Lock()
	r.register = all
	r.mu.Unlock()
	r.Store.Settle()
	return nil
}

// Name is what a person is called, and whether there is such a person.
func (r *Roster) Name(id string) (name string, ok bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	name, ok = r.names[id]
	return name, ok
}

// Known tells whether there is such a person.
func (r *Roster) Known(id string) bool {
	_, ok := r.Name(id)
	return ok
}

// Notify tells whether a person is to be announced, as nearly all are.
func (r *Roster) Notify(id string) bool {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return !r.silent[id]
}

// enroll adds templates to a person; all of them, or with an error none. Whose face
// they show is not asked: Admit does. The caller holds r.change.
func (r *Roster) enroll(p match.Person, templates []match.Template) (match.Person, error) {
	for i := range templates {
		templates[i].Person = p.ID
	}
	if err := r.Store.Enroll(p, templates); err != nil {
		return p, fmt.Errorf("store templates: %w", err)
	}
	p, err := r.Store.Person(p.ID)
	if err != nil {
		return p, fmt.Errorf("read person: %w", err)
	}
	r.rename(p)
	if err := r.Gallery.Add(templates...); err != nil {
		return p, fmt.Errorf("add templates to the gallery: %w", err)
	}
	r.changed(p.ID)
	return r.counted(p), nil
}

// Reject notes that a face which looks like the person's is not theirs: whoever is
// nearer to it than to the person's own templates is not taken for them from then
// on. It stays on this device, and is deleted with the person; who is nobody's
// gives api.ErrPersonNotFound.
func (r *Roster) Reject(person string, embedding []float32) error {
	r.change.Lock()
	defer r.change.Unlock()
	t := match.Template{ID: new(event.IDs).Next(), Person: person, Model: r.Gallery.Model(), Vector: embedding, Created: time.Now().UTC()}
	if err := r.Gallery.Check(t); err != nil {
		return fmt.Errorf("reject face: %w", err)
	}
	known, err := r.Store.Rejections(person)
	if err != nil {
		return err
	}
	for _, k := range known {
		if k.Model == t.Model && match.Duplicate(k.Vector, embedding) {
			return nil
		}
	}
	if err := r.Store.Reject(t); err != nil {
		return apiError(err)
	}
	return r.Gallery.Reject(t)
}

// reject reads the rejected faces of a person, or with "" of everybody, into the
// gallery, which has none of them yet.
func (r *Roster) reject(person string) error {
	negatives, err := r.Store.Rejections(person)
	if err != nil {
		return err
	}
	if err := r.Gallery.Reject(negatives...); err != nil {
		return fmt.Errorf("add rejected faces to the gallery: %w", err)
	}
	return nil
}

// counted is a person with the number of templates that are not compared.
func (r *Roster) counted(p match.Person) match.Person {
	p.Stale = r.Gallery.ForeignOf(p.ID)
	return p
}

// Stale lists the templates of other model packs, without their vectors.
func (r *Roster) Stale() ([]match.Template, error) {
	if r.Gallery.Foreign() == 0 {
		return nil, nil // without reading everything
	}
	var all []match.Template
	err := r.Store.Templates(func(t match.Template) error {
		if t.Model != r.Gallery.Model() {
			t.Vector = nil
			all = append(all, t)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read templates: %w", err)
	}
	return all, nil
}

// Renew puts a template that the model pack made in the place of the one with
// the same id, which another pack had made. A person who was deleted meanwhile
// stays deleted.
func (r *Roster) Renew(t match.Template) error {
	r.change.Lock()
	defer r.change.Unlock()
	p, err := r.Store.Person(t.Person)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	} else if err != nil {
		return fmt.Errorf("read person: %w", err)
	}
	if err := r.Store.Enroll(p, []match.Template{t}); err != nil {
		return fmt.Errorf("store template: %w", err)
	}
	if err := r.Gallery.Renew(t); err != nil {
		return fmt.Errorf("add template to the gallery: %w", err)
	}
	r.changed(t.Person)
	return nil
}

// erase deletes people from the store, and the strangers who look like them first:
// interrupted, it is to be called again. With an error, those of the receipts are
// deleted. The caller holds r.change.
func (r *Roster) erase(ids ...string) ([]store.Receipt, error) {
	strangers := make([]int, len(ids))
	for i, id := range ids {
		templates, err := r.stored(id)
		if err == nil && r.ForgetAlike != nil {
			strangers[i], err = r.ForgetAlike(templates)
		}
		if err != nil {
			return nil, fmt.Errorf("forget strangers who look like somebody: %w", err)
		}
	}
	receipts, err := r.Store.DeleteAll(ids, event.Redact)
	for i := range receipts {
		receipts[i].Strangers = strangers[i]
	}
	// Their faces may have been rejected for others, too.
	negatives, failed := r.Store.Rejections("")
	if failed == nil {
		failed = r.Gallery.RejectOnly(negatives...)
	}
	return receipts, errors.Join(err, failed)
}

// rename takes over what the store has of a person.
func (r *Roster) rename(p match.Person) {
	r.mu.Lock()
	r.put(p)
	r.mu.Unlock()
	r.renamed()
}

// remove takes a person out who is not in the store any more.
func (r *Roster) remove(id string) {
	r.Gallery.RemovePerson(id)
	r.mu.Lock()
	r.drop(id)
	r.mu.Unlock()
	r.renamed()
}

func (r *Roster) renamed() {
	if r.OnNames != nil {
		r.OnNames()
	}
}

func (r *Roster) changed(id string) {
	if r.OnChange != nil {
		r.OnChange(store.MarkOf(id))
	}
}

// List implements api.People.
func (r *Roster) List(_ context.Context, which api.Selection) ([]match.Person, error) {
	if which == (api.Selection{}) {
		people, err := r.Store.Names()
		for i := range people {
			people[i].Templates = r.Gallery.LenOf(people[i].ID)
			people[i] = r.counted(people[i])
		}
		return people, err
	}
	var people []match.Person
	for _, id := range r.selected(which) {
		p, err := r.Store.Person(id)
		if errors.Is(err, store.ErrNotFound) { // deleted meanwhile
			continue
		} else if err != nil {
			return nil, err
		}
		if people = append(people, r.counted(p)); len(people) == which.Limit {
			break
		}
	}
	return people, nil
}

// selected lists ids in order, by the names in memory. Its Limit is the
// caller's to heed.
func (r *Roster) selected(which api.Selection) []string {
	part := store.FoldName(which.Name)
	var ids []string
	r.mu.RLock()
	for id, name := range r.names {
		if id > which.After && (part == "" || strings.Contains(store.FoldName(name), part)) {
			ids = append(ids, id)
		}
	}
	r.mu.RUnlock()
	slices.Sort(ids)
	return ids
}

// Get implements api.People.
func (r *Roster) Get(_ context.Context, id string) (match.Person, error) {
	p, err := r.Store.Person(id)
	return r.counted(p), apiError(err)
}

// Edit implements api.People. The fleet is told of names; who is announced is
// each device's own.
func (r *Roster) Edit(_ context.Context, id string, e match.Edit) (match.Person, error) {
	r.change.Lock()
	defer r.change.Unlock()
	p, err := r.Store.Edit(id, e)
	if err != nil {
		return p, apiError(err)
	}
	r.rename(p)
	if e.Name != nil {
		r.changed(id)
	}
	return r.counted(p), nil
}

// Delete implements api.People. The person is nobody to the cameras from the
// moment the store has committed.
func (r *Roster) Delete(_ context.Context, id string) (api.Receipt, error) {
	r.change.Lock()
	defer r.change.Unlock()
	topics := 0
	if r.Topics != nil { // as long as there are any
		topics = r.Topics(id)
	}
	receipts, err := r.erase(id)
	if errors.Is(err, store.ErrInvalid) { // nobody can have such an id
		return api.Receipt{}, fmt.Errorf("%w: %w", api.ErrPersonNotFound, err)
	} else if len(receipts) == 0 {
		return api.Receipt{}, apiError(err)
	}
	r.remove(id)
	r.changed(id)
	receipt, fleet := receipts[0], 0
	if r.OnChange != nil {
		fleet = 1
	}
	return api.Receipt{
		Person: receipt.Person, Templates: receipt.Templates, Crops: receipt.Crops, History: receipt.History, Pictures: receipt.Pictures,
		Alike: receipt.Alike, Strangers: receipt.Strangers, Queued: receipt.Queued, Topics: topics, Fleet: fleet, Purged: receipt.Purged,
	}, err
}

// apiError puts the store's answers into the words of the HTTP port.
func apiError(err error) error {
	switch {
	case errors.Is(err, store.ErrNotFound):
		return fmt.Errorf("%w: %w", api.ErrPersonNotFound, err)
	case errors.Is(err, store.ErrNameTaken):
		return fmt.Errorf("%w: %w", api.ErrNameTaken, err)
	}
	return err
}
