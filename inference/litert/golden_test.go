package litert

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"unsafe"

	"facerecd/inference"
)

// golden is testdata/golden/golden.json: real inputs of the models and what
// LiteRT's Python interpreter makes of them. models/build/golden.py writes it.
type golden map[string]struct {
	SHA256 string
	Input  []goldenTensor
	Output []goldenTensor
}

type goldenTensor struct {
	Name      string
	Shape     []int
	Type      string
	Scale     float32
	ZeroPoint int `json:"zero_point"`
	File      string
}

const goldenDir = "testdata/golden"

// TestOutputsAreThoseOfThePythonInterpreter holds for the shipped models and
// for one in float32.
func TestOutputsAreThoseOfThePythonInterpreter(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(goldenDir, "golden.json"))
	if err != nil {
		t.Fatal(err)
	}
	var record golden
	if err := json.Unmarshal(text, &record); err != nil {
		t.Fatal(err)
	}
	l := load(t)
	for _, name := range append(shipped(), "landmarks.float") {
		t.Run(name, func(t *testing.T) {
			want, ok := record[name]
			if !ok {
				t.Fatalf("golden.json has no %s", name)
			}
			var file []byte
			if name == "landmarks.float" {
				file = readGolden(t, name+".tflite")
			} else {
				file = readModel(t, name)
			}
			if sum := sha256.Sum256(file); hex.EncodeToString(sum[:]) != want.SHA256 {
				t.Fatal("the golden files are of another version of this model: run models/build/golden.py")
			}
			m := open(t, l, file, Options{})
			if !m.FullyAccelerated() {
				t.Error("not fully accelerated")
			}
			checkTensors(t, "input", m.Inputs(), want.Input)
			checkTensors(t, "output", m.Outputs(), want.Output)
			if t.Failed() {
				return
			}

			var in [][]byte
			for _, input := range want.Input {
				in = append(in, readGolden(t, input.File))
			}
			out := newBuffers(m.Outputs())
			// The second run must not depend on the first.
			for range 2 {
				if err := m.Run(in, out); err != nil {
					t.Fatal(err)
				}
				for i, tensor := range m.Outputs() {
					compare(t, tensor, out[i], readGolden(t, want.Output[i].File))
				}
			}
		})
	}
}

func readGolden(t *testing.T, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(goldenDir, name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func checkTensors(t *testing.T, kind string, got []inference.Tensor, want []goldenTensor) {
	t.Helper()
	var found []goldenTensor
	for i, g := range got {
		found = append(found, goldenTensor{g.Name, g.Shape, g.Type.String(), g.Scale, g.ZeroPoint, ""})
		if i < len(want) {
			found[i].File = want[i].File
		}
	}
	if !reflect.DeepEqual(found, want) {
		t.Errorf("%s:\ngot  %+v\nwant %+v", kind, found, want)
	}
}

// compare allows a quantum for an integer output and 1e-4 of the largest value
// for a float one: kernels differ between processors.
func compare(t *testing.T, tensor inference.Tensor, got, want []byte) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s has %d bytes, want %d", tensor.Name, len(got), len(want))
	}
	g, w := values(tensor, got), values(tensor, want)
	var worst, largest float64
	differ := 0
	for i := range w {
		if g[i] != w[i] {
			differ++
		}
		d := math.Abs(g[i] - w[i])
		if math.IsNaN(d) {
			d = math.Inf(1)
		}
		worst = max(worst, d)
		largest = max(largest, math.Abs(w[i]))
	}
	limit := 1.0
	if tensor.Type == inference.Float32 {
		limit = 1e-4 * max(1, largest)
	}
	t.Logf("%s: %d of %d values differ, by at most %g; the largest is %g", tensor.Name, differ, len(w), worst, largest)
	if worst > limit {
		t.Errorf("%s differs by %g, more than %g", tensor.Name, worst, limit)
	}
	if largest == 0 {
		t.Errorf("%s is all zero: that proves nothing", tensor.Name)
	}
}

// values reads a tensor as stored, without its scale.
func values(tensor inference.Tensor, data []byte) []float64 {
	numbers := make([]float64, tensor.Elements())
	for i := range numbers {
		switch tensor.Type {
		case inference.Float32:
			numbers[i] = float64(*(*float32)(unsafe.Pointer(&data[4*i])))
		case inference.Int8:
			numbers[i] = float64(int8(data[i]))
		case inference.Uint8:
			numbers[i] = float64(data[i])
		}
	}
	return numbers
}
