package inference

import "fmt"

// ElementType is the type of one tensor element.
type ElementType uint8

// The element types that face models use.
const (
	Float32 ElementType = iota
	Int8
	Uint8
)

// Size is the width of one element in bytes.
func (t ElementType) Size() int {
	if t == Float32 {
		return 4
	}
	return 1
}

func (t ElementType) String() string {
	switch t {
	case Float32:
		return "float32"
	case Int8:
		return "int8"
	case Uint8:
		return "uint8"
	}
	return fmt.Sprintf("ElementType(%d)", uint8(t))
}

// Tensor describes an input or output of a Network. For the integer types a
// stored q stands for Scale*(q-ZeroPoint); a float tensor has Scale 0.
type Tensor struct {
	Name      string
	Shape     []int
	Type      ElementType
	Scale     float32
	ZeroPoint int
}

// Elements is the number of elements, the product of the shape.
func (t Tensor) Elements() int {
	n := 1
	for _, d := range t.Shape {
		n *= d
	}
	return n
}

// Bytes is the length of the tensor's buffer.
func (t Tensor) Bytes() int { return t.Elements() * t.Type.Size() }

// Network is a loaded model, declared here by its consumer; litert.Model is
// the one that ships. A Network is used by one goroutine at a time.
type Network interface {
	// Inputs and Outputs are in the order of the model's first signature.
	// The slices belong to the Network and are read only.
	Inputs() []Tensor
	Outputs() []Tensor
	// Run copies in[i] (Inputs()[i].Bytes() long, native byte order) into the
	// model, runs it, and copies its results to out[i]. The buffers belong to
	// the caller.
	Run(in, out [][]byte) error
}
