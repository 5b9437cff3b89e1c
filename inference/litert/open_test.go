package litert

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"facerecd/inference"
)

func TestOpenRefuses(t *testing.T) {
	random := make([]byte, 100_000)
	rng := rand.NewChaCha8([32]byte{1})
	_, _ = rng.Read(random) // never fails
	landmarks := readModel(t, "landmarks")
	relu := tinyModel{op: opRelu, typ: typeFloat32, shape: []int32{1, 4}}
	with := func(change func(m *tinyModel)) []byte {
		m := relu
		change(&m)
		return m.build()
	}
	const invalid = "open model: read .tflite file: kLiteRtStatusErrorInvalidFlatbuffer (LiteRT status 501)"

	l := load(t)
	for _, c := range []struct {
		name string
		file []byte
		opts Options
		want string
	}{
		{"nothing", nil, Options{}, "open model: the file is empty"},
		{"random bytes", random, Options{}, invalid},
		{"text", []byte("this is text\n"), Options{}, invalid},
		{"first half", landmarks[:len(landmarks)/2], Options{}, invalid + ": LiteRT says: "},
		{"last kilobyte lost", landmarks[:len(landmarks)-1024], Options{}, invalid + ": LiteRT says: "},
		{"negative threads", relu.build(), Options{Threads: -1}, "open model: -1 threads: must not be negative"},
		{
			"slow operator",
			with(func(m *tinyModel) { m.op = opLogSoftmax }),
			Options{},
			"open model: not fully accelerated: XNNPACK cannot run all of its operators; rebuild the model without those",
		},
		{
			"element type",
			with(func(m *tinyModel) { m.typ = typeInt32 }),
			Options{AllowSlow: true},
			"open model: input 0: in has LiteRT element type 2; only float32, int8 and uint8 are supported",
		},
		{
			"impossible dimension",
			with(func(m *tinyModel) { m.shape = []int32{1, -1} }),
			Options{},
			"open model: compile: kLiteRtStatusErrorRuntimeFailure (LiteRT status 3): LiteRT says: " +
				"ERROR: tflite/util.cc BytesRequired number of elements overflowed.; ERROR: Tensor 0 is invalidly specified in schema.; " +
				"ERROR: tflite/util.cc BytesRequired number of elements overflowed.; ERROR: Tensor 1 is invalidly specified in schema.",
		},
		{
			"int8 without quantisation",
			with(func(m *tinyModel) { m.typ = typeInt8 }),
			Options{AllowSlow: true},
			"open model: input 0: in is int8 but has no quantisation",
		},
		{
			"quantised per channel",
			with(func(m *tinyModel) { m.typ, m.scales = typeInt8, []float32{1, 2, 3, 4} }),
			Options{AllowSlow: true},
			"open model: input 0: in has LiteRT quantisation type 2; only per tensor is supported",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			m, err := l.Open(c.file, c.opts)
			if err == nil || m != nil {
				t.Fatalf("got a model: %t, and %v, want an error", m != nil, err)
			}
			if got := err.Error(); got != c.want && !(strings.HasSuffix(c.want, ": ") && strings.HasPrefix(got, c.want)) {
				t.Errorf("got  %v\nwant %v", got, c.want)
			}
		})
	}
}

func TestOpenRefusesShapesItCannotHold(t *testing.T) {
	for _, c := range []struct {
		rank uint32
		dims [8]int32
		want string
	}{
		{2, [8]int32{1, -1}, "image has no fixed size: [1 -1]"},
		{1, [8]int32{0}, "image has no fixed size: [0]"},
		{9, [8]int32{}, "image has 9 dimensions, more than 8"},
	} {
		err := setType(&inference.Tensor{Name: "image"}, &rankedTensorType{element: elementInt8, bits: c.rank, dims: c.dims})
		if err == nil || err.Error() != c.want {
			t.Errorf("rank %d, %v: got %v, want %s", c.rank, c.dims, err, c.want)
		}
	}
}

func TestOpenAllowsASlowModelWhenAsked(t *testing.T) {
	file := tinyModel{op: opLogSoftmax, typ: typeFloat32, shape: []int32{1, 2}}.build()
	m := open(t, load(t), file, Options{AllowSlow: true})
	if m.FullyAccelerated() {
		t.Error("a model with LOG_SOFTMAX is said to be fully accelerated")
	}
	out := newBuffers(m.Outputs())
	if err := m.Run(newBuffers(m.Inputs()), out); err != nil {
		t.Fatal(err)
	}
	got := math.Float32frombits(binary.NativeEndian.Uint32(out[0]))
	if want := float32(-math.Ln2); math.Abs(float64(got-want)) > 1e-6 {
		t.Errorf("log softmax of two zeros is %v, want %v", got, want)
	}
}

func TestOpenReadsTypesAndQuantisation(t *testing.T) {
	l := load(t)
	for _, c := range []struct {
		model tinyModel
		want  inference.Tensor
	}{
		{
			tinyModel{op: opRelu, typ: typeFloat32, shape: []int32{1, 4}},
			inference.Tensor{Shape: []int{1, 4}, Type: inference.Float32},
		},
		{
			tinyModel{op: opRelu, typ: typeInt8, shape: []int32{1, 2, 3, 4}, scales: []float32{0.5}, zero: -3},
			inference.Tensor{Shape: []int{1, 2, 3, 4}, Type: inference.Int8, Scale: 0.5, ZeroPoint: -3},
		},
		{
			tinyModel{op: opRelu, typ: typeUint8, shape: []int32{3}, scales: []float32{0.25}, zero: 128},
			inference.Tensor{Shape: []int{3}, Type: inference.Uint8, Scale: 0.25, ZeroPoint: 128},
		},
	} {
		t.Run(c.want.Type.String(), func(t *testing.T) {
			m := open(t, l, c.model.build(), Options{AllowSlow: true})
			for name, tensors := range map[string][]inference.Tensor{"in": m.Inputs(), "out": m.Outputs()} {
				c.want.Name = name
				if len(tensors) != 1 || fmt.Sprint(tensors[0]) != fmt.Sprint(c.want) {
					t.Errorf("got %+v, want %+v", tensors, c.want)
				}
			}
		})
	}
}

func TestOpenCopiesTheModel(t *testing.T) {
	l := load(t)
	file := readModel(t, "landmarks")
	want := runOnNoise(t, open(t, l, file, Options{}))
	m := open(t, l, file, Options{})
	clear(file)
	if got := runOnNoise(t, m); !slices.EqualFunc(got, want, bytes.Equal) {
		t.Error("the model changed with the slice it was opened from")
	}
}
