package litert

import (
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"sync"

	"facerecd/inference"
)

var _ inference.Network = (*Model)(nil)

// Options say how a model is to run.
type Options struct {
	// Threads is how many threads one Run may use; 0 means 1.
	Threads int
	// GPU runs the model on the GPU, after Library.EnableGPU. What the GPU then
	// gives has to be compared with what the CPU gives before it is believed.
	GPU bool
	// AllowSlow accepts a model with operators that XNNPACK cannot run.
	// LiteRT's own kernels for them cost two to five times as much, so Open
	// refuses such a model otherwise.
	AllowSlow bool
	// Log takes LiteRT's warnings about a model that works all the same.
	// They are dropped when it is nil. What LiteRT prints about a failure is
	// in the error.
	Log *slog.Logger
}

// ErrClosed is what Run returns after Close.
var ErrClosed = errors.New("the model is closed")

// Model is a compiled model with its buffers. Run and Close may be called from
// several goroutines and take turns; different models of a Library run at the
// same time. Close it when it is no longer needed, or its memory stays.
type Model struct {
	lib              *Library
	env              environment // of lib, for the CPU or the GPU
	log              *slog.Logger
	inputs, outputs  []inference.Tensor
	fullyAccelerated bool

	mu       sync.Mutex
	closed   bool
	file     *file // LiteRT reads from it as long as the model lives
	model    modelHandle
	compiled compiledModel
	in, out  buffers
	args     []uintptr // of a run
}

// Open compiles a model, the bytes of a .tflite file, which are copied, once for all
// models of the same. Inputs
// and outputs are those of its first signature, or of its main graph when it
// has none.
//
// It fails when the file is damaged, when an input or output has a type other
// than float32, int8 and uint8, an unknown size or a quantisation that is not
// per tensor, and when the model is not fully accelerated, see
// Options.AllowSlow.
//
// LiteRT checks the file's structure, not that its numbers make sense: only
// open models from a source that is trusted, such as one whose hash is known.
func (l *Library) Open(model []byte, opts Options) (*Model, error) {
	m := &Model{lib: l, log: opts.Log}
	if err := l.says.explain(m.open(model, opts), opts.Log); err != nil {
		return nil, errors.Join(fmt.Errorf("open model: %w", err), m.Close())
	}
	return m, nil
}

// Inputs describes the inputs, in the order in which Run takes them.
func (m *Model) Inputs() []inference.Tensor { return m.inputs }

// Outputs describes the outputs, in the order in which Run gives them.
func (m *Model) Outputs() []inference.Tensor { return m.outputs }

// FullyAccelerated tells whether XNNPACK, or the GPU, runs every operator of the
// model.
func (m *Model) FullyAccelerated() bool { return m.fullyAccelerated }

// Run implements inference.Network. When a buffer has the wrong size, nothing
// is run or written.
func (m *Model) Run(in, out [][]byte) error {
	if err := checkSizes("input", m.inputs, in); err != nil {
		return err
	}
	if err := checkSizes("output", m.outputs, out); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return fmt.Errorf("run model: %w", ErrClosed)
	}
	for i, b := range in {
		copy(m.in.memory[i], b)
	}
	s := m.lib.c.run(m.args)
	runtime.KeepAlive(m) // and with it what args point to
	if s != 0 {
		return m.lib.says.explain(s.err("run model"), nil)
	}
	for i, b := range out {
		copy(b, m.out.memory[i])
	}
	return nil
}

func checkSizes(kind string, tensors []inference.Tensor, buffers [][]byte) error {
	if len(buffers) != len(tensors) {
		return fmt.Errorf("run model: got %d %s buffers, want %d", len(buffers), kind, len(tensors))
	}
	for i, t := range tensors {
		if len(buffers[i]) != t.Bytes() {
			return fmt.Errorf("run model: %s %d (%s) has %d bytes, want %d for %s%v",
				kind, i, t.Name, len(buffers[i]), t.Bytes(), t.Type, t.Shape)
		}
	}
	return nil
}

// Close waits for a Run in progress and frees the model. Closing it again does
// nothing.
func (m *Model) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return nil
	}
	m.closed = true
	m.lib.mu.Lock()
	defer m.lib.mu.Unlock()

	// Everything refers to what was created before it.
	c := &m.lib.c
	err := errors.Join(m.in.free(c), m.out.free(c))
	if m.compiled != 0 {
		c.destroyCompiledModel(m.compiled)
	}
	if m.model != 0 {
		c.destroyModel(m.model)
	}
	if m.file != nil {
		err = errors.Join(err, m.lib.files.leave(m.file))
	}
	if err := m.lib.says.explain(err, m.log); err != nil {
		return fmt.Errorf("close model: %w", err)
	}
	return nil
}
