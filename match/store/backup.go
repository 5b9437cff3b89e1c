package store

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/dgraph-io/badger/v4"

	"facerecd/match"
)

// kept are the records that an archive has, in its order: who is no more comes
// first, and a person before what is theirs.
func kept() []string {
	return []string{gravePrefix, personPrefix, templatePrefix, cropPrefix, rejectPrefix, historyPrefix, facePrefix, picturePrefix}
}

// notKept are those that it does not have. A name follows from the person, a
// setting is this device's; an event that waits to be published would open a door
// when the backup is restored; strangers did not ask to be remembered, and are not
// to outlive their days in a file; and the rest is about the store's own work.
func notKept() []string {
	return []string{namePrefix, queuePrefix, settingPrefix, strangerPrefix, portraitPrefix, forgetPrefix, restorePrefix, planPrefix, flushPrefix}
}

// Backup writes an archive of what the store holds at this moment. Who wants to
// write, and Compact, wait until w has taken all of it: give it a file, not a
// connection. Of h, the caller fills in Model and Size.
func (s *Store) Backup(w io.Writer, h ArchiveHeader) error {
	err := s.view(func(txn *badger.Txn) error {
		h.Schema, h.Device, h.Created, h.Sequence = schema, s.opts.Device, time.Now().UTC().Truncate(time.Second), s.events.seq
		a, err := NewArchive(w, h)
		if err != nil {
			return err
		}
		for _, prefix := range kept() {
			for item := range values(txn, prefix, []byte(prefix)) {
				if err := item.Value(func(value []byte) error { return s.keep(a, txn, item.Key(), value) }); err != nil {
					return err
				}
			}
		}
		return a.Close()
	})
	if err != nil {
		return fmt.Errorf("back up the store: %w", err)
	}
	return nil
}

// Snapshot is Backup into a file that has no name, which the caller reads from
// its beginning and closes. It takes as much of the disk as the backup is large.
func (s *Store) Snapshot(h ArchiveHeader) (_ *os.File, err error) {
	s.mu.RLock()
	if s.db == nil {
		s.mu.RUnlock()
		return nil, ErrClosed
	}
	tables, _ := s.db.Size()
	err = s.room(s.opts.MinFree + tables)
	s.mu.RUnlock()
	if err != nil {
		return nil, err
	}
	f, err := os.CreateTemp(s.dir, "backup-*") // with mode 0600
	if err != nil {
		return nil, fmt.Errorf("make file for the backup: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.Close())
		}
	}()
	if err := os.Remove(f.Name()); err != nil { // a crash leaves nothing
		return nil, fmt.Errorf("make file for the backup: %w", err)
	}
	if err := s.Backup(f, h); err != nil {
		return nil, err
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return nil, fmt.Errorf("read backup: %w", err)
	}
	return f, nil
}

// keep adds a record, unless it is of somebody whose deletion was interrupted.
func (s *Store) keep(a *ArchiveWriter, txn *badger.Txn, key, value []byte) error {
	who, err := owner(txn, key, value)
	if err != nil {
		return err
	}
	if _, begun := s.unfinished[who]; begun {
		return nil
	}
	return a.add(key, value)
}

// owner is the person whom a record is about, "" for nobody.
func owner(txn *badger.Txn, key, value []byte) (string, error) {
	prefix, rest := cutPrefix(key)
	switch prefix {
	case personPrefix:
		return rest, nil
	case templatePrefix, cropPrefix, rejectPrefix:
		id, _, _ := strings.Cut(rest, "/")
		return id, nil
	case historyPrefix:
		row, _, err := decodeRow(value)
		if err != nil {
			return "", fmt.Errorf("event %d: %w", sequenceOf(key), err)
		}
		return row.Person, nil
	case facePrefix, picturePrefix:
		event := sequenceKey(historyPrefix, sequenceOf(key))
		row, ok, err := get(txn, event)
		if err != nil || !ok {
			return "", err
		}
		return owner(txn, event, row)
	}
	return "", nil
}

// cutPrefix takes the prefix off a key.
func cutPrefix(key []byte) (prefix, rest string) {
	prefix, rest, _ = strings.Cut(string(key), "/")
	return prefix + "/", rest
}

// AddPerson adds a person and their templates to an archive, for who makes one
// of other things than a store.
func (a *ArchiveWriter) AddPerson(p match.Person, templates []match.Template) error {
	if err := CheckPerson(p, templates); err != nil {
		return err
	}
	value, err := encodePerson(p)
	if err != nil {
		return err
	}
	if err := a.add(personKey(p.ID), value); err != nil {
		return err
	}
	for _, t := range templates {
		if err := a.add(templateKey(p.ID, t.ID), encodeTemplate(t)); err != nil {
			return err
		}
	}
	return nil
}

// People reads the rest of an archive, and returns the people and their
// templates, without crops, in the order of their ids.
func (a *ArchiveReader) People() (people []match.Person, templates []match.Template, err error) {
	err = a.Each(func(key, value []byte) (err error) {
		switch prefix, id := cutPrefix(key); prefix {
		case personPrefix:
			var p match.Person
			p, err = decodePerson(id, value)
			people = append(people, p)
		case templatePrefix:
			var t match.Template
			t, err = decodeTemplate(value)
			t.Person, t.ID = splitTemplateKey(key)
			templates = append(templates, t)
		}
		return err
	})
	return people, templates, err
}

// Count reads the rest of an archive, and counts people and templates.
func (a *ArchiveReader) Count() (people, templates int, err error) {
	err = a.Each(func(key, _ []byte) error {
		switch prefix, _ := cutPrefix(key); prefix {
		case personPrefix:
			people++
		case templatePrefix:
			templates++
		}
		return nil
	})
	return people, templates, err
}

// Each calls use with each record of the rest of an archive, as it is in the store
// (see docs/backup.md), until use returns an error. What use gets is its own.
func (a *ArchiveReader) Each(use func(key, value []byte) error) error {
	for {
		key, value, err := a.next()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
		if err := use(key, value); err != nil {
			return fmt.Errorf("%w: record %d: %w", ErrArchive, a.count, err)
		}
	}
}
