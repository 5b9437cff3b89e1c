package accel

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"facerecd/inference"
	"facerecd/inference/litert"
)

// enough is how long a model is timed at least, once it has seen each picture.
const enough = 100 * time.Millisecond

// Run is the trial itself. It may not return: see litert.Library.EnableGPU.
func Run(r Request) (Report, error) {
	pack, err := inference.LoadPack(r.Models)
	if err == nil {
		pack, err = pack.With(r.Detector)
	}
	if err != nil {
		return Report{}, err
	}
	library, err := litert.Load(r.Runtime)
	if err == nil {
		err = library.EnableGPU(r.Dir)
	}
	if err != nil {
		return Report{}, err
	}
	p := pack.Pipeline
	var report Report
	for _, m := range []model{
		{"detector", pack.Models.Detector, p.Detector.Normalisation, false},
		{"landmarks", pack.Models.Landmarks, p.Landmarks.Normalisation, p.Landmarks.Transposed},
		{"embedding", pack.Models.Embedding, p.Embedding.Normalisation, false},
	} {
		data, err := pack.Read(m.file)
		if err != nil {
			return Report{}, err
		}
		outcome, err := m.try(library, data, r.Threads)
		if err != nil {
			return Report{}, fmt.Errorf("try the %s model: %w", m.role, err)
		}
		report.Models = append(report.Models, outcome)
	}
	return report, nil
}

type model struct {
	role       string
	file       inference.ModelFile
	norm       inference.Normalisation
	transposed bool // wants x before y
}

// try runs the model on both. The error is one of the CPU; what the GPU cannot do
// is in the Outcome.
func (m model) try(library *litert.Library, data []byte, threads int) (o Outcome, err error) {
	o.Model = m.role
	cpu, err := library.Open(data, litert.Options{Threads: threads})
	if err != nil {
		return o, err
	}
	defer func() { _ = cpu.Close() }() // the process ends soon
	in := cpu.Inputs()
	if len(in) != 1 || len(in[0].Shape) != 4 || in[0].Shape[3] != 3 || in[0].Shape[1] != in[0].Shape[2] {
		return o, fmt.Errorf("it does not take one square RGB picture: %v", in)
	}
	side := in[0].Shape[1]
	inputs := m.inputs(in[0])
	want, took, err := run(cpu, inputs, enough)
	if err != nil {
		return o, err
	}
	o.CPU = took

	gpu, err := library.Open(data, litert.Options{GPU: true})
	if err != nil {
		o.Error = inWords(err)
		return o, nil
	}
	defer func() { _ = gpu.Close() }()
	got, took, err := run(gpu, inputs, enough)
	if err != nil {
		o.Error = err.Error()
		return o, nil
	}
	o.GPU = took
	var w worst
	for i := range want {
		if err := w.compare(m.role, want[i], got[i], side); err != nil {
			o.Error = err.Error()
			return o, nil
		}
	}
	o.Differences = w.all
	return o, nil
}

// inWords is what to tell of a model that the GPU does not take.
func inWords(err error) string {
	if strings.Contains(err.Error(), "No adapters found") { // of LiteRT's several lines
		return "there is no GPU that can be used: its Vulkan driver is missing or too old, or the user may not open /dev/dri/renderD*; see docs/gpu.md"
	}
	return err.Error()
}

// inputs are the pictures as the model's input wants them.
func (m model) inputs(t inference.Tensor) (all [][]byte) {
	side := t.Shape[1]
	for _, p := range pictures(side) {
		if m.transposed {
			p = transpose(p, side)
		}
		all = append(all, encode(t, m.norm, p))
	}
	return all
}

// run gives a network's outputs for each input, and the milliseconds of the run
// in the middle, of as many as fit into the time. The first run counts for
// nothing: much is made ready in it.
func run(n inference.Network, inputs [][]byte, enough time.Duration) (all []outputs, median float64, err error) {
	var out [][]byte
	for _, t := range n.Outputs() {
		out = append(out, make([]byte, t.Bytes()))
	}
	if err := n.Run(inputs[:1], out); err != nil {
		return nil, 0, err
	}
	var times []time.Duration
	for began := time.Now(); len(times) < len(inputs) || time.Since(began) < enough; {
		input := inputs[len(times)%len(inputs)]
		start := time.Now()
		if err := n.Run([][]byte{input}, out); err != nil {
			return nil, 0, err
		}
		times = append(times, time.Since(start))
		if len(all) < len(inputs) {
			o := outputs{}
			for i, t := range n.Outputs() {
				o[t.Name] = decode(t, out[i])
			}
			all = append(all, o)
		}
	}
	slices.Sort(times)
	return all, float64(times[len(times)/2].Microseconds()) / 1000, nil
}
