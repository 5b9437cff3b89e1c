package daemon

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"

	"facerecd/daemon/accel"
	"facerecd/daemon/config"
	"facerecd/inference"
	"facerecd/inference/litert"
	"facerecd/match"
)

// Vision is a loaded model pack with the runtime to run it. It is safe for
// concurrent use; the engines that it makes are for one goroutine each.
type Vision struct {
	Pack *inference.Pack
	// Detector is how the engines search for faces; "" is Full. Set it before
	// the first Engine.
	Detector inference.Mode
	// Wrap sees each network before an engine gets it, to measure it; nil for
	// nobody.
	Wrap func(role string, n inference.Network) inference.Network

	library *litert.Library
	threads int
	log     *slog.Logger

	mu       sync.Mutex
	decision accel.Decision // zero: all on the CPU
}

// OpenVision reads the model pack in dir and loads LiteRT from runtime, or
// from where litert.Find finds it when that is empty.
func OpenVision(dir, runtime string, threads int, log *slog.Logger) (*Vision, error) {
	pack, err := inference.LoadPack(dir)
	if err != nil {
		return nil, err
	}
	path, err := litert.Find(runtime)
	if err != nil {
		return nil, err
	}
	library, err := litert.Load(path)
	if err != nil {
		return nil, err
	}
	return &Vision{Pack: pack, library: library, threads: threads, log: log}, nil
}

// TryGPU decides what runs on the GPU by setting, one of accel's, and a trial of
// its library in dir, "" for that of libLiteRt.so. With accel.CPU nothing is
// tried.
func (v *Vision) TryGPU(ctx context.Context, setting, dir string, try accel.Trial) accel.Decision {
	if setting != accel.Auto && setting != accel.GPU {
		return accel.Decision{}
	}
	report, err := try(ctx, accel.Request{
		Models: v.Pack.Dir, Runtime: v.Runtime(), Dir: v.gpuDir(dir),
		Detector: cmp.Or(v.Detector, inference.Full), Threads: v.threads,
	})
	return accel.Decide(setting, report, err)
}

func (v *Vision) gpuDir(dir string) string { return cmp.Or(dir, filepath.Dir(v.Runtime())) }

// Accelerate has those models run on the GPU that TryGPU decides on. It is called
// before the first Engine, if at all, and holds for as long as the Vision. There
// is no error: without a GPU there is still the CPU.
func (v *Vision) Accelerate(ctx context.Context, setting, dir string, try accel.Trial) {
	d := v.TryGPU(ctx, setting, dir, try)
	if d.Any() {
		if err := v.library.EnableGPU(v.gpuDir(dir)); err != nil {
			d = d.Without(err.Error(), accel.Roles()...)
		}
	}
	v.mu.Lock()
	v.decision = d
	v.mu.Unlock()
	for _, c := range d.Choices {
		level := slog.LevelInfo
		if setting == accel.GPU && !c.GPU {
			level = slog.LevelWarn
		}
		v.log.Log(ctx, level, "a model was tried on the GPU", "model", c.Model, "runs", c.String())
	}
}

// Decision is where the models run.
func (v *Vision) Decision() accel.Decision {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.decision
}

// Runtime is the path of the LiteRT library.
func (v *Vision) Runtime() string { return v.library.Path() }

// Policy is the pack's open-set decision, where the configuration has none of
// its own.
func (v *Vision) Policy(own config.Match) match.Policy {
	d := v.Pack.Decision
	return match.Policy{
		Threshold: cmp.Or(float32(own.Threshold), d.Threshold),
		Margin:    cmp.Or(float32(own.Margin), d.Margin),
		Slope:     d.Confidence.Slope,
		Offset:    d.Confidence.Offset,
	}
}

// Engine is an inference.Engine with the models that it runs.
type Engine struct {
	*inference.Engine
	models []*litert.Model
}

// Engine opens the pack's models once more. The caller closes it.
func (v *Vision) Engine() (_ *Engine, err error) {
	pack, err := v.Pack.With(cmp.Or(v.Detector, inference.Full))
	if err != nil {
		return nil, err
	}
	e := &Engine{}
	defer func() {
		if err != nil {
			err = errors.Join(err, e.Close())
		}
	}()
	var networks []inference.Network
	for _, m := range []struct {
		role string
		file inference.ModelFile
	}{{"detector", pack.Models.Detector}, {"landmarks", pack.Models.Landmarks}, {"embedding", pack.Models.Embedding}} {
		data, err := pack.Read(m.file)
		if err != nil {
			return e, err
		}
		model, err := v.open(m.role, data)
		if err != nil {
			return e, fmt.Errorf("open the %s model: %w", m.role, err)
		}
		e.models = append(e.models, model)
		networks = append(networks, model)
		if v.Wrap != nil {
			networks[len(networks)-1] = v.Wrap(m.role, model)
		}
	}
	e.Engine, err = inference.NewEngine(pack, networks[0], networks[1], networks[2])
	return e, err
}

// open opens a model where the decision has it. One that the GPU cannot take any
// more, for lack of memory, say, goes to the CPU for good.
func (v *Vision) open(role string, data []byte) (*litert.Model, error) {
	if v.Decision().OnGPU(role) {
		// Not in the log: LiteRT warns of each such model that its buffers are
		// the CPU's, which ours always are.
		model, err := v.library.Open(data, litert.Options{GPU: true})
		if err == nil {
			return model, nil
		}
		v.log.Warn("a model that ran on the GPU in the trial does not now, and goes to the CPU", "model", role, "err", err)
		v.mu.Lock()
		v.decision = v.decision.Without(err.Error(), role)
		v.mu.Unlock()
	}
	return v.library.Open(data, litert.Options{Threads: v.threads, Log: v.log})
}

// Close frees the models. Nothing may use the Engine any more.
func (e *Engine) Close() error {
	var errs []error
	for _, m := range e.models {
		errs = append(errs, m.Close())
	}
	return errors.Join(errs...)
}
