package mqtt

import (
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"

	"facerecd/match/store"
)

// What must hold with any broker.

func TestEventsArriveInOrder(t *testing.T) {
	overBrokers(t, func(t *testing.T, b testBroker) {
		b.start(t)
		w := watch(t, b.addr())
		r := newRig(t, b.addr())
		r.record(t, 0, 40) // a backlog
		r.start()
		r.record(t, 40, 60)
		for i := range 100 {
			if e := w.event(t); e.Track != strconv.Itoa(i) {
				t.Fatalf("event %s, want %d", e.Track, i)
			}
		}
		r.emptied(t)
		if c := r.Counters(); c != (Counters{Published: 100, Acked: 100}) {
			t.Errorf("counters %+v", c)
		}
	})
}

func TestAvailabilityIsRetained(t *testing.T) {
	overBrokers(t, func(t *testing.T, b testBroker) {
		b.start(t)
		before := watch(t, b.addr())
		r := newRig(t, b.addr())
		r.start()
		before.expect(t, topics.Availability(), Online, false)
		watch(t, b.addr()).expect(t, topics.Availability(), Online, true)
		r.stop(t)
		before.expect(t, topics.Availability(), Offline, false)
		watch(t, b.addr()).expect(t, topics.Availability(), Offline, true)
	})
}

func TestTheLastWillSaysOffline(t *testing.T) {
	overBrokers(t, func(t *testing.T, b testBroker) {
		b.start(t)
		network := newProxy(t, b.addr())
		w := watch(t, b.addr())
		r := newRig(t, network.addr())
		r.start()
		w.expect(t, topics.Availability(), Online, false)
		network.shut()
		w.expect(t, topics.Availability(), Offline, false)
		watch(t, b.addr()).expect(t, topics.Availability(), Offline, true)
		network.open()
		w.expect(t, topics.Availability(), Online, false)
	})
}

func TestPresentIsRetainedAndComesBackWithTheBroker(t *testing.T) {
	overBrokers(t, func(t *testing.T, b testBroker) {
		r := newRig(t, b.addr())
		r.SetPresent("door", []byte("replaced before it was published"))
		payload := []byte("1")
		r.SetPresent("door", payload)
		payload[0] = 'x' // it was copied
		r.SetPresent("attic", []byte("2"))
		b.start(t)
		w := watch(t, b.addr())
		r.start()
		w.expect(t, topics.Availability(), Online, false)
		w.expect(t, topics.Present("attic"), "2", false)
		w.expect(t, topics.Present("door"), "1", false)
		r.SetPresent("door", []byte("3"))
		w.expect(t, topics.Present("door"), "3", false)

		b.kill() // and with it everything that it retained
		b.start(t)
		r.until(t, func(s Status) bool { return s.Err != nil })
		r.connected(t)
		eventually(t, "all is acknowledged", func() bool {
			late := watch(t, b.addr())
			defer late.client.Disconnect(250)
			states := map[string]string{}
			for range 3 {
				select {
				case m := <-late.got:
					states[m.Topic()] = string(m.Payload())
				case <-time.After(time.Second):
				}
			}
			return states[topics.Availability()] == Online && states[topics.Present("attic")] == "2" && states[topics.Present("door")] == "3"
		})
	})
}

func TestStatusIsThereForALateSubscriberAndComesBackWithTheBroker(t *testing.T) {
	overBrokers(t, func(t *testing.T, b testBroker) {
		b.start(t)
		w := watch(t, b.addr())
		r := newRig(t, b.addr())
		r.SetStatus("door", []byte("starting"))
		r.start()
		w.expect(t, topics.Availability(), Online, false)
		w.expect(t, topics.Status("door"), "starting", false)
		began := time.Now()
		for range 100 {
			r.SetStatus("door", []byte("failed"))
			r.SetStatus("door", []byte("streaming"))
		}
		w.expect(t, topics.Status("door"), "streaming", false)
		if took := time.Since(began); took < pace/2 {
			t.Errorf("the next one came after %v", took)
		}
		wantRetained(t, b, topics.Availability(), Online)
		wantRetained(t, b, topics.Status("door"), "streaming")

		b.kill()
		b.start(t)
		r.until(t, func(s Status) bool { return s.Err != nil })
		r.connected(t)
		wantRetained(t, b, topics.Status("door"), "streaming")

		r.SetStatus("door", []byte("the last"))
		r.stop(t)
		wantRetained(t, b, topics.Availability(), Offline)
		wantRetained(t, b, topics.Status("door"), "the last") // not held back when the device goes, and not removed
	})
}

// wantRetained waits until somebody who subscribes late is told payload.
func wantRetained(t *testing.T, b testBroker, topic, payload string) {
	t.Helper()
	eventually(t, topic+" is "+payload, func() bool {
		late := watch(t, b.addr())
		defer late.client.Disconnect(250)
		for {
			select {
			case m := <-late.got:
				if m.Topic() == topic {
					return m.Retained() && string(m.Payload()) == payload
				}
			case <-time.After(time.Second):
				return false
			}
		}
	})
}

func TestStoppingFlushesAndSaysOfflineWithinASecond(t *testing.T) {
	overBrokers(t, func(t *testing.T, b testBroker) {
		b.start(t)
		w := watch(t, b.addr())
		r := newRig(t, b.addr())
		r.start()
		w.expect(t, topics.Availability(), Online, false)
		r.record(t, 0, 50)
		r.SetPresent("door", []byte("nobody"))
		if took := r.stop(t); took > time.Second {
			t.Errorf("stopping took %v", took)
		} else {
			t.Logf("stopping took %v", took)
		}
		if n := r.Counters().Backlog; n != 0 {
			t.Errorf("%d events are left", n)
		}
		tracks, last := 0, ""
		for last != Offline {
			m := w.next(t)
			last = string(m.Payload())
			if m.Topic() == topics.Event("door") {
				tracks++
			}
		}
		if tracks != 50 {
			t.Errorf("%d events came before offline, want 50", tracks)
		}
	})
}

func TestABrokerThatComesLateGetsEverything(t *testing.T) {
	overBrokers(t, func(t *testing.T, b testBroker) {
		r := newRig(t, b.addr())
		r.start()
		r.record(t, 0, 20)
		s := r.until(t, func(s Status) bool { return s.Err != nil })
		if want := "dial tcp " + b.addr() + ": connect: connection refused: is the broker running, and is mqtt.broker right?"; s.Err.Error() != want {
			t.Errorf("error %q, want %q", s.Err, want)
		}
		b.start(t)
		w := watch(t, b.addr())
		// Whether the first events came before the subscriber does not matter
		// here; the outbox says that the broker has them all.
		r.connected(t)
		r.emptied(t)
		r.record(t, 20, 1)
		for e := w.event(t); e.Track != "20"; e = w.event(t) {
		}
	})
}

// TestAnEventIsGoneOnlyWhenAcknowledged loses PUBACKs: the broker has the event
// and the publisher cannot know.
func TestAnEventIsGoneOnlyWhenAcknowledged(t *testing.T) {
	overBrokers(t, func(t *testing.T, b testBroker) {
		b.start(t)
		network := newProxy(t, b.addr())
		w := watch(t, b.addr())
		r := newRig(t, network.addr())
		r.start()
		r.connected(t)
		r.record(t, 0, 1)
		first := w.event(t)
		r.emptied(t)

		network.set(func() { network.mute = true })
		r.record(t, 1, 1)
		second := w.event(t)
		if c := r.Counters(); c.Backlog != 1 || c.Acked != 1 {
			t.Errorf("with the PUBACK on its way: %+v", c)
		}
		network.cut()
		network.open()
		again := w.event(t)
		r.emptied(t)
		if again.ID != second.ID || again.ID == first.ID {
			t.Errorf("got %s, %s, and after the cut %s", first.ID, second.ID, again.ID)
		}
		if c := r.Counters(); c != (Counters{Published: 3, Acked: 2, Reconnects: 1}) {
			t.Errorf("counters %+v", c)
		}
	})
}

func TestAConnectionThatPassesNothingIsGivenUp(t *testing.T) {
	overBrokers(t, func(t *testing.T, b testBroker) {
		b.start(t)
		network := newProxy(t, b.addr())
		w := watch(t, b.addr())
		r := newRig(t, network.addr())
		r.AckTimeout = 50 * time.Millisecond
		r.start()
		r.connected(t)
		network.set(func() { network.deaf = true })
		r.record(t, 0, 3)
		if s := r.until(t, func(s Status) bool { return !s.Connected }); !errors.Is(s.Err, errNoAck) {
			t.Errorf("status %v", s.Err)
		}
		network.cut()
		network.open()
		for i := range 3 {
			if e := w.event(t); e.Track != strconv.Itoa(i) {
				t.Errorf("event %s, want %d", e.Track, i)
			}
		}
	})
}

func TestStoppingTakesNoLongerWhenNothingPasses(t *testing.T) {
	overBrokers(t, func(t *testing.T, b testBroker) {
		b.start(t)
		network := newProxy(t, b.addr())
		w := watch(t, b.addr())
		r := newRig(t, network.addr())
		r.FlushTimeout = 300 * time.Millisecond
		r.start()
		w.expect(t, topics.Availability(), Online, false)
		network.set(func() { network.deaf = true })
		// More than the sockets take, so that a write blocks.
		r.SetPresent("door", make([]byte, 4<<20))
		r.record(t, 0, 3)
		if took := r.stop(t); took > time.Second {
			t.Errorf("stopping took %v", took)
		}
		if n := r.Counters().Backlog; n != 3 {
			t.Errorf("%d events are left, want 3", n)
		}
		network.cut()
		w.expect(t, topics.Availability(), Offline, false) // the will
	})
}

// flaky is an outbox whose disk fails the first time. Run alone calls it.
type flaky struct {
	*store.Store
	read, acked bool
}

func (f *flaky) Pending(after uint64, limit int) ([]store.Queued, error) {
	if !f.read {
		f.read = true
		return nil, errors.New("disk is gone")
	}
	return f.Store.Pending(after, limit)
}

func (f *flaky) Ack(seqs ...uint64) error {
	if !f.acked {
		f.acked = true
		return errors.New("disk is full")
	}
	return f.Store.Ack(seqs...)
}

func TestAnOutboxThatFailsForAWhileLosesNothing(t *testing.T) {
	overBrokers(t, func(t *testing.T, b testBroker) {
		b.start(t)
		w := watch(t, b.addr())
		r := newRig(t, b.addr())
		r.Outbox = &flaky{Store: r.store}
		r.record(t, 0, 3)
		r.start()
		for i := range 3 {
			if e := w.event(t); e.Track != strconv.Itoa(i) {
				t.Errorf("event %s, want %d", e.Track, i)
			}
		}
		r.emptied(t)
		for _, text := range []string{"disk is gone", "disk is full"} {
			if n := strings.Count(r.log.String(), text); n != 1 {
				t.Errorf("%q was logged %d times", text, n)
			}
		}
	})
}
