package mqtt

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"
)

// TestNoEventIsLostWhenTheBrokerIsKilled kills it in the middle of 500 events.
func TestNoEventIsLostWhenTheBrokerIsKilled(t *testing.T) {
	overBrokers(t, func(t *testing.T, b testBroker) {
		const n = 500
		b.start(t)
		// The publisher waits behind the network until the subscriber is back:
		// what happens while nobody subscribes is nobody's to receive.
		network := newProxy(t, b.addr())
		r := newRig(t, network.addr())
		live := r.events.Subscribe(t.Context())
		r.start()
		w := watch(t, b.addr())

		half := make(chan struct{})
		recorded := make(chan []string)
		go func() {
			var ids []string
			for i := range n {
				r.record(t, i, 1)
				ids = append(ids, (<-live).ID)
				if i == n/2 {
					close(half)
				}
			}
			recorded <- ids
		}()

		var received []string
		<-half
		for range 100 {
			received = append(received, w.event(t).ID)
		}
		b.kill()
		network.shut()
		eventually(t, "the subscriber has noticed", func() bool { return !w.client.IsConnectionOpen() })
		received = append(received, w.drain(t)...)
		beforeKill := len(received)

		b.start(t)
		w = watch(t, b.addr())
		network.open()
		ids := <-recorded
		r.emptied(t)
		r.stop(t) // so that offline comes last
		for last := ""; last != Offline; {
			m := w.next(t)
			if last = string(m.Payload()); m.Topic() == topics.Event("door") {
				received = append(received, idOf(t, m.Payload()))
			}
		}

		repeats, err := delivered(ids, received)
		t.Logf("%d recorded, %d received (%d before the kill), %d repeats, counters %+v", len(ids), len(received), beforeKill, repeats, r.Counters())
		if err != nil {
			t.Error(err)
		}
		if beforeKill == n || r.Counters().Reconnects == 0 {
			t.Error("the broker was not killed in the middle")
		}
		// The check itself must see what is lost or out of order.
		gone := slices.DeleteFunc(slices.Clone(received), func(id string) bool { return id == ids[n/3] })
		if _, err := delivered(ids, gone); err == nil {
			t.Error("an event was taken away, and nobody noticed")
		}
		swapped := slices.Clone(ids)
		swapped[7], swapped[8] = swapped[8], swapped[7]
		if _, err := delivered(ids, swapped); err == nil {
			t.Error("two events were swapped, and nobody noticed")
		}
	})
}

// delivered checks that all recorded events were received, in order once repeats
// are dropped.
func delivered(recorded, received []string) (repeats int, err error) {
	seen := make(map[string]bool)
	var first []string
	for _, id := range received {
		if seen[id] {
			repeats++
			continue
		}
		seen[id] = true
		first = append(first, id)
	}
	for i, id := range recorded {
		if !seen[id] {
			return repeats, fmt.Errorf("event %d of %d is lost", i, len(recorded))
		}
	}
	if !slices.Equal(recorded, first) {
		return repeats, errors.New("events came out of order")
	}
	return repeats, nil
}

// drain returns the ids of the events that have arrived.
func (w *watcher) drain(t *testing.T) (ids []string) {
	t.Helper()
	for {
		select {
		case m := <-w.got:
			if m.Topic() == topics.Event("door") {
				ids = append(ids, idOf(t, m.Payload()))
			}
		case <-time.After(100 * time.Millisecond): // paho's router may still be at it
			return ids
		}
	}
}
