package daemon

import (
	"context"
	"errors"

	"facerecd/daemon/api"
	"facerecd/daemon/config"
	"facerecd/daemon/live"
)

// cameras is the daemon's api.Cameras.
type cameras struct {
	health func() api.Health
	parts  *parts
	toggle func(camera string, on bool) error
}

// List implements api.Cameras.
func (c *cameras) List() []api.Camera {
	var all []api.Camera
	for _, h := range c.health().Cameras {
		camera := api.Camera{CameraHealth: h, Slug: config.Slug(h.Name)}
		if u := c.parts.units.named(h.Name); u != nil { // else it was taken out this moment
			camera.Width, camera.Height = u.pipeline.Size()
		}
		all = append(all, camera)
	}
	return all
}

// Next implements api.Cameras. Who watches a camera that a reload takes out
// gets an error.
func (c *cameras) Next(ctx context.Context, name string, o api.Overlay) (api.Picture, error) {
	u := c.parts.units.named(name)
	if u == nil {
		return api.Picture{}, api.ErrCameraChanged
	}
	if u.off {
		return api.Picture{}, api.ErrCameraOff
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(u.work.ctx, func() { cancel(api.ErrCameraChanged) })()
	picture, err := u.pipeline.Live.Next(ctx, live.Overlay(o))
	if err != nil && errors.Is(context.Cause(ctx), api.ErrCameraChanged) {
		err = api.ErrCameraChanged
	}
	return api.Picture(picture), err
}

// Switch implements api.Cameras.
func (c *cameras) Switch(name string, on bool) error {
	if c.parts.units.named(name) == nil {
		return api.ErrCameraChanged
	}
	return c.toggle(name, on)
}
