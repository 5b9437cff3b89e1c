package store

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/dgraph-io/badger/v4"
)

// load reads the state of the event log and the deletions that were
// interrupted, and counts the rows. The caller has the Store for itself.
func (s *Store) load() error {
	var l eventLog
	unfinished := make(map[string]struct{})
	err := s.db.View(func(txn *badger.Txn) error {
		record, ok, err := get(txn, []byte(eventsKey))
		if err != nil {
			return err
		}
		if ok {
			if l, err = decodeEventLog(record); err != nil {
				return damaged("state of the event log: %v", err)
			}
		}
		s.queueHead.Store(0)
		for item := range keys(txn, queuePrefix) {
			if l.queued == 0 {
				s.queueHead.Store(sequenceOf(item.Key()))
			}
			l.queued++
			l.bytes += item.ValueSize()
		}
		for item := range keys(txn, historyPrefix) {
			if l.recorded == 0 {
				l.oldest = sequenceOf(item.Key())
			}
			l.recorded++
			l.kept += item.ValueSize()
		}
		for _, prefix := range []string{facePrefix, picturePrefix} {
			for item := range keys(txn, prefix) {
				l.kept += item.ValueSize()
			}
		}
		for item := range keys(txn, forgetPrefix) {
			unfinished[strings.TrimPrefix(string(item.Key()), forgetPrefix)] = struct{}{}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("read event log: %w", explain(err))
	}
	// Read again later in the Store's life, these two must not go back.
	l.seq = max(l.seq, s.events.seq)
	if s.events.seq > 0 {
		l.age = s.events.age
	}
	s.events, s.unfinished = l, unfinished
	return nil
}

// trim enforces limits that are lower than when the store was last open.
func (s *Store) trim() error {
	return s.inBatches(func(txn *badger.Txn, l *eventLog) error {
		return errors.Join(
			s.dropOldest(txn, l, l.queued-s.opts.MaxQueued, l.bytes-s.opts.MaxBytes),
			s.trimHistory(txn, l, l.recorded-s.opts.MaxHistory, l.kept-s.opts.MaxHistoryBytes),
		)
	})
}

// expire drops events that have waited, or were kept, for too long, and keeps the
// store's age.
func (s *Store) expire() error {
	age := s.age()
	return s.inBatches(func(txn *badger.Txn, l *eventLog) error {
		waited, err := older(txn, queuePrefix, s.queueHead.Load(), age-s.opts.MaxAge)
		if err != nil {
			return err
		}
		kept, err := older(txn, historyPrefix, l.oldest, age-s.opts.MaxHistoryAge)
		if err != nil {
			return err
		}
		return errors.Join(s.dropOldest(txn, l, waited, 0), s.trimHistory(txn, l, kept, 0))
	})
}

// older counts the events under a prefix that are from the limit or before, up to
// batch.
func older(txn *badger.Txn, prefix string, first uint64, limit time.Duration) (n int, err error) {
	for item := range values(txn, prefix, sequenceKey(prefix, first)) {
		var age time.Duration
		err := item.Value(func(record []byte) (err error) {
			_, age, err = decodeRow(record)
			return err
		})
		if err != nil {
			return 0, fmt.Errorf("event %d: %w", sequenceOf(item.Key()), err)
		}
		if age > limit || n == batch {
			break
		}
		n++
	}
	return n, nil
}

// inBatches repeats a step, each time in a transaction of its own, until it has
// nothing more to take away.
func (s *Store) inBatches(step func(*badger.Txn, *eventLog) error) error {
	for {
		next := s.events
		err := s.update(s.freeing(), func(txn *badger.Txn) error {
			if err := step(txn, &next); err != nil {
				return err
			}
			return txn.Set([]byte(eventsKey), next.encode(s.age()))
		})
		if err != nil {
			return fmt.Errorf("shorten event log: %w", err)
		}
		done := next == s.events
		s.reportDrops(next)
		if done {
			return nil
		}
	}
}

// collectGarbage empties Badger's value log. Values of this store stay below
// its threshold, so there is nothing in it unless that changes.
func (s *Store) collectGarbage() error {
	for {
		switch err := s.db.RunValueLogGC(0.5); {
		case errors.Is(err, badger.ErrNoRewrite), errors.Is(err, badger.ErrRejected):
			return nil
		case err != nil:
			return fmt.Errorf("collect garbage: %w", explain(err))
		}
	}
}
