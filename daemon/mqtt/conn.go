package mqtt

import (
	"context"
	"errors"
	"sync"

	paho "github.com/eclipse/paho.mqtt.golang"
)

// incomingBytes is how much may have come and not been taken yet. What comes
// beyond it is dropped: nobody who can publish is to fill the memory.
const incomingBytes = 32 << 20

// Conn is one connection of a Publisher, for others who publish and subscribe
// over it. What they publish goes after the Publisher's own messages. Its
// methods may be called from any goroutine.
type Conn struct {
	asked   chan struct{} // receives when there are requests
	arrived chan struct{}
	over    chan struct{}

	mu       sync.Mutex
	requests []request
	incoming []message
	size     int // of incoming
	missed   bool
}

type message struct {
	topic   string
	payload []byte
}

// request is what the Publisher is asked to do.
type request struct {
	subscribe bool
	retained  bool
	message   // of a subscription, topic is the filter
	done      chan error
}

var errConnOver = errors.New("the connection to the broker is over")

func newConn() *Conn {
	return &Conn{asked: make(chan struct{}, 1), arrived: make(chan struct{}, 1), over: make(chan struct{})}
}

// Conn waits for a connection to the broker that it has not returned before. It
// is for one caller.
func (p *Publisher) Conn(ctx context.Context) (*Conn, error) {
	select {
	case c := <-p.conns():
		return c, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// conns holds the newest connection. It is made by whoever comes first.
func (p *Publisher) conns() chan *Conn {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.newest == nil {
		p.newest = make(chan *Conn, 1)
	}
	return p.newest
}

// offer makes c the connection that Conn returns.
func (p *Publisher) offer(c *Conn) {
	conns := p.conns()
	select {
	case <-conns:
	default:
	}
	conns <- c
}

// Subscribe returns when the broker has granted the subscription, of QoS 1, to
// what matches filter, which is not one of the Publisher's own.
func (c *Conn) Subscribe(ctx context.Context, filter string) error {
	return c.do(ctx, request{subscribe: true, message: message{topic: filter}})
}

// Publish returns when the broker has acknowledged the message, of QoS 1. It
// keeps payload.
func (c *Conn) Publish(ctx context.Context, topic string, retained bool, payload []byte) error {
	return c.do(ctx, request{retained: retained, message: message{topic, payload}})
}

func (c *Conn) do(ctx context.Context, r request) error {
	r.done = make(chan error, 1)
	c.mu.Lock()
	c.requests = append(c.requests, r)
	c.mu.Unlock()
	notify(c.asked)
	select {
	case err := <-r.done:
		return err
	case <-c.over:
		return errConnOver
	case <-ctx.Done():
		return ctx.Err()
	}
}

// next takes out a request, and says whether there was one.
func (c *Conn) next() (request, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.requests) == 0 {
		return request{}, false
	}
	r := c.requests[0]
	c.requests = c.requests[1:]
	return r, true
}

// Arrived receives after messages came, once for any number of them.
func (c *Conn) Arrived() <-chan struct{} { return c.arrived }

// Take returns the next message of a subscription, and whether there was one.
// It never blocks. The caller owns payload.
func (c *Conn) Take() (topic string, payload []byte, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.incoming) == 0 {
		return "", nil, false
	}
	m := c.incoming[0]
	c.incoming[0] = message{}
	c.incoming = c.incoming[1:]
	c.size -= len(m.topic) + len(m.payload)
	return m.topic, m.payload, true
}

// Missed tells whether messages were dropped since it was last called, because
// they came faster than they were taken.
func (c *Conn) Missed() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	missed := c.missed
	c.missed = false
	return missed
}

// Lost is closed when the connection is.
func (c *Conn) Lost() <-chan struct{} { return c.over }

// receive is paho's handler: it must not block.
func (c *Conn) receive(topic string, payload []byte) {
	c.mu.Lock()
	if size := len(topic) + len(payload); c.size+size > incomingBytes {
		c.missed = true
	} else {
		c.incoming = append(c.incoming, message{topic, payload})
		c.size += size
	}
	c.mu.Unlock()
	notify(c.arrived)
}

func notify(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// fillRequests does what others ask for, as far as the window allows.
func (s *session) fillRequests() {
	for !s.leaving && s.room() > 0 {
		r, ok := s.conn.next()
		if !ok {
			return
		}
		var token paho.Token
		if r.subscribe {
			token = s.link.subscribe(r.topic, s.conn.receive)
		} else {
			token = s.link.publish(r.topic, r.retained, r.payload)
		}
		s.fly(flight{size: len(r.payload), token: token, done: r.done})
	}
}
