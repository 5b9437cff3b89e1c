package daemon

import (
	"context"
	"errors"
	"image"
	"log/slog"
	"maps"
	"sync"

	"facerecd/daemon/event"
	"facerecd/daemon/live"
	"facerecd/daemon/mqtt"
	"facerecd/daemon/track"
	"facerecd/inference"
)

// portraits publishes pictures of the last faces. One that comes before the one
// before it was published takes its place.
type portraits struct {
	Line   *mqtt.Line
	Topics mqtt.Topics
	Log    *slog.Logger

	came chan struct{}

	mu    sync.Mutex
	newer map[string][]byte // by camera slug
}

// put never blocks.
func (p *portraits) put(slug string, jpeg []byte) {
	p.mu.Lock()
	p.newer[slug] = jpeg
	p.mu.Unlock()
	signal(p.came)
}

func (p *portraits) take() map[string][]byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := maps.Clone(p.newer)
	clear(p.newer)
	return all
}

// Run publishes until ctx ends. What comes while the broker is away is not kept:
// a late picture would pass for one of now.
func (p *portraits) Run(ctx context.Context) error {
	for {
		conn, err := p.Line.Conn(ctx)
		if err != nil {
			return nil
		}
		p.take()
		for lost := false; !lost; {
			select {
			case <-ctx.Done():
				return nil
			case <-conn.Lost():
				lost = true
			case <-p.came:
				for slug, jpeg := range p.take() {
					if err := conn.PublishOnce(ctx, p.Topics.Face(slug), jpeg); err != nil && ctx.Err() == nil && !errors.Is(err, mqtt.ErrConnOver) {
						p.Log.Warn("a picture of a face was not published", "err", err)
					}
				}
			}
		}
	}
}

// portrait is the picture of a face that was made when it was taken for what.
type portrait struct {
	what event.Type
	jpeg []byte
}

// portray makes a picture of each face of which there is something to tell in
// this frame.
func (p *Pipeline) portray(view inference.View, tracks []*track.Track) {
	if p.Portray == nil && !p.Pictures {
		return
	}
	portrayed := make(map[string]portrait, len(tracks))
	for _, tr := range tracks {
		is := p.portrayed[tr.ID]
		if tr.Announced != "" && tr.Announced != is.what {
			is = portrait{tr.Announced, p.picture(view, tr)}
		}
		portrayed[tr.ID] = is
	}
	p.portrayed = portrayed
}

// picture is the face of a track with half its size around it; nil when there is
// none to be made.
func (p *Pipeline) picture(view inference.View, tr *track.Track) []byte {
	b := tr.Box.Pixels(view.Width, view.Height)
	jpeg, err := live.Crop(view, image.Rect(b[0], b[1], b[0]+b[2], b[1]+b[3]).Inset(-max(b[2], b[3])/2))
	if err != nil {
		p.Log.Error("no picture of a face can be made", "camera", p.Camera, "err", err)
	}
	return jpeg
}
