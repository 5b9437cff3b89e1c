package store

import (
	"fmt"
	"strings"

	"github.com/dgraph-io/badger/v4"

	"facerecd/match"
)

// MaxRejections is how many faces are kept of which it was said that they are not
// a person's. With one more, the one with the lowest id goes, which for ULIDs is
// the oldest.
const MaxRejections = 50

// Reject stores a negative template: a face that is not the person's, although it
// looks like it. It is deleted with the person. There is no crop.
func (s *Store) Reject(t match.Template) error {
	if err := checkPerson(t.Person, []match.Template{t}); err != nil {
		return fmt.Errorf("reject face: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	err := s.update(s.opts.MinFree, func(txn *badger.Txn) error {
		if _, err := getPerson(txn, t.Person); err != nil {
			return err
		}
		var stored [][]byte
		for item := range keys(txn, rejectPrefix+t.Person+"/") {
			stored = append(stored, item.KeyCopy(nil))
		}
		if over := len(stored) + 1 - MaxRejections; over > 0 {
			if err := deleteAll(txn, stored[:over]); err != nil {
				return err
			}
		}
		return txn.Set(rejectKey(t.Person, t.ID), encodeTemplate(t))
	})
	if err != nil {
		return fmt.Errorf("reject face: %w", err)
	}
	return nil
}

// Rejections returns the negative templates of a person, or with "" of everybody.
func (s *Store) Rejections(person string) (all []match.Template, err error) {
	prefix := rejectPrefix
	if person != "" {
		prefix += person + "/"
	}
	err = s.view(func(txn *badger.Txn) error {
		for item := range values(txn, prefix, []byte(prefix)) {
			person, id, _ := strings.Cut(strings.TrimPrefix(string(item.Key()), rejectPrefix), "/")
			if s.isForgotten(person) {
				continue
			}
			err := item.Value(func(record []byte) error {
				t, err := decodeTemplate(record)
				t.Person, t.ID = person, id
				all = append(all, t)
				return err
			})
			if err != nil {
				return fmt.Errorf("rejection %s of person %s: %w", id, person, err)
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read rejected faces: %w", err)
	}
	return all, nil
}

// passRejections makes the rejections of one person those of another.
func passRejections(txn *badger.Txn, from, into string) error {
	prefix := rejectPrefix + from + "/"
	passed := make(map[string][]byte)
	for item := range values(txn, prefix, []byte(prefix)) {
		record, err := item.ValueCopy(nil)
		if err != nil {
			return err
		}
		passed[strings.TrimPrefix(string(item.Key()), prefix)] = record
	}
	for id, record := range passed {
		if err := txn.Set(rejectKey(into, id), record); err != nil {
			return err
		}
		if err := txn.Delete(rejectKey(from, id)); err != nil {
			return err
		}
	}
	return nil
}

func rejectKey(person, id string) []byte { return []byte(rejectPrefix + person + "/" + id) }
