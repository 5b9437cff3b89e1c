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
	raw []byte
}

func newPort(t Tensor) port {
	return port{Tensor: t, raw: make([]byte, t.Bytes())}
}

// network is a Network with buffers, and its outputs by name.
type network struct {
	net     Network
	side    int // of the input picture, in pixels
	input   port
	outputs []port
	in, out [][]byte
	rgb     []float32 // the picture for an input of real numbers
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

// show draws what toView shows of v into the input, with x and y exchanged if
// transposed.
func (n *network) show(s *sampler, v View, toView Transform, transposed bool, norm Normalisation) {
	across, down := 3, 3*n.side
	if transposed {
		across, down = down, across
	}
	t := target{across: across, down: down}
	if n.input.Type == Float32 {
		n.rgb = slices.Grow(n.rgb[:0], 3*n.side*n.side)[:3*n.side*n.side]
		t.floats = n.rgb
		t.matrix = matrix{levels: v.Levels, gray: v.Planes[1].Pix == nil}
	} else {
		t.bytes = n.input.raw
		t.matrix = newMatrix(&v, n.input.code(norm))
	}
	s.resize(t, v.Levels, v.colours(), toView, n.side)
	if t.floats != nil {
		n.input.write(t.floats, norm)
	}
}

// run runs the network on what is in its input.
func (n *network) run() error { return n.net.Run(n.in, n.out) }

// output is the named output of the last run, valid until the next.
func (n *network) output(name string) *port {
	for i := range n.outputs {
		if n.outputs[i].Name == name {
			return &n.outputs[i]
		}
	}
	return nil // newNetwork made sure of the names
}

// code is how the input has the levels of a picture; only for integer types.
func (p *port) code(norm Normalisation) code {
	c := code{low: math.MinInt8, high: math.MaxInt8}
	if p.Type == Uint8 {
		c.low, c.high = 0, math.MaxUint8
	}
	c.gain = min(1/(norm.Std*p.Scale), maxGain)
	c.offset = float32(p.ZeroPoint) - norm.Mean*c.gain
	return c
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
	code, raw := p.code(norm), p.raw[:len(rgb)]
	for i, v := range rgb {
		raw[i] = byte(code.of(v))
	}
}

// at is element i as a real number.
func (p *port) at(i int) float32 {
	switch p.Type {
	case Int8:
		return p.Scale * float32(int(int8(p.raw[i]))-p.ZeroPoint)
	case Uint8:
		return p.Scale * float32(int(p.raw[i])-p.ZeroPoint)
	}
	return math.Float32frombits(binary.NativeEndian.Uint32(p.raw[4*i:]))
}
