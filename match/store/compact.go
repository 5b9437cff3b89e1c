package store

import (
	"errors"
	"fmt"

	"github.com/dgraph-io/badger/v4"
)

// Compact rewrites the files so that they hold what the store holds and no
// more. Badger, left alone, keeps deleted values in its write-ahead log and
// tables until it happens to merge those. Everybody else waits meanwhile.
//
// What Compact cannot reach: the blocks of files that it unlinked keep their
// content until the file system or the flash controller uses them again, and
// backups are their owner's. Where that matters use Options.EncryptionKey or an
// encrypted disk.
func (s *Store) Compact() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.compact()
}

// Compacting tells whether everybody waits for Compact now. From any goroutine.
func (s *Store) Compacting() bool { return s.compacting.Load() }

// purge compacts after a deletion, and says whether that worked.
func (s *Store) purge() bool {
	if err := s.compact(); err != nil {
		s.log.Warn("what was deleted may still be in the store's files, will try again", "err", err)
		return false
	}
	return !s.staging.Load() // a backup may have it, until that is restored or not
}

func (s *Store) compact() error {
	// All tables are written anew before the old ones go.
	if s.db == nil {
		return ErrClosed
	}
	tables, _ := s.db.Size()
	if err := s.room(s.opts.MinFree/2 + tables); err != nil {
		return fmt.Errorf("compact store: %w", err)
	}
	s.compacting.Store(true)
	defer s.compacting.Store(false)
	if err := s.rewrite(); err != nil {
		return fmt.Errorf("compact store: %w", explain(err))
	}
	s.Settle()
	select {
	case s.rewrote <- struct{}{}: // and once more, in a moment: see Run
	default:
	}
	return nil
}

// flushPrefix is where rewrite puts what it drops.
const flushPrefix = "flush/"

func (s *Store) rewrite() error {
	// Dropping a prefix that is in use is Badger's way (v4.9.6, DB.DropPrefix)
	// to write the memory tables out and to delete their logs while it is open. It
	// begins with a read, which is younger than every deletion: Badger merges away
	// only what no reader can want.
	err := s.db.Update(func(txn *badger.Txn) error { return txn.Set([]byte(flushPrefix), nil) })
	if err != nil {
		return err
	}
	if err := s.db.DropPrefix([]byte(flushPrefix)); err != nil {
		return err
	}
	if err := s.db.Flatten(1); err != nil {
		return err
	}
	// Now that it is true: the next interruption may not lose the marks.
	err = s.db.Update(func(txn *badger.Txn) error {
		for _, mark := range []string{residueKey, leftoverKey} {
			if _, err := txn.Get([]byte(mark)); errors.Is(err, badger.ErrKeyNotFound) {
				continue
			} else if err != nil {
				return err
			}
			if err := txn.Delete([]byte(mark)); err != nil {
				return err
			}
		}
		return nil
	})
	return errors.Join(err, s.prepareLogs(), privateFiles(s.dir))
}

// hasResidue says whether no Compact has followed the last deletion or renaming.
func (s *Store) hasResidue() (left bool, err error) {
	err = s.db.View(func(txn *badger.Txn) error {
		_, left, err = get(txn, []byte(residueKey))
		return err
	})
	if err != nil {
		return false, fmt.Errorf("look for residue: %w", explain(err))
	}
	return left, nil
}
