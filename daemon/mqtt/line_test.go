package mqtt

import (
	"context"
	"testing"
	"time"
)

func TestLinesHaveSubscriptionsOfTheirOwn(t *testing.T) {
	overBrokers(t, func(t *testing.T, b testBroker) {
		b.start(t)
		r := newRig(t, b.addr())
		lines := []*Line{r.Line(), r.Line()}
		r.start()
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		var conns []*Conn
		for _, l := range lines {
			c, err := l.Conn(ctx)
			if err != nil {
				t.Fatal(err)
			}
			conns = append(conns, c)
		}
		must := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		next := func(c *Conn) Message {
			t.Helper()
			for {
				if m, ok := c.Next(); ok {
					return m
				}
				select {
				case <-c.Arrived():
				case <-ctx.Done():
					t.Fatal("nothing comes")
				}
			}
		}
		must(conns[0].Publish(ctx, "facerecd/_test/kept", true, []byte("a")))
		must(conns[1].Subscribe(ctx, "facerecd/_test/+"))
		if m := next(conns[1]); m.Topic != "facerecd/_test/kept" || string(m.Payload) != "a" || !m.Retained {
			t.Errorf("%+v", m)
		}
		must(conns[0].PublishOnce(ctx, "facerecd/_test/once", []byte("b")))
		if m := next(conns[1]); m.Topic != "facerecd/_test/once" || string(m.Payload) != "b" || m.Retained {
			t.Errorf("%+v", m)
		}
		must(conns[1].Unsubscribe(ctx, "facerecd/_test/+"))
		must(conns[1].Subscribe(ctx, "facerecd/_other/+"))
		must(conns[0].Publish(ctx, "facerecd/_test/kept", true, nil))
		must(conns[0].Publish(ctx, "facerecd/_other/c", false, []byte("c")))
		if m := next(conns[1]); m.Topic != "facerecd/_other/c" {
			t.Errorf("%+v", m)
		}
		if m, ok := conns[0].Next(); ok {
			t.Errorf("the other line has got %+v", m)
		}
		r.stop(t)
		for _, c := range conns {
			select {
			case <-c.Lost():
			case <-time.After(patience):
				t.Error("the connection is not over")
			}
		}
	})
}

func TestAllStatesAreRepeatedForWhoAsks(t *testing.T) {
	var r retained
	r.set("a", []byte("1"), 0)
	r.set("b", []byte("2"), time.Hour)
	drain := func() (topics string) {
		for {
			topic, _, _ := r.take(false)
			if topic == "" {
				return topics
			}
			topics += topic
		}
	}
	if first, again := drain(), drain(); first != "ab" || again != "" {
		t.Errorf("%q, %q", first, again)
	}
	<-r.signal()
	r.repeat()
	select {
	case <-r.signal():
	default:
		t.Error("nobody hears of it")
	}
	if again := drain(); again != "ab" {
		t.Errorf("%q", again)
	}
}
