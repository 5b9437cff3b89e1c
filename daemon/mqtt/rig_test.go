package mqtt

import (
	"context"
	"encoding/json"
	"log/slog"
	"strconv"
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"

	"facerecd/cross/testkit"
	"facerecd/daemon/event"
	"facerecd/match/store"
)

const patience = 20 * time.Second // until a test is taken for failed

var topics = Topics{Base: "facerecd", Device: "pi-door"}

// rig is a publisher with the real outbox and the real event log before it.
type rig struct {
	*Publisher
	line   *Line
	store  *store.Store
	events *event.Log
	log    *testkit.Buffer
	states chan Status

	cancel context.CancelFunc
	done   chan error
}

// newRig makes a publisher to the broker at addr. It is not running yet.
func newRig(t *testing.T, addr string) *rig {
	t.Helper()
	s, err := store.Open(t.TempDir(), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{store: s, log: new(testkit.Buffer), states: make(chan Status, 1000)}
	r.events = &event.Log{Store: s, Device: "pi-door", Topic: topics.Event}
	r.Publisher = &Publisher{
		Broker: "tcp://" + addr, ClientID: "facerecd-pi-door", Topics: topics, Outbox: s,
		Log:      slog.New(slog.NewTextHandler(r.log, nil)),
		OnStatus: func(s Status) { r.states <- s },
		RetryMin: 10 * time.Millisecond, RetryMax: 50 * time.Millisecond,
	}
	r.line = r.Line()
	t.Cleanup(func() {
		r.stop(t)
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Logf("the publisher said:\n%s", r.log)
		}
	})
	return r
}

func (r *rig) start() {
	ctx, cancel := context.WithCancel(context.Background())
	r.cancel, r.done = cancel, make(chan error, 1)
	go func() { r.done <- r.Run(ctx) }()
}

// stop waits for Run, and returns how long it took.
func (r *rig) stop(t *testing.T) time.Duration {
	t.Helper()
	if r.cancel == nil {
		return 0
	}
	began := time.Now()
	r.cancel()
	r.cancel = nil
	select {
	case err := <-r.done:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(patience):
		t.Fatal("Run does not end")
	}
	return time.Since(began)
}

// connected waits for the next connection.
func (r *rig) connected(t *testing.T) {
	t.Helper()
	r.until(t, func(s Status) bool { return s.Connected })
}

func (r *rig) until(t *testing.T, want func(Status) bool) Status {
	t.Helper()
	timeout := time.After(patience)
	for {
		select {
		case s := <-r.states:
			if want(s) {
				return s
			}
		case <-timeout:
			t.Fatal("the status that was waited for does not come")
		}
	}
}

// record makes n events, numbered from first by their tracks.
func (r *rig) record(t *testing.T, first, n int) {
	t.Helper()
	for i := range n {
		if err := r.events.Record(event.Event{Type: event.Unknown, Camera: "door", Track: strconv.Itoa(first + i)}); err != nil {
			t.Error(err)
		}
	}
}

// emptied waits until the outbox has nothing left.
func (r *rig) emptied(t *testing.T) {
	t.Helper()
	eventually(t, "the outbox is empty", func() bool { return r.Counters().Backlog == 0 })
}

func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !holds(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("it never becomes true that %s", what)
		}
	}
}

// watcher is a subscriber.
type watcher struct {
	client paho.Client
	got    chan paho.Message
}

func watch(t *testing.T, addr string, login ...string) *watcher {
	t.Helper()
	w := &watcher{got: make(chan paho.Message, 10000)}
	o := paho.NewClientOptions().AddBroker("tcp://" + addr).SetAutoReconnect(false).SetProtocolVersion(4)
	if login != nil {
		o.SetUsername(login[0]).SetPassword(login[1])
	}
	w.client = paho.NewClient(o)
	wait(t, w.client.Connect())
	wait(t, w.client.Subscribe("facerecd/#", 1, func(_ paho.Client, m paho.Message) { w.got <- m }))
	// Mochi acknowledges a subscription before it looks for retained messages,
	// and would find one that is published meanwhile. It takes a client's
	// packets in turn, so once this one is acknowledged it has looked.
	wait(t, w.client.Publish("settled", 1, false, ""))
	t.Cleanup(func() { w.client.Disconnect(250) })
	return w
}

func wait(t *testing.T, token paho.Token) {
	t.Helper()
	if !token.WaitTimeout(patience) || token.Error() != nil {
		t.Fatalf("subscriber: %v", token.Error())
	}
}

func (w *watcher) next(t *testing.T) paho.Message {
	t.Helper()
	select {
	case m := <-w.got:
		return m
	case <-time.After(patience):
		t.Fatal("nothing comes")
		return nil
	}
}

// expect checks the next message.
func (w *watcher) expect(t *testing.T, topic, payload string, retained bool) {
	t.Helper()
	m := w.next(t)
	if m.Topic() != topic || string(m.Payload()) != payload || m.Retained() != retained || m.Qos() != 1 {
		t.Fatalf("got %s %s (retained %v, QoS %d), want %s %s (retained %v, QoS 1)", m.Topic(), m.Payload(), m.Retained(), m.Qos(), topic, payload, retained)
	}
}

// event returns the next event, and skips what is none.
func (w *watcher) event(t *testing.T) event.Event {
	t.Helper()
	for {
		m := w.next(t)
		if m.Topic() != topics.Event("door") {
			continue
		}
		var e event.Event
		if err := json.Unmarshal(m.Payload(), &e); err != nil {
			t.Fatalf("%s: %v", m.Payload(), err)
		}
		if m.Retained() || m.Qos() != 1 {
			t.Fatalf("event with QoS %d, retained %v", m.Qos(), m.Retained())
		}
		return e
	}
}

func idOf(t *testing.T, payload []byte) string {
	t.Helper()
	var e event.Event
	if err := json.Unmarshal(payload, &e); err != nil {
		t.Fatalf("%s: %v", payload, err)
	}
	return e.ID
}
