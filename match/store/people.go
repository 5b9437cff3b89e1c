package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/dgraph-io/badger/v4"

	"facerecd/match"
)

// storedPerson is a person as JSON. The id is in the key, the number of
// templates is counted.
type storedPerson struct {
	Name    string    `json:"name"`
	Created time.Time `json:"created"`
	Updated time.Time `json:"updated"`
	Counter uint64    `json:"counter,omitempty"` // of the name's match.Version
	Device  string    `json:"device,omitempty"`
	Silent  bool      `json:"silent,omitempty"` // not match.Person.Notify, which is true unless it was turned off
}

// Enroll adds templates to a person, and makes the person or gives them the
// name they have in p; all of it or, with an error, nothing. The times of a new
// person are p's, or now; an older one keeps Created. The version of the name
// is p's, or when that is zero and the name is new, the next one, of this device. A template whose id is
// stored already replaces that one, which keeps its crop when the new one comes
// without. Notify is what it was, and true for a new person, whatever p has.
//
// A name is kept trimmed and with single blanks. Two people cannot have names
// that differ in case or blanks only (ErrNameTaken). Names are compared by code
// point: a letter with its accent and a letter followed by an accent differ.
func (s *Store) Enroll(p match.Person, templates []match.Template) error {
	err := s.enroll(p, templates)
	if errors.Is(err, badger.ErrTxnTooBig) {
		err = fmt.Errorf("%w number of templates: %d are too much at once, add them in parts", ErrInvalid, len(templates))
	}
	if err != nil {
		return fmt.Errorf("enrol person: %w", err)
	}
	return nil
}

func (s *Store) enroll(p match.Person, templates []match.Template) error {
	if err := checkPerson(p.ID, templates); err != nil {
		return err
	}
	for _, t := range templates {
		if t.Person != p.ID {
			return fmt.Errorf("%w template %s: it belongs to person %q, not %s", ErrInvalid, t.ID, t.Person, p.ID)
		}
	}

	s.mu.Lock()
	defer s.mu.Unlock()
	if s.isForgotten(p.ID) {
		return fmt.Errorf("%w: enrol them with a new id", ErrForgotten)
	}
	if err := s.putCrops(templates); err != nil {
		return errors.Join(err, s.dropOrphans(p.ID))
	}
	err := s.update(s.opts.MinFree, func(txn *badger.Txn) error {
		if err := s.putPerson(txn, p, nil); err != nil {
			return err
		}
		for _, t := range templates {
			if err := txn.Set(templateKey(p.ID, t.ID), encodeTemplate(t)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return errors.Join(err, s.dropOrphans(p.ID))
	}
	return nil
}

// CheckPerson tells whether Enroll can store a person with these templates,
// whosever they are. The name is one that Enroll leaves as it is.
func CheckPerson(p match.Person, templates []match.Template) error {
	if err := checkPerson(p.ID, templates); err != nil {
		return err
	}
	name, err := cleanName(p.Name)
	if err == nil && name != p.Name {
		err = fmt.Errorf("%w name: it has blanks to be taken out", ErrInvalid)
	}
	return err
}

func checkPerson(id string, templates []match.Template) error {
	if err := checkID("person", id); err != nil {
		return err
	}
	for _, t := range templates {
		if err := checkID("template", t.ID); err != nil {
			return err
		}
		if err := checkTemplate(t); err != nil {
			return fmt.Errorf("template %s: %w", t.ID, err)
		}
	}
	return nil
}

// isForgotten says whether a person was deleted or taken into another, or is
// about to be. The caller holds s.mu.
func (s *Store) isForgotten(id string) bool {
	_, done := s.graves[MarkOf(id)]
	_, begun := s.unfinished[id]
	return done || begun
}

// putPerson stores p and the index of names. A name without a version is a new
// naming, if it is new. Notify becomes notify, or stays when that is nil.
func (s *Store) putPerson(txn *badger.Txn, p match.Person, notify *bool) error {
	name, err := cleanName(p.Name)
	if err != nil {
		return err
	}
	old, err := getPerson(txn, p.ID)
	switch {
	case err == nil:
		p.Created, p.Notify = old.Created, old.Notify
		if p.Version == (match.Version{}) {
			p.Version = old.Version
			if old.Name != name {
				p.Version = match.Version{Counter: old.Version.Counter + 1, Device: s.opts.Device}
			}
		}
		if FoldName(old.Name) != FoldName(name) {
			if err := freeName(txn, old); err != nil {
				return err
			}
		}
		if old.Name != name {
			if err := markResidue(txn); err != nil {
				return err
			}
		}
	case !errors.Is(err, ErrNotFound):
		return err
	default:
		p.Notify = true
		if p.Version == (match.Version{}) {
			p.Version = match.Version{Counter: 1, Device: s.opts.Device}
		}
	}
	if notify != nil {
		p.Notify = *notify
	}
	holder, taken, err := get(txn, nameKey(name))
	if err != nil {
		return err
	}
	if taken && string(holder) != p.ID {
		return fmt.Errorf("%w by person %s: choose another, or add the images to that person", ErrNameTaken, holder)
	}
	now := time.Now().UTC().Round(0)
	if p.Created.IsZero() {
		p.Created = now
	}
	if p.Updated.IsZero() {
		p.Updated = now
	}
	p.Name = name
	value, err := encodePerson(p)
	if err != nil {
		return err
	}
	return errors.Join(txn.Set(personKey(p.ID), value), txn.Set(nameKey(name), []byte(p.ID)))
}

// freeName takes a person's name out of the index, unless somebody else has it.
func freeName(txn *badger.Txn, p match.Person) error {
	holder, taken, err := get(txn, nameKey(p.Name))
	if err != nil || !taken || string(holder) != p.ID {
		return err
	}
	return txn.Delete(nameKey(p.Name))
}

func getPerson(txn *badger.Txn, id string) (match.Person, error) {
	value, ok, err := get(txn, personKey(id))
	if err != nil {
		return match.Person{}, err
	}
	if !ok {
		return match.Person{}, fmt.Errorf("person %.64q: %w", id, ErrNotFound)
	}
	p, err := decodePerson(id, value)
	if err != nil {
		return match.Person{}, err
	}
	for range keys(txn, templatePrefix+id+"/") {
		p.Templates++
	}
	return p, nil
}

func encodePerson(p match.Person) ([]byte, error) {
	value, err := json.Marshal(storedPerson{
		Name: p.Name, Created: p.Created.UTC(), Updated: p.Updated.UTC(), Counter: p.Version.Counter, Device: p.Version.Device, Silent: !p.Notify,
	})
	if err != nil {
		return nil, fmt.Errorf("encode person: %w", err)
	}
	return value, nil
}

func decodePerson(id string, value []byte) (match.Person, error) {
	var p storedPerson
	if err := json.Unmarshal(value, &p); err != nil {
		return match.Person{}, fmt.Errorf("decode person %s: %w", id, err)
	}
	version := match.Version{Counter: max(p.Counter, 1), Device: p.Device} // 1: stored before names had versions
	return match.Person{ID: id, Name: p.Name, Created: p.Created, Updated: p.Updated, Notify: !p.Silent, Version: version}, nil
}

// People returns everybody, in the order of their ids, which for ULIDs is that
// of their enrolment. It reads all of the store to count the templates.
func (s *Store) People() ([]match.Person, error) {
	var people []match.Person
	err := s.view(func(txn *badger.Txn) error {
		templates := make(map[string]int)
		for item := range keys(txn, templatePrefix) {
			person, _ := splitTemplateKey(item.Key())
			templates[person]++
		}
		return eachPerson(txn, func(p match.Person) {
			p.Templates = templates[p.ID]
			people = append(people, p)
		})
	})
	if err != nil {
		return nil, fmt.Errorf("list people: %w", err)
	}
	return people, nil
}

// Names is People for who does not want the templates counted.
func (s *Store) Names() (people []match.Person, err error) {
	err = s.view(func(txn *badger.Txn) error {
		return eachPerson(txn, func(p match.Person) { people = append(people, p) })
	})
	if err != nil {
		return nil, fmt.Errorf("list people: %w", err)
	}
	return people, nil
}

func eachPerson(txn *badger.Txn, yield func(match.Person)) error {
	for item := range values(txn, personPrefix, []byte(personPrefix)) {
		id := strings.TrimPrefix(string(item.Key()), personPrefix)
		err := item.Value(func(value []byte) error {
			p, err := decodePerson(id, value)
			yield(p)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// Person returns one person, or ErrNotFound.
func (s *Store) Person(id string) (p match.Person, err error) {
	err = s.view(func(txn *badger.Txn) error {
		p, err = getPerson(txn, id)
		return err
	})
	if err != nil {
		return match.Person{}, fmt.Errorf("find person: %w", err)
	}
	return p, nil
}

// FindByName returns the person who has the name, in whatever case and blanks,
// or ErrNotFound.
func (s *Store) FindByName(name string) (p match.Person, err error) {
	err = s.view(func(txn *badger.Txn) error {
		id, ok, err := get(txn, nameKey(name))
		if err != nil {
			return err
		}
		if !ok {
			return fmt.Errorf("nobody has this name: %w", ErrNotFound)
		}
		p, err = getPerson(txn, string(id))
		return err
	})
	if err != nil {
		return match.Person{}, fmt.Errorf("find person by name: %w", err)
	}
	return p, nil
}

// Rename is Edit of the name alone.
func (s *Store) Rename(id, name string) (match.Person, error) {
	return s.Edit(id, match.Edit{Name: &name})
}

// Edit changes a person, the name under the rules of Enroll, and returns them as
// they are then. Run takes an old name out of the files; events that were stored
// with it keep it.
func (s *Store) Edit(id string, e match.Edit) (p match.Person, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	err = s.update(s.opts.MinFree, func(txn *badger.Txn) error {
		if p, err = getPerson(txn, id); err != nil {
			return err
		}
		p.Updated = time.Time{}
		if e.Name != nil {
			p.Name, p.Version = *e.Name, match.Version{}
		}
		if err := s.putPerson(txn, p, e.Notify); err != nil {
			return err
		}
		p, err = getPerson(txn, id)
		return err
	})
	if err != nil {
		return match.Person{}, fmt.Errorf("change person: %w", err)
	}
	return p, nil
}

// Templates calls yield with each template, ordered by person and without its
// crop, until it returns
// an error, which Templates passes on. The template belongs to yield, which
// must not call the Store.
func (s *Store) Templates(yield func(match.Template) error) error {
	return s.templates("", yield)
}

// PersonTemplates is Templates for one person.
func (s *Store) PersonTemplates(id string, yield func(match.Template) error) error {
	if err := checkID("person", id); err != nil {
		return err
	}
	return s.templates(id+"/", yield)
}

func (s *Store) templates(of string, yield func(match.Template) error) error {
	return s.view(func(txn *badger.Txn) error {
		prefix := templatePrefix + of
		for item := range values(txn, prefix, []byte(prefix)) {
			person, id := splitTemplateKey(item.Key())
			if s.isForgotten(person) {
				continue
			}
			var t match.Template
			err := item.Value(func(record []byte) (err error) {
				t, err = decodeTemplate(record)
				return err
			})
			if err != nil {
				return fmt.Errorf("read template %s of person %s: %w", id, person, err)
			}
			t.Person, t.ID = person, id
			if err := yield(t); err != nil {
				return err
			}
		}
		return nil
	})
}

func splitTemplateKey(key []byte) (person, id string) {
	person, id, _ = strings.Cut(strings.TrimPrefix(string(key), templatePrefix), "/")
	return person, strings.Clone(id) // who keeps it does not keep the key
}
