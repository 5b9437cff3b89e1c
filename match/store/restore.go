package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/dgraph-io/badger/v4"

	"facerecd/match"
)

// RestoreOptions say how an archive is taken in.
type RestoreOptions struct {
	// Replace makes people, templates, crops and history those of the archive.
	// Without it people and templates are added to those that there are, under
	// the names with the higher version, and the history only where there is none.
	Replace bool
	// WithDeleted brings back, with new ids, who was deleted since.
	WithDeleted bool
	Crops       bool                       // take the crops, too
	Faces       bool                       // take the embeddings of events
	Pictures    bool                       // take the pictures of events
	Check       func(match.Template) error // refuses templates; nil: takes all that a Store can
	NewID       func() string              // makes ids of people
}

// Restored says what a restore has done.
type Restored struct {
	People    int      // of the archive who are here now
	Templates int      // stored that were not here
	Crops     int      // likewise
	History   int      // events in the history that are the archive's
	Removed   int      // people who were here and are not in the archive, with Replace
	Deleted   int      // people of the archive who had been deleted since, and stay so
	IDs       []string // of People, as they are here
}

// Staged is an archive that can be taken in: all of it is here and checked, and
// nobody sees any of it. Either Commit or Discard ends it.
type Staged struct {
	ArchiveHeader
	store  *Store
	opts   RestoreOptions
	people map[string]match.Person
	names  map[string]bool // folded
	bytes  int64
}

// restoration is a decided restore, as it is stored until it is done.
type restoration struct {
	Replace  bool   `json:"replace"`
	History  bool   `json:"history"`
	Faces    bool   `json:"faces"` // of the history
	Sequence uint64 `json:"sequence"`
}

// ErrRestoring says that a Stage has neither Commit nor Discard yet.
var ErrRestoring = fmt.Errorf("%w: another backup is being restored", ErrInUse)

// Stage reads and checks a whole archive, and keeps it beside what the store
// has, in a series of transactions. An error, also of a crash, leaves
// nothing of it; errors.Is(err, ErrArchive) when the archive is to blame.
func (s *Store) Stage(r io.Reader, o RestoreOptions) (*Staged, error) {
	if !s.staging.CompareAndSwap(false, true) {
		return nil, ErrRestoring
	}
	st := &Staged{store: s, opts: o, people: make(map[string]match.Person), names: make(map[string]bool)}
	if err := st.read(r); err != nil {
		return nil, errors.Join(err, st.Discard())
	}
	return st, nil
}

// Discard takes a staged archive away again.
func (st *Staged) Discard() error {
	s := st.store
	defer s.staging.Store(false)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.db == nil {
		return nil // Open does it
	}
	any, err := s.dropStaged()
	if err != nil {
		return fmt.Errorf("discard backup: %w", err)
	}
	if any {
		s.purge()
	}
	return nil
}

func (st *Staged) read(r io.Reader) error {
	a, err := OpenArchive(r)
	if err != nil {
		return err
	}
	st.ArchiveHeader = a.ArchiveHeader
	var next []pending
	size := 0
	flush := func() error {
		err := st.store.stage(next)
		next, size = nil, 0
		return err
	}
	for {
		key, value, err := a.next()
		if errors.Is(err, io.EOF) {
			return flush()
		}
		if err != nil {
			return err
		}
		take, err := st.check(key, value)
		if err != nil {
			return fmt.Errorf("%w: record %d: %w", ErrArchive, a.count, err)
		}
		if !take {
			continue
		}
		if size+len(value) > cropBatch || len(next) == batch {
			if err := flush(); err != nil {
				return err
			}
		}
		next, size = append(next, pending{key, value}), size+len(value)
		st.bytes += int64(len(key) + len(value))
	}
}

// maxPeople is how many people an archive may have: they are in memory while it is
// checked.
const maxPeople = 500_000

// pending is a record to be written.
type pending struct{ key, value []byte }

func (s *Store) stage(records []pending) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.update(s.opts.MinFree, func(txn *badger.Txn) error {
		for _, r := range records {
			if err := txn.Set(append([]byte(restorePrefix), r.key...), r.value); err != nil {
				return err
			}
		}
		return markResidue(txn) // what is not restored must leave the files
	})
}

// check says whether a record is one that this store can hold, and is to.
func (st *Staged) check(key, value []byte) (take bool, err error) {
	prefix, rest := cutPrefix(key)
	if !slices.Contains(kept(), prefix) {
		return false, fmt.Errorf("it is of a kind that this facerecd does not know (%.20q); update this one first", prefix)
	}
	switch prefix {
	case gravePrefix:
		_, err := decodeGrave(key, value)
		return true, err
	case personPrefix:
		p, err := decodePerson(rest, value)
		if err == nil {
			err = CheckPerson(p, nil)
		}
		if folded := FoldName(p.Name); err == nil && st.names[folded] {
			err = errors.New("two people have one name")
		} else {
			st.names[folded] = true
		}
		if len(st.people) == maxPeople {
			err = fmt.Errorf("it has more than %d people", maxPeople)
		}
		st.people[rest] = p
		return true, err
	case historyPrefix:
		if len(rest) != 8 {
			return false, errRecord
		}
		row, _, err := decodeRow(value)
		if err == nil {
			err = checkRow(row)
		}
		return true, err
	case facePrefix:
		if len(rest) != 8 {
			return false, errRecord
		}
		model, v, err := decodeFace(value, nil)
		if err == nil {
			err = st.checkTemplate(match.Template{ID: "of an event", Model: model, Vector: v})
		}
		return true, err // also where they are not kept: they tell whose pictures those are
	case picturePrefix:
		if len(rest) != 8 || len(value) > MaxPicture {
			return false, errRecord
		}
		return st.opts.Pictures, nil
	}
	who, id, _ := strings.Cut(rest, "/")
	if err := errors.Join(checkID("person", who), checkID("template", id)); err != nil {
		return false, err
	}
	if _, known := st.people[who]; !known {
		return false, errors.New("it is of nobody who is in it")
	}
	if prefix == cropPrefix {
		if len(value) > MaxCrop {
			return false, errRecord
		}
		return st.opts.Crops, nil
	}
	t, err := decodeTemplate(value)
	if err == nil {
		t.Person, t.ID = who, id
		err = st.checkTemplate(t)
	}
	return true, err
}

func (st *Staged) checkTemplate(t match.Template) error {
	if err := checkTemplate(t); err != nil || st.opts.Check == nil {
		return err
	}
	return st.opts.Check(t)
}

// Commit takes the staged archive in: from one moment on, for whoever asks the
// store and after whatever crash, all of it is here. Everybody waits while it
// works, and Compacting says so. Graves win: who was deleted here stays so,
// unless WithDeleted gives them another id, and what the archive's history has of
// their face stays away as Delete takes it; and the archive's own graves hold for
// whoever is not here. Waiting events stay as they are.
//
// When it fails half-way, with a disk that breaks or that others have
// filled, the store is closed, and the next Open goes on.
func (st *Staged) Commit() (Restored, error) {
	s := st.store
	defer s.staging.Store(false)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.db == nil {
		return Restored{}, ErrClosed
	}
	s.compacting.Store(true)
	defer s.compacting.Store(false)
	if err := st.decide(); err != nil {
		_, failed := s.dropStaged()
		return Restored{}, errors.Join(fmt.Errorf("restore backup: %w", err), failed)
	}
	done, err := s.finishRestore()
	if err != nil {
		db := s.db
		s.db = nil
		return done, errors.Join(fmt.Errorf("finish restore, which the next start does: %w", err), db.Close())
	}
	s.staging.Store(false)
	s.purge()
	return done, nil
}

// decide stores whose each person's records will be, and then, in one
// transaction, that they will be.
func (st *Staged) decide() error {
	s := st.store
	// It is all written once more, and then the files are.
	tables, _ := s.db.Size()
	if err := s.room(s.opts.MinFree + 2*st.bytes + tables); err != nil {
		return err
	}
	plan, err := st.plan()
	if err != nil {
		return err
	}
	for some := range slices.Chunk(slices.Sorted(maps.Keys(plan)), batch) {
		if err := s.update(s.opts.MinFree, func(txn *badger.Txn) error {
			for _, id := range some {
				if err := txn.Set([]byte(planPrefix+id), []byte(plan[id])); err != nil {
					return err
				}
			}
			return nil
		}); err != nil {
			return err
		}
	}
	record, err := json.Marshal(restoration{
		Replace: st.opts.Replace, History: st.opts.Replace || s.events.recorded == 0, Faces: st.opts.Faces, Sequence: st.Sequence,
	})
	if err != nil {
		return fmt.Errorf("encode restore: %w", err)
	}
	return s.update(s.opts.MinFree, func(txn *badger.Txn) error { return txn.Set([]byte(restoreKey), record) })
}

// plan is whose the records of a person in the archive will be, where they will
// not be that person's; "" for nobody's.
func (st *Staged) plan() (map[string]string, error) {
	s := st.store
	here := make(map[string]bool)
	holders := make(map[string]string) // of the folded names in the archive
	err := s.db.View(func(txn *badger.Txn) error {
		if st.opts.Replace {
			return nil
		}
		for item := range keys(txn, personPrefix) {
			_, id := cutPrefix(item.Key())
			here[id] = true
		}
		for _, p := range st.people {
			holder, _, err := get(txn, nameKey(p.Name))
			if err != nil {
				return err
			}
			holders[p.ID] = string(holder)
		}
		return nil
	})
	if err != nil {
		return nil, explain(err)
	}
	alive := make(map[Mark]string)
	for id := range here {
		alive[MarkOf(id)] = id
	}
	for id := range st.people {
		if !s.isForgotten(id) {
			alive[MarkOf(id)] = id
		}
	}
	plan := make(map[string]string)
	for id := range st.people {
		target := id
		if s.isForgotten(id) {
			last, deleted := s.follow(MarkOf(id))
			_, begun := s.unfinished[id]
			switch {
			case (deleted || begun) && !st.opts.WithDeleted:
				plan[id] = ""
				continue
			case !deleted && !begun && alive[last] != "":
				plan[id] = alive[last]
				continue
			}
			target = st.opts.NewID()
		}
		if holder := holders[id]; !here[target] && holder != "" {
			target = holder
		}
		if target != id {
			plan[id] = target
		}
	}
	return plan, nil
}

// follow goes from grave to grave, to somebody deleted or somebody without one.
func (s *Store) follow(m Mark) (last Mark, deleted bool) {
	for range 100 { // a chain leads to ever lower ids, if nobody made it up
		g, ok := s.graves[m]
		if !ok || g.Deleted {
			return m, ok
		}
		m = g.Into
	}
	return Mark{}, false
}
