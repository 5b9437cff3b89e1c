package daemon

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"time"

	systemd "github.com/coreos/go-systemd/v22/daemon"

	"facerecd/daemon/accel"
	"facerecd/daemon/config"
)

// Daemon is the service. Its fields are set before Run and not changed.
type Daemon struct {
	Config  config.Config
	Version string
	Log     *slog.Logger
	// OnReady, when set, is called once by Run when the HTTP port and the
	// broker answer, with the broker's URL.
	OnReady func(broker string)

	// Trial finds out what the GPU is good for. It is needed when Config has
	// another accelerator than the CPU.
	Trial accel.Trial

	// Load reads the configuration again, for Reload.
	Load func() (config.Config, error)
	// Hangup, when set, asks for a Reload whenever it receives.
	Hangup <-chan os.Signal
	// Level, when set, is Log's, and follows log.level.
	Level *slog.LevelVar
	// Notify, when set, tells the service manager how the daemon fares, in the
	// words of sd_notify(3). It is called from several goroutines.
	Notify func(state string)
	// Watchdog is how often the service manager must hear that all is well; 0:
	// it does not listen.
	Watchdog time.Duration

	// Synced, when set, tells whether the clock is right, in the kernel's place.
	Synced func() bool

	health health
	reload reload
}

// Run serves until ctx ends, and returns nil then, or until a part fails that
// the service cannot do without. What cannot be had yet, a camera or a broker,
// is waited for.
//
// It stops in order, within two seconds: the cameras, so that nothing new
// happens; the pipelines, which close their tracks; the publisher, which sends
// what is left and says offline; meanwhile the HTTP port; then the broker and
// the store.
func (d *Daemon) Run(ctx context.Context) (err error) {
	d.notify("STATUS=loads the models and the store")
	p, err := d.build(ctx)
	defer func() { err = errors.Join(err, p.close()) }()
	if err != nil {
		return err
	}

	failed, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	l := newLayers(ctx, fail)
	if err := d.start(failed, p, l); err != nil {
		fail(err)
	}
	<-failed.Done()
	d.notify(systemd.SdNotifyStopping + "\nSTATUS=stops; sends what is left to say")
	l.watch.stop()
	d.reload.end()
	l.stop(&p.units)
	if cause := context.Cause(failed); ctx.Err() == nil {
		return cause
	}
	return nil
}

// start starts the parts, those first that the others need. It returns early
// when ctx ends.
func (d *Daemon) start(ctx context.Context, p *parts, l *layers) error {
	l.base.run(p.store.Run)
	p.publisher.Broker = d.Config.MQTT.Broker
	if p.broker != nil {
		l.base.run(p.broker.Run)
		select {
		case <-p.broker.Ready():
			p.publisher.Broker = p.broker.URL()
		case <-ctx.Done():
			return nil
		}
	}
	// Before anything is recorded or told: the port may be taken.
	listener, err := p.server.Bind(ctx)
	if err != nil {
		return err
	}
	l.out.run(p.publisher.Run)
	l.tell.run(p.sightings.Run)
	for _, u := range p.units.list() {
		u.start(ctx, l.in.fail)
	}
	l.in.run(p.governor.Run)
	l.in.run(p.renewal.Run)
	if p.strangers != nil {
		l.in.run(p.strangers.Run)
	}
	l.in.run(p.announcer.Run)
	l.in.run(d.vitals(p).Run)
	if p.portraits != nil {
		l.in.run(p.portraits.Run)
	}
	if p.fleet != nil {
		l.in.run(p.fleet.Run)
	}
	l.http.run(func(ctx context.Context) error { return p.server.Serve(ctx, listener) })
	l.base.run(p.probe.Run)
	d.reload.begin(d, p, l)
	if d.OnReady != nil {
		d.OnReady(p.publisher.Broker)
	}
	d.notify(systemd.SdNotifyReady)
	l.watch.run(d.herald)
	l.watch.run(d.obey)
	l.watch.run(d.commander(p).Run)
	if d.Watchdog > 0 {
		l.watch.run(d.watchdog(p).Run)
	}
	return nil
}
