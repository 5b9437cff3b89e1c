package mqtt

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	mochi "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/listeners"
	"github.com/mochi-mqtt/server/v2/packets"
)

// conn waits for the rig's next connection.
func (r *rig) conn(t *testing.T) *Conn {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	c, err := r.line.Conn(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func take(t *testing.T, c *Conn) (topic, payload string) {
	t.Helper()
	timeout := time.After(patience)
	for {
		if topic, payload, ok := c.Take(); ok {
			return topic, string(payload)
		}
		select {
		case <-c.Arrived():
		case <-timeout:
			t.Fatal("nothing comes")
		}
	}
}

func TestOthersPublishAndSubscribeOverTheConnection(t *testing.T) {
	overBrokers(t, func(t *testing.T, b testBroker) {
		b.start(t)
		r := newRig(t, b.addr())
		r.start()
		c := r.conn(t)
		publish := func(topic, payload string, retained bool) {
			t.Helper()
			if err := c.Publish(t.Context(), topic, retained, []byte(payload)); err != nil {
				t.Fatal(err)
			}
		}
		publish("facerecd/_test/a", "kept", true)
		publish("facerecd/_test/b", "gone", false)
		if err := c.Subscribe(t.Context(), "facerecd/_test/+"); err != nil {
			t.Fatal(err)
		}
		big := strings.Repeat("x", 4*windowBytes)
		publish("facerecd/_test/c", big, false)
		for _, want := range []string{"facerecd/_test/a kept", "facerecd/_test/c " + big} {
			if topic, payload := take(t, c); topic+" "+payload != want {
				t.Errorf("got %s with %d bytes, want %.30s", topic, len(payload), want)
			}
		}
		if _, _, ok := c.Take(); ok || c.Missed() {
			t.Error("there is more, or less")
		}
		r.record(t, 0, 100)
		r.emptied(t) // events go on
	})
}

func TestEachConnectionIsAnotherConn(t *testing.T) {
	b := newMosquitto(t)
	b.start(t)
	r := newRig(t, b.addr())
	r.start()
	c := r.conn(t)
	if err := c.Subscribe(t.Context(), "facerecd/_test/+"); err != nil {
		t.Fatal(err)
	}
	b.kill()
	<-c.Lost()
	for _, err := range []error{c.Subscribe(t.Context(), "x"), c.Publish(t.Context(), "x", false, nil)} {
		if !errors.Is(err, ErrConnOver) {
			t.Errorf("error %v", err)
		}
	}
	none, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, err := r.line.Conn(none); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v", err)
	}
	b.start(t)
	again := r.conn(t)
	if err := again.Publish(t.Context(), "facerecd/_test/a", true, []byte("1")); err != nil {
		t.Error(err)
	}
	r.stop(t)
	<-again.Lost()
	if _, _, ok := again.Take(); ok {
		t.Error("a subscription outlived its connection")
	}
}

// deaf is a mochi that grants no subscription.
type deaf struct{ mochi.HookBase }

func (*deaf) Provides(b byte) bool {
	return b == mochi.OnConnectAuthenticate || b == mochi.OnACLCheck
}
func (*deaf) OnConnectAuthenticate(*mochi.Client, packets.Packet) bool { return true }
func (*deaf) OnACLCheck(_ *mochi.Client, _ string, write bool) bool    { return write }

func TestARefusedSubscriptionIsAnError(t *testing.T) {
	addr := freeAddr(t)
	m := mochi.New(&mochi.Options{Logger: slog.New(slog.DiscardHandler)})
	for _, err := range []error{m.AddHook(&deaf{}, nil), m.AddListener(listeners.NewTCP(listeners.Config{ID: "x", Address: addr})), m.Serve()} {
		if err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() { _ = m.Close() })
	r := newRig(t, addr)
	r.start()
	c := r.conn(t)
	err := c.Subscribe(t.Context(), "secret/#")
	if want := "the broker refuses the subscription to secret/#: let this device read there"; err == nil || err.Error() != want {
		t.Errorf("error %v, want %q", err, want)
	}
	r.record(t, 0, 1)
	r.emptied(t) // the connection lasts
}

func TestWhatNobodyTakesFillsNoMemory(t *testing.T) {
	c := newConn(make(chan struct{}, 1))
	for i := range 40 {
		c.receive(Message{Topic: fmt.Sprint(i), Payload: make([]byte, 1<<20)})
	}
	n := 0
	for _, _, ok := c.Take(); ok; _, _, ok = c.Take() {
		n++
	}
	if n != 31 || !c.Missed() || c.Missed() {
		t.Errorf("kept %d MiB", n)
	}
	c.receive(Message{Topic: "again", Payload: make([]byte, 1<<20)})
	if topic, _, ok := c.Take(); !ok || topic != "again" || c.Missed() {
		t.Error("nothing comes after that")
	}
}
