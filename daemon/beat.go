package daemon

import (
	"context"
	"sync/atomic"

	"facerecd/capture"
)

// beat is the progress of a part of the daemon, which the watchdog looks at.
type beat struct {
	steps   atomic.Uint64
	resting atomic.Bool // waiting on purpose, for as long as it takes
}

// step says that the part has come one step further.
func (b *beat) step() { b.steps.Add(1) }

// begin says that the part has begun what must not take long; end, that it is
// done and rests.
func (b *beat) begin() {
	b.steps.Add(1)
	b.resting.Store(false)
}

func (b *beat) end() {
	b.resting.Store(true)
	b.steps.Add(1)
}

// watch is a capture.Camera's Open whose source beats in each call. The camera
// bounds its calls itself, by seconds: one that lasts longer hangs in a driver
// that hears nobody.
func (b *beat) watch(open func(context.Context) (capture.Source, error)) func(context.Context) (capture.Source, error) {
	b.resting.Store(true) // until the first call
	return func(ctx context.Context) (capture.Source, error) {
		b.begin()
		defer b.end()
		src, err := open(ctx)
		if err != nil {
			return nil, err
		}
		return &watched{src, b}, nil
	}
}

// watched is a source that beats.
type watched struct {
	capture.Source
	beat *beat
}

func (w *watched) Read(ctx context.Context, f *capture.Frame) error {
	w.beat.begin()
	defer w.beat.end()
	return w.Source.Read(ctx, f)
}

func (w *watched) Close() error {
	w.beat.begin()
	defer w.beat.end()
	return w.Source.Close()
}
