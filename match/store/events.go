package store

import (
	"errors"
	"fmt"
	"time"

	"github.com/dgraph-io/badger/v4"
)

// Row is an event as the store sees it: an opaque payload, and what is needed to
// find it again and to forget it.
type Row struct {
	ID      string // ULID
	Person  string // Person.ID of whom the payload speaks; "" when of nobody who is known
	At      time.Time
	Topic   string // where it is to be published; "": nowhere, it goes into the history alone
	Payload []byte // at most MaxValue bytes

	Face Face // what was seen; it is in the history only, and only Recorded reads it

	// Whether the history has an embedding and a picture of the event; those who read it
	// say so.
	Embedded, Pictured bool
}

// Queued is an event that waits to be published.
type Queued struct {
	Seq uint64 // position in the queue; larger ones come later
	Row
}

// eventLog is the state of the queue and the history. What is stored of it
// changes in one transaction with the rows.
type eventLog struct {
	seq     uint64        // of the newest event ever
	dropped uint64        // events that went unpublished
	age     time.Duration // how long the store had been open, all runs together, when this one began

	queued   int
	bytes    int64
	recorded int    // events in the history
	kept     int64  // bytes that those take, with what was seen of the faces
	oldest   uint64 // no event in the history has a lower number
}

// age is how long the store has been open in all its life. The ages of events
// are counted by it: by the clock, which on a Raspberry Pi starts in the past
// and jumps, events of an hour ago could be 50 years old.
func (s *Store) age() time.Duration { return s.events.age + time.Since(s.opened) }

// Append is AppendAll of one event, and returns its number.
func (s *Store) Append(r Row) (seq uint64, err error) {
	err = s.AppendAll(1, func(_ int, n uint64) (Row, error) { seq = n; return r, nil })
	if err != nil {
		return 0, err
	}
	return seq, nil
}

// AppendAll stores n events in the history and, if they have a topic, in the
// queue of those to be published, all in one transaction, which costs one write to the disk. Their
// order is that of the sequence numbers, which only ever grow, not that of any
// clock. Row makes each of them, in order, and may put the number that it is told
// into its payload; it must not call the store. About 600 KiB fit into a
// transaction, in which each event is twice, and its face once.
//
// When more than MaxQueued events or MaxBytes wait, the oldest leave the queue,
// and so do, through Run, those that waited for MaxAge while the store was open.
// Dropped counts all; they stay in the history. An event of a person who was
// deleted is refused with ErrForgotten, and with it the others: take the person
// out of it and append it again.
func (s *Store) AppendAll(n int, row func(i int, seq uint64) (Row, error)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	rows := make([]Row, n)
	for i := range rows {
		var err error
		if rows[i], err = row(i, s.events.seq+1+uint64(i)); err == nil {
			err = s.admit(rows[i])
		}
		if err != nil {
			return fmt.Errorf("append event: %w", err)
		}
	}
	if err := s.writable(s.opts.MinFree); err != nil {
		return fmt.Errorf("append event: %w", err)
	}
	// From here on a number is used once even if its transaction fails, for then
	// nobody knows whether it was written.
	first := s.events.seq + 1
	s.events.seq += uint64(n)
	if err := s.append(first, rows); err != nil {
		if s.db != nil {
			err = errors.Join(err, s.load())
		}
		return fmt.Errorf("append event: %w", err)
	}
	s.wake()
	return nil
}

func (s *Store) append(first uint64, rows []Row) error {
	next, age := s.events, s.age()
	err := s.update(s.opts.MinFree, func(txn *badger.Txn) error {
		for i, r := range rows {
			seq, record := first+uint64(i), encodeRow(r, age)
			if err := recordEvent(txn, &next, seq, record, r.Face); err != nil {
				return err
			}
			if r.Topic == "" {
				continue
			}
			next.queued++
			next.bytes += int64(len(record))
			if err := txn.Set(sequenceKey(queuePrefix, seq), record); err != nil {
				return err
			}
		}
		return errors.Join(
			s.dropOldest(txn, &next, next.queued-s.opts.MaxQueued, next.bytes-s.opts.MaxBytes),
			s.trimHistory(txn, &next, next.recorded-s.opts.MaxHistory, next.kept-s.opts.MaxHistoryBytes),
			txn.Set([]byte(eventsKey), next.encode(age)),
		)
	})
	if err != nil {
		return err
	}
	s.reportDrops(next)
	return nil
}

// admit says why a row cannot be stored.
func (s *Store) admit(r Row) error {
	if r.Person != "" && s.isForgotten(r.Person) {
		return fmt.Errorf("%w: take the person out of the event", ErrForgotten)
	}
	return checkRow(r)
}

func checkRow(r Row) error {
	if err := checkID("event", r.ID); err != nil {
		return err
	}
	if r.Person != "" {
		if err := checkID("person", r.Person); err != nil {
			return err
		}
	}
	if len(r.Payload) > MaxValue || len(r.Topic) > 1<<16 {
		return fmt.Errorf("%w size of event %s: payload %d bytes (at most %d), topic %d (at most %d)", ErrInvalid, r.ID, len(r.Payload), MaxValue, len(r.Topic), 1<<16)
	}
	if err := r.Face.check(); err != nil {
		return fmt.Errorf("event %s: %w", r.ID, err)
	}
	return nil
}

// dropOldest takes n events off the queue's old end, and as many more as take
// up the bytes, but not more than batch.
func (s *Store) dropOldest(txn *badger.Txn, l *eventLog, n int, bytes int64) error {
	if n <= 0 && bytes <= 0 {
		return nil
	}
	var drop [][]byte
	for item := range scan(txn, badger.IteratorOptions{Prefix: []byte(queuePrefix)}, sequenceKey(queuePrefix, s.queueHead.Load())) {
		drop = append(drop, item.KeyCopy(nil))
		l.queued--
		l.bytes -= item.ValueSize()
		bytes -= item.ValueSize()
		l.dropped++
		if len(drop) == batch || len(drop) >= n && bytes <= 0 {
			break
		}
	}
	return deleteAll(txn, drop)
}

func deleteAll(txn *badger.Txn, keys [][]byte) error {
	for _, key := range keys {
		if err := txn.Delete(key); err != nil {
			return err
		}
	}
	return nil
}

// reportDrops makes next the state of the log, and says what it lost: the first
// event, and then each thousandth, as a broker that stays away drops one with
// every event.
func (s *Store) reportDrops(next eventLog) {
	before := s.events.dropped
	s.events = next
	if next.dropped > before && (before == 0 || next.dropped/1000 > before/1000) {
		s.log.Warn("unpublished events dropped, as too many wait or for too long; is the MQTT broker reachable?",
			"dropped", next.dropped, "queued", next.queued)
	}
}

func (s *Store) wake() {
	select {
	case s.appended <- struct{}{}:
	default:
	}
}

// Appended receives after events were appended, once for any number of them,
// and after Open when events wait. It is for one receiver.
func (s *Store) Appended() <-chan struct{} { return s.appended }

// Pending returns up to limit of the waiting events with numbers above after,
// in order. Events of a person whose deletion was interrupted are held back
// until FinishDeletes. The caller owns what it gets.
func (s *Store) Pending(after uint64, limit int) ([]Queued, error) {
	var pending []Queued
	err := s.view(func(txn *badger.Txn) error {
		head := s.queueHead.Load()
		first := s.events.seq + 1
		for item := range values(txn, queuePrefix, sequenceKey(queuePrefix, max(after+1, head))) {
			seq := sequenceOf(item.Key())
			first = min(first, seq)
			if len(pending) >= limit {
				break
			}
			row, err := itemRow(item)
			if err != nil {
				return err
			}
			if _, held := s.unfinished[row.Person]; !held {
				pending = append(pending, Queued{Seq: seq, Row: row})
			}
		}
		// Remembering where the queue starts spares the next reader the
		// tombstones before it.
		if after+1 <= head {
			s.queueHead.Store(first)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read waiting events: %w", err)
	}
	return pending, nil
}

func itemRow(item *badger.Item) (row Row, err error) {
	record, err := item.ValueCopy(nil)
	if err == nil {
		row, _, err = decodeRow(record)
	}
	if err != nil {
		return Row{}, fmt.Errorf("event %d: %w", sequenceOf(item.Key()), err)
	}
	return row, nil
}

// Ack takes published events off the queue, up to 500 in a transaction. Numbers
// that are not in it, or no longer, are ignored.
func (s *Store) Ack(seqs ...uint64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(seqs) > 0 {
		n := min(len(seqs), batch)
		next := s.events
		err := s.update(s.freeing(), func(txn *badger.Txn) error {
			for _, seq := range seqs[:n] {
				key := sequenceKey(queuePrefix, seq)
				item, err := txn.Get(key)
				if errors.Is(err, badger.ErrKeyNotFound) {
					continue
				}
				if err != nil {
					return err
				}
				next.queued--
				next.bytes -= item.ValueSize()
				if err := txn.Delete(key); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("acknowledge events: %w", err)
		}
		s.events = next
		seqs = seqs[n:]
	}
	return nil
}

// Backlog is how many events wait, and how many bytes they take.
func (s *Store) Backlog() (count int, bytes int64) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.events.queued, s.events.bytes
}

// Commits is how many transactions this Store has written, each with a sync of
// the disk: what wears out flash.
func (s *Store) Commits() uint64 { return s.commits.Load() }

// Dropped is how many events the queue has lost unpublished, ever.
func (s *Store) Dropped() uint64 {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.events.dropped
}
