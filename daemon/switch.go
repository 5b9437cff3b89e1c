package daemon

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"facerecd/daemon/mqtt"
)

// switchedOff is the store's setting that lists the cameras which are switched
// off, as slugs between slashes.
const switchedOff = "recognition_off"

// off tells whether the camera is switched off, as far as the store knows.
func (p *parts) off(slug string) (bool, error) {
	list, err := p.slugs(switchedOff)
	return slices.Contains(list, slug), err
}

// setOff stores whether the camera is switched off. Cameras that are not
// configured any more are left out. The caller holds reload.mu.
func (p *parts) setOff(slug string, off bool) error {
	var list []string
	for _, u := range p.units.list() {
		if u.slug == slug && off || u.slug != slug && u.off {
			list = append(list, u.slug)
		}
	}
	return p.setSlugs(switchedOff, list)
}

// slugs is the store's setting with the key, a list of cameras; setSlugs changes
// it.
func (p *parts) slugs(key string) ([]string, error) {
	list, _, err := p.store.Setting(key)
	return strings.FieldsFunc(string(list), func(r rune) bool { return r == '/' }), err
}

func (p *parts) setSlugs(key string, list []string) error {
	return p.store.SetSetting(key, []byte(strings.Join(list, "/")))
}

var errStopping = errors.New("facerecd is stopping, or has not started yet: try again in a moment")

// SwitchCamera switches the camera with the name on or off. Off, its device is
// closed, and it stays off over restarts. It returns when that is so. From any
// goroutine.
func (d *Daemon) SwitchCamera(camera string, on bool) error {
	r := &d.reload
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.layers == nil {
		return errStopping
	}
	p := r.parts
	u := p.units.named(camera)
	if u == nil {
		return fmt.Errorf("the camera %s was taken out of the configuration", camera)
	}
	if u.off == !on {
		u.declare()
		return nil
	}
	// First what lasts: after a power cut the camera must not be on again.
	if err := p.setOff(u.slug, !on); err != nil {
		return err
	}
	// A camera runs once: another unit takes the place of this one.
	next, err := p.newUnit(d, u.settings, p.tuning(r.running))
	if err != nil {
		return err
	}
	u.stop()
	next.start(r.layers.in.ctx, r.layers.in.fail)
	all := slices.Clone(p.units.list())
	all[slices.Index(all, u)] = next
	p.units.set(all)
	d.Log.Info("recognition was switched", "camera", camera, "on", on)
	return u.close()
}

// declare tells whether the camera is used, and if not, that it sees nothing.
func (p *parts) declare(u *unit) {
	topics := p.publisher.Topics
	if !u.off {
		p.publisher.SetState(topics.Recognition(u.slug), []byte(mqtt.On), 0)
		return
	}
	p.publisher.SetState(topics.Recognition(u.slug), []byte(mqtt.Off), 0)
	// Neither can fail: they are text and times.
	status, _ := mqtt.CameraStatus{Time: time.Now(), Camera: u.settings.Name, State: offState, Since: u.since}.MarshalJSON()
	p.publisher.SetStatus(u.slug, status)
	present, _ := mqtt.Present{Time: u.since, Camera: u.settings.Name}.MarshalJSON()
	p.publisher.SetPresent(u.slug, present)
}

// offState is a camera's that is switched off, beside those of capture.State.
const offState = "off"
