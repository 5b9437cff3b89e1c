package daemon

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"facerecd/capture"
	"facerecd/capture/jpeg"
	"facerecd/capture/source"
	"facerecd/daemon/api"
	"facerecd/daemon/config"
	"facerecd/daemon/event"
	"facerecd/daemon/live"
	"facerecd/daemon/mqtt"
	"facerecd/daemon/track"
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
	vision    *Vision
	roster    *Roster
	renewal   *Renewal
	log       *event.Log
	policy    match.Policy
	publisher *mqtt.Publisher
	broker    *mqtt.Broker // nil: one was configured
	server    *api.Server
	engines   []*Engine
	decoders  []jpeg.Decoder
	cameras   []*capture.Camera
	pipelines []*Pipeline
}

// build makes all parts and starts none. What it made is in parts, to be
// closed, also when it fails.
func (d *Daemon) build() (p *parts, err error) {
	p = &parts{}
	c := d.Config
	if p.vision, err = OpenVision(c.Models, c.Runtime, c.Threads, d.Log); err != nil {
		return p, err
	}
	p.vision.Detector = inference.Mode(c.Detector)
	if p.store, err = store.Open(filepath.Join(c.DataDir, "store"), store.Options{Log: d.Log}); err != nil {
		return p, err
	}
	p.roster = &Roster{Store: p.store, Gallery: match.NewGallery(p.vision.Pack.ID, p.vision.Pack.Pipeline.Embedding.Size)}
	if err := p.roster.Load(); err != nil {
		return p, err
	}
	if !c.KeepCrops {
		// Who turns it off wants no pictures on the disk.
		if n, err := p.store.DropCrops(); err != nil {
			return p, err
		} else if n > 0 {
			d.Log.Info("keep_crops is off: deleted the stored pictures of faces", "crops", n)
		}
	}
	p.renewal = &Renewal{Roster: p.roster, Open: p.vision.Engine, Log: d.Log}
	p.policy = p.vision.Policy(c.Match)
	topics := mqtt.Topics{Base: c.MQTT.Base, Device: config.Slug(c.Device)}
	p.log = &event.Log{
		Store: p.store, Device: c.Device,
		Topic: func(camera string) string { return topics.Event(config.Slug(camera)) },
	}
	if err := d.buildMQTT(p, topics); err != nil {
		return p, err
	}
	if err := d.buildHTTP(p); err != nil {
		return p, err
	}
	for _, camera := range c.Cameras {
		if err := d.buildCamera(p, camera); err != nil {
			return p, err
		}
	}
	d.health.watch(p)
	return p, nil
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
		Topics: topics, Outbox: p.store, Log: d.Log, OnStatus: d.health.broker,
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
		People: p.roster, Events: p.log, Health: d.Health, Cameras: &cameras{d.Health, p},
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
	engine, err := p.engine()
	if err != nil {
		return err
	}
	p.server.Faces = &Faces{Engine: engine, Roster: p.roster, Policy: p.policy, IDs: &event.IDs{}, KeepCrops: d.Config.KeepCrops}
	return nil
}

func (d *Daemon) buildCamera(p *parts, c config.Camera) error {
	engine, err := p.engine()
	if err != nil {
		return err
	}
	decoder := jpeg.New(d.Log)
	p.decoders = append(p.decoders, decoder)
	ids, box := &event.IDs{}, capture.NewMailbox()
	slug := config.Slug(c.Name)
	p.cameras = append(p.cameras, &capture.Camera{
		Name: c.Name, Box: box, Log: d.Log, FrozenAfter: frozenAfter(c),
		OnStatus: tellStatus(c.Name, func(payload []byte) { p.publisher.SetStatus(slug, payload) }, d.Log),
		Open: source.Open(source.Spec{
			Source: c.Source, Width: c.Width, Height: c.Height, FPS: c.FPS, Format: c.Format, Exposure: c.Exposure,
			Hold: c.Hold, Loop: true, Log: d.Log,
		}),
	})
	p.pipelines = append(p.pipelines, &Pipeline{
		Camera: c.Name, Box: box, Engine: engine, Decoder: decoder,
		Turner: inference.Turner{Turn: inference.Turn{Degrees: c.Rotate, Mirror: c.Mirror}},
		Tracker: &track.Tracker{
			Gallery: p.roster.Gallery, Policy: p.policy, MinSeen: d.Config.Match.MinSeen,
			Lost: lost, NewID: ids.Next, Known: p.roster.Known,
		},
		Names:  p.roster.Name,
		Record: p.log.Record,
		Present: func(present mqtt.Present) error {
			payload, err := present.MarshalJSON()
			if err != nil {
				return fmt.Errorf("encode presence: %w", err)
			}
			p.publisher.SetPresent(slug, payload)
			return nil
		},
		Live: &live.Hub{}, Log: d.Log, LogFaces: d.Config.Log.Faces,
	})
	return nil
}

// frozenAfter is the camera's FrozenAfter: what stands still on purpose never
// counts as frozen.
func frozenAfter(c config.Camera) time.Duration {
	if c.FrozenAfter == 0 || !source.Live(c.Source) {
		return -1
	}
	return c.FrozenAfter
}

// engine opens the models once more.
func (p *parts) engine() (*Engine, error) {
	e, err := p.vision.Engine()
	if err == nil {
		p.engines = append(p.engines, e)
	}
	return e, err
}

// close frees what build made, the newest first.
func (p *parts) close() error {
	var errs []error
	for _, decoder := range slices.Backward(p.decoders) {
		errs = append(errs, decoder.Close())
	}
	for _, e := range slices.Backward(p.engines) {
		errs = append(errs, e.Close())
	}
	if p.store != nil {
		errs = append(errs, p.store.Close())
	}
	return errors.Join(errs...)
}
