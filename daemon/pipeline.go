package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/sync/semaphore"

	"facerecd/capture"
	"facerecd/capture/jpeg"
	"facerecd/daemon/config"
	"facerecd/daemon/event"
	"facerecd/daemon/live"
	"facerecd/daemon/metrics"
	"facerecd/daemon/mqtt"
	"facerecd/daemon/track"
	"facerecd/inference"
	"facerecd/match"
)

const (
	// tick is how long a pipeline waits for a frame before it looks after its
	// tracks: a camera that was unplugged shows nobody any more.
	tick = 250 * time.Millisecond
	// maxHeld bounds the events that wait in memory while the store refuses
	// them, hours of a busy door. The newest are kept.
	maxHeld = 1000
	// allDamaged is how many pictures in a row must be damaged for that to be told:
	// one now and then is what cables do.
	allDamaged = 3
)

// Pipeline turns one camera's frames into events. Run owns all of it.
type Pipeline struct {
	Camera   string // as configured
	Box      *capture.Mailbox
	Engine   *Engine
	Decoder  jpeg.Decoder
	Turner   inference.Turner                       // sets each frame upright, before anything looks at it
	Turns    *semaphore.Weighted                    // of all cameras, in the order in which they ask for one; nil: none is needed
	Rest     func(work time.Duration) time.Duration // after a frame; nil: none
	Attend   attention                              // which frames are searched for faces
	Tracker  *track.Tracker
	Names    func(person string) (name string, ok bool)
	Record   func([]event.Event) (int, error) // stores events, the first n when it fails
	Present  func(mqtt.Present) error         // tells who is in view, when it changes
	Live     *live.Hub                        // shows what was looked at; nil: to nobody
	Rules    rules                            // what is looked at, and told
	Portray  func(jpeg []byte)                // gets a picture of each face that is announced; nil: nobody
	Pictures bool                             // events carry that picture
	// Strangers knows again who is not enrolled; nil: nobody does.
	Strangers strangers
	Log       *slog.Logger
	// LogFaces allows lines about who was seen.
	LogFaces bool

	portrayed map[string]portrait    // of the faces in the last frame, by track
	frame     [2]int                 // size of the last frame, as turned
	size      atomic.Pointer[[2]int] // the same, for others
	face      inference.Face         // that is looked at
	held      []event.Event
	lost      atomic.Uint64
	present   mqtt.Present
	told      bool   // present was told at least once
	damaged   int    // pictures in a row
	unseen    string // why the last frame was not processed; "" when it was
	unkept    string // why events are not stored; "" when they are
	failing   atomic.Bool
	tuning    atomic.Pointer[Tuning] // to be taken over
	took      metrics.Histogram      // all that was computed for a frame
	searched  atomic.Uint64          // frames that were searched for faces
	beat      beat                   // a step at least each tick, while the models and the store answer
}

// Tuning is what can change while a Pipeline runs.
type Tuning struct {
	Policy   match.Policy
	MinSeen  int
	LogFaces bool
	Quiet    config.Hours // the device's quiet hours
}

// Retune takes effect with the next frame. From any goroutine.
func (p *Pipeline) Retune(t Tuning) { p.tuning.Store(&t) }

// Failing tells whether frames arrive and cannot be processed or events not
// be stored; the log has the reason. From any goroutine.
func (p *Pipeline) Failing() bool { return p.failing.Load() }

// Lost is how many events were given up because the store kept refusing them.
func (p *Pipeline) Lost() uint64 { return p.lost.Load() }

// Run processes frames until ctx ends; then it closes every track, so that
// what was announced as there is announced as gone.
func (p *Pipeline) Run(ctx context.Context) error {
	p.tell(time.Now())
	for ctx.Err() == nil {
		p.step(ctx)
	}
	now := time.Now()
	p.Tracker.Close(now)
	p.settle()
	p.tell(now)
	return nil
}

// step takes one frame, or waits for one in vain.
func (p *Pipeline) step(ctx context.Context) {
	p.beat.step()
	if t := p.tuning.Swap(nil); t != nil {
		p.Tracker.Policy, p.Tracker.MinSeen, p.LogFaces, p.Rules.Device = t.Policy, t.MinSeen, t.LogFaces, t.Quiet
	}
	wait, cancel := context.WithTimeout(ctx, tick)
	defer cancel()
	f, err := p.Box.Take(wait)
	if err != nil {
		at := time.Now()
		p.Tracker.Expire(at)
		p.settle()
		p.tell(at)
		return
	}
	at := f.At
	took, err := p.turn(ctx, f)
	p.Box.Recycle(f)
	if err != nil {
		p.Tracker.Expire(at) // whom nobody can see is not there
	}
	if p.damaged++; !errors.Is(err, jpeg.ErrMalformed) {
		p.damaged = 0
	}
	if p.damaged == 0 || p.damaged == allDamaged {
		p.report(&p.unseen, err, "camera frames cannot be processed", "camera frames are processed again")
	}
	p.settle()
	p.tell(at)
	p.rest(ctx, took)
}

// turn processes a frame when it is this camera's turn.
func (p *Pipeline) turn(ctx context.Context, f *capture.Frame) (took time.Duration, err error) {
	if p.Turns != nil {
		if p.Turns.Acquire(ctx, 1) != nil {
			return 0, nil // it ends
		}
		defer p.Turns.Release(1)
	}
	began := time.Now()
	err = p.process(f)
	took = time.Since(began)
	p.took.Observe(took)
	return took, err
}

// rest does nothing for as long as it has to.
func (p *Pipeline) rest(ctx context.Context, work time.Duration) {
	if p.Rest == nil {
		return
	}
	if d := p.Rest(work); d > 0 {
		select {
		case <-time.After(d):
		case <-ctx.Done():
		}
	}
}

// process looks at a frame, and closely at those of its faces that are worth it.
func (p *Pipeline) process(f *capture.Frame) error {
	view, err := ViewOf(f, p.Decoder)
	if err != nil {
		return fmt.Errorf("read frame: %w", err)
	}
	view = p.Turner.View(view)
	p.resize(view.Width, view.Height)
	if !p.Attend.wants(view, f.At, p.Tracker) {
		p.Tracker.Hold(f.At)
		p.show(f, view, p.Tracker.Found())
		return nil
	}
	p.searched.Add(1)
	found, err := p.Engine.Detect(view)
	if err != nil {
		return err
	}
	found = p.Rules.seen(found, p.frame)
	p.beat.step() // looking closely at a crowd takes a slow processor seconds
	tracks := p.Tracker.Update(f.At, found)
	for i, tr := range tracks {
		if !p.Tracker.Wants(tr, f.At) {
			continue
		}
		p.beat.step()
		face := &p.face
		if err := p.Engine.LocateIn(face, view, found[i]); err != nil {
			return err
		}
		if !face.Real() {
			p.Tracker.Doubt(tr, f.At)
			continue
		}
		if err := p.Engine.Embed(face); err != nil {
			return err
		}
		p.Tracker.Look(tr, f.At, *face)
	}
	p.show(f, view, tracks)
	return nil
}

// settle stores what happened, and what could not be stored before.
func (p *Pipeline) settle() {
	p.collect()
	p.report(&p.unkept, p.flush(), "events cannot be stored, and wait in memory", "events are stored again")
}

// collect turns the tracker's changes into events that wait to be stored.
func (p *Pipeline) collect() {
	for _, c := range p.Tracker.Changes() {
		quiet, kept := p.Rules.judge(c)
		if !kept {
			continue
		}
		tr := c.Track
		e := event.Event{
			Type: c.Type, Time: c.At.UTC(), Camera: p.Camera, Track: tr.ID,
			Score: tr.Score, Confidence: tr.Confidence, Box: tr.Box.Pixels(p.frame[0], p.frame[1]), Frame: p.frame,
			Quality: tr.Quality, SeenForMS: tr.Last.Sub(tr.First).Milliseconds(),
			Zone: p.Rules.zoneName(tr.Box, p.frame), Quiet: quiet,
			Embedding: tr.Probe(), Picture: p.portrayed[tr.ID].jpeg,
		}
		if c.Type != event.Left {
			e.Taken, e.Decided = c.At, time.Now()
		}
		if p.Strangers != nil && p.Strangers.Meet(&e) {
			continue
		}
		if name, ok := p.Names(tr.Person); ok {
			e.Person = &event.Person{ID: tr.Person, Name: name}
		}
		if p.LogFaces {
			name := ""
			if e.Person != nil {
				name = e.Person.Name
			}
			p.Log.Info("face "+string(e.Type), "camera", p.Camera, "track", e.Track, "name", name, "score", e.Score, "quiet", e.Quiet)
		}
		if p.Portray != nil && quiet == "" && c.Type != event.Left && e.Picture != nil {
			p.Portray(e.Picture)
		}
		p.held = append(p.held, e)
	}
	if over := len(p.held) - maxHeld; over > 0 {
		p.held = slices.Delete(p.held, 0, over)
		p.lost.Add(uint64(over))
	}
}

// strangers is Strangers as a Pipeline needs it.
type strangers interface {
	// Meet sets who the event's stranger is, and tells whether that is somebody not
	// to be told of.
	Meet(*event.Event) (mutes bool)
	Ignores(track string) bool
}

// flush stores the events that wait. One that cannot be stored stays, and
// those after it with it.
func (p *Pipeline) flush() error {
	if len(p.held) == 0 {
		return nil
	}
	n, err := p.Record(p.held)
	p.held = p.held[n:]
	if err != nil {
		return fmt.Errorf("store event: %w", err)
	}
	return nil
}

// tell publishes who is in view when that has changed.
func (p *Pipeline) tell(at time.Time) {
	now := mqtt.Present{Time: at.UTC(), Camera: p.Camera}
	for _, tr := range p.Tracker.Tracks() {
		switch tr.Announced {
		case event.Recognized:
			if name, ok := p.Names(tr.Person); ok {
				now.People = append(now.People, mqtt.Visible{ID: tr.Person, Name: name, Track: tr.ID, Since: tr.First.UTC()})
			}
		case event.Unknown:
			if p.Strangers == nil || !p.Strangers.Ignores(tr.ID) {
				now.Unknown++
			}
		}
	}
	if p.told && now.Unknown == p.present.Unknown && slices.Equal(now.People, p.present.People) {
		return
	}
	if err := p.Present(now); err != nil {
		p.Log.Error("cannot tell who is in view", "camera", p.Camera, "err", err)
	}
	p.present, p.told = now, true
}

// report logs a new trouble once, and its end. The last one is kept in was.
func (p *Pipeline) report(was *string, err error, begins, ends string) {
	text := ""
	if err != nil {
		text = err.Error()
	}
	if text == *was {
		return
	}
	*was = text
	p.failing.Store(p.unseen != "" || p.unkept != "")
	if err != nil {
		p.Log.Error(begins, "camera", p.Camera, "err", err)
	} else {
		p.Log.Info(ends, "camera", p.Camera)
	}
}
