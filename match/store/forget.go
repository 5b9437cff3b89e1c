package store

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"github.com/dgraph-io/badger/v4"

	"facerecd/match"
)

// Redact takes the person out of the payload of an event, which is published
// all the same.
type Redact = func(payload []byte) ([]byte, error)

// Receipt says what was deleted with a person.
type Receipt struct {
	Person    string `json:"person"`    // Person.ID
	Templates int    `json:"templates"` // deleted, rejected faces among them
	Crops     int    `json:"crops"`     // deleted
	History   int    `json:"history"`   // events deleted from the history
	Pictures  int    `json:"pictures"`  // pictures of the face deleted from the history
	Alike     int    `json:"alike"`     // other events that lost embedding and picture, as their face is like this one
	Strangers int    `json:"strangers"` // strangers deleted who looked like the person
	Queued    int    `json:"queued"`    // events that waited to be published and go out without the person
	Purged    bool   `json:"purged"`    // no file of the store holds any of it; see Compact
}

// Delete forgets a person: name, templates with their crops, and events in the
// history with their embeddings and pictures; events that wait to be published are
// rewritten by redact. What else the history keeps of their face, in events that
// name nobody or somebody else, goes too: embeddings that Options.Alike makes
// theirs or that, being of another model, cannot be compared, with their pictures;
// and so do faces that were rejected for somebody else.
// All of it is one transaction, or nothing with an error. Only when it is too large for one, with
// thousands of rows, it is a series: its first transaction takes the person and
// the name, and should the series be interrupted, FinishDeletes completes it.
//
// Then the files are rewritten as by Compact. When that fails, which is logged,
// the person is deleted all the same, Receipt.Purged is false and Run tries
// again.
//
// What stays is the person's Grave: the id is refused from then on.
func (s *Store) Delete(id string, redact Redact) (Receipt, error) {
	receipts, err := s.DeleteAll([]string{id}, redact)
	if err != nil {
		return Receipt{}, err
	}
	return receipts[0], nil
}

// DeleteAll is Delete for several people, and rewrites the files once. With an
// error, those of the receipts are deleted.
func (s *Store) DeleteAll(ids []string, redact Redact) ([]Receipt, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var receipts []Receipt
	var failed error
	for _, id := range ids {
		receipt, err := s.forget(id, redact)
		if err != nil {
			failed = fmt.Errorf("delete person: %w", err)
			break
		}
		receipts = append(receipts, receipt)
	}
	if len(receipts) > 0 {
		purged := s.purge()
		for i := range receipts {
			receipts[i].Purged = purged
		}
	}
	return receipts, failed
}

// FinishDeletes completes deletions that a crash interrupted. It is to be
// called after Open; when there are none it does nothing.
func (s *Store) FinishDeletes(redact Redact) ([]Receipt, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var receipts []Receipt
	for id := range s.unfinished {
		receipt, err := s.forget(id, redact)
		if err != nil {
			return receipts, fmt.Errorf("finish deletion of a person: %w", err)
		}
		receipts = append(receipts, receipt)
	}
	if len(receipts) == 0 {
		return nil, nil
	}
	purged := s.purge()
	for i := range receipts {
		receipts[i].Purged = purged
	}
	s.wake() // their events were held back
	return receipts, nil
}

// change is a key that goes or, for a waiting event, gets a redacted value.
type change struct {
	key    []byte
	redact bool
}

func (s *Store) forget(id string, redact Redact) (Receipt, error) {
	if s.db == nil {
		return Receipt{}, ErrClosed
	}
	if err := checkID("person", id); err != nil {
		return Receipt{}, err
	}
	grave := Grave{Mark: MarkOf(id), Deleted: true}
	var head, changes []change
	receipt := Receipt{Person: id}
	err := s.db.View(func(txn *badger.Txn) (err error) {
		if head, err = s.personChanges(txn, id); err != nil {
			return err
		}
		changes, err = s.rowChanges(txn, id, redact, &receipt)
		return err
	})
	if err != nil {
		return Receipt{}, explain(err)
	}

	err = s.update(s.freeing(), func(txn *badger.Txn) error {
		return errors.Join(apply(txn, head, redact), apply(txn, changes, redact), endForget(txn, id), s.dig(txn, grave))
	})
	if errors.Is(err, badger.ErrTxnTooBig) {
		err = s.forgetInSeries(id, grave, head, changes, redact)
	}
	if err != nil {
		return Receipt{}, errors.Join(err, s.load())
	}
	s.buried(grave)
	return receipt, s.load()
}

// forgetInSeries takes the person first, with a mark that the rest is to follow,
// so that from then on nobody sees any of it.
func (s *Store) forgetInSeries(id string, grave Grave, head, changes []change, redact Redact) error {
	err := s.update(s.freeing(), func(txn *badger.Txn) error {
		return errors.Join(apply(txn, head, redact), txn.Set(forgetKey(id), nil), s.dig(txn, grave))
	})
	if err == nil {
		err = inSeries(changes, func(some []change) error {
			return s.update(s.freeing(), func(txn *badger.Txn) error { return apply(txn, some, redact) })
		})
	}
	if err != nil {
		return err
	}
	return s.update(s.freeing(), func(txn *badger.Txn) error { return endForget(txn, id) })
}

func endForget(txn *badger.Txn, id string) error {
	return errors.Join(txn.Delete(forgetKey(id)), markResidue(txn))
}

// personChanges are the person and the name.
func (s *Store) personChanges(txn *badger.Txn, id string) ([]change, error) {
	p, err := getPerson(txn, id)
	_, begun := s.unfinished[id]
	switch {
	case errors.Is(err, ErrNotFound) && begun:
		return nil, nil
	case err != nil:
		return nil, err
	}
	return []change{{key: personKey(id)}, {key: nameKey(p.Name)}}, nil
}

// rowChanges are the templates, crops and events of a person, in an order that may
// be interrupted: by the templates what is like them is found again. It runs redact
// on each waiting event, so that one which fails stops everything before it begins.
func (s *Store) rowChanges(txn *badger.Txn, id string, redact Redact, receipt *Receipt) ([]change, error) {
	changes, own, err := historyChanges(txn, id, receipt)
	if err != nil {
		return nil, err
	}
	alike, err := s.alikeChanges(txn, id, own, receipt)
	if err != nil {
		return nil, err
	}
	changes = append(changes, alike...)
	for item := range values(txn, queuePrefix, []byte(queuePrefix)) {
		row, err := itemRow(item)
		if err != nil {
			return nil, err
		}
		if row.Person != id {
			continue
		}
		if _, err := redacted(row, redact); err != nil {
			return nil, err
		}
		changes = append(changes, change{key: item.KeyCopy(nil), redact: true})
		receipt.Queued++
	}
	for item := range keys(txn, rejectPrefix+id+"/") {
		changes = append(changes, change{key: item.KeyCopy(nil)})
		receipt.Templates++
	}
	for item := range keys(txn, cropPrefix+id+"/") {
		changes = append(changes, change{key: item.KeyCopy(nil)})
		receipt.Crops++
	}
	for item := range keys(txn, templatePrefix+id+"/") {
		changes = append(changes, change{key: item.KeyCopy(nil)})
		receipt.Templates++
	}
	return changes, nil
}

// historyChanges are the events of a person, each after what was seen of the face.
func historyChanges(txn *badger.Txn, id string, receipt *Receipt) (changes []change, own map[uint64]bool, err error) {
	own = make(map[uint64]bool)
	for item := range values(txn, historyPrefix, []byte(historyPrefix)) {
		row, err := itemRow(item)
		if err != nil {
			return nil, nil, err
		}
		if row.Person != id {
			continue
		}
		seq := sequenceOf(item.Key())
		of, err := faceChanges(txn, seq, receipt)
		if err != nil {
			return nil, nil, err
		}
		changes = append(append(changes, of...), change{key: item.KeyCopy(nil)})
		own[seq] = true
		receipt.History++
	}
	return changes, own, nil
}

// alikeChanges are embeddings and pictures of other events with the person's face,
// and the face where it was rejected for others.
func (s *Store) alikeChanges(txn *badger.Txn, id string, own map[uint64]bool, receipt *Receipt) ([]change, error) {
	if s.opts.Alike == nil {
		return nil, nil
	}
	templates := make(map[string][][]float32) // by model
	prefix := templatePrefix + id + "/"
	for item := range values(txn, prefix, []byte(prefix)) {
		err := item.Value(func(record []byte) error {
			t, err := decodeTemplate(record)
			templates[t.Model] = append(templates[t.Model], t.Vector)
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	if len(templates) == 0 {
		return nil, nil
	}
	least := s.opts.Alike()
	var alike []uint64
	theirs := func(model string, v []float32) bool {
		of := templates[model]
		return of == nil || slices.ContainsFunc(of, func(t []float32) bool { return match.Cosine(t, v) >= least })
	}
	err := faces(txn, func(seq uint64, model string, v []float32) {
		if !own[seq] && theirs(model, v) {
			alike = append(alike, seq)
		}
	})
	if err != nil {
		return nil, err
	}
	changes, err := rejectChanges(txn, id, theirs, receipt)
	if err != nil {
		return nil, err
	}
	for _, seq := range alike {
		of, err := faceChanges(txn, seq, receipt)
		if err != nil {
			return nil, err
		}
		changes = append(changes, of...)
		receipt.Alike++
	}
	return changes, nil
}

// rejectChanges are faces of the person of which it was said that they are not
// somebody else's.
func rejectChanges(txn *badger.Txn, id string, theirs func(model string, v []float32) bool, receipt *Receipt) (changes []change, err error) {
	for item := range values(txn, rejectPrefix, []byte(rejectPrefix)) {
		if bytes.HasPrefix(item.Key(), []byte(rejectPrefix+id+"/")) {
			continue
		}
		err := item.Value(func(record []byte) error {
			t, err := decodeTemplate(record)
			if err == nil && theirs(t.Model, t.Vector) {
				changes = append(changes, change{key: item.KeyCopy(nil)})
				receipt.Templates++
			}
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("read rejected face: %w", err)
		}
	}
	return changes, nil
}

// faceChanges are the embedding and the picture of an event, the embedding last: by
// it they are found again after an interruption.
func faceChanges(txn *badger.Txn, seq uint64, receipt *Receipt) (changes []change, err error) {
	found, _, err := faceOf(txn, seq)
	for _, key := range slices.Backward(found) {
		if bytes.HasPrefix(key, []byte(picturePrefix)) {
			receipt.Pictures++
		}
		changes = append(changes, change{key: key})
	}
	return changes, err
}

func redacted(row Row, redact Redact) (Row, error) {
	payload, err := redact(row.Payload)
	if err != nil {
		return Row{}, fmt.Errorf("take the person out of event %s: %w", row.ID, err)
	}
	row.Person, row.Payload = "", payload
	return row, checkRow(row)
}

func apply(txn *badger.Txn, changes []change, redact Redact) error {
	for _, c := range changes {
		if !c.redact {
			if err := txn.Delete(c.key); err != nil {
				return err
			}
			continue
		}
		record, _, err := get(txn, c.key)
		if err != nil {
			return err
		}
		row, age, err := decodeRow(record)
		if err != nil {
			return err
		}
		if row, err = redacted(row, redact); err != nil {
			return err
		}
		if err := txn.Set(c.key, encodeRow(row, age)); err != nil {
			return err
		}
	}
	return nil
}
