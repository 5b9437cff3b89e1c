package mqtt

import (
	"net"
	"sync"
	"testing"
)

// proxy stands between a publisher and its broker, and is the bad network.
type proxy struct {
	listener net.Listener
	target   string
	done     sync.WaitGroup

	mu     sync.Mutex
	room   *sync.Cond
	conns  map[net.Conn]struct{}
	closed bool // takes nobody
	deaf   bool // passes nothing to the broker
	mute   bool // passes nothing from the broker
}

func newProxy(t *testing.T, target string) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{listener: l, target: target, conns: make(map[net.Conn]struct{})}
	p.room = sync.NewCond(&p.mu)
	p.done.Go(p.accept)
	t.Cleanup(func() {
		l.Close()
		p.cut()
		p.done.Wait()
	})
	return p
}

func (p *proxy) addr() string { return p.listener.Addr().String() }

func (p *proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		broker, err := net.Dial("tcp", p.target)
		if err != nil {
			client.Close()
			continue
		}
		p.mu.Lock()
		if p.closed {
			client.Close()
			broker.Close()
		} else {
			p.conns[client], p.conns[broker] = struct{}{}, struct{}{}
			p.done.Go(func() { p.copy(broker, client, &p.deaf) })
			p.done.Go(func() { p.copy(client, broker, &p.mute) })
		}
		p.mu.Unlock()
	}
}

func (p *proxy) copy(to, from net.Conn, stopped *bool) {
	defer from.Close()
	defer to.Close()
	buf := make([]byte, 4096)
	for {
		p.mu.Lock()
		for *stopped && p.has(from) {
			p.room.Wait()
		}
		p.mu.Unlock()
		n, err := from.Read(buf)
		p.mu.Lock()
		for *stopped && p.has(from) { // what was read meanwhile waits
			p.room.Wait()
		}
		gone := !p.has(from)
		p.mu.Unlock()
		if gone {
			return
		}
		if _, werr := to.Write(buf[:n]); err != nil || werr != nil {
			return
		}
	}
}

func (p *proxy) has(c net.Conn) bool { _, ok := p.conns[c]; return ok }

// set changes what passes.
func (p *proxy) set(change func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change()
	p.room.Broadcast()
}

// cut ends all connections at once, and loses what is on its way.
func (p *proxy) cut() {
	p.set(func() {
		for c := range p.conns {
			c.Close()
			delete(p.conns, c)
		}
	})
}

// shut cuts, and lets nobody in until it is opened.
func (p *proxy) shut() {
	p.set(func() { p.closed = true })
	p.cut()
}

func (p *proxy) open() { p.set(func() { p.closed, p.deaf, p.mute = false, false, false }) }
