package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/dgraph-io/badger/v4"

	"facerecd/match"
)

// resumeRestore finishes a restore that was decided, and drops what was staged
// for one that was not. It is a step of Open.
func (s *Store) resumeRestore() error {
	done, err := s.finishRestore()
	if err != nil {
		return fmt.Errorf("finish a restore that was interrupted: %w", err)
	}
	if len(done.IDs) > 0 {
		s.log.Info("finished a restore that was interrupted", "people", done.People, "templates", done.Templates)
	}
	if _, err := s.dropStaged(); err != nil {
		return fmt.Errorf("drop a backup that was not restored: %w", err)
	}
	return nil
}

// takeover is a decided restore under way. However often it is begun anew after a
// crash, it comes to the same end.
type takeover struct {
	*Store
	is     restoration
	plan   map[string]string
	staged map[string]bool // people of the archive
	alive  map[Mark]bool   // who is here when it is done
	// theirs tells a face of somebody who stays deleted, and alike has the events of
	// the archive with one.
	theirs func(model string, v []float32) bool
	alike  map[uint64]bool
	done   Restored
}

// finishRestore does what was decided, if anything was. The caller holds s.mu, or
// is Open.
func (s *Store) finishRestore() (Restored, error) {
	t := &takeover{Store: s, plan: make(map[string]string), staged: make(map[string]bool), alive: make(map[Mark]bool)}
	before := make(map[string]bool)
	decided := false
	err := s.db.View(func(txn *badger.Txn) error {
		record, ok, err := get(txn, []byte(restoreKey))
		if decided = ok; err != nil || !ok {
			return err
		}
		if err := json.Unmarshal(record, &t.is); err != nil {
			return damaged("decided restore: %v", err)
		}
		for item := range values(txn, planPrefix, []byte(planPrefix)) {
			value, err := item.ValueCopy(nil)
			if err != nil {
				return err
			}
			t.plan[strings.TrimPrefix(string(item.Key()), planPrefix)] = string(value)
		}
		for item := range keys(txn, restorePrefix+personPrefix) {
			t.staged[strings.TrimPrefix(string(item.Key()), restorePrefix+personPrefix)] = true
		}
		for item := range keys(txn, personPrefix) {
			_, id := cutPrefix(item.Key())
			before[id] = true
		}
		return nil
	})
	if err != nil || !decided {
		return Restored{}, explain(err)
	}
	if err := t.do(before); err != nil {
		return t.done, err
	}
	return t.done, nil
}

func (t *takeover) do(before map[string]bool) error {
	if t.is.Replace {
		if err := t.empty(personPrefix, namePrefix, templatePrefix, cropPrefix, rejectPrefix); err != nil {
			return err
		}
	}
	if t.is.History {
		if err := t.empty(historyPrefix, facePrefix, picturePrefix); err != nil {
			return err
		}
	}
	for id := range before {
		t.alive[MarkOf(id)] = !t.is.Replace
	}
	for id := range t.staged {
		if to := t.target(id); to != "" {
			t.alive[MarkOf(to)] = true
		}
	}
	if err := t.findAlike(); err != nil {
		return err
	}
	for _, prefix := range kept() {
		if err := t.copy(prefix); err != nil {
			return err
		}
	}
	if err := t.count(before); err != nil {
		return err
	}
	next := t.events
	if t.is.History {
		next.seq = max(next.seq, t.is.Sequence)
	}
	err := t.update(t.freeing(), func(txn *badger.Txn) error {
		return errors.Join(txn.Delete([]byte(restoreKey)), txn.Set([]byte(eventsKey), next.encode(t.age())))
	})
	if err != nil {
		return err
	}
	if _, err := t.dropStaged(); err != nil {
		return err
	}
	if err := t.load(); err != nil {
		return err
	}
	return t.trim()
}

// count notes who is here now that the archive had, and who is not any more.
func (t *takeover) count(before map[string]bool) error {
	for id := range t.staged {
		if to := t.target(id); to == "" {
			t.done.Deleted++
		} else {
			t.done.IDs = append(t.done.IDs, to)
		}
	}
	slices.Sort(t.done.IDs)
	t.done.IDs = slices.Compact(t.done.IDs)
	t.done.People = len(t.done.IDs)
	if t.is.Replace {
		for id := range before {
			if _, found := slices.BinarySearch(t.done.IDs, id); !found {
				t.done.Removed++
			}
		}
	}
	return nil
}

// target is whose the records of a person in the archive are to be.
func (t *takeover) target(id string) string {
	if to, planned := t.plan[id]; planned {
		return to
	}
	return id
}

// copy takes over the staged records under a prefix, some in a transaction.
func (t *takeover) copy(prefix string) error {
	var next []pending
	size := 0
	flush := func() error {
		if len(next) == 0 {
			return nil
		}
		var graves []Grave
		counted := t.done
		err := t.update(t.freeing(), func(txn *badger.Txn) error {
			for _, r := range next {
				g, err := t.put(txn, r.key, r.value)
				if err != nil {
					return err
				}
				graves = append(graves, g)
			}
			return nil
		})
		if err != nil {
			t.done = counted
			return err
		}
		for _, g := range graves {
			if g.Mark != (Mark{}) {
				t.buried(g)
			}
		}
		next, size = nil, 0
		return nil
	}
	err := t.db.View(func(txn *badger.Txn) error {
		from := restorePrefix + prefix
		for item := range values(txn, from, []byte(from)) {
			value, err := item.ValueCopy(nil)
			if err != nil {
				return err
			}
			if size+len(value) > cropBatch || len(next) == batch {
				if err := flush(); err != nil {
					return err
				}
			}
			next, size = append(next, pending{[]byte(strings.TrimPrefix(string(item.Key()), restorePrefix)), value}), size+len(value)
		}
		return flush()
	})
	return explain(err)
}

// put takes over one record; of a grave, it returns it.
func (t *takeover) put(txn *badger.Txn, key, value []byte) (g Grave, err error) {
	prefix, rest := cutPrefix(key)
	switch prefix {
	case gravePrefix:
		if g, err = decodeGrave(key, value); err != nil || t.alive[g.Mark] {
			return Grave{}, err
		}
		return g, t.dig(txn, g)
	case personPrefix:
		return g, t.putWho(txn, rest, value)
	case historyPrefix:
		return g, t.putRow(txn, key, value)
	case facePrefix, picturePrefix:
		return g, t.putSeen(txn, key, value)
	}
	who, id, _ := strings.Cut(rest, "/")
	to := t.target(who)
	if to == "" {
		return g, nil
	}
	if prefix == cropPrefix {
		_, ok, err := get(txn, templateKey(to, id))
		if err == nil && ok {
			err = t.putNew(txn, cropKey(to, id), value, &t.done.Crops)
		}
		return g, err
	}
	if prefix == rejectPrefix {
		m, err := decodeTemplate(value)
		if err != nil || t.theirs(m.Model, m.Vector) {
			return g, err
		}
		return g, t.putNew(txn, rejectKey(to, id), value, new(int))
	}
	return g, t.putNew(txn, templateKey(to, id), value, &t.done.Templates)
}

// putNew stores what is not there.
func (t *takeover) putNew(txn *badger.Txn, key, value []byte, count *int) error {
	_, ok, err := get(txn, key)
	if err != nil || ok {
		return err
	}
	*count++
	return txn.Set(key, value)
}

// putWho stores a person of the archive, or who they are now, unless that is
// somebody with a record of their own.
func (t *takeover) putWho(txn *badger.Txn, id string, value []byte) error {
	to := t.target(id)
	if to == "" || to != id && t.staged[to] {
		return nil
	}
	p, err := decodePerson(id, value)
	if err != nil {
		return err
	}
	old, err := getPerson(txn, to)
	var notify *bool // as it is, for who is here
	switch {
	case errors.Is(err, ErrNotFound):
		notify = &p.Notify
	case err != nil:
		return err
	case to != id || p.Version.Compare(old.Version) <= 0:
		return nil
	}
	holder, taken, err := get(txn, nameKey(p.Name))
	if err != nil || taken && string(holder) != to {
		return err // somebody got the name since: the person keeps theirs
	}
	p.ID = to
	return t.Store.putPerson(txn, p, notify)
}

// putRow stores an event of the archive's history.
func (t *takeover) putRow(txn *badger.Txn, key, value []byte) error {
	if !t.is.History {
		return nil
	}
	row, age, err := decodeRow(value)
	if err != nil {
		return err
	}
	if row.Person != "" {
		to := t.target(row.Person)
		if to == "" || !t.alive[MarkOf(to)] && t.isForgotten(to) {
			return nil
		}
		row.Person = to
	}
	t.done.History++
	return txn.Set(key, encodeRow(row, age))
}

// putSeen stores what was seen of the face of an event that is stored, unless it
// is like somebody who stays deleted.
func (t *takeover) putSeen(txn *badger.Txn, key, value []byte) error {
	seq := sequenceOf(key)
	_, ok, err := get(txn, sequenceKey(historyPrefix, seq))
	prefix, _ := cutPrefix(key)
	if err != nil || !ok || !t.is.History || t.alike[seq] || prefix == facePrefix && !t.is.Faces {
		return err
	}
	return txn.Set(key, value)
}

// findAlike finds in the archive what Delete takes away of a face.
func (t *takeover) findAlike() error {
	t.alike = make(map[uint64]bool)
	t.theirs = func(string, []float32) bool { return false }
	if t.opts.Alike == nil {
		return nil
	}
	least := t.opts.Alike()
	templates := make(map[string][][]float32) // by model, of people who stay deleted
	err := t.db.View(func(txn *badger.Txn) error {
		for id := range t.staged {
			if t.target(id) != "" {
				continue
			}
			prefix := restorePrefix + templatePrefix + id + "/"
			for item := range values(txn, prefix, []byte(prefix)) {
				err := item.Value(func(record []byte) error {
					m, err := decodeTemplate(record)
					templates[m.Model] = append(templates[m.Model], m.Vector)
					return err
				})
				if err != nil {
					return err
				}
			}
		}
		if len(templates) == 0 {
			return nil
		}
		t.theirs = func(model string, v []float32) bool {
			of := templates[model]
			return of == nil || slices.ContainsFunc(of, func(u []float32) bool { return len(u) != len(v) || match.Cosine(u, v) >= least })
		}
		return facesUnder(txn, restorePrefix+facePrefix, func(seq uint64, model string, v []float32) {
			t.alike[seq] = t.theirs(model, v)
		})
	})
	return explain(err)
}

// dropStaged deletes what Stage has stored, and what was planned for it.
func (s *Store) dropStaged() (any bool, err error) {
	before := s.commits.Load()
	err = s.empty(restorePrefix, planPrefix)
	return s.commits.Load() > before, err
}

// empty deletes everything under the prefixes, in a series of transactions.
func (s *Store) empty(prefixes ...string) error {
	for _, prefix := range prefixes {
		if _, err := s.deleteKeys(prefix, func(*badger.Txn, []byte) (bool, error) { return true, nil }); err != nil {
			return err
		}
	}
	return nil
}
