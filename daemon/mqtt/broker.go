package mqtt

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"syscall"
)

// Broker is a small MQTT broker inside the daemon, for a device that has none.
// It listens on a loopback address only, and lets every local program read and
// write everything: who wants users, TLS or other machines runs mosquitto.
// Retained messages and sessions are in memory, and gone with the process.
type Broker struct {
	Listen string // 127.0.0.1:1883; port 0: any that is free
	Log    *slog.Logger

	mu    sync.Mutex
	ready chan struct{}
	url   string
}

// Ready is closed when the broker accepts connections.
func (b *Broker) Ready() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.signal()
}

// signal is made by whoever comes first, Ready or Run. The caller holds mu.
func (b *Broker) signal() chan struct{} {
	if b.ready == nil {
		b.ready = make(chan struct{})
	}
	return b.ready
}

// URL is what Publisher.Broker wants; "" until Ready.
func (b *Broker) URL() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.url
}

// Run serves until ctx ends, and returns nil then. It may be called once. At the
// end it takes no more messages, delivers those that it has acknowledged to the
// subscribers that are there, and closes the connections, in about a quarter of
// a second. Its publisher should be gone by then.
func (b *Broker) Run(ctx context.Context) error {
	listener, err := b.listen()
	if err != nil {
		return err
	}
	server, err := serve(listener, b.Log)
	if err != nil {
		return errors.Join(fmt.Errorf("start the embedded MQTT broker: %w", err), listener.Close())
	}
	b.mu.Lock()
	b.url = "tcp://" + listener.Addr().String()
	close(b.signal())
	b.mu.Unlock()
	<-ctx.Done()
	return server.stop()
}

func (b *Broker) listen() (net.Listener, error) {
	host, port, err := net.SplitHostPort(b.Listen)
	if err != nil {
		return nil, fmt.Errorf("mqtt.embedded_listen %q is no address: write 127.0.0.1:1883", b.Listen)
	}
	// A name is not asked for: what it stands for may change.
	if host == "localhost" {
		host = "127.0.0.1"
	}
	if ip, err := netip.ParseAddr(host); err != nil || !ip.IsLoopback() {
		return nil, fmt.Errorf("mqtt.embedded_listen %q is not a loopback address: the embedded broker has no logins; use 127.0.0.1, or run mosquitto and set mqtt.broker", b.Listen)
	}
	listener, err := net.Listen("tcp", net.JoinHostPort(host, port))
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("mqtt.embedded_listen: %s is in use, probably by another broker (mosquitto?): to use that one set mqtt.broker: tcp://%s, or else give mqtt.embedded_listen another port: %w",
			b.Listen, b.Listen, err)
	case err != nil:
		return nil, fmt.Errorf("mqtt.embedded_listen: %w", err)
	}
	return listener, nil
}
