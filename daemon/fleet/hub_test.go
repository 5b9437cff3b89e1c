package fleet

import (
	"context"
	"log/slog"
	"maps"
	"path"
	"slices"
	"sync"
	"testing"

	"facerecd/cross/testkit"
	"facerecd/match"
	"facerecd/match/store"
)

// hub is a broker in memory. The real ones are in the tests of daemon/mqtt and
// of daemon.
type hub struct {
	mu        sync.Mutex
	retained  map[string][]byte
	history   []message // all that was ever retained
	conns     map[*line]bool
	published int
	deny      bool // takes what is published, and sends nothing
}

type message struct {
	topic   string
	payload []byte
}

// line is a Conn of the hub.
type line struct {
	hub     *hub
	filters []string
	queue   []message
	arrived chan struct{}
	lost    chan struct{}
	missed  bool
}

func newHub() *hub { return &hub{retained: map[string][]byte{}, conns: map[*line]bool{}} }

func (h *hub) dial() *line {
	h.mu.Lock()
	defer h.mu.Unlock()
	l := &line{hub: h, arrived: make(chan struct{}, 1), lost: make(chan struct{})}
	h.conns[l] = true
	return l
}

func (l *line) cut() {
	l.hub.mu.Lock()
	defer l.hub.mu.Unlock()
	if l.hub.conns[l] {
		delete(l.hub.conns, l)
		close(l.lost)
	}
}

// forget is a broker that starts again without its state.
func (h *hub) forget() {
	h.mu.Lock()
	defer h.mu.Unlock()
	clear(h.retained)
}

// put publishes a message as somebody without the key.
func (h *hub) put(topic string, retained bool, payload []byte) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if retained && len(payload) == 0 {
		delete(h.retained, topic)
	} else if retained {
		h.retained[topic] = payload
		h.history = append(h.history, message{topic, payload})
	}
	for l := range h.conns {
		if slices.ContainsFunc(l.filters, func(f string) bool { return matches(f, topic) }) {
			l.deliver(message{topic, payload})
		}
	}
}

func matches(filter, topic string) bool {
	ok, _ := path.Match(filter, topic) // + is written as * below
	return ok
}

// deliver is called with the hub's lock.
func (l *line) deliver(m message) {
	if l.hub.deny {
		return
	}
	l.queue = append(l.queue, m)
	select {
	case l.arrived <- struct{}{}:
	default:
	}
}

func (l *line) Subscribe(_ context.Context, filter string) error {
	l.hub.mu.Lock()
	defer l.hub.mu.Unlock()
	if !l.hub.conns[l] {
		return errLost
	}
	if filter[len(filter)-1] == '+' {
		filter = filter[:len(filter)-1] + "*"
	}
	if !slices.Contains(l.filters, filter) {
		l.filters = append(l.filters, filter)
	}
	for topic, payload := range l.hub.retained {
		if matches(filter, topic) {
			l.deliver(message{topic, payload})
		}
	}
	return nil
}

func (l *line) Publish(_ context.Context, topic string, retained bool, payload []byte) error {
	l.hub.mu.Lock()
	alive := l.hub.conns[l]
	if alive && retained {
		l.hub.published++
	}
	l.hub.mu.Unlock()
	if !alive {
		return errLost
	}
	l.hub.put(topic, retained, payload)
	return nil
}

func (l *line) Arrived() <-chan struct{} { return l.arrived }
func (l *line) Lost() <-chan struct{}    { return l.lost }

func (l *line) Take() (string, []byte, bool) {
	l.hub.mu.Lock()
	defer l.hub.mu.Unlock()
	if len(l.queue) == 0 {
		return "", nil, false
	}
	m := l.queue[0]
	l.queue = l.queue[1:]
	return m.topic, m.payload, true
}

func (l *line) Missed() bool {
	l.hub.mu.Lock()
	defer l.hub.mu.Unlock()
	missed := l.missed
	l.missed = false
	return missed
}

// crowd is People in memory. Like the daemon it keeps one template of those
// that several models have made, of its own model if it can.
type crowd struct {
	model string

	mu      sync.Mutex
	records map[store.Mark]Record
	err     error // of Apply
}

func (c *crowd) Record(m store.Mark) (Record, bool, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	r, ok := c.records[m]
	return r, ok, nil
}

func (c *crowd) Marks() ([]store.Mark, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Collect(maps.Keys(c.records)), nil
}

func (c *crowd) Apply(records []Record) ([]store.Mark, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return nil, c.err
	}
	for _, r := range records {
		if ours, ok := c.records[r.Mark]; ok {
			r = Merge(ours, r)
		}
		c.records[r.Mark] = c.keep(r)
	}
	return nil, nil
}

func (c *crowd) keep(r Record) Record {
	one := make(map[string]match.Template)
	for _, t := range r.Templates {
		if was, ok := one[t.ID]; !ok || was.Model != c.model && t.Model == c.model {
			one[t.ID] = t
		}
	}
	r.Templates = share(slices.Collect(maps.Values(one)))
	return r
}

// device is a Sync with its crowd.
type device struct {
	*Sync
	people *crowd
	lines  chan *line
	line   *line
	log    *testkit.Buffer
}

func newDevice(t *testing.T, key byte, model string) *device {
	d := &device{people: &crowd{model: model, records: map[store.Mark]Record{}}, lines: make(chan *line), log: new(testkit.Buffer)}
	d.Sync = &Sync{
		Codec: newCodec(t, key), Prefix: "facerecd/_fleet", People: d.people,
		Log: slog.New(slog.NewTextHandler(d.log, &slog.HandlerOptions{Level: slog.LevelInfo})),
		Connect: func(ctx context.Context) (Conn, error) {
			select {
			case l := <-d.lines:
				return l, nil
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		},
	}
	return d
}

// run starts the device until the end of the test.
func (d *device) run(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- d.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func (d *device) connect(h *hub) {
	if d.line == nil {
		d.line = h.dial()
		d.lines <- d.line
	}
}

func (d *device) disconnect() {
	if d.line != nil {
		d.line.cut()
		d.line = nil
	}
}

// say merges a record into the device's own, as its user does.
func (d *device) say(r Record) {
	if _, err := d.people.Apply([]Record{r}); err != nil {
		panic(err)
	}
	d.Changed(r.Mark)
}

func (d *device) of(id string) Record {
	r, _, _ := d.people.Record(store.MarkOf(id))
	return r
}
