package store

import (
	"errors"
	"fmt"

	"github.com/dgraph-io/badger/v4"
)

// EditHistory has edit change the events in the history that it wants changed,
// and says how many those were. It is a series of transactions; when it was
// interrupted, call it again. Run takes what they said before out of the files.
func (s *Store) EditHistory(edit func(Row) (_ Row, changed bool, err error)) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n, err := s.edit(historyPrefix, edit)
	if err != nil {
		return n, fmt.Errorf("change events in the history: %w", err)
	}
	return n, nil
}

// EditQueue is EditHistory for the events that wait to be published.
func (s *Store) EditQueue(edit func(Row) (_ Row, changed bool, err error)) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n, err := s.edit(queuePrefix, edit)
	if n > 0 {
		err = errors.Join(err, s.load()) // the queue's size
	}
	if err != nil {
		return n, fmt.Errorf("change events that wait: %w", err)
	}
	return n, nil
}

func (s *Store) edit(prefix string, edit func(Row) (Row, bool, error)) (int, error) {
	if s.db == nil {
		return 0, ErrClosed
	}
	type record struct{ key, value []byte }
	var edited []record
	err := s.db.View(func(txn *badger.Txn) error {
		for item := range values(txn, prefix, []byte(prefix)) {
			value, err := item.ValueCopy(nil)
			if err != nil {
				return err
			}
			row, age, err := decodeRow(value)
			if err != nil {
				return fmt.Errorf("event %d: %w", sequenceOf(item.Key()), err)
			}
			row, changed, err := edit(row)
			if err == nil && changed {
				err = s.admit(row)
			}
			if err != nil {
				return fmt.Errorf("event %s: %w", row.ID, err)
			}
			if changed {
				edited = append(edited, record{item.KeyCopy(nil), encodeRow(row, age)})
			}
		}
		return nil
	})
	if err != nil {
		return 0, explain(err)
	}
	done := 0
	for done < len(edited) {
		n, size := 0, 0
		for n < min(batch, len(edited)-done) && (n == 0 || size+len(edited[done+n].value) <= MaxValue) {
			size += len(edited[done+n].value)
			n++
		}
		err := s.update(s.freeing(), func(txn *badger.Txn) error {
			for _, r := range edited[done : done+n] {
				if err := txn.Set(r.key, r.value); err != nil {
					return err
				}
			}
			return txn.Set([]byte(residueKey), nil)
		})
		if err != nil {
			return done, err
		}
		done += n
	}
	return done, nil
}
