package daemon

import (
	"context"

	"golang.org/x/sync/errgroup"
)

// layers are the daemon's goroutines, in the order in which they stop.
type layers struct {
	watch *layer // what looks after the rest: reloads, the watchdog; it stops before all
	in    *layer // what finds work by itself; the units, cameras with their pipelines, stop with it
	tell  *layer // what follows the events, to the last one of in
	out   *layer // the publisher, which sends what is left and says offline
	http  *layer // the port, which stops beside in and out
	base  *layer // the broker and the store's upkeep
}

func newLayers(ctx context.Context, fail context.CancelCauseFunc) *layers {
	return &layers{newLayer(ctx, fail), newLayer(ctx, fail), newLayer(ctx, fail), newLayer(ctx, fail), newLayer(ctx, fail), newLayer(ctx, fail)}
}

func (l *layers) stop(units *units) {
	l.http.cancel() // somebody's request and a broker that hangs may each take a second
	l.in.cancel()
	stopAll(units.list())
	for _, layer := range []*layer{l.in, l.tell, l.out, l.http, l.base} {
		layer.stop()
	}
}

// layer is goroutines that are stopped together. They outlive the daemon's own
// context, so that layers can be stopped one after the other.
type layer struct {
	group  errgroup.Group
	ctx    context.Context
	cancel context.CancelFunc
	fail   context.CancelCauseFunc
}

func newLayer(parent context.Context, fail context.CancelCauseFunc) *layer {
	l := &layer{fail: fail}
	l.ctx, l.cancel = context.WithCancel(context.WithoutCancel(parent))
	return l
}

// run starts a part. When it fails, all of the daemon stops.
func (l *layer) run(part func(context.Context) error) {
	l.group.Go(func() error {
		if err := part(l.ctx); err != nil {
			l.fail(err)
		}
		return nil
	})
}

// stop ends the layer and waits for it.
func (l *layer) stop() {
	l.cancel()
	_ = l.group.Wait() // errors went to fail
}

// signal wakes who waits for c, which has room for one, or will wait. It never
// blocks.
func signal(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
