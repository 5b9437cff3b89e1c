package mqtt

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"facerecd/cross/testkit"

	paho "github.com/eclipse/paho.mqtt.golang"
	"github.com/eclipse/paho.mqtt.golang/packets"
)

func TestTheEmbeddedBrokerListensOnLoopbackOnly(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	addr := taken.Addr().String()
	const open = " is not a loopback address: the embedded broker has no logins; use 127.0.0.1, or run mosquitto and set mqtt.broker"
	for listen, want := range map[string]string{
		"":                  `mqtt.embedded_listen "" is no address: write 127.0.0.1:1883`,
		"127.0.0.1":         `mqtt.embedded_listen "127.0.0.1" is no address: write 127.0.0.1:1883`,
		":1883":             `mqtt.embedded_listen ":1883"` + open,
		"0.0.0.0:1883":      `mqtt.embedded_listen "0.0.0.0:1883"` + open,
		"[::]:1883":         `mqtt.embedded_listen "[::]:1883"` + open,
		"192.168.1.2:1883":  `mqtt.embedded_listen "192.168.1.2:1883"` + open,
		"loopback.test:183": `mqtt.embedded_listen "loopback.test:183"` + open,
		"127.0.0.1:70000":   "mqtt.embedded_listen: listen tcp: address 70000: invalid port",
		addr: "mqtt.embedded_listen: " + addr + " is in use, probably by another broker (mosquitto?): to use that one set mqtt.broker: tcp://" + addr +
			", or else give mqtt.embedded_listen another port: listen tcp " + addr + ": bind: address already in use",
	} {
		err := (&Broker{Listen: listen, Log: slog.New(slog.DiscardHandler)}).Run(t.Context())
		if err == nil || err.Error() != want {
			t.Errorf("%q: error %q\nwant %q", listen, err, want)
		}
		if listen == addr && !errors.Is(err, syscall.EADDRINUSE) {
			t.Error("the cause is lost")
		}
	}
}

// runBroker runs one until the test ends, or stop is called.
func runBroker(t *testing.T, listen string, log slog.Handler) (b *Broker, stop func()) {
	t.Helper()
	b = &Broker{Listen: listen, Log: slog.New(log)}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- b.Run(ctx) }()
	select {
	case <-b.Ready():
	case err := <-done:
		t.Fatal(err)
	}
	stop = func() {
		cancel()
		if err, ok := <-done; ok {
			close(done)
			if err != nil {
				t.Error(err)
			}
		}
	}
	t.Cleanup(stop)
	return b, stop
}

func address(b *Broker) string { return strings.TrimPrefix(b.URL(), "tcp://") }

func TestTheEmbeddedBrokerIsQuiet(t *testing.T) {
	for _, listen := range []string{"127.0.0.1:0", "localhost:0", "[::1]:0"} {
		if l, err := net.Listen("tcp", "[::1]:0"); err != nil {
			if strings.HasPrefix(listen, "[") {
				continue // a machine without IPv6
			}
		} else {
			l.Close()
		}
		var log testkit.Buffer
		b, stop := runBroker(t, listen, slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
		w := watch(t, address(b))
		wait(t, w.client.Publish("facerecd/x", 1, true, "secret"))
		w.expect(t, "facerecd/x", "secret", false)
		stray, err := net.Dial("tcp", address(b))
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprint(stray, "GET / HTTP/1.1\r\n\r\n")
		_, _ = stray.Read(make([]byte, 1)) // until it is closed
		stray.Close()
		stop()
		if log.String() != "" {
			t.Errorf("%s: it says %s", listen, log.String())
		}
	}
}

func burst(t *testing.T, addr string, n int, padding string) {
	t.Helper()
	o := paho.NewClientOptions().AddBroker("tcp://" + addr).SetAutoReconnect(false)
	c := paho.NewClient(o)
	wait(t, c.Connect())
	defer c.Disconnect(250)
	var tokens []paho.Token
	for i := range n {
		tokens = append(tokens, c.Publish("facerecd/burst", 1, false, fmt.Sprintf("%06d%s", i, padding)))
	}
	for _, token := range tokens {
		wait(t, token)
	}
}

// TestAnMQTT5SubscriberGetsABurstInOrder goes beyond what mosquitto_sub allows
// to be on its way (20): with mochi's own flow control the order is lost there.
func TestAnMQTT5SubscriberGetsABurstInOrder(t *testing.T) {
	b, _ := runBroker(t, "127.0.0.1:0", slog.DiscardHandler)
	const n = 3000
	lines := subscribe(t, address(b), n, "-V", "5", "-q", "1")
	burst(t, address(b), n, "")
	got := lines()
	for i, line := range got {
		if want := fmt.Sprintf("facerecd/burst %06d", i); line != want {
			t.Fatalf("line %d is %q, want %q", i, line, want)
		}
	}
	if len(got) != n {
		t.Errorf("%d lines, want %d", len(got), n)
	}
}

// TestStoppingDeliversWhatWasAcknowledged stops the broker while somebody
// publishes as fast as it goes.
func TestStoppingDeliversWhatWasAcknowledged(t *testing.T) {
	b, stop := runBroker(t, "127.0.0.1:0", slog.DiscardHandler)
	w := watch(t, address(b))
	c := paho.NewClient(paho.NewClientOptions().AddBroker(b.URL()).SetAutoReconnect(false).SetWriteTimeout(time.Second))
	wait(t, c.Connect())
	acked := make(chan int)
	go func() {
		var tokens []paho.Token
		for c.IsConnectionOpen() {
			token := c.Publish("facerecd/burst", 1, false, fmt.Sprintf("%06d", len(tokens)))
			if tokens = append(tokens, token); len(tokens)%64 == 0 {
				_ = token.WaitTimeout(time.Second)
			}
		}
		n := 0
		for _, token := range tokens {
			if token.WaitTimeout(patience) && token.Error() == nil {
				n++
			}
		}
		acked <- n
	}()
	for range 1000 {
		w.next(t)
	}
	stop()
	n := <-acked
	for i := 1000; i < n; i++ {
		if m := w.next(t); string(m.Payload()) != fmt.Sprintf("%06d", i) {
			t.Fatalf("message %d is %s", i, m.Payload())
		}
	}
	t.Logf("%d messages were acknowledged", n)
}

// TestASubscriberThatStopsReadingHoldsNobodyUp fills the sockets of one that was
// suspended with Ctrl-Z.
func TestASubscriberThatStopsReadingHoldsNobodyUp(t *testing.T) {
	var log testkit.Buffer
	b, stop := runBroker(t, "127.0.0.1:0", slog.NewTextHandler(&log, nil))
	conn, err := net.Dial("tcp", address(b))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	hello := packets.NewControlPacket(packets.Connect).(*packets.ConnectPacket)
	hello.ProtocolName, hello.ProtocolVersion, hello.CleanSession, hello.ClientIdentifier = "MQTT", 4, true, "stuck"
	sub := packets.NewControlPacket(packets.Subscribe).(*packets.SubscribePacket)
	sub.MessageID, sub.Topics, sub.Qoss = 1, []string{"facerecd/#"}, []byte{1}
	if err := errors.Join(hello.Write(conn), sub.Write(conn)); err != nil {
		t.Fatal(err)
	}
	for range 2 { // CONNACK, SUBACK; and no more
		if _, err := packets.ReadPacket(conn); err != nil {
			t.Fatal(err)
		}
	}
	w := watch(t, address(b))
	const n = 300
	burst(t, address(b), n, strings.Repeat(".", 50_000))
	for i := range n {
		if m := w.next(t); !strings.HasPrefix(string(m.Payload()), fmt.Sprintf("%06d.", i)) {
			t.Fatalf("message %d is %.6s", i, m.Payload())
		}
	}
	began := time.Now()
	stop()
	if took := time.Since(began); took > time.Second {
		t.Errorf("stopping took %v", took)
	}
}
