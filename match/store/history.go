package store

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/dgraph-io/badger/v4"

	"facerecd/match"
)

// MaxPicture is the size in bytes that the picture of an event may have.
const MaxPicture = 256 << 10

// Face is what was seen of the face of an event. The zero value is nothing.
type Face struct {
	Model   string    // id of the model pack that made Vector
	Vector  []float32 // embedding, a unit vector; nil when none is kept
	Picture []byte    // JPEG; nil when none is kept
}

func (f Face) check() error {
	if len(f.Picture) > MaxPicture {
		return fmt.Errorf("%w picture: it has %d bytes, up to %d are possible", ErrInvalid, len(f.Picture), MaxPicture)
	}
	if f.Vector == nil {
		return nil
	}
	return checkVector(f.Model, f.Vector)
}

// Hit is an event whose face is like another.
type Hit struct {
	Row
	Score float32 // cosine, -1..1
}

// recordEvent puts an event into the history.
func recordEvent(txn *badger.Txn, l *eventLog, seq uint64, record []byte, f Face) error {
	l.recorded++
	l.kept += int64(len(record))
	err := txn.Set(sequenceKey(historyPrefix, seq), record)
	if f.Vector != nil && err == nil {
		face := encodeFace(f.Model, f.Vector)
		l.kept += int64(len(face))
		err = txn.Set(sequenceKey(facePrefix, seq), face)
	}
	if len(f.Picture) > 0 && err == nil {
		l.kept += int64(len(f.Picture))
		err = txn.Set(sequenceKey(picturePrefix, seq), f.Picture)
	}
	return err
}

// trimHistory takes n events off the history's old end, and as many more as take
// up the bytes, but not more than batch. Run takes their faces out of the files
// within a day.
func (s *Store) trimHistory(txn *badger.Txn, l *eventLog, n int, bytes int64) error {
	if n <= 0 && bytes <= 0 {
		return nil
	}
	var drop [][]byte
	dropped, faces := 0, 0
	for item := range scan(txn, badger.IteratorOptions{Prefix: []byte(historyPrefix)}, sequenceKey(historyPrefix, l.oldest)) {
		seq, size := sequenceOf(item.Key()), item.ValueSize()
		of, more, err := faceOf(txn, seq)
		if err != nil {
			return err
		}
		drop = append(append(drop, of...), item.KeyCopy(nil))
		faces += len(of)
		size += more
		l.recorded--
		l.kept -= size
		bytes -= size
		l.oldest = seq + 1
		if dropped++; dropped == batch || dropped >= n && bytes <= 0 {
			break
		}
	}
	if faces > 0 {
		if err := s.markLeftover(txn); err != nil {
			return err
		}
	}
	return deleteAll(txn, drop)
}

// faceOf are the keys that hold what was seen of an event's face, and the size of
// that in bytes.
func faceOf(txn *badger.Txn, seq uint64) (found [][]byte, size int64, err error) {
	for _, prefix := range []string{facePrefix, picturePrefix} {
		key := sequenceKey(prefix, seq)
		item, err := txn.Get(key)
		if errors.Is(err, badger.ErrKeyNotFound) {
			continue
		}
		if err != nil {
			return nil, 0, err
		}
		found, size = append(found, key), size+item.ValueSize()
	}
	return found, size, nil
}

// History returns up to limit events, newest first: those before the one with
// the id, or the newest when before is "". If that event is no longer stored,
// those with lower ids, which for ULIDs are earlier ones. The caller owns what
// it gets.
func (s *Store) History(before string, limit int) ([]Row, error) {
	return s.Find(before, limit, func(Row) (bool, error) { return true, nil })
}

// Find is History of the events that wanted wants. The row that it is asked about
// is valid until it returns; it must not call the Store.
func (s *Store) Find(before string, limit int, wanted func(Row) (bool, error)) ([]Row, error) {
	var rows []Row
	err := s.view(func(txn *badger.Txn) error {
		found := before == ""
		var lower []Row
		for item := range backwards(txn, historyPrefix) {
			if len(rows) >= limit {
				return nil
			}
			err := rowIn(item, func(row Row, _ time.Duration) error {
				switch {
				case row.ID == before:
					found = true
					return nil
				case !found && (row.ID > before || len(lower) >= limit):
					return nil
				}
				ok, err := wanted(row)
				if !ok || err != nil {
					return err
				}
				row.Payload = bytes.Clone(row.Payload)
				if err := row.look(txn, sequenceOf(item.Key())); err != nil {
					return err
				}
				if found {
					rows = append(rows, row)
				} else {
					lower = append(lower, row)
				}
				return nil
			})
			if err != nil {
				return err
			}
		}
		if !found {
			rows = lower
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read history: %w", err)
	}
	return rows, nil
}

// look sees what there is of a row's face.
func (r *Row) look(txn *badger.Txn, seq uint64) error {
	found, _, err := faceOf(txn, seq)
	for _, key := range found {
		r.Embedded = r.Embedded || bytes.HasPrefix(key, []byte(facePrefix))
		r.Pictured = r.Pictured || bytes.HasPrefix(key, []byte(picturePrefix))
	}
	return err
}

// rowIn calls use with the row that an item holds, which is valid until it returns.
func rowIn(item *badger.Item, use func(Row, time.Duration) error) error {
	err := item.Value(func(record []byte) error {
		row, age, err := decodeRow(record)
		if err != nil {
			return err
		}
		return use(row, age)
	})
	if err != nil {
		return fmt.Errorf("event %d: %w", sequenceOf(item.Key()), err)
	}
	return nil
}

// Recorded returns the event of the history with the id, with what was seen of
// its face, or ErrNotFound. The caller owns it.
func (s *Store) Recorded(id string) (row Row, err error) {
	err = s.view(func(txn *badger.Txn) error {
		for item := range backwards(txn, historyPrefix) {
			found := false
			err := rowIn(item, func(r Row, _ time.Duration) error {
				if found = r.ID == id; found {
					row = r
					row.Payload = bytes.Clone(r.Payload)
				}
				return nil
			})
			if err != nil {
				return err
			}
			if found {
				row.Face, err = getFace(txn, sequenceOf(item.Key()))
				row.Embedded, row.Pictured = row.Face.Vector != nil, row.Face.Picture != nil
				return err
			}
		}
		return ErrNotFound
	})
	if err != nil {
		return Row{}, fmt.Errorf("read event %.64q: %w", id, err)
	}
	return row, nil
}

func getFace(txn *badger.Txn, seq uint64) (f Face, err error) {
	record, ok, err := get(txn, sequenceKey(facePrefix, seq))
	if ok {
		f.Model, f.Vector, err = decodeFace(record, nil)
	}
	if err != nil {
		return Face{}, fmt.Errorf("embedding of event %d: %w", seq, err)
	}
	f.Picture, _, err = get(txn, sequenceKey(picturePrefix, seq))
	return f, err
}

// Like returns up to limit events of the history whose embedding, made by this
// model, has a cosine of least or more with the probe: the best first, and of
// two alike the newer. The caller owns what it gets.
func (s *Store) Like(model string, probe []float32, least float32, limit int) ([]Hit, error) {
	var hits []Hit
	err := s.view(func(txn *badger.Txn) error {
		type found struct {
			seq   uint64
			score float32
		}
		var all []found
		err := faces(txn, func(seq uint64, of string, v []float32) {
			if of != model {
				return
			}
			if score := match.Cosine(probe, v); score >= least {
				all = append(all, found{seq, score})
			}
		})
		if err != nil {
			return err
		}
		slices.SortFunc(all, func(a, b found) int {
			return cmp.Or(cmp.Compare(b.score, a.score), cmp.Compare(b.seq, a.seq))
		})
		for _, f := range all[:min(limit, len(all))] {
			record, ok, err := get(txn, sequenceKey(historyPrefix, f.seq))
			if err != nil || !ok { // a deletion was interrupted, and will be finished
				return err
			}
			row, _, err := decodeRow(record)
			if err != nil {
				return fmt.Errorf("event %d: %w", f.seq, err)
			}
			if err := row.look(txn, f.seq); err != nil {
				return err
			}
			hits = append(hits, Hit{row, f.score})
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("search history: %w", err)
	}
	return hits, nil
}

// faces calls use with each embedding of the history, which is valid until it
// returns.
func faces(txn *badger.Txn, use func(seq uint64, model string, v []float32)) error {
	return facesUnder(txn, facePrefix, use)
}

func facesUnder(txn *badger.Txn, prefix string, use func(seq uint64, model string, v []float32)) error {
	var buf []float32
	for item := range values(txn, prefix, []byte(prefix)) {
		err := item.Value(func(record []byte) error {
			model, v, err := decodeFace(record, buf)
			if err == nil {
				buf = v
				use(sequenceOf(item.Key()), model, v)
			}
			return err
		})
		if err != nil {
			return fmt.Errorf("embedding of event %d: %w", sequenceOf(item.Key()), err)
		}
	}
	return nil
}

// Relabel rewrites events of the history. Edit is shown each of them and answers
// what it is to be, and whether that is anything new; the row that it gets is
// valid until it returns, and of that, Person and Payload may change. It must not
// call the Store. Relabel says how many have changed. They change all or, with
// an error, none, unless there are so many, thousands, that they take a series of
// transactions; then call it again. What waits to be published stays as it was.
//
// A row that would become a deleted person's is refused with ErrForgotten.
func (s *Store) Relabel(edit func(Row) (Row, bool, error)) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n, err := s.relabel(edit)
	if err != nil {
		return 0, fmt.Errorf("relabel events: %w", err)
	}
	return n, nil
}

func (s *Store) relabel(edit func(Row) (Row, bool, error)) (int, error) {
	if s.db == nil {
		return 0, ErrClosed
	}
	type entry struct{ key, record []byte }
	var changed []entry
	kept := s.events.kept
	err := s.db.View(func(txn *badger.Txn) error {
		for item := range values(txn, historyPrefix, []byte(historyPrefix)) {
			err := rowIn(item, func(row Row, age time.Duration) error {
				row, ok, err := edit(row)
				if err == nil && ok {
					err = s.admit(row)
				}
				if err != nil || !ok {
					return err
				}
				record := encodeRow(row, age)
				kept += int64(len(record)) - item.ValueSize()
				changed = append(changed, entry{item.KeyCopy(nil), record})
				return nil
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return 0, explain(err)
	}
	write := func(some []entry) error {
		return s.update(s.opts.MinFree, func(txn *badger.Txn) error {
			for _, e := range some {
				if err := txn.Set(e.key, e.record); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if len(changed) > 0 {
		err = write(changed)
	}
	if errors.Is(err, badger.ErrTxnTooBig) {
		err = inSeries(changed, write)
	}
	if err != nil {
		return 0, errors.Join(err, s.load())
	}
	s.events.kept = kept
	return len(changed), nil
}
