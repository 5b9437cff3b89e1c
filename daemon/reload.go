package daemon

import (
	"context"
	"errors"
	"log/slog"
	"reflect"
	"slices"
	"strings"
	"sync"

	systemd "github.com/coreos/go-systemd/v22/daemon"

	"facerecd/daemon/config"
)

// reload is what a change of the configuration needs while the daemon runs.
type reload struct {
	mu      sync.Mutex    // one reload at a time
	running config.Config // what holds: the start's, with what reloads have applied
	parts   *parts
	layers  *layers // nil before the start and after the end
}

// begin allows reloads; end waits for one under way and allows no more.
func (r *reload) begin(d *Daemon, p *parts, l *layers) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.running, r.parts, r.layers = d.Config, p, l
}

func (r *reload) end() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.layers = nil
}

// obey reloads whenever Hangup receives, until ctx ends.
func (d *Daemon) obey(ctx context.Context) error {
	for {
		select {
		case <-d.Hangup:
			if err := d.Reload(); err != nil && ctx.Err() == nil {
				d.Log.Error("the configuration was not reloaded, the one before stays in force", "err", err)
			}
		case <-ctx.Done():
			return nil
		}
	}
}

// Reload reads the configuration again and applies what can be applied while
// the daemon runs: cameras that were added, changed or removed start and stop,
// each by itself, and match, quiet and log hold at once. Of whatever else has changed
// the log and the health (restart_needed) say that it needs a restart.
//
// After an error, which the health repeats as config_rejected until a reload
// succeeds, nothing has changed. It may be called from any goroutine, after
// OnReady.
func (d *Daemon) Reload() error {
	r := &d.reload
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.layers == nil || d.Load == nil {
		return errors.New("facerecd cannot reload its configuration now: restart it")
	}
	d.notify(reloading())
	defer d.notify(systemd.SdNotifyReady)
	next, err := d.Load()
	if err == nil {
		err = d.apply(next)
	}
	if err != nil {
		d.health.rejected(err)
		return err
	}
	d.health.reloaded(r.waiting(next))
	return nil
}

// waiting lists the keys that a restart would change.
func (r *reload) waiting(next config.Config) []string {
	return slices.DeleteFunc(r.running.Changed(next), func(key string) bool {
		return strings.HasPrefix(key, "cameras[") || strings.HasPrefix(key, "match.") || key == "quiet" || strings.HasPrefix(key, "log.")
	})
}

// apply makes all that is new before it stops anything. The caller holds
// reload.mu.
func (d *Daemon) apply(next config.Config) error {
	r, p := &d.reload, d.reload.parts
	tuning := p.tuning(next)
	old := p.units.list()
	var all, fresh []*unit
	for _, c := range next.Cameras {
		if i := slices.IndexFunc(old, func(u *unit) bool { return reflect.DeepEqual(u.settings, c) }); i >= 0 {
			all = append(all, old[i])
			continue
		}
		u, err := p.newUnit(d, c, tuning)
		if err != nil {
			return errors.Join(err, closeAll(fresh))
		}
		all, fresh = append(all, u), append(fresh, u)
		if r.layers.watch.ctx.Err() != nil { // opening the models takes a slow processor seconds
			return errors.Join(errors.New("facerecd is about to end"), closeAll(fresh))
		}
	}
	gone := slices.DeleteFunc(slices.Clone(old), func(u *unit) bool { return slices.Contains(all, u) })

	stopAll(gone)
	p.policy.Store(&tuning.Policy)
	p.quiet.Store(&tuning.Quiet)
	for _, u := range all {
		u.pipeline.Retune(tuning)
	}
	p.forgetOthers(next.Cameras, d.Log)
	for _, u := range fresh {
		u.start(r.layers.in.ctx, r.layers.in.fail)
	}
	p.units.set(all)
	if err := closeAll(gone); err != nil {
		d.Log.Warn("a camera that is not needed any more was not closed well", "err", err)
	}
	if d.Level != nil {
		d.Level.Set(next.Log.Level)
	}
	waiting := r.waiting(next)
	r.running.Cameras, r.running.Match, r.running.Quiet, r.running.Log = next.Cameras, next.Match, next.Quiet, next.Log
	d.Log.Info("the configuration was reloaded", "cameras_started", names(fresh), "cameras_stopped", names(gone))
	if len(waiting) > 0 {
		d.Log.Warn("some changes need a restart: systemctl restart facerecd", "keys", waiting)
	}
	return nil
}

// told is the store's setting that lists the cameras of which the broker holds
// something, as slugs between slashes.
const told = "cameras_told"

// forgetOthers clears what the broker still holds of cameras that are not among
// these, also of those that were taken out while the daemon did not run.
func (p *parts) forgetOthers(cameras []config.Camera, log *slog.Logger) {
	var now []string
	for _, c := range cameras {
		now = append(now, config.Slug(c.Name))
	}
	before, err := p.slugs(told)
	for _, slug := range before {
		if !slices.Contains(now, slug) {
			p.publisher.Forget(slug)
		}
	}
	if err == nil && !slices.Equal(now, before) {
		err = p.setSlugs(told, now)
	}
	if err != nil {
		log.Warn("should a camera be taken out of the configuration, its MQTT topics will keep their last values", "err", err)
	}
}

func names(all []*unit) []string {
	list := make([]string, len(all))
	for i, u := range all {
		list[i] = u.settings.Name
	}
	return list
}
