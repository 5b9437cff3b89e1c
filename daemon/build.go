package daemon

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/sync/semaphore"

	"facerecd/daemon/api"
	"facerecd/daemon/config"
	"facerecd/daemon/event"
	"facerecd/daemon/fleet"
	"facerecd/daemon/mqtt"
	"facerecd/inference"
	"facerecd/match"
	"facerecd/match/store"
)

// lost is how long a face may be out of sight before it has left: longer than
// somebody looks down or is hidden by a passer-by.
const lost = 2 * time.Second

// parts are what Run puts together.
type parts struct {
	store     *store.Store
	latency   latency
	vision    *Vision
	roster    *Roster
	renewal   *Renewal
	strangers *Strangers // nil: they are not remembered
	log       *event.Log
	policy    atomic.Pointer[match.Policy] // as configured now
	quiet     atomic.Pointer[config.Hours] // likewise
	publisher *mqtt.Publisher
	sightings *sightings
	announcer *announcer
	portraits *portraits   // nil: nobody is to have them
	orders    *mqtt.Line   // of the commander
	fleet     *fleet.Sync  // nil: people are shared with nobody
	broker    *mqtt.Broker // nil: one was configured
	server    *api.Server
	turns     *semaphore.Weighted // of the cameras, one for as many frames as can be worked on at once
	governor  *governor
	probe     probe     // of the store
	published beat      // of the publisher
	engines   []*Engine // of the others; each unit has its own
	units     units
}

// build makes all parts and starts none. What it made is in parts, to be
// closed, also when it fails.
func (d *Daemon) build(ctx context.Context) (p *parts, err error) {
	p = &parts{}
	c := d.Config
	if p.vision, err = OpenVision(c.Models, c.Runtime, c.Threads, d.Log); err != nil {
		return p, err
	}
	p.vision.Detector = inference.Mode(c.Detector)
	p.vision.Accelerate(ctx, c.Accelerator, c.AcceleratorDir, d.Trial)
	tuning := p.tuning(c)
	p.policy.Store(&tuning.Policy)
	p.turns = semaphore.NewWeighted(int64(max(1, runtime.NumCPU()/c.Threads)))
	p.governor = newGovernor(d.Log)
	p.quiet.Store(&tuning.Quiet)
	if p.store, err = openStore(c, func() float32 { return p.policy.Load().Threshold }, d.Log); err != nil {
		return p, err
	}
	p.probe.Ask = func() error { _, _, err := p.store.Setting("probe"); return err }
	p.roster = &Roster{Store: p.store, Gallery: match.NewGallery(p.vision.Pack.ID, p.vision.Pack.Pipeline.Embedding.Size)}
	if err := p.roster.Load(); err != nil {
		return p, err
	}
	if err := d.dropUnwanted(p.store); err != nil {
		return p, err
	}
	if err := d.buildStrangers(p); err != nil {
		return p, err
	}
	p.renewal = &Renewal{Roster: p.roster, Open: p.vision.Engine, Log: d.Log}
	topics := mqtt.Topics{Base: c.MQTT.Base, Device: config.Slug(c.Device)}
	p.log = &event.Log{
		Store: p.store, Device: c.Device,
		Topic:  func(camera string) string { return topics.Event(config.Slug(camera)) },
		Synced: d.Synced, Numbered: p.latency.numbered,
		Pictures: c.History.Pictures,
	}
	if p.log.Synced == nil {
		p.log.Synced = (&event.Clock{}).Synced
	}
	if c.History.Embeddings {
		p.log.Model = p.vision.Pack.ID
	}
	if err := d.buildMQTT(p, topics); err != nil {
		return p, err
	}
	if err := d.buildAnnouncer(p); err != nil {
		return p, err
	}
	d.buildFleet(p)
	if err := d.buildHTTP(p); err != nil {
		return p, err
	}
	for _, camera := range c.Cameras {
		u, err := p.newUnit(d, camera, tuning)
		if err != nil {
			return p, err
		}
		p.units.set(append(p.units.list(), u))
	}
	p.forgetOthers(c.Cameras, d.Log)
	d.health.watch(p)
	return p, nil
}

// dropUnwanted deletes what the configuration has turned off: who does that wants
// none of it on the disk.
func (d *Daemon) dropUnwanted(s *store.Store) error {
	for _, kind := range []struct {
		kept      bool
		key, what string
		drop      func() (int, error)
	}{
		{d.Config.KeepCrops, "keep_crops", "pictures of faces", s.DropCrops},
		{d.Config.History.Pictures, "history.pictures", "pictures of events", s.DropPictures},
		{d.Config.History.Embeddings, "history.embeddings", "embeddings of events", s.DropEmbeddings},
		{d.Config.Unknown.Remember, "unknown.remember", "strangers", (&Strangers{Store: s}).Drop},
		{d.Config.Unknown.Pictures, "unknown.pictures", "pictures of strangers", s.DropPortraits},
	} {
		if kind.kept {
			continue
		}
		if n, err := kind.drop(); err != nil {
			return err
		} else if n > 0 {
			d.Log.Info(kind.key+" is off: deleted the stored "+kind.what, "count", n)
		}
	}
	return nil
}

// buildStrangers remembers who is not enrolled.
func (d *Daemon) buildStrangers(p *parts) error {
	c := d.Config
	if !c.Unknown.Remember {
		return nil
	}
	p.strangers = &Strangers{
		Store: p.store, Roster: p.roster, IDs: &event.IDs{}, Policy: p.policy.Load,
		Days: c.Unknown.Days, Pictures: c.Unknown.Pictures, KeepCrops: c.KeepCrops, Log: d.Log,
	}
	p.roster.ForgetAlike = p.strangers.ForgetAlike
	return p.strangers.Load()
}

func (d *Daemon) buildMQTT(p *parts, topics mqtt.Topics) error {
	c := d.Config.MQTT
	tls, err := brokerTLS(c.TLS)
	if err != nil {
		return err
	}
	p.publisher = &mqtt.Publisher{
		ClientID: "facerecd-" + topics.Device,
		Username: c.Username, PasswordFile: c.PasswordFile, TLS: tls,
		Topics: topics, Outbox: p.store, Log: d.Log, OnStatus: d.health.broker, OnAck: p.latency.acked, Beat: p.published.step,
	}
	if c.Broker == "" {
		p.broker = &mqtt.Broker{Listen: c.EmbeddedListen, Log: d.Log}
	}
	return nil
}

func (d *Daemon) buildHTTP(p *parts) error {
	c := d.Config.HTTP
	tls, err := serverTLS(c.TLS)
	if err != nil {
		return err
	}
	p.server = &api.Server{
		Listen: c.Listen, TLS: tls, Version: d.Version, Log: d.Log,
		People: p.roster, Events: p.log, Health: d.Health, Metrics: d.measure, Cameras: &cameras{d.condition, p, d.SwitchCamera},
		Settings: func() []api.Setting { return d.settings(p) },
		Check:    func(ctx context.Context) (api.Checkup, error) { return p.roster.Checkup(ctx, *p.policy.Load()) },
	}
	if c.TokenFile != "" {
		token, created, err := api.LoadOrCreateToken(c.TokenFile)
		if err != nil {
			return err
		}
		if created {
			d.Log.Info("made a token for the HTTP port", "file", c.TokenFile)
		}
		p.server.Token = token
	}
	if p.strangers != nil {
		p.server.Strangers = p.strangers
	}
	engine, err := p.engine()
	if err != nil {
		return err
	}
	ids := &event.IDs{}
	faces := &Faces{Engine: engine, Roster: p.roster, Policy: p.policy.Load, IDs: ids, KeepCrops: d.Config.KeepCrops}
	p.server.Faces, p.server.History = faces, &History{event.History{Records: p.store}, faces, p.sightings.recall}
	p.server.Backups = &Backups{Roster: p.roster, IDs: ids, Keep: keeps(d.Config), Log: d.Log}
	return nil
}

// engine opens the models once more.
func (p *parts) engine() (*Engine, error) {
	e, err := p.vision.Engine()
	if err == nil {
		p.engines = append(p.engines, e)
	}
	return e, err
}

// tuning is what the configuration has for each pipeline.
func (p *parts) tuning(c config.Config) Tuning {
	return Tuning{Policy: p.vision.Policy(c.Match), MinSeen: c.Match.MinSeen, LogFaces: c.Log.Faces, Quiet: c.Quiet}
}

// close frees what build made, the newest first.
func (p *parts) close() error {
	errs := []error{closeAll(p.units.list())}
	for _, e := range slices.Backward(p.engines) {
		errs = append(errs, e.Close())
	}
	if p.store != nil {
		errs = append(errs, p.store.Close())
	}
	return errors.Join(errs...)
}
