package store

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/dgraph-io/badger/v4"

	"facerecd/match"
)

// MaxCrop is the size in bytes that the crop of a template may have.
const MaxCrop = 256 << 10

// cropBatch is how many bytes of crops go into one transaction.
const cropBatch = MaxCrop

// Crop returns the picture that Enroll stored with a template, or ErrNotFound.
// The caller owns it.
func (s *Store) Crop(person, template string) (crop []byte, err error) {
	err = s.view(func(txn *badger.Txn) error {
		var ok bool
		if crop, ok, err = get(txn, cropKey(person, template)); err == nil && (!ok || s.isForgotten(person)) {
			err = ErrNotFound
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read crop of template %.64q: %w", template, err)
	}
	return crop, nil
}

// DropCrops deletes every crop, rewrites the files as Delete does so that none
// holds one any more, and says how many there were. The templates stay. It is
// a series of transactions; when it was interrupted, call it again.
func (s *Store) DropCrops() (int, error) {
	return s.drop("crops", cropPrefix)
}

// DropEmbeddings is DropCrops for the embeddings of events.
func (s *Store) DropEmbeddings() (int, error) { return s.drop("embeddings of events", facePrefix) }

// DropPictures is DropCrops for the pictures of events.
func (s *Store) DropPictures() (int, error) { return s.drop("pictures of events", picturePrefix) }

func (s *Store) drop(what, prefix string) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n, err := s.deleteKeys(prefix, func(*badger.Txn, []byte) (bool, error) { return true, nil })
	if err != nil {
		return 0, fmt.Errorf("delete %s: %w", what, err)
	}
	if n == 0 {
		return 0, nil
	}
	s.purge()
	return n, s.load()
}

// putCrops stores the crops of templates that are about to be stored. With
// them a transaction could become too large, so they go ahead in a series: a
// crop whose template does not follow is an orphan, see dropOrphans.
func (s *Store) putCrops(templates []match.Template) error {
	var next []match.Template
	size := 0
	flush := func() error {
		if len(next) == 0 {
			return nil
		}
		err := s.update(s.opts.MinFree, func(txn *badger.Txn) error {
			for _, t := range next {
				if err := txn.Set(cropKey(t.Person, t.ID), t.Crop); err != nil {
					return err
				}
			}
			return nil
		})
		next, size = nil, 0
		return err
	}
	for _, t := range templates {
		if len(t.Crop) == 0 {
			continue
		}
		if size+len(t.Crop) > cropBatch {
			if err := flush(); err != nil {
				return err
			}
		}
		next, size = append(next, t), size+len(t.Crop)
	}
	return flush()
}

// dropOrphans deletes the crops that have no template because an enrolment was
// interrupted: of one person, or of all with "". The caller holds s.mu, or is
// Open.
func (s *Store) dropOrphans(person string) error {
	under := cropPrefix
	if person != "" {
		under += person + "/"
	}
	_, err := s.deleteKeys(under, func(txn *badger.Txn, key []byte) (bool, error) {
		person, id, _ := strings.Cut(strings.TrimPrefix(string(key), cropPrefix), "/")
		_, err := txn.Get(templateKey(person, id))
		if errors.Is(err, badger.ErrKeyNotFound) {
			return true, nil
		}
		return false, err
	})
	if err != nil {
		return fmt.Errorf("delete crops without a template: %w", err)
	}
	return nil
}

// deleteKeys deletes those keys under a prefix that are to go, and notes that the
// files have them still.
func (s *Store) deleteKeys(under string, goes func(txn *badger.Txn, key []byte) (bool, error)) (int, error) {
	if s.db == nil {
		return 0, ErrClosed
	}
	var gone [][]byte
	err := s.db.View(func(txn *badger.Txn) error {
		for item := range keys(txn, under) {
			ok, err := goes(txn, item.Key())
			if err != nil {
				return err
			}
			if ok {
				gone = append(gone, item.KeyCopy(nil))
			}
		}
		return nil
	})
	if err != nil {
		return 0, explain(err)
	}
	if err := s.deleteSome(gone, markResidue); err != nil {
		return 0, err
	}
	return len(gone), nil
}

// deleteSome deletes keys in a series of transactions, each of which notes with mark
// that the files have the values still.
func (s *Store) deleteSome(gone [][]byte, mark func(*badger.Txn) error) error {
	for some := range slices.Chunk(gone, batch) {
		err := s.update(s.freeing(), func(txn *badger.Txn) error {
			return errors.Join(deleteAll(txn, some), mark(txn))
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// markResidue notes that something that was deleted by somebody's wish is still in
// the files: Run takes it out soon.
func markResidue(txn *badger.Txn) error { return txn.Set([]byte(residueKey), nil) }
