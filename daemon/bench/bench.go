// Package bench measures how long the stages of a frame take, beside the time
// that the models alone need in the same minute on the same processor.
package bench

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"time"

	"facerecd/capture"
	"facerecd/inference"
)

// Bench takes frames through what the daemon does with a frame that shows a
// face to be looked at: decode, detect, locate, embed, match. After each frame
// the models that it used run once more on their own, as often as the frame
// ran them, so that whatever else the machine does slows both alike.
type Bench struct {
	Engine *inference.Engine
	Models []*Probe // the networks that Engine runs
	View   func(*capture.Frame) (inference.View, error)
	Match  func(embedding []float32)
	Frames []capture.Frame // shown one after the other, again and again
	Warmup int             // frames that are not counted
	Count  int             // frames that are
	// Clock is what is measured; nil is the time that passes.
	Clock func() time.Duration
	// Step is called after each frame; nil for nobody.
	Step func()

	face        inference.Face // one after the other
	allocations uint64
}

// The stages of a frame, in their order.
const (
	Decode = iota // from the camera's bytes to planes; only JPEG has anything to do
	Detect
	Locate // landmarks, alignment, quality
	Embed
	Match
	numStages
)

// StageNames are the stages' names by their number.
func StageNames() [numStages]string {
	return [numStages]string{"decode", "detect", "locate", "embed", "match"}
}

// Sample is what one frame took.
type Sample struct {
	Stages [numStages]time.Duration
	Total  time.Duration
	Models []time.Duration // by Bench.Models: all runs of each, on its own
	Faces  int
}

// Raw is the sum over the models.
func (s *Sample) Raw() (sum time.Duration) {
	for _, m := range s.Models {
		sum += m
	}
	return sum
}

// Run measures until Count frames are done or ctx ends, which is an error. It
// keeps its operating system thread meanwhile.
func (b *Bench) Run(ctx context.Context) ([]Sample, error) {
	if len(b.Frames) == 0 || b.Count < 1 {
		return nil, errors.New("measure frames: there are none")
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if b.Clock == nil {
		start := time.Now()
		b.Clock = func() time.Duration { return time.Since(start) }
	}
	samples := make([]Sample, b.Count)
	models := make([]time.Duration, b.Count*len(b.Models))
	for i := range samples {
		samples[i].Models = models[i*len(b.Models):][:len(b.Models):len(b.Models)]
	}
	runtime.GC() // what came before is not what is measured
	var before, after runtime.MemStats
	for i := -b.Warmup; i < b.Count; i++ {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if i == 0 {
			runtime.ReadMemStats(&before)
		}
		s := &samples[max(i, 0)]
		s.Faces = 0
		if err := b.frame(&b.Frames[(i+b.Warmup)%len(b.Frames)], s); err != nil {
			return nil, err
		}
		for j, m := range b.Models {
			from := b.Clock()
			if err := m.again(); err != nil {
				return nil, fmt.Errorf("run the %s model: %w", m.Role, err)
			}
			s.Models[j] = b.Clock() - from
		}
		if b.Step != nil {
			b.Step()
		}
	}
	runtime.ReadMemStats(&after)
	b.allocations = after.Mallocs - before.Mallocs
	return samples, nil
}

// frame measures one frame.
func (b *Bench) frame(f *capture.Frame, s *Sample) error {
	for _, m := range b.Models {
		m.calls = 0
	}
	s.Stages = [numStages]time.Duration{}
	from := b.Clock()
	last := from
	done := func(stage int) {
		now := b.Clock()
		s.Stages[stage] += now - last
		last = now
	}
	view, err := b.View(f)
	if err != nil {
		return fmt.Errorf("read frame: %w", err)
	}
	done(Decode)
	found, err := b.Engine.Detect(view)
	if err != nil {
		return err
	}
	done(Detect)
	for _, d := range found {
		if err = b.Engine.LocateIn(&b.face, view, d); err != nil {
			return err
		}
		done(Locate)
		if !b.face.Real() {
			continue
		}
		if err := b.Engine.Embed(&b.face); err != nil {
			return err
		}
		done(Embed)
		b.Match(b.face.Embedding)
		done(Match)
		s.Faces++
	}
	s.Total = last - from
	return nil
}

// WithOneFace is the frames in which exactly one face is found.
func (b *Bench) WithOneFace() ([]capture.Frame, error) {
	if b.Clock == nil {
		b.Clock = func() time.Duration { return 0 }
		defer func() { b.Clock = nil }()
	}
	var failed error
	frames := slices.DeleteFunc(slices.Clone(b.Frames), func(f capture.Frame) bool {
		var s Sample
		if err := b.frame(&f, &s); err != nil {
			failed = errors.Join(failed, err)
		}
		return s.Faces != 1
	})
	return frames, failed
}

// Probe is a Network that can be run again as it was run last.
type Probe struct {
	Role string
	inference.Network

	in, out [][]byte
	calls   int
}

// Run implements inference.Network.
func (p *Probe) Run(in, out [][]byte) error {
	p.in, p.out = in, out
	p.calls++
	return p.Network.Run(in, out)
}

// again repeats the last run as often as there were runs since calls was 0.
func (p *Probe) again() error {
	for range p.calls {
		if err := p.Network.Run(p.in, p.out); err != nil {
			return err
		}
	}
	return nil
}
