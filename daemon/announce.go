package daemon

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"slices"
	"time"

	"facerecd/daemon/homeassistant"
	"facerecd/daemon/mqtt"
)

const (
	// apart is the least time between two discovery messages that differ: see
	// homeassistant.Device.Config.
	apart = 5 * time.Second
	// together is how long a change waits for others, as when many are enrolled.
	together = 50 * time.Millisecond
	// retainedWait is how long the broker may take to send what it has retained.
	retainedWait = 2 * time.Second
	// birthPause is how long the answer to Home Assistant's birth waits at most,
	// so that all its devices do not answer at once.
	birthPause = time.Second
)

// announcer describes the device to Home Assistant, on each connection and when
// something has changed.
type announcer struct {
	Line      *mqtt.Line
	Device    func() homeassistant.Device // as it is now
	Off       bool                        // nothing is described, and what was is taken back
	Sightings *sightings
	Repeat    func() // has every state published once more
	Log       *slog.Logger

	changed chan struct{} // receives after Device may have changed

	said     []byte    // the last payload that the broker has acknowledged
	saidAt   time.Time // when a payload was last published that differs from the one before
	refusing string    // why nothing could be announced, as logged
}

// change is called when people, cameras or options have changed. It never blocks.
func (a *announcer) change() { signal(a.changed) }

// Run announces until ctx ends.
func (a *announcer) Run(ctx context.Context) error {
	for {
		conn, err := a.Line.Conn(ctx)
		if err != nil {
			return nil
		}
		a.log(a.serve(ctx, conn))
	}
}

// log tells a new trouble once. Lost connections are the publisher's to tell.
func (a *announcer) log(err error) {
	switch {
	case err == nil:
		a.refusing = ""
	case errors.Is(err, mqtt.ErrConnOver), errors.Is(err, context.Canceled), err.Error() == a.refusing:
	default:
		a.refusing = err.Error()
		a.Log.Warn("Home Assistant may not learn everything of this device", "err", err)
	}
}

// serve announces over one connection until it is lost or ctx ends.
func (a *announcer) serve(ctx context.Context, conn *mqtt.Conn) error {
	previous, err := a.look(ctx, conn)
	if err != nil {
		return err
	}
	if previous == nil { // a broker that lost its state; Home Assistant may have kept its own
		previous = a.said
	}
	a.said = previous
	if err := conn.Subscribe(ctx, a.Device().BirthTopic()); err != nil {
		if ctx.Err() != nil || errors.Is(err, mqtt.ErrConnOver) {
			return err
		}
		a.log(err)
	}
	var due, birth <-chan time.Time
	later := func() {
		if due == nil {
			due = time.After(max(time.Until(a.saidAt.Add(apart)), together))
		}
	}
	announce := func(again bool) error {
		err := a.announce(ctx, conn, again)
		if err == nil && a.outdated() { // what this one removed, the next one leaves out
			later()
		}
		return err
	}
	if err := announce(true); err != nil {
		return err
	}
	a.Repeat()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-conn.Lost():
			return nil
		case <-a.changed:
			later()
		case <-due:
			due = nil
			if err := announce(false); err != nil {
				return err
			}
		case <-conn.Arrived():
			for m, ok := conn.Next(); ok; m, ok = conn.Next() {
				if m.Topic == a.Device().BirthTopic() && !m.Retained && string(m.Payload) == mqtt.Online {
					birth = time.After(rand.N(birthPause))
				}
			}
		case <-birth:
			birth = nil
			if err := announce(true); err != nil {
				return err
			}
			a.Repeat()
		}
	}
}

// look takes what the broker has retained: it returns the discovery, nil when
// there is none, and shows the person topics to the sightings. MQTT does not say
// where the retained messages end; the availability, which the publisher has set
// before, comes after them.
func (a *announcer) look(ctx context.Context, conn *mqtt.Conn) (previous []byte, err error) {
	d := a.Device()
	last := d.Topics.Availability()
	var filters []string
	for _, filter := range []string{d.ConfigTopic(), d.Topics.Person("+"), last} {
		err := conn.Subscribe(ctx, filter)
		switch {
		case err == nil:
			filters = append(filters, filter)
		case ctx.Err() != nil || errors.Is(err, mqtt.ErrConnOver):
			return nil, err
		default: // a broker that lets us write and not read
			a.log(err)
		}
	}
	timeout := time.NewTimer(retainedWait)
	defer timeout.Stop()
	for found := false; !found; {
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-conn.Lost():
			return nil, mqtt.ErrConnOver
		case <-timeout.C:
			found = true
		case <-conn.Arrived():
			for m, ok := conn.Next(); ok; m, ok = conn.Next() {
				switch m.Topic {
				case last:
					found = true
				case d.ConfigTopic():
					previous = m.Payload
				default:
					if len(m.Payload) > 0 {
						a.Sightings.retained(m.Topic)
					}
				}
			}
		}
	}
	for _, filter := range filters {
		if err := conn.Unsubscribe(ctx, filter); err != nil {
			return nil, err
		}
	}
	return previous, nil
}

// payload is what is to be retained for Home Assistant now; empty for nothing.
func (a *announcer) payload() ([]byte, error) {
	if a.Off {
		return nil, nil
	}
	return a.Device().Config(a.said)
}

func (a *announcer) outdated() bool {
	payload, err := a.payload()
	return err == nil && !bytes.Equal(payload, a.said)
}

// announce publishes the payload when it is another one than was said, or when
// it is wanted again: then what was said a moment ago is.
func (a *announcer) announce(ctx context.Context, conn *mqtt.Conn, again bool) error {
	payload, err := a.payload()
	if err != nil {
		return err
	}
	if again && len(a.said) > 0 && time.Since(a.saidAt) < apart {
		payload = a.said
	}
	differs := !bytes.Equal(payload, a.said)
	if !differs && (!again || len(payload) == 0) {
		return nil
	}
	if err := conn.Publish(ctx, a.Device().ConfigTopic(), true, payload); err != nil {
		return err
	}
	if differs {
		a.saidAt = time.Now()
	}
	a.said = payload
	return nil
}

// buildAnnouncer makes what tells of people and of the device.
func (d *Daemon) buildAnnouncer(p *parts) error {
	p.sightings = &sightings{
		Topics: p.publisher.Topics, Set: p.publisher.SetState, People: p.roster.described, Events: p.log, Log: d.Log,
	}
	if err := p.sightings.begin(context.Background()); err != nil {
		return err
	}
	p.announcer = &announcer{
		Line: p.publisher.Line(), Device: func() homeassistant.Device { return d.described(p) }, Off: !d.Config.MQTT.Discovery,
		Sightings: p.sightings, Repeat: p.publisher.Repeat, Log: d.Log, changed: make(chan struct{}, 1),
	}
	p.orders = p.publisher.Line()
	if d.Config.MQTT.Images {
		p.portraits = &portraits{
			Line: p.publisher.Line(), Topics: p.publisher.Topics, Log: d.Log,
			came: make(chan struct{}, 1), newer: make(map[string][]byte),
		}
	}
	p.units.changed = p.announcer.change
	p.roster.Topics = func(id string) int {
		n := p.sightings.topics(id)
		if described := func(h homeassistant.Person) bool { return h.ID == id }; !p.announcer.Off && slices.ContainsFunc(p.roster.described(), described) {
			n++ // the discovery has their entities
		}
		return n
	}
	p.roster.OnNames = func() {
		p.sightings.change()
		p.announcer.change()
	}
	return nil
}

// described is the device as Home Assistant is told of it. It may be called from
// any goroutine.
func (d *Daemon) described(p *parts) homeassistant.Device {
	c := d.Config
	device := homeassistant.Device{
		Topics: p.publisher.Topics, Name: c.Device, Model: board(), Version: d.Version, Images: c.MQTT.Images,
		People: p.roster.described(),
	}
	for _, u := range p.units.list() {
		device.Cameras = append(device.Cameras, homeassistant.Camera{Name: u.settings.Name, Slug: u.slug})
	}
	return device
}

// described is the first homeassistant.MaxPeople who were enrolled: those who
// have a topic. Whose slug is whose depends on all.
func (r *Roster) described() []homeassistant.Person {
	r.mu.RLock()
	people := make([]homeassistant.Person, 0, len(r.names))
	for id, name := range r.names {
		people = append(people, homeassistant.Person{ID: id, Name: name})
	}
	r.mu.RUnlock()
	people = homeassistant.Slugs(people) // oldest first
	return people[:min(len(people), homeassistant.MaxPeople)]
}

// board is what the device's firmware calls it, "" when it does not.
func board() string {
	for _, path := range []string{"/sys/firmware/devicetree/base/model", "/sys/class/dmi/id/product_name"} {
		if text := firstLine(path); text != "" {
			return text
		}
	}
	return ""
}
