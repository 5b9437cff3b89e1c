package event

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"facerecd/match/store"
)

// Buffer is how many events a subscriber may be behind: minutes of a busy
// camera.
const Buffer = 256

// Store keeps events; store.Store is the one that ships. Append puts the row
// into the history and into the queue of those to be published, both or
// neither, and answers store.ErrForgotten for a person who was deleted.
// History returns up to limit rows from before the event with that id, or the
// newest when it is "", newest first.
type Store interface {
	Append(store.Row) (seq uint64, err error)
	History(before string, limit int) ([]store.Row, error)
}

var _ Store = (*store.Store)(nil)

// Log is the one way that an event takes: it is stored, for MQTT and for the
// history, and then shown to whoever watches. It is safe for concurrent use;
// all see the events in the same order.
type Log struct {
	Store  Store
	Device string                     // as configured
	Topic  func(camera string) string // where a camera's events are published
	Now    func() time.Time           // nil: time.Now

	mu  sync.Mutex // one event at a time
	ids IDs

	watching    sync.Mutex
	subscribers map[chan Event]struct{}
	missed      atomic.Uint64
}

// Record stores an event and hands it to the subscribers. It fills in V, ID and
// Device, and Time when that is zero. When it returns nil the event is on the
// disk and will be published; after an error it is neither stored nor shown.
//
// A person who has been deleted since the track began is taken out of the
// event, whose type stays what it was: somebody known has been there.
func (l *Log) Record(e Event) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.Now
	if now == nil {
		now = time.Now
	}
	if e.Time.IsZero() {
		e.Time = now()
	}
	e.Time = e.Time.UTC().Truncate(time.Millisecond) // what subscribers get is what was stored
	e.V, e.Device = Version, l.Device
	l.ids.Now = now
	e.ID = l.ids.Next()

	err := l.append(e)
	if errors.Is(err, store.ErrForgotten) {
		e = e.withoutPerson()
		err = l.append(e)
	}
	if err != nil {
		return fmt.Errorf("record event of camera %s: %w", e.Camera, err)
	}
	l.show(e)
	return nil
}

func (l *Log) append(e Event) error {
	payload, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("encode event: %w", err)
	}
	row := store.Row{ID: e.ID, At: e.Time, Topic: l.Topic(e.Camera), Payload: payload}
	if e.Person != nil {
		row.Person = e.Person.ID
	}
	_, err = l.Store.Append(row)
	return err
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
		if err := json.Unmarshal(row.Payload, &events[i]); err != nil {
			return nil, fmt.Errorf("decode stored event %s: %w", row.ID, err)
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
