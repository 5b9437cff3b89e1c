package store

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/dgraph-io/badger/v4"

	"facerecd/match"
)

// Mark stands for a person without saying who it is: the SHA-256 of the id. It
// outlives the person.
type Mark [sha256.Size]byte

// MarkOf returns the mark of a person's id.
func MarkOf(person string) Mark { return sha256.Sum256([]byte(person)) }

// Compare is as bytes.Compare.
func (m Mark) Compare(n Mark) int { return bytes.Compare(m[:], n[:]) }

// Grave is what stays of a person who is no more, for good: about 50 bytes in
// which nothing is about the person, so that no other device brings them back.
type Grave struct {
	Mark    Mark
	Deleted bool // for good, and with whoever they were taken into
	Into    Mark // of the person who has their templates since; zero for nobody
}

// Merge is what two graves of one mark say together, whatever their order. Of
// two people who took somebody in, the one with the lower mark counts. The zero
// Grave adds nothing.
func (g Grave) Merge(h Grave) Grave {
	g.Deleted = g.Deleted || h.Deleted
	if g.Into == (Mark{}) || h.Into != (Mark{}) && h.Into.Compare(g.Into) < 0 {
		g.Into = h.Into
	}
	return g
}

// Graves returns all graves, ordered by their marks.
func (s *Store) Graves() []Grave {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return slices.SortedFunc(maps.Values(s.graves), func(a, b Grave) int { return a.Mark.Compare(b.Mark) })
}

// Grave returns the grave with the mark, and whether there is one.
func (s *Store) Grave(m Mark) (Grave, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	g, ok := s.graves[m]
	return g, ok
}

// Bury adds graves of people whom this store does not have, or merges them
// with those that are there. People whom it has are to be deleted first.
func (s *Store) Bury(graves ...Grave) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for some := range slices.Chunk(graves, batch) {
		err := s.update(s.freeing(), func(txn *badger.Txn) error {
			for _, g := range some {
				if err := s.dig(txn, g); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("store graves: %w", err)
		}
		for _, g := range some {
			s.buried(g)
		}
	}
	return nil
}

// dig stores a grave. When the transaction is done, buried follows.
func (s *Store) dig(txn *badger.Txn, g Grave) error {
	return txn.Set(graveKey(g.Mark), encodeGrave(g.Merge(s.graves[g.Mark])))
}

func (s *Store) buried(g Grave) { s.graves[g.Mark] = g.Merge(s.graves[g.Mark]) }

func (s *Store) loadGraves() error {
	err := s.db.View(func(txn *badger.Txn) error {
		for item := range values(txn, gravePrefix, []byte(gravePrefix)) {
			err := item.Value(func(record []byte) error {
				g, err := decodeGrave(item.Key(), record)
				s.graves[g.Mark] = g
				return err
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("read graves: %w", explain(err))
	}
	return nil
}

func graveKey(m Mark) []byte { return append([]byte(gravePrefix), m[:]...) }

// encodeGrave makes the record of a grave; its mark is in the key:
//
//	version 1 | 1 when deleted, or 0 | mark of Into
func encodeGrave(g Grave) []byte {
	b := []byte{recordVersion, 0}
	if g.Deleted {
		b[1] = 1
	}
	return append(b, g.Into[:]...)
}

func decodeGrave(key, record []byte) (g Grave, err error) {
	r := reader{rest: record}
	r.version()
	flags := r.take(1)
	into := r.take(uint64(len(g.Into)))
	mark := strings.TrimPrefix(string(key), gravePrefix)
	if r.bad || len(r.rest) != 0 || len(mark) != len(g.Mark) {
		return Grave{}, errRecord
	}
	g.Deleted = flags[0] == 1
	copy(g.Mark[:], mark)
	copy(g.Into[:], into)
	return g, nil
}

// SetNames gives each of the people, who are all in the store, their name with
// its version, in one transaction: they may exchange names.
func (s *Store) SetNames(people ...match.Person) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	err := s.update(s.opts.MinFree, func(txn *badger.Txn) error {
		for _, p := range people {
			old, err := getPerson(txn, p.ID)
			if err != nil {
				return err
			}
			if err := freeName(txn, old); err != nil {
				return err
			}
		}
		for _, p := range people {
			if err := s.putPerson(txn, p, nil); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("name people: %w", err)
	}
	return nil
}

// Absorb takes one person into another: templates, crops, and events that
// happened, which keep the name and id that they were told with. The first one's
// name is free then, and their grave says who took them in. Whoever of the two was
// not to be announced, both are not. Interrupted, it is to be called again.
func (s *Store) Absorb(from, into string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.absorb(from, into); err != nil {
		return fmt.Errorf("unite people: %w", err)
	}
	return nil
}

func (s *Store) absorb(from, into string) error {
	if s.db == nil {
		return ErrClosed
	}
	if err := errors.Join(checkID("person", from), checkID("person", into)); err != nil {
		return err
	}
	if from == into || s.isForgotten(into) {
		return fmt.Errorf("%w: nobody can be taken into them", ErrForgotten)
	}
	// What is too much for one transaction goes ahead, and does no harm alone.
	if err := s.passRows(from, into); err != nil {
		return err
	}
	moved, err := s.templatesFor(from, into)
	if err != nil {
		return err
	}
	if err := s.putCrops(moved); err != nil {
		return errors.Join(err, s.dropOrphans(into))
	}
	grave := Grave{Mark: MarkOf(from), Into: MarkOf(into)}
	err = s.update(s.freeing(), func(txn *badger.Txn) error {
		old, err := getPerson(txn, from)
		if err != nil {
			return err
		}
		heir, err := getPerson(txn, into)
		if err != nil {
			return err
		}
		if err := errors.Join(txn.Delete(personKey(from)), txn.Delete(nameKey(old.Name))); err != nil {
			return err
		}
		if !old.Notify {
			if err := s.putPerson(txn, heir, &old.Notify); err != nil {
				return err
			}
		}
		for _, t := range moved {
			if err := errors.Join(txn.Set(templateKey(into, t.ID), encodeTemplate(t)), txn.Delete(templateKey(from, t.ID))); err != nil {
				return err
			}
		}
		return errors.Join(passRejections(txn, from, into), s.dig(txn, grave), markResidue(txn))
	})
	if err != nil {
		return errors.Join(err, s.dropOrphans(into))
	}
	s.buried(grave)
	return s.dropOrphans(from)
}

// templatesFor are the templates of one person with their crops, as another's.
func (s *Store) templatesFor(from, into string) (all []match.Template, err error) {
	err = s.db.View(func(txn *badger.Txn) error {
		prefix := templatePrefix + from + "/"
		for item := range values(txn, prefix, []byte(prefix)) {
			record, err := item.ValueCopy(nil)
			if err != nil {
				return err
			}
			t, err := decodeTemplate(record)
			if err != nil {
				return err
			}
			_, t.ID = splitTemplateKey(item.Key())
			t.Person = into
			if t.Crop, _, err = get(txn, cropKey(from, t.ID)); err != nil {
				return err
			}
			all = append(all, t)
		}
		return nil
	})
	return all, explain(err)
}

// passRows makes the events of one person those of another, so that they are
// deleted with the other.
func (s *Store) passRows(from, into string) error {
	for _, prefix := range []string{historyPrefix, queuePrefix} {
		var found [][]byte
		err := s.db.View(func(txn *badger.Txn) error {
			for item := range values(txn, prefix, []byte(prefix)) {
				row, err := itemRow(item)
				if err != nil {
					return err
				}
				if row.Person == from {
					found = append(found, item.KeyCopy(nil))
				}
			}
			return nil
		})
		if err != nil {
			return explain(err)
		}
		err = inSeries(found, func(some [][]byte) error {
			return s.update(s.freeing(), func(txn *badger.Txn) error { return passAll(txn, some, into) })
		})
		if err != nil {
			return err
		}
	}
	return s.load() // the queue's size
}

func passAll(txn *badger.Txn, rows [][]byte, into string) error {
	for _, key := range rows {
		record, _, err := get(txn, key)
		if err != nil {
			return err
		}
		row, age, err := decodeRow(record)
		if err != nil {
			return err
		}
		row.Person = into
		if err := txn.Set(key, encodeRow(row, age)); err != nil {
			return err
		}
	}
	return nil
}
