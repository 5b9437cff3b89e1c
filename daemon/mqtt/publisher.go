package mqtt

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"facerecd/match/store"
)

// The defaults of Publisher.
const (
	DefaultRetryMin     = 250 * time.Millisecond
	DefaultRetryMax     = 30 * time.Second
	DefaultFlushTimeout = time.Second
	DefaultAckTimeout   = 15 * time.Second
)

// steady is how long a connection must have lasted for the next one to be tried
// at once. Two devices with one client id throw each other out for ever: they
// do it more and more slowly.
const steady = 10 * time.Second

// Outbox is the queue of events to be published; store.Store is the one that
// ships.
type Outbox interface {
	// Pending returns up to limit waiting events with numbers above after, in order.
	Pending(after uint64, limit int) ([]store.Queued, error)
	// Ack takes published events off the queue.
	Ack(seqs ...uint64) error
	// Appended receives after events were appended.
	Appended() <-chan struct{}
	// Backlog is how many events wait, and how many bytes they take.
	Backlog() (count int, bytes int64)
}

var _ Outbox = (*store.Store)(nil)

// Publisher keeps a connection to the broker, and publishes over it what waits
// in the outbox, who is present and how the cameras fare. A broker that is away, now or at the start,
// delays events and loses none: an event leaves the outbox when the broker has
// acknowledged it and has been there for another second.
//
// Each event is delivered at least once. It may come again after a connection
// broke, with the same id. The events that come for the first time come in
// order: up to window of them are on their way at once, over one connection,
// which TCP and MQTT (4.6) keep in order, and a new connection begins again
// with the oldest that is still in the outbox.
type Publisher struct {
	Broker       string // tcp://host:1883, tls://host:8883, ws://host/path or wss://host/path; the port may be left out
	ClientID     string // the same at each start, and no other device's
	Username     string // "": no login
	PasswordFile string // read at each connect, so that a corrected one works at once
	TLS          *tls.Config
	Topics       Topics
	Outbox       Outbox
	Log          *slog.Logger
	OnStatus     func(Status) // nil, or told by Run's goroutine what becomes of each attempt and connection

	// OnAck, when set, is told the number of each event that the broker has
	// acknowledged, at once and by Run's goroutine.
	OnAck func(seq uint64)

	// Beat, when set, is called at least every 11 s, the time of a handshake,
	// while Run gets on.
	Beat func()

	RetryMin     time.Duration // before the second attempt to connect; it doubles
	RetryMax     time.Duration // between attempts, and after a refused login
	FlushTimeout time.Duration // for what is left to say when ctx ends
	AckTimeout   time.Duration // for a PUBACK; then the connection counts as dead

	published, acked, connects atomic.Uint64

	retained retained

	mu    sync.Mutex
	lines []*Line
}

// Status is the state of the connection.
type Status struct {
	Connected bool
	Err       error // why it is not connected; nil before the first attempt
}

// Counters count since Run began.
type Counters struct {
	Published  uint64 // events handed to the broker, repeats included
	Acked      uint64 // events that the broker has acknowledged
	Reconnects uint64 // connections after the first
	Backlog    int    // events that wait in the outbox now
}

// Counters may be called at any time from any goroutine.
func (p *Publisher) Counters() Counters {
	backlog, _ := p.Outbox.Backlog()
	return Counters{
		Published:  p.published.Load(),
		Acked:      p.acked.Load(),
		Reconnects: max(p.connects.Load(), 1) - 1,
		Backlog:    backlog,
	}
}

// SetPresent makes payload the retained answer to who is in view of a camera (a
// slug), to be published now and on each new connection. One that is replaced
// before it was published is not published. It copies payload, never blocks,
// and may be called from any goroutine, also before Run.
func (p *Publisher) SetPresent(camera string, payload []byte) {
	p.retained.set(p.Topics.Present(camera), payload, 0)
}

// SetStatus is SetPresent for a camera's status. It is published at most five
// times a second; the last one always is.
func (p *Publisher) SetStatus(camera string, payload []byte) {
	p.retained.set(p.Topics.Status(camera), payload, pace)
}

// SetState is SetPresent for any topic, published no more often than each pace,
// and the last one always. Without a payload the broker forgets the topic.
func (p *Publisher) SetState(topic string, payload []byte, pace time.Duration) {
	p.retained.set(topic, payload, pace)
}

// Repeat publishes every state once more: somebody has come who wants them.
func (p *Publisher) Repeat() { p.retained.repeat() }

// Forget takes what was set for a camera off the broker: there is no such
// camera any more.
func (p *Publisher) Forget(camera string) {
	for _, topic := range []string{p.Topics.Present(camera), p.Topics.Status(camera), p.Topics.Recognition(camera)} {
		p.retained.set(topic, nil, 0)
	}
}

// Run connects and publishes until ctx ends, and returns nil then; an error is
// one of the configuration, found before anything is tried. When ctx ends, Run
// publishes what the outbox still holds and says offline, within FlushTimeout:
// whoever records events stops before, and an embedded Broker after.
func (p *Publisher) Run(ctx context.Context) error {
	broker, err := p.check()
	if err != nil {
		return err
	}
	retry := backoff{min: or(p.RetryMin, DefaultRetryMin), max: or(p.RetryMax, DefaultRetryMax)}
	told := make(map[string]bool) // failures that were logged since the last connection
	p.status(Status{})
	for ctx.Err() == nil {
		p.beat()
		l, err := p.connect(ctx, broker)
		if err != nil {
			if ctx.Err() != nil {
				break
			}
			p.tell(told, broker, err)
			if errors.Is(err, errCredentials) {
				retry.next = retry.max // brokers lock out who keeps trying
			}
			retry.wait(ctx, p.beat)
			continue
		}
		clear(told)
		began := time.Now()
		p.connects.Add(1)
		p.Log.Info("connected to the MQTT broker", "broker", broker.Redacted())
		p.status(Status{Connected: true})
		conns := p.offer()
		err = (&session{Publisher: p, link: l, conns: conns}).run(ctx)
		for _, c := range conns {
			close(c.over)
		}
		p.status(Status{Err: err})
		if ctx.Err() != nil {
			p.parting(err)
			break
		}
		p.Log.Warn("MQTT connection lost, events wait until it is back", "broker", broker.Redacted(), "err", err)
		if time.Since(began) > steady {
			retry.reset()
		}
		retry.wait(ctx, p.beat)
	}
	return nil
}

// tell logs each kind of failure once, and for the rest of the outage at debug
// level only.
func (p *Publisher) tell(told map[string]bool, broker *url.URL, err error) {
	p.status(Status{Err: err})
	level := slog.LevelWarn
	switch {
	case told[err.Error()]:
		level = slog.LevelDebug
	case errors.Is(err, errCredentials):
		level = slog.LevelError
	}
	told[err.Error()] = true
	p.Log.Log(context.Background(), level, "cannot connect to the MQTT broker, events wait; trying again", "broker", broker.Redacted(), "err", err)
}

func (p *Publisher) parting(err error) {
	if waiting, _ := p.Outbox.Backlog(); err != nil || waiting > 0 {
		p.Log.Warn("stopped before everything was published; the rest follows at the next start", "events", waiting, "err", err)
	}
}

func (p *Publisher) beat() {
	if p.Beat != nil {
		p.Beat()
	}
}

func (p *Publisher) status(s Status) {
	if p.OnStatus != nil {
		p.OnStatus(s)
	}
}

func (p *Publisher) connect(ctx context.Context, broker *url.URL) (*link, error) {
	g := greeting{broker: broker, tls: p.TLS, clientID: p.ClientID, username: p.Username, will: p.Topics.Availability(), beat: p.beat}
	if p.PasswordFile != "" {
		password, err := os.ReadFile(p.PasswordFile)
		if err != nil {
			return nil, fmt.Errorf("read mqtt.password_file: %w", err)
		}
		g.password = strings.TrimRight(string(password), "\r\n")
	}
	return connect(ctx, g)
}

// ports are those of each scheme.
func ports() map[string]string {
	return map[string]string{
		"tcp": "1883", "mqtt": "1883", "tls": "8883", "ssl": "8883", "mqtts": "8883", "ws": "80", "wss": "443",
	}
}

func secure(broker *url.URL) bool {
	return !slices.Contains([]string{"tcp", "mqtt", "ws"}, broker.Scheme)
}

// check finds mistakes in the configuration, and completes the broker's address.
func (p *Publisher) check() (*url.URL, error) {
	u, err := url.Parse(p.Broker)
	if err != nil || u.Hostname() == "" || ports()[u.Scheme] == "" {
		// Not even the parser's error is shown: it may quote a password.
		return nil, errors.New("mqtt.broker is no address of a broker: write tcp://host:1883, tls://host:8883, or ws://host/path")
	}
	if u.User != nil {
		return nil, errors.New("mqtt.broker has a user name in it: use mqtt.username and mqtt.password_file, so that the password is in no log")
	}
	if p.Username == "" && p.PasswordFile != "" {
		return nil, errors.New("mqtt.password_file is set without mqtt.username: MQTT knows no password without a user name")
	}
	for name, topic := range map[string]string{"mqtt.base": p.Topics.Base, "device": p.Topics.Device, "client id": p.ClientID} {
		if topic == "" || strings.ContainsAny(topic, "+#\x00") {
			return nil, fmt.Errorf("%s %q cannot be part of an MQTT topic: use letters, digits and hyphens", name, topic)
		}
	}
	if u.Port() == "" {
		u.Host = net.JoinHostPort(u.Hostname(), ports()[u.Scheme])
	}
	return u, nil
}

func or(d, otherwise time.Duration) time.Duration {
	if d > 0 {
		return d
	}
	return otherwise
}
