package daemon

import (
	"context"
	"fmt"

	"facerecd/daemon/api"
	"facerecd/daemon/config"
	"facerecd/daemon/live"
)

// cameras is the daemon's api.Cameras.
type cameras struct {
	health func() api.Health
	parts  *parts
}

// List implements api.Cameras.
func (c *cameras) List() []api.Camera {
	var all []api.Camera
	for i, h := range c.health().Cameras {
		width, height := c.parts.pipelines[i].Size()
		all = append(all, api.Camera{CameraHealth: h, Slug: config.Slug(h.Name), Width: width, Height: height})
	}
	return all
}

// Next implements api.Cameras.
func (c *cameras) Next(ctx context.Context, name string, o api.Overlay) (api.Picture, error) {
	for _, p := range c.parts.pipelines {
		if p.Camera == name {
			picture, err := p.Live.Next(ctx, live.Overlay(o))
			return api.Picture(picture), err
		}
	}
	return api.Picture{}, fmt.Errorf("there is no camera %q", name)
}
