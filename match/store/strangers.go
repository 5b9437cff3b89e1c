package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/dgraph-io/badger/v4"

	"facerecd/match"
)

// MaxPortrait is the size in bytes that the picture of a stranger may have.
const MaxPortrait = MaxCrop

// Age is how long the store has been open in all its life: a clock that does not
// jump, and stands still while nothing runs.
func (s *Store) Age() time.Duration {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.age()
}

// PutStranger stores a stranger, or what is new of one, and with a picture, a
// JPEG, that in the place of the one before.
func (s *Store) PutStranger(st match.Stranger, picture []byte) error {
	if err := checkStranger(st, picture); err != nil {
		return fmt.Errorf("store stranger: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	err := s.update(s.opts.MinFree, func(txn *badger.Txn) error {
		err := txn.Set(strangerKey(st.ID), encodeStranger(st))
		if len(picture) > 0 {
			err = errors.Join(err, txn.Set(portraitKey(st.ID), picture))
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("store stranger: %w", err)
	}
	return nil
}

// Strangers returns all strangers, in the order of their ids.
func (s *Store) Strangers() ([]match.Stranger, error) {
	var all []match.Stranger
	err := s.view(func(txn *badger.Txn) error {
		for item := range values(txn, strangerPrefix, []byte(strangerPrefix)) {
			id := strings.TrimPrefix(string(item.Key()), strangerPrefix)
			err := item.Value(func(record []byte) error {
				st, err := decodeStranger(record)
				if err != nil {
					return fmt.Errorf("stranger %s: %w", id, err)
				}
				st.ID = id
				all = append(all, st)
				return nil
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read strangers: %w", err)
	}
	return all, nil
}

// Portrait returns the picture of a stranger, or ErrNotFound. The caller owns it.
func (s *Store) Portrait(id string) (picture []byte, err error) {
	err = s.view(func(txn *badger.Txn) error {
		var ok bool
		if picture, ok, err = get(txn, portraitKey(id)); err == nil && !ok {
			err = ErrNotFound
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read picture of a stranger: %w", err)
	}
	return picture, nil
}

// ForgetStrangers deletes strangers with their pictures, who were not seen for
// long, or are too many. Run takes them out of the files within a day.
func (s *Store) ForgetStrangers(ids ...string) error {
	var gone [][]byte
	for _, id := range ids {
		gone = append(gone, strangerKey(id), portraitKey(id))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.deleteSome(gone, s.markLeftover); err != nil {
		return fmt.Errorf("forget strangers: %w", err)
	}
	return nil
}

// DeleteStrangers deletes strangers with their pictures. Run takes them out of the
// files soon; Purge does at once.
func (s *Store) DeleteStrangers(ids ...string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	err := s.update(s.freeing(), func(txn *badger.Txn) error {
		for _, id := range ids {
			if err := errors.Join(txn.Delete(strangerKey(id)), txn.Delete(portraitKey(id))); err != nil {
				return err
			}
		}
		return markResidue(txn)
	})
	if err != nil {
		return fmt.Errorf("delete strangers: %w", err)
	}
	return nil
}

// DropStrangers deletes all strangers with their pictures and rewrites the files
// as Delete does, and says how many there were. When it was interrupted, call it
// again.
func (s *Store) DropStrangers() (int, error) {
	if _, err := s.DropPortraits(); err != nil {
		return 0, err
	}
	return s.drop("strangers", strangerPrefix)
}

// DropPortraits is DropStrangers for the pictures alone.
func (s *Store) DropPortraits() (int, error) { return s.drop("pictures of strangers", portraitPrefix) }

// DropFaces deletes what the history keeps of the faces in the events that are
// wanted: embeddings and pictures. Run takes them out of the files soon; Purge does
// at once. The row is valid until wanted returns, which must not call the Store.
func (s *Store) DropFaces(wanted func(Row) bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.db == nil {
		return ErrClosed
	}
	var gone [][]byte
	err := s.db.View(func(txn *badger.Txn) error {
		for item := range values(txn, historyPrefix, []byte(historyPrefix)) {
			err := rowIn(item, func(row Row, _ time.Duration) error {
				if !wanted(row) {
					return nil
				}
				found, _, err := faceOf(txn, sequenceOf(item.Key()))
				gone = append(gone, found...)
				return err
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil {
		err = s.deleteSome(gone, markResidue)
	}
	if err != nil {
		return fmt.Errorf("delete faces of events: %w", explain(err))
	}
	if len(gone) == 0 {
		return nil
	}
	return s.load() // what the history takes
}

// Purge rewrites the files as Compact does, and says whether that worked. When it
// did not, which is logged, Run tries again.
func (s *Store) Purge() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.purge()
}

// markLeftover notes that something that was too old, or one too many, is still in
// the files: Run takes it out within a day.
func (s *Store) markLeftover(txn *badger.Txn) error {
	if _, marked, err := get(txn, []byte(leftoverKey)); marked || err != nil {
		return err // since an earlier one
	}
	return txn.Set([]byte(leftoverKey), binary.LittleEndian.AppendUint64(nil, uint64(s.age())))
}

// leftoverPatience is how long something that was deleted as too old, or as one
// too many, may stay in the files. A street deletes all the time, and to rewrite
// the files each time would wear the flash out.
const leftoverPatience = 24 * time.Hour

// overdue says whether leftovers are to be taken out of the files.
func (s *Store) overdue() (is bool, err error) {
	err = s.db.View(func(txn *badger.Txn) error {
		since, marked, err := get(txn, []byte(leftoverKey))
		is = marked && (len(since) != 8 || s.age()-time.Duration(binary.LittleEndian.Uint64(since)) >= leftoverPatience)
		return err
	})
	if err != nil {
		return false, fmt.Errorf("look for leftovers: %w", explain(err))
	}
	return is, nil
}

func strangerKey(id string) []byte { return []byte(strangerPrefix + id) }

func portraitKey(id string) []byte { return []byte(portraitPrefix + id) }

// maxCameras is far above those of one device.
const maxCameras = 1000

func checkStranger(st match.Stranger, picture []byte) error {
	if err := checkID("stranger", st.ID); err != nil {
		return err
	}
	if len(st.Exemplars) > match.MaxExemplars || len(st.Cameras) > maxCameras {
		return fmt.Errorf("%w stranger: %d exemplars (at most %d), %d cameras (at most %d)", ErrInvalid, len(st.Exemplars), match.MaxExemplars, len(st.Cameras), maxCameras)
	}
	if len(picture) > MaxPortrait {
		return fmt.Errorf("%w picture: it has %d bytes, up to %d are possible", ErrInvalid, len(picture), MaxPortrait)
	}
	// What holds for a template holds for each of a stranger's vectors.
	if err := checkTemplate(match.Template{Model: st.Model, Vector: st.Sum, Quality: st.Quality}); err != nil {
		return err
	}
	for _, e := range st.Exemplars {
		if len(e.Vector) != len(st.Sum) {
			return fmt.Errorf("%w exemplar: it has %d elements, the sum %d", ErrInvalid, len(e.Vector), len(st.Sum))
		}
		if err := checkTemplate(match.Template{Model: st.Model, Vector: e.Vector, Quality: e.Quality}); err != nil {
			return err
		}
	}
	return nil
}

// encodeStranger makes the record of a stranger; the id is in the key:
//
//	version 1 | 1 when ignored, or 0 | count uvarint | first | last | age, 8 bytes |
//	quality float32 | cameras uvarint, each a string | model | elements uvarint |
//	sum, float32 each | exemplars uvarint, each its quality and float32 each
func encodeStranger(st match.Stranger) []byte {
	b := make([]byte, 0, 128+4*len(st.Sum)*(1+match.MaxExemplars))
	b = append(b, recordVersion, 0)
	if st.Ignored {
		b[1] = 1
	}
	b = binary.AppendUvarint(b, uint64(max(st.Count, 0)))
	b = appendTime(b, st.First)
	b = appendTime(b, st.Last)
	b = binary.LittleEndian.AppendUint64(b, uint64(st.Age))
	b = binary.LittleEndian.AppendUint32(b, math.Float32bits(st.Quality))
	b = binary.AppendUvarint(b, uint64(len(st.Cameras)))
	for _, camera := range st.Cameras {
		b = appendString(b, camera)
	}
	b = appendString(b, st.Model)
	b = appendVector(b, st.Sum)
	b = binary.AppendUvarint(b, uint64(len(st.Exemplars)))
	for _, e := range st.Exemplars {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(e.Quality))
		b = appendFloats(b, e.Vector)
	}
	return b
}

func decodeStranger(record []byte) (match.Stranger, error) {
	r := reader{rest: record}
	r.version()
	flags := r.take(1)
	if r.bad {
		return match.Stranger{}, errRecord
	}
	st := match.Stranger{
		Ignored: flags[0] == 1, Count: r.count(math.MaxInt32), First: r.time(), Last: r.time(),
		Age: time.Duration(r.uint64()), Quality: r.float(),
	}
	for n := r.count(maxCameras); n > 0; n-- {
		st.Cameras = append(st.Cameras, r.string())
	}
	st.Model = r.string()
	elements := r.count(maxElements)
	st.Sum = r.floats(elements, nil)
	for n := r.count(match.MaxExemplars); n > 0 && !r.bad; n-- {
		st.Exemplars = append(st.Exemplars, match.Exemplar{Quality: r.float(), Vector: r.floats(elements, nil)})
	}
	if r.bad || len(r.rest) != 0 {
		return match.Stranger{}, errRecord
	}
	st.ID = "0" // of a shape that passes
	err := checkStranger(st, nil)
	st.ID = ""
	return st, err
}

// count is a number of things that are at most so many.
func (r *reader) count(most uint64) int {
	n := r.uvarint()
	if n > most {
		r.bad = true
		return 0
	}
	return int(n)
}
