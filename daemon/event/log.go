package event

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"facerecd/match/store"
)

// Buffer is how many events a subscriber may be behind: minutes of a busy
// camera.
const Buffer = 256

// Events that come close together share one transaction, and so one write to
// the flash.
const (
	// gather is the least time between two transactions: an event waits for
	// others so long at most, and not at all after a pause.
	gather = 5 * time.Millisecond
	// together is how many events one transaction takes: a fraction of what
	// Badger would.
	together = 64
	// portrayed is how many bytes of pictures it takes, unless it is one picture.
	portrayed = 128 << 10
)

// Store keeps events; store.Store is the one that ships. AppendAll puts n rows
// into the history and, if they have a topic, into the queue of those to be
// published, all or none, and numbers them. It answers store.ErrForgotten when one is of a person who
// was deleted. History returns up to limit rows from before the event with that
// id, or the newest when it is "", newest first.
type Store interface {
	AppendAll(n int, row func(i int, seq uint64) (store.Row, error)) error
	History(before string, limit int) ([]store.Row, error)
}

var _ Store = (*store.Store)(nil)

// Log is the one way that an event takes: it is stored, for MQTT and for the
// history, and then shown to whoever watches; an event that is Quiet is not for
// MQTT. It is safe for concurrent use;
// all see the events in the same order.
type Log struct {
	Store  Store
	Device string                     // as configured
	Topic  func(camera string) string // where a camera's events are published
	Synced func() bool                // tells whether the clock is right; nil: it is
	Now    func() time.Time           // nil: time.Now
	// Model is the model pack whose embeddings the history keeps with recognitions and
	// unknown faces; "": it keeps none.
	Model    string
	Pictures bool // the history keeps their pictures
	// Numbered, when set, is told of each event just before it is stored; if that
	// fails, its number may come again. It must return at once.
	Numbered func(Event)

	queue   sync.Mutex
	waiting []*entry // in the order in which they are to be stored

	writing sync.Mutex // one transaction at a time
	written time.Time  // when the last one was
	boot    string     // "" before the first event
	ids     IDs

	recorded [3]atomic.Uint64 // by type, as Types has them

	watching    sync.Mutex
	subscribers map[chan Event]struct{}
	missed      atomic.Uint64
}

// entry is an event to be stored, with the call of RecordAll that wants it.
type entry struct {
	Event
	call *call
}

// call is changed by whoever holds writing.
type call struct {
	events, stored int
	err            error // the remaining ones are not to be stored
}

// Record is RecordAll of one event.
func (l *Log) Record(e Event) error {
	_, err := l.RecordAll([]Event{e})
	return err
}

// RecordAll stores events in their order and hands them to the subscribers. It
// fills in V, ID, Device, Seq, Boot and ClockSynced, and Time when that is zero.
// When it returns, the first n are on the disk and will be published, but for
// those that have a reason why not; after an
// error the others are neither stored nor shown.
//
// Events that come within a few milliseconds of each other, from any goroutine,
// are written to the disk together. None waits for that longer than 5 ms.
//
// A person who has been deleted since the track began is taken out of the
// event, whose type stays what it was: somebody known has been there.
func (l *Log) RecordAll(events []Event) (n int, err error) {
	c := &call{events: len(events)}
	l.queue.Lock()
	for _, e := range events {
		if e.Time.IsZero() {
			e.Time = l.now()
		}
		l.waiting = append(l.waiting, &entry{e, c})
	}
	l.queue.Unlock()

	l.writing.Lock()
	defer l.writing.Unlock()
	for c.err == nil && c.stored < c.events { // else whoever had the turn before has done it
		time.Sleep(gather - time.Since(l.written))
		l.write()
	}
	return c.stored, c.err
}

// write makes one transaction of what waits.
func (l *Log) write() {
	entries := l.take()
	err := l.append(entries)
	if len(entries) == 1 || !errors.Is(err, store.ErrForgotten) && !errors.Is(err, store.ErrInvalid) {
		l.settle(entries, err)
	} else {
		for i, e := range entries { // one is to blame, which is rare
			if e.call.err == nil {
				l.settle(entries[i:i+1], l.append(entries[i:i+1]))
			}
		}
	}
	l.written = time.Now()
}

// take takes the next events from those that wait.
func (l *Log) take() (entries []*entry) {
	l.queue.Lock()
	defer l.queue.Unlock()
	pictures := 0
	for len(l.waiting) > 0 && len(entries) < together {
		e := l.waiting[0]
		if pictures += len(e.Picture); len(entries) > 0 && pictures > portrayed {
			break
		}
		if e.call.err == nil {
			entries = append(entries, e)
		}
		l.waiting = l.waiting[1:]
	}
	return entries
}

// append stores entries, all or none, and completes them.
func (l *Log) append(entries []*entry) error {
	if err := l.begin(); err != nil {
		return err
	}
	add := func(i int, seq uint64) (store.Row, error) {
		e := entries[i]
		e.Seq = seq
		if l.Numbered != nil {
			l.Numbered(e.Event)
		}
		return l.row(e.Event)
	}
	synced := l.Synced == nil || l.Synced()
	for _, e := range entries {
		e.Time = e.Time.UTC().Truncate(time.Millisecond) // what subscribers get is what was stored
		e.V, e.Device, e.Boot, e.ClockSynced = Version, l.Device, l.boot, synced
		if e.ID == "" {
			e.ID = l.ids.Next()
		}
	}
	err := l.Store.AppendAll(len(entries), add)
	if len(entries) == 1 && errors.Is(err, store.ErrForgotten) {
		entries[0].Event = entries[0].withoutPerson()
		err = l.Store.AppendAll(1, add)
	}
	return err
}

func (l *Log) row(e Event) (store.Row, error) {
	payload, err := json.Marshal(e)
	if err != nil {
		return store.Row{}, fmt.Errorf("encode event: %w", err)
	}
	row := store.Row{ID: e.ID, At: e.Time, Payload: payload}
	if e.Quiet == "" {
		row.Topic = l.Topic(e.Camera)
	}
	if e.Person != nil {
		row.Person = e.Person.ID
	}
	if e.Type == Left {
		return row, nil // it has been told whose face that was
	}
	if l.Model != "" && e.Embedding != nil {
		row.Face.Model, row.Face.Vector = l.Model, e.Embedding
	}
	if l.Pictures && len(e.Picture) <= store.MaxPicture { // one that is too large is not worth the event
		row.Face.Picture = e.Picture
	}
	return row, nil
}

// begin names this run, and has the ids go on from the newest that is stored,
// where a clock that was set back would begin again.
func (l *Log) begin() error {
	if l.boot != "" {
		return nil
	}
	newest, err := l.Store.History("", 1)
	if err != nil {
		return err
	}
	if len(newest) > 0 {
		l.ids.After(newest[0].ID)
	}
	l.ids.Now = l.now
	l.boot = strings.ToLower(rand.Text()[:13]) // 65 bits
	return nil
}

// settle tells of entries what became of them.
func (l *Log) settle(entries []*entry, err error) {
	for _, e := range entries {
		switch {
		case err == nil:
			e.call.stored++
			if i := slices.Index(Types(), e.Type); i >= 0 {
				l.recorded[i].Add(1)
			}
			l.show(e.Event)
		case e.call.err == nil:
			e.call.err = fmt.Errorf("record event of camera %s: %w", e.Camera, err)
		}
	}
}

func (l *Log) now() time.Time {
	if l.Now != nil {
		return l.Now()
	}
	return time.Now()
}

// Recorded is how many events of a type this Log has stored. From any goroutine.
func (l *Log) Recorded(t Type) uint64 {
	if i := slices.Index(Types(), t); i >= 0 {
		return l.recorded[i].Load()
	}
	return 0
}

// History returns at most limit stored events, newest first: those before the
// event with the given id, or the newest when it is "".
func (l *Log) History(_ context.Context, before string, limit int) ([]Event, error) {
	rows, err := l.Store.History(before, limit)
	if err != nil {
		return nil, err
	}
	events := make([]Event, len(rows))
	for i, row := range rows {
		if events[i], err = decode(row); err != nil {
			return nil, err
		}
	}
	return events, nil
}

// Subscribe returns the events from now on. A subscriber that is Buffer events
// behind loses its oldest, as nobody waits for it; Missed counts them. The
// channel is closed soon after ctx ended. Person is shared by all subscribers:
// read only.
func (l *Log) Subscribe(ctx context.Context) <-chan Event {
	events := make(chan Event, Buffer)
	l.watching.Lock()
	defer l.watching.Unlock()
	if l.subscribers == nil {
		l.subscribers = make(map[chan Event]struct{})
	}
	l.subscribers[events] = struct{}{}
	context.AfterFunc(ctx, func() {
		l.watching.Lock()
		defer l.watching.Unlock()
		delete(l.subscribers, events)
		close(events)
	})
	return events
}

// Missed is how many events slow subscribers have lost, all together. MQTT and
// the history miss none.
func (l *Log) Missed() uint64 { return l.missed.Load() }

func (l *Log) show(e Event) {
	l.watching.Lock()
	defer l.watching.Unlock()
	for events := range l.subscribers {
		// Nobody else sends, so that one place, once free, stays free.
		if len(events) == cap(events) {
			select {
			case <-events:
				l.missed.Add(1)
			default: // the subscriber was quicker
			}
		}
		events <- e
	}
}
