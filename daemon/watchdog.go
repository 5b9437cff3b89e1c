package daemon

import (
	"context"
	"log/slog"
	"time"

	systemd "github.com/coreos/go-systemd/v22/daemon"

	"facerecd/capture"
)

// longestRest is how long a part may wait for something that takes its time,
// such as the store while it takes a deleted person out of its files.
const longestRest = 10 * time.Minute

// part is something that must get on for the daemon to be of use.
type part struct {
	name    string
	steps   uint64 // so far
	resting bool   // it may take longestRest
}

// watchdog tells the service manager that all is well, as long as every part
// gets on: a process that merely runs recognises nobody. A part that has made no
// step in half the time Within is named in the log; unless it gets on again, the
// service manager starts the service anew.
type watchdog struct {
	Within time.Duration // which the service manager waits
	Parts  func() []part
	Ping   func()
	Log    *slog.Logger

	last time.Time
	seen map[string]sighting // by name
}

// sighting is when a part was last seen to get on.
type sighting struct {
	steps uint64
	at    time.Time
	rests bool
	stuck bool // and the log says so
}

// Run looks at the parts six times in Within, until ctx ends.
func (w *watchdog) Run(ctx context.Context) error {
	tick := time.NewTicker(w.Within / 6)
	defer tick.Stop()
	for {
		if w.look(time.Now()) {
			w.Ping()
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// look tells whether all parts get on.
func (w *watchdog) look(now time.Time) bool {
	if now.Sub(w.last) > w.Within/2 {
		w.seen = nil // the whole process stood still, or has just begun: no part's fault
	}
	w.last = now
	well := true
	seen := map[string]sighting{}
	for _, p := range w.Parts() {
		s, known := w.seen[p.name]
		patience := w.Within / 2
		if p.resting {
			patience = longestRest
		}
		switch {
		case !known || s.steps != p.steps || s.rests && !p.resting: // which has only just ended its rest
			if s.stuck {
				w.Log.Info("it gets on again", "part", p.name)
			}
			s = sighting{steps: p.steps, at: now}
		case now.Sub(s.at) >= patience:
			if !s.stuck {
				w.Log.Error("no progress; the watchdog is not told that all is well", "part", p.name, "for", now.Sub(s.at).Round(time.Second))
			}
			s.stuck, well = true, false
		}
		s.rests = p.resting
		seen[p.name] = s
	}
	w.seen = seen
	return well
}

// watchdog looks at every pipeline, camera, the publisher and the store.
func (d *Daemon) watchdog(p *parts) *watchdog {
	return &watchdog{
		Within: d.Watchdog, Log: d.Log, Parts: p.progress,
		Ping: func() { d.notify(systemd.SdNotifyWatchdog) },
	}
}

// progress is how far each part is.
func (p *parts) progress() []part {
	// While the store rewrites its files, whoever needs it waits.
	busy := p.store.Compacting()
	all := []part{
		{"store", p.probe.beat.steps.Load(), busy},
		{"mqtt", p.published.steps.Load(), busy},
	}
	for _, u := range p.units.list() {
		if u.off {
			continue
		}
		all = append(all, part{"pipeline of " + u.settings.Name, u.pipeline.beat.steps.Load(), busy})
		if u.camera.Status().State != capture.Ended {
			all = append(all, part{"camera " + u.settings.Name, u.reads.steps.Load(), u.reads.resting.Load()})
		}
	}
	return all
}

// probe asks the store for something once a second. Whatever it answers, it
// answers; errors are for those who need the store.
type probe struct {
	Ask func() error

	beat beat
}

// Run asks until ctx ends.
func (p *probe) Run(ctx context.Context) error {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		_ = p.Ask()
		p.beat.step()
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}
