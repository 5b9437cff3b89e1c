package inference

import (
	"encoding/binary"
	"fmt"
	"maps"
	"math"
	"slices"
)

// port is one input or output of a network with its buffer.
type port struct {
	Tensor
	raw    []byte
	values []float32 // outputs only: raw as real numbers, after read
}

func newPort(t Tensor) port {
	return port{Tensor: t, raw: make([]byte, t.Bytes()), values: make([]float32, t.Elements())}
}

// network is a Network with buffers, and its outputs by name.
type network struct {
	net     Network
	side    int // of the input picture, in pixels
	input   port
	outputs []port
	in, out [][]byte
}

// The sides that an input picture may have: below there is no face to see,
// above the pictures would fill a small board's memory.
const minSide, maxSide = 16, 1024

// anySide lets a model say by its input how large its pictures are.
const anySide = 0

// newNetwork checks that net takes one square RGB picture, of size x size or
// anySide, and gives the named outputs with the given numbers of elements.
func newNetwork(role string, net Network, size int, outputs map[string]int) (*network, error) {
	ins := net.Inputs()
	side := size
	if side == anySide && len(ins) == 1 && len(ins[0].Shape) == 4 {
		side = ins[0].Shape[1]
	}
	if len(ins) != 1 || !slices.Equal(ins[0].Shape, []int{1, side, side, 3}) {
		if size == anySide {
			return nil, fmt.Errorf("the %s model does not take one square RGB picture (1 x side x side x 3): %v", role, ins)
		}
		return nil, fmt.Errorf("the %s model does not take one 1x%dx%dx3 input: %v", role, size, size, ins)
	}
	if side < minSide || side > maxSide {
		return nil, fmt.Errorf("the %s model takes pictures of %[2]dx%[2]d: sides of %[3]d to %[4]d are possible", role, side, minSide, maxSide)
	}
	n := &network{net: net, side: side, input: newPort(ins[0])}
	n.in = [][]byte{n.input.raw}
	for _, t := range net.Outputs() {
		n.outputs = append(n.outputs, newPort(t))
		n.out = append(n.out, n.outputs[len(n.outputs)-1].raw)
	}
	for _, name := range slices.Sorted(maps.Keys(outputs)) {
		elements := outputs[name]
		i := slices.IndexFunc(n.outputs, func(p port) bool { return p.Name == name })
		if i < 0 || n.outputs[i].Elements() != elements {
			return nil, fmt.Errorf("the %s model has no output %q of %d numbers: %v", role, name, elements, net.Outputs())
		}
	}
	return n, nil
}

// run normalises rgb (0..255) into the input, runs the network, and reads its
// outputs.
func (n *network) run(rgb []float32, norm Normalisation) error {
	n.input.write(rgb, norm)
	if err := n.net.Run(n.in, n.out); err != nil {
		return err
	}
	for i := range n.outputs {
		n.outputs[i].read()
	}
	return nil
}

// output is the named output of the last run, valid until the next.
func (n *network) output(name string) []float32 {
	for i := range n.outputs {
		if n.outputs[i].Name == name {
			return n.outputs[i].values
		}
	}
	return nil // newNetwork made sure of the names
}

// write fills the buffer from a picture's values.
func (p *port) write(rgb []float32, norm Normalisation) {
	if p.Type == Float32 {
		scale := 1 / norm.Std
		for i, v := range rgb {
			binary.NativeEndian.PutUint32(p.raw[4*i:], math.Float32bits((v-norm.Mean)*scale))
		}
		return
	}
	low, high := float32(math.MinInt8), float32(math.MaxInt8)
	if p.Type == Uint8 {
		low, high = 0, math.MaxUint8
	}
	// q = round((v-mean)/std/scale + zero). Adding half after a shift to
	// positive numbers rounds by truncation, several times faster than Round.
	const shift = 1 << 10
	gain := 1 / (norm.Std * p.Scale)
	offset := float32(p.ZeroPoint) - norm.Mean*gain
	for i, v := range rgb {
		q := min(max(v*gain+offset, low), high)
		p.raw[i] = byte(int32(q+shift+0.5) - shift)
	}
}

// read turns the buffer into real numbers.
func (p *port) read() {
	switch p.Type {
	case Float32:
		for i := range p.values {
			p.values[i] = math.Float32frombits(binary.NativeEndian.Uint32(p.raw[4*i:]))
		}
	case Int8:
		for i, b := range p.raw {
			p.values[i] = p.Scale * float32(int(int8(b))-p.ZeroPoint)
		}
	case Uint8:
		for i, b := range p.raw {
			p.values[i] = p.Scale * float32(int(b)-p.ZeroPoint)
		}
	}
}
