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

// Line is one user's access to the connections of a Publisher: each has
// subscriptions of its own, which must not overlap those of another.
type Line struct {
	newest chan *Conn // the newest connection
}

// Line makes a line. It is called before Run.
func (p *Publisher) Line() *Line {
	l := &Line{newest: make(chan *Conn, 1)}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lines = append(p.lines, l)
	return l
}

// Conn waits for a connection to the broker that it has not returned before. It
// is for one caller.
func (l *Line) Conn(ctx context.Context) (*Conn, error) {
	select {
	case c := <-l.newest:
		return c, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// offer gives each line its side of a new connection.
func (p *Publisher) offer() []*Conn {
	p.mu.Lock()
	lines := p.lines
	p.mu.Unlock()
	asked := make(chan struct{}, 1)
	var all []*Conn
	for _, l := range lines {
		c := newConn(asked)
		select {
		case <-l.newest:
		default:
		}
		l.newest <- c
		all = append(all, c)
	}
	return all
}

// Conn is one connection of a Publisher, for others who publish and subscribe
// over it. What they publish goes after the Publisher's own messages. Its
// methods may be called from any goroutine.
type Conn struct {
	asked   chan struct{} // receives when there are requests; shared by all lines
	arrived chan struct{}
	over    chan struct{}

	mu       sync.Mutex
	requests []request
	incoming []Message
	size     int // of incoming
	missed   bool
}

// Message is what came of a subscription.
type Message struct {
	Topic   string
	Payload []byte
	// Retained: the broker kept it, and gives it because of the subscription.
	Retained bool
}

// request is what the Publisher is asked to do.
type request struct {
	what    action
	Message // of a subscription, Topic is the filter
	done    chan error
}

type action int

const (
	doPublish action = iota
	doPublishOnce
	doSubscribe
	doUnsubscribe
)

// ErrConnOver is the answer of a Conn whose connection is over.
var ErrConnOver = errors.New("the connection to the broker is over")

func newConn(asked chan struct{}) *Conn {
	return &Conn{asked: asked, arrived: make(chan struct{}, 1), over: make(chan struct{})}
}

// Subscribe returns when the broker has granted the subscription, of QoS 1, to
// what matches filter, which is not one of the Publisher's own.
func (c *Conn) Subscribe(ctx context.Context, filter string) error {
	return c.do(ctx, request{what: doSubscribe, Message: Message{Topic: filter}})
}

// Unsubscribe ends a subscription. What came before may still be taken.
func (c *Conn) Unsubscribe(ctx context.Context, filter string) error {
	return c.do(ctx, request{what: doUnsubscribe, Message: Message{Topic: filter}})
}

// Publish returns when the broker has acknowledged the message, of QoS 1. It
// keeps payload.
func (c *Conn) Publish(ctx context.Context, topic string, retained bool, payload []byte) error {
	return c.do(ctx, request{Message: Message{topic, payload, retained}})
}

// PublishOnce is Publish with QoS 0, not retained: nobody acknowledges it, and
// it may be lost.
func (c *Conn) PublishOnce(ctx context.Context, topic string, payload []byte) error {
	return c.do(ctx, request{what: doPublishOnce, Message: Message{Topic: topic, Payload: payload}})
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
		return ErrConnOver
	case <-ctx.Done():
		return ctx.Err()
	}
}

// request takes out a request, and says whether there was one.
func (c *Conn) request() (request, bool) {
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

// Next returns the next message of a subscription, and whether there was one.
// It never blocks. The caller owns the payload.
func (c *Conn) Next() (Message, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.incoming) == 0 {
		return Message{}, false
	}
	m := c.incoming[0]
	c.incoming[0] = Message{}
	c.incoming = c.incoming[1:]
	c.size -= len(m.Topic) + len(m.Payload)
	return m, true
}

// Take is Next for whom it makes no difference what the broker kept.
func (c *Conn) Take() (topic string, payload []byte, ok bool) {
	m, ok := c.Next()
	return m.Topic, m.Payload, ok
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
func (c *Conn) receive(m Message) {
	c.mu.Lock()
	if size := len(m.Topic) + len(m.Payload); c.size+size > incomingBytes {
		c.missed = true
	} else {
		c.incoming = append(c.incoming, m)
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

// fillRequests does what others ask for, as far as the window allows, one after
// the other.
func (s *session) fillRequests() {
	for idle := 0; !s.leaving && idle < len(s.conns) && s.room() > 0; {
		c := s.conns[s.turn%len(s.conns)]
		s.turn++
		r, ok := c.request()
		if !ok {
			idle++
			continue
		}
		idle = 0
		var token paho.Token
		switch r.what {
		case doSubscribe:
			token = s.link.subscribe(r.Topic, c.receive)
		case doUnsubscribe:
			token = s.link.client.Unsubscribe(r.Topic)
		case doPublishOnce:
			token = s.link.client.Publish(r.Topic, 0, false, r.Payload)
		default:
			token = s.link.publish(r.Topic, r.Retained, r.Payload)
		}
		s.fly(flight{size: len(r.Payload), token: token, done: r.done})
	}
}
