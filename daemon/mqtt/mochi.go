package mqtt

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"sync/atomic"
	"time"

	mochi "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/listeners"
	"github.com/mochi-mqtt/server/v2/packets"
)

// All that is peculiar to mochi-mqtt (v2.7.9) is in this file.

const (
	maxClients   = 256
	maxPacket    = 1 << 20         // bytes; it is allocated before it is read
	readPatience = 2 * time.Second // with a subscriber that does not read
	linger       = 300 * time.Millisecond
	quiet        = 50 * time.Millisecond
)

// server is a running mochi.
type server struct {
	*mochi.Server
	hook *hook
}

// serve takes the listener over when it returns no error.
func serve(l net.Listener, log *slog.Logger) (*server, error) {
	can := mochi.NewDefaultServerCapabilities()
	// The default takes retained messages away after a day: availability and
	// presence among them.
	can.MaximumMessageExpiryInterval = 0
	can.MaximumSessionExpiryInterval = 24 * 60 * 60 // seconds; the default is 136 years
	can.MaximumPacketSize = maxPacket
	can.MaximumClients = maxClients
	s := &server{
		Server: mochi.New(&mochi.Options{
			Capabilities: can,
			// Its log has payloads in it, names among them, and a warning for
			// each client that leaves.
			Logger: slog.New(slog.DiscardHandler),
			// Each time it stops the world to measure the heap.
			SysTopicResendInterval: 60, // seconds
		}),
		hook: &hook{log: log},
	}
	if err := s.AddHook(s.hook, nil); err != nil {
		return nil, fmt.Errorf("add hook: %w", err)
	}
	if err := s.AddListener(listeners.NewNet("loopback", steadyListener{l})); err != nil {
		return nil, fmt.Errorf("add listener: %w", err)
	}
	return s, s.Serve()
}

// stop delivers what has been acknowledged, and closes.
func (s *server) stop() error {
	s.hook.closing.Store(true)
	// How long the queues of the clients are is private to mochi: they count as
	// empty when nothing has been written for a while.
	end := time.Now().Add(linger)
	for last, since := int64(-1), time.Now(); time.Now().Before(end) && time.Since(since) < quiet; time.Sleep(5 * time.Millisecond) {
		if n := atomic.LoadInt64(&s.Info.PacketsSent); n != last {
			last, since = n, time.Now()
		}
	}
	for _, c := range s.Clients.GetAll() { // or Close would wait for those that do not read
		if c.Net.Conn != nil {
			_ = c.Net.Conn.SetWriteDeadline(time.Now().Add(readPatience / 20))
		}
	}
	if err := s.Close(); err != nil {
		return fmt.Errorf("stop the embedded MQTT broker: %w", err)
	}
	return nil
}

// hook lets everybody in, which is why the listener is on loopback.
type hook struct {
	mochi.HookBase
	log     *slog.Logger
	closing atomic.Bool
	dropped atomic.Uint64
}

func (*hook) ID() string { return "facerecd" }

func (*hook) Provides(b byte) bool {
	return slices.Contains([]byte{
		mochi.OnConnectAuthenticate, mochi.OnACLCheck, mochi.OnSessionEstablished, mochi.OnPublish, mochi.OnPublishDropped,
	}, b)
}

func (*hook) OnConnectAuthenticate(*mochi.Client, packets.Packet) bool { return true }

func (*hook) OnACLCheck(*mochi.Client, string, bool) bool { return true }

// OnSessionEstablished turns flow control for MQTT 5 off. With it, mochi sends
// delayed messages in any order, and can lock up for good: Inflight.NextImmediate
// takes a read lock twice, with room for a writer in between.
func (*hook) OnSessionEstablished(c *mochi.Client, _ packets.Packet) {
	c.State.Inflight.ResetSendQuota(0)
}

// OnPublish refuses messages while the broker stops, without a PUBACK, so that
// the publisher keeps them. Mochi acknowledges before it delivers.
func (h *hook) OnPublish(_ *mochi.Client, p packets.Packet) (packets.Packet, error) {
	if h.closing.Load() {
		return p, packets.ErrRejectPacket
	}
	return p, nil
}

// OnPublishDropped says that a subscriber is 8192 messages behind.
func (h *hook) OnPublishDropped(c *mochi.Client, _ packets.Packet) {
	if n := h.dropped.Add(1); n%1000 == 1 {
		h.log.Warn("an MQTT client does not keep up, messages to it are dropped", "client", c.ID, "dropped", n)
	}
}

// steadyListener goes on after errors that pass, as when file descriptors run
// out. Mochi's own loop ends with the first.
type steadyListener struct{ net.Listener }

func (l steadyListener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err == nil {
			return patientConn{c}, nil
		}
		if errors.Is(err, net.ErrClosed) {
			return nil, err
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// patientConn closes when the other end does not read. Mochi writes while it
// holds the client's lock, for which everybody who publishes to that client
// waits: one stopped subscriber would stop the broker.
type patientConn struct{ net.Conn }

func (c patientConn) Write(b []byte) (int, error) {
	_ = c.SetWriteDeadline(time.Now().Add(readPatience))
	n, err := c.Conn.Write(b)
	if err != nil {
		_ = c.Close() // half a packet may be out
	}
	return n, err
}
