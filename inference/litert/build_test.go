package litert

import (
	"slices"

	flatbuffers "github.com/google/flatbuffers/go"
)

// Operators and tensor types of tflite/schema/schema.fbs.
const (
	opRelu       = 19
	opCustom     = 32
	opLogSoftmax = 50 // XNNPACK has none

	typeFloat32 = 0
	typeInt32   = 2
	typeUint8   = 3
	typeInt8    = 9
)

// tinyModel is a model with one operator that has one input and one output of
// the same shape and type. Its field numbers are those of schema.fbs.
type tinyModel struct {
	op     int32
	custom string // the operator's name when op is opCustom
	typ    int8
	shape  []int32
	scales []float32 // one: per tensor; several: along the last dimension
	zero   int64
}

func (m tinyModel) build() []byte {
	b := flatbuffers.NewBuilder(1024)
	table := func(fields int, set func()) flatbuffers.UOffsetT {
		b.StartObject(fields)
		set()
		return b.EndObject()
	}
	tables := func(offsets ...flatbuffers.UOffsetT) flatbuffers.UOffsetT {
		b.StartVector(4, len(offsets), 4)
		for _, o := range slices.Backward(offsets) {
			b.PrependUOffsetT(o)
		}
		return b.EndVector(len(offsets))
	}
	ints := func(values ...int32) flatbuffers.UOffsetT {
		b.StartVector(4, len(values), 4)
		for _, v := range slices.Backward(values) {
			b.PrependInt32(v)
		}
		return b.EndVector(len(values))
	}
	tensor := func(name string) flatbuffers.UOffsetT {
		label, shape := b.CreateString(name), ints(m.shape...)
		var quantization flatbuffers.UOffsetT
		if len(m.scales) > 0 {
			b.StartVector(4, len(m.scales), 4)
			for _, s := range slices.Backward(m.scales) {
				b.PrependFloat32(s)
			}
			scales := b.EndVector(len(m.scales))
			b.StartVector(8, len(m.scales), 8)
			for range m.scales {
				b.PrependInt64(m.zero)
			}
			zeros := b.EndVector(len(m.scales))
			quantization = table(7, func() {
				b.PrependUOffsetTSlot(2, scales, 0)
				b.PrependUOffsetTSlot(3, zeros, 0)
				b.PrependInt32Slot(6, int32(len(m.shape)-1), 0)
			})
		}
		return table(8, func() {
			b.PrependUOffsetTSlot(0, shape, 0)
			b.PrependInt8Slot(1, m.typ, 0)
			b.PrependUOffsetTSlot(3, label, 0)
			b.PrependUOffsetTSlot(4, quantization, 0)
		})
	}

	var custom flatbuffers.UOffsetT
	if m.custom != "" {
		custom = b.CreateString(m.custom)
	}
	code := tables(table(4, func() {
		b.PrependInt8Slot(0, int8(m.op), 0)
		b.PrependUOffsetTSlot(1, custom, 0)
		b.PrependInt32Slot(3, m.op, 0)
	}))
	in, out := ints(0), ints(1)
	operator := tables(table(5, func() {
		b.PrependUOffsetTSlot(1, in, 0)
		b.PrependUOffsetTSlot(2, out, 0)
	}))
	tensors := tables(tensor("in"), tensor("out"))
	graph := tables(table(5, func() {
		b.PrependUOffsetTSlot(0, tensors, 0)
		b.PrependUOffsetTSlot(1, in, 0)
		b.PrependUOffsetTSlot(2, out, 0)
		b.PrependUOffsetTSlot(3, operator, 0)
	}))
	// Buffer 0 is the empty one that tensors without constants refer to.
	empty := tables(table(1, func() {}))
	b.FinishWithFileIdentifier(table(8, func() {
		b.PrependUint32Slot(0, 3, 0)
		b.PrependUOffsetTSlot(1, code, 0)
		b.PrependUOffsetTSlot(2, graph, 0)
		b.PrependUOffsetTSlot(4, empty, 0)
	}), []byte("TFL3"))
	return b.FinishedBytes()
}
