package daemon

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"facerecd/capture"
	"facerecd/capture/jpeg"
	"facerecd/capture/source"
	"facerecd/daemon/config"
	"facerecd/daemon/event"
	"facerecd/daemon/live"
	"facerecd/daemon/mqtt"
	"facerecd/daemon/track"
	"facerecd/inference"
)

// unit is one camera with all that turns its frames into events. It starts and
// stops by itself, so that a change of one camera leaves the others alone.
type unit struct {
	settings config.Camera
	slug     string // of its name
	camera   *capture.Camera
	pipeline *Pipeline
	meter    *meter
	reads    *beat // of the camera: its source's calls
	engine   *Engine
	decoder  jpeg.Decoder

	off     bool      // switched off: it is not started
	since   time.Time // when the unit was made
	declare func()    // tells whether the camera is used

	in   *layer // the camera, first to stop
	work *layer // its pipeline, which closes its tracks then
}

// newUnit makes a unit and starts nothing. The caller closes it.
func (p *parts) newUnit(d *Daemon, c config.Camera, t Tuning) (*unit, error) {
	slug := config.Slug(c.Name)
	off, err := p.off(slug)
	if err != nil {
		return nil, err
	}
	engine, err := p.vision.Engine()
	if err != nil {
		return nil, err
	}
	ids, box := &event.IDs{}, capture.NewMailbox()
	spec := c.Spec(d.Log)
	spec.Loop = true
	u := &unit{settings: c, slug: slug, off: off, since: time.Now(), engine: engine, decoder: jpeg.New(d.Log), reads: &beat{}}
	u.camera = &capture.Camera{
		Name: c.Name, Box: box, Log: d.Log, FrozenAfter: frozenAfter(c),
		OnStatus: tellStatus(c.Name, func(payload []byte) { p.publisher.SetStatus(slug, payload) }, d.Log),
		Open:     u.reads.watch(source.Open(spec)),
	}
	u.meter = &meter{Frames: func() uint64 { return u.camera.Status().Frames }}
	u.pipeline = &Pipeline{
		Camera: c.Name, Box: box, Engine: engine, Decoder: u.decoder,
		Turner: inference.Turner{Turn: inference.Turn{Degrees: c.Rotate, Mirror: c.Mirror}},
		Turns:  p.turns, Rest: p.governor.Rest, Attend: attention{Idle: c.Idle},
		Tracker: &track.Tracker{
			Gallery: p.roster.Gallery, Policy: t.Policy, MinSeen: t.MinSeen,
			Lost: lost, NewID: ids.Next, Known: p.roster.Known,
		},
		Rules: rules{
			Zones: c.Zones, Cooldown: c.Cooldown, Camera: c.Quiet, Device: t.Quiet,
			Synced: p.log.Synced, Notify: p.roster.Notify,
		},
		Names:  p.roster.Name,
		Record: p.log.RecordAll,
		Present: func(present mqtt.Present) error {
			payload, err := present.MarshalJSON()
			if err != nil {
				return fmt.Errorf("encode presence: %w", err)
			}
			p.publisher.SetPresent(slug, payload)
			p.sightings.view(present)
			return nil
		},
		Live: &live.Hub{}, Log: d.Log, LogFaces: t.LogFaces, Pictures: p.log.Pictures,
	}
	if p.strangers != nil {
		u.pipeline.Strangers = p.strangers
		u.pipeline.Pictures = u.pipeline.Pictures || d.Config.Unknown.Pictures
	}
	if p.portraits != nil {
		u.pipeline.Portray = func(jpeg []byte) { p.portraits.put(slug, jpeg) }
	}
	u.declare = func() { p.declare(u) }
	return u, nil
}

// frozenAfter is the camera's FrozenAfter: what stands still on purpose never
// counts as frozen.
func frozenAfter(c config.Camera) time.Duration {
	if c.FrozenAfter == 0 || !source.Live(c.Source) {
		return -1
	}
	return c.FrozenAfter
}

func (u *unit) start(ctx context.Context, fail context.CancelCauseFunc) {
	u.declare()
	if u.off {
		return
	}
	u.in, u.work = newLayer(ctx, fail), newLayer(ctx, fail)
	u.work.run(u.pipeline.Run)
	u.in.run(u.camera.Run)
	u.in.run(u.meter.Run)
}

// stop ends what start started: who was in view has left by then.
func (u *unit) stop() {
	if u.in != nil {
		u.in.stop()
		u.work.stop()
	}
}

// close frees what newUnit made. The unit does not run any more.
func (u *unit) close() error {
	return errors.Join(u.decoder.Close(), u.engine.Close())
}

// units are the cameras that there are, in the order of the configuration. Only
// who starts, reloads and stops the daemon changes them, one at a time; anybody
// may read.
type units struct {
	changed func() // told of each set

	mu  sync.Mutex
	all []*unit // replaced as a whole
}

func (us *units) list() []*unit {
	us.mu.Lock()
	defer us.mu.Unlock()
	return us.all
}

func (us *units) set(all []*unit) {
	us.mu.Lock()
	us.all = all
	us.mu.Unlock()
	us.changed()
}

// named is the unit of the camera with the name, or nil.
func (us *units) named(name string) *unit {
	all := us.list()
	if i := slices.IndexFunc(all, func(u *unit) bool { return u.settings.Name == name }); i >= 0 {
		return all[i]
	}
	return nil
}

// stopAll stops units beside each other: one camera that is slow to close does
// not add up with the next.
func stopAll(all []*unit) {
	var group sync.WaitGroup
	for _, u := range all {
		group.Go(u.stop)
	}
	group.Wait()
}

func closeAll(all []*unit) error {
	var errs []error
	for _, u := range slices.Backward(all) {
		errs = append(errs, u.close())
	}
	return errors.Join(errs...)
}
