package testkit

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"

	flatbuffers "github.com/google/flatbuffers/go"
)

// What OtherPack makes.
const (
	OtherPackID    = "other-float-1"
	OtherFaceSide  = 64                        // pixels of an aligned face
	otherGrid      = 4                         // cells across
	OtherEmbedding = otherGrid * otherGrid * 3 // numbers
	otherCell      = OtherFaceSide / otherGrid
	otherThreshold = 0.6 // least cosine of a match
)

// OtherPack returns a folder with a model pack unlike the shipped one in all
// that a pack may choose: it has no short-range detector, its landmark network is in float32, and its embedding
// network, in float32 too, takes a face of another size and gives another
// number of numbers. That network is the mean colours of a grid of cells: poor
// at telling people apart, but of one face it makes one vector.
func OtherPack(t testing.TB) string {
	t.Helper()
	dir, from := t.TempDir(), Models(t)
	read := func(path string) []byte {
		t.Helper()
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	write := func(name string, data []byte) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var m map[string]any
	if err := json.Unmarshal(read(filepath.Join(from, "manifest.json")), &m); err != nil {
		t.Fatal(err)
	}
	m["id"] = OtherPackID
	models, pipeline := m["models"].(map[string]any), m["pipeline"].(map[string]any)
	for role, data := range map[string][]byte{
		"detector":  read(filepath.Join(from, models["detector"].(map[string]any)["file"].(string))),
		"landmarks": read(filepath.Join(Root(t), "inference", "litert", "testdata", "golden", "landmarks.float.tflite")),
		"embedding": meanColours(),
	} {
		sum := sha256.Sum256(data)
		models[role] = map[string]any{"file": role + ".tflite", "bytes": len(data), "sha256": hex.EncodeToString(sum[:])}
		write(role+".tflite", data)
	}
	delete(models, "detector_short")
	delete(pipeline, "detector_short")
	pipeline["embedding"] = map[string]any{
		"mean": 127.5, "std": 128, "size": OtherEmbedding,
		"template": [][2]float64{{22, 26}, {42, 26}, {32, 38}, {24, 48}, {40, 48}},
	}
	m["decision"] = map[string]any{
		"threshold": otherThreshold, "margin": 0.001,
		"confidence": map[string]any{"slope": 10, "offset": -9},
	}
	text, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	write("manifest.json", text)
	return dir
}

// meanColours is a TFLite model of one operator, the average over cells. The
// field numbers are those of tflite/schema/schema.fbs.
func meanColours() []byte {
	const (
		averagePool2D, pool2DOptions = 1, 5
		validPadding, version        = 1, 3
	)
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
	tensor := func(name string, side int32) flatbuffers.UOffsetT {
		label, shape := b.CreateString(name), ints(1, side, side, 3)
		return table(4, func() { // type 0 is float32
			b.PrependUOffsetTSlot(0, shape, 0)
			b.PrependUOffsetTSlot(3, label, 0)
		})
	}
	code := tables(table(4, func() {
		b.PrependInt8Slot(0, averagePool2D, 0)
		b.PrependInt32Slot(3, averagePool2D, 0)
	}))
	pool := table(6, func() {
		b.PrependInt8Slot(0, validPadding, 0)
		for slot := 1; slot <= 4; slot++ { // stride and filter, across and down
			b.PrependInt32Slot(slot, otherCell, 0)
		}
	})
	in, out := ints(0), ints(1)
	operator := tables(table(5, func() {
		b.PrependUOffsetTSlot(1, in, 0)
		b.PrependUOffsetTSlot(2, out, 0)
		b.PrependInt8Slot(3, pool2DOptions, 0)
		b.PrependUOffsetTSlot(4, pool, 0)
	}))
	tensors := tables(tensor("image", OtherFaceSide), tensor("embedding", otherGrid))
	graph := tables(table(4, func() {
		b.PrependUOffsetTSlot(0, tensors, 0)
		b.PrependUOffsetTSlot(1, in, 0)
		b.PrependUOffsetTSlot(2, out, 0)
		b.PrependUOffsetTSlot(3, operator, 0)
	}))
	empty := tables(table(1, func() {})) // buffer 0, which tensors without constants refer to
	b.FinishWithFileIdentifier(table(5, func() {
		b.PrependUint32Slot(0, version, 0)
		b.PrependUOffsetTSlot(1, code, 0)
		b.PrependUOffsetTSlot(2, graph, 0)
		b.PrependUOffsetTSlot(4, empty, 0)
	}), []byte("TFL3"))
	return b.FinishedBytes()
}
