package litert

import (
	"errors"
	"fmt"
	"unsafe"

	"facerecd/inference"
)

// open leaves what it has created in m, for Close, also when it fails.
func (m *Model) open(file []byte, opts Options) (err error) {
	if len(file) == 0 {
		return errors.New("the file is empty")
	}
	if opts.Threads < 0 {
		return fmt.Errorf("%d threads: must not be negative", opts.Threads)
	}
	l := m.lib
	l.mu.Lock()
	defer l.mu.Unlock()

	if m.file, err = l.files.take(file); err != nil {
		return err
	}
	if m.env = l.env; opts.GPU {
		if m.env = l.gpu.env; m.env == 0 {
			return errors.New("no GPU was enabled")
		}
	}
	s := l.c.createModelFromBuffer(m.env, unsafe.SliceData(m.file.data), uintptr(len(m.file.data)), &m.model)
	if s != 0 {
		return s.err("read .tflite file")
	}
	if err := m.compile(opts); err != nil {
		return err
	}
	if s := l.c.compiledModelIsFullyAccelerated(m.compiled, &m.fullyAccelerated); s != 0 {
		return s.err("ask whether the model is fully accelerated")
	}
	switch {
	case m.fullyAccelerated || opts.AllowSlow:
	case opts.GPU:
		return errors.New("not fully accelerated: the GPU cannot run all of its operators")
	default:
		return errors.New("not fully accelerated: XNNPACK cannot run all of its operators; rebuild the model without those")
	}
	return m.describe()
}

// compile prepares the model for the CPU or the GPU.
func (m *Model) compile(o Options) error {
	c := &m.lib.c
	var opts options
	if s := c.createOptions(&opts); s != 0 {
		return s.err("create options")
	}
	defer c.destroyOptions(opts)
	// The keys are those that litert/runtime/litert_cpu_options.cc and
	// litert/c/options/litert_gpu_options.cc read.
	hardware, name, toml := acceleratorCPU, "xnnpack", fmt.Sprintf("num_threads = %d\n", max(o.Threads, 1))
	if o.GPU {
		hardware, name, toml = acceleratorGPU, "gpu_options", fmt.Sprintf("precision = %d\n", precisionFP32)
	}
	if s := c.setOptionsHardwareAccelerators(opts, hardware); s != 0 {
		return s.err("choose the processor")
	}
	own, err := c.newOpaqueOptions(name, toml)
	if err != nil {
		return err
	}
	if s := c.addOpaqueOptions(opts, own); s != 0 {
		c.destroyOpaqueOptions(own)
		return s.err("set " + name)
	}
	return c.createCompiledModel(m.env, m.model, opts, &m.compiled).err("compile")
}

// newOpaqueOptions makes an accelerator's own options: a C string in TOML.
func (c *symbols) newOpaqueOptions(name, toml string) (opaqueOptions, error) {
	payload := c.malloc(uintptr(len(toml)) + 1)
	if payload == nil {
		return 0, fmt.Errorf("set %s: out of memory", name)
	}
	copy(unsafe.Slice((*byte)(payload), len(toml)+1), toml+"\x00")
	var opts opaqueOptions
	// It fails only on a null argument, and we give none, so the payload is
	// always handed over and LiteRT frees it.
	s := c.createOpaqueOptions(name, payload, c.free, &opts)
	return opts, s.err("set " + name)
}

// describe reads inputs and outputs from the first signature, and makes their
// buffers.
func (m *Model) describe() (err error) {
	c := &m.lib.c
	var sig signature
	if s := c.getModelSignature(m.model, 0, &sig); s != 0 {
		return s.err("read signature")
	}
	m.inputs, err = m.tensors(sig, &m.in, tensorCalls{
		c.getNumSignatureInputs, c.getSignatureInputName, c.getSignatureInputTensorByIndex,
		c.getCompiledModelInputBufferRequirements,
	})
	if err != nil {
		return fmt.Errorf("input %w", err)
	}
	m.outputs, err = m.tensors(sig, &m.out, tensorCalls{
		c.getNumSignatureOutputs, c.getSignatureOutputName, c.getSignatureOutputTensorByIndex,
		c.getCompiledModelOutputBufferRequirements,
	})
	if err != nil {
		return fmt.Errorf("output %w", err)
	}
	m.args = runArgs(m.compiled, m.in.handles, m.out.handles)
	return nil
}

// tensorCalls are the functions that inputs and outputs have each in their own
// version.
type tensorCalls struct {
	count        func(sig signature, n *uintptr) status
	name         func(sig signature, index uintptr, name **byte) status
	tensor       func(sig signature, index uintptr, tensor *tensorHandle) status
	requirements func(compiled compiledModel, sig, index uintptr, req *requirements) status
}

func (m *Model) tensors(sig signature, to *buffers, call tensorCalls) ([]inference.Tensor, error) {
	var n uintptr
	if s := call.count(sig, &n); s != 0 {
		return nil, s.err("count")
	}
	tensors := make([]inference.Tensor, n)
	for i := range n {
		if err := m.tensor(sig, i, &tensors[i], to, call); err != nil {
			return nil, fmt.Errorf("%d: %w", i, err)
		}
	}
	return tensors, nil
}

func (m *Model) tensor(sig signature, i uintptr, t *inference.Tensor, to *buffers, call tensorCalls) error {
	c := &m.lib.c
	var name *byte
	if s := call.name(sig, i, &name); s != 0 {
		return s.err("read name")
	}
	t.Name = goString(name)
	var handle tensorHandle
	if s := call.tensor(sig, i, &handle); s != 0 {
		return s.err("read tensor")
	}
	var typ rankedTensorType
	if s := c.getRankedTensorType(handle, &typ); s != 0 {
		return s.err("read type")
	}
	if err := setType(t, &typ); err != nil {
		return err
	}
	if err := c.setQuantization(t, handle); err != nil {
		return err
	}
	var req requirements
	if s := call.requirements(m.compiled, 0, i, &req); s != 0 {
		return s.err("read buffer requirements")
	}
	var size uintptr
	if s := c.getTensorBufferRequirementsBufferSize(req, &size); s != 0 {
		return s.err("read buffer size")
	}
	return to.add(c, &typ, max(int(size), t.Bytes()))
}

func setType(t *inference.Tensor, typ *rankedTensorType) error {
	switch typ.element {
	case elementFloat32:
		t.Type = inference.Float32
	case elementInt8:
		t.Type = inference.Int8
	case elementUint8:
		t.Type = inference.Uint8
	default:
		return fmt.Errorf("%s has LiteRT element type %d; only float32, int8 and uint8 are supported", t.Name, typ.element)
	}
	if typ.rank() > len(typ.dims) {
		return fmt.Errorf("%s has %d dimensions, more than %d", t.Name, typ.rank(), len(typ.dims))
	}
	for _, d := range typ.dims[:typ.rank()] {
		if d <= 0 {
			return fmt.Errorf("%s has no fixed size: %v", t.Name, typ.dims[:typ.rank()])
		}
		t.Shape = append(t.Shape, int(d))
	}
	return nil
}

func (c *symbols) setQuantization(t *inference.Tensor, handle tensorHandle) error {
	var id int32
	if s := c.getQuantizationTypeID(handle, &id); s != 0 {
		return s.err("read quantisation")
	}
	switch {
	case id == quantizationNone && t.Type == inference.Float32:
		return nil
	case id == quantizationNone:
		return fmt.Errorf("%s is %s but has no quantisation", t.Name, t.Type)
	case id != quantizationPerTensor:
		return fmt.Errorf("%s has LiteRT quantisation type %d; only per tensor is supported", t.Name, id)
	}
	var q quantizationPerTensorParams
	if s := c.getPerTensorQuantization(handle, &q); s != 0 {
		return s.err("read quantisation")
	}
	t.Scale, t.ZeroPoint = q.scale, int(q.zeroPoint)
	return nil
}

// goString copies a C string.
func goString(p *byte) string {
	if p == nil {
		return ""
	}
	n := 0
	for *(*byte)(unsafe.Add(unsafe.Pointer(p), n)) != 0 {
		n++
	}
	return string(unsafe.Slice(p, n))
}
