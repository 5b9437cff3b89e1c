package litert

import (
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"testing"
	"unsafe"

	"github.com/ebitengine/purego"

	"facerecd/cross/testkit"
	"facerecd/inference"
)

func shipped() []string { return []string{"detector", "detector_short", "landmarks", "embedding"} }

func readModel(t testing.TB, name string) []byte {
	t.Helper()
	file, err := os.ReadFile(filepath.Join(testkit.Models(t), name+".tflite"))
	if err != nil {
		t.Fatal(err)
	}
	return file
}

func open(t testing.TB, l *Library, file []byte, opts Options) *Model {
	t.Helper()
	m, err := l.Open(file, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	})
	return m
}

// newBuffers are buffers of the sizes that Run wants.
func newBuffers(tensors []inference.Tensor) [][]byte {
	var buffers [][]byte
	for _, t := range tensors {
		buffers = append(buffers, make([]byte, t.Bytes()))
	}
	return buffers
}

// runOnNoise runs the model on an input that is always the same: noise in the
// range of the model's type, and in [-1, 1] for float32.
func runOnNoise(t testing.TB, m *Model) [][]byte {
	t.Helper()
	rng := rand.New(rand.NewPCG(1, 2))
	in := newBuffers(m.Inputs())
	for i, tensor := range m.Inputs() {
		if tensor.Type == inference.Float32 {
			floats := unsafe.Slice((*float32)(unsafe.Pointer(&in[i][0])), tensor.Elements())
			for j := range floats {
				floats[j] = 2*rng.Float32() - 1
			}
			continue
		}
		for j := range in[i] {
			in[i][j] = byte(rng.Uint32())
		}
	}
	out := newBuffers(m.Outputs())
	if err := m.Run(in, out); err != nil {
		t.Error(err)
	}
	return out
}

// printC prints to the C library's stderr, as LiteRT does.
func printC(t *testing.T, l *Library, text string) {
	t.Helper()
	addr, err := purego.Dlsym(purego.RTLD_DEFAULT, "fputs")
	if err != nil {
		t.Fatal(err)
	}
	// int fputs(const char* s, FILE* stream);
	var fputs func(text string, file cFile) int32
	purego.RegisterFunc(&fputs, addr)
	fputs(text, **(**cFile)(unsafe.Pointer(&l.c.stderr)))
}

// residentBytes is the resident size of this process, less what Go could give
// back.
func residentBytes(t *testing.T) int {
	t.Helper()
	debug.FreeOSMemory()
	statm, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		t.Fatal(err)
	}
	pages, err := strconv.Atoi(string(bytes.Fields(statm)[1]))
	if err != nil {
		t.Fatal(err)
	}
	return pages * os.Getpagesize()
}

func osThreads(t *testing.T) int {
	t.Helper()
	tasks, err := os.ReadDir("/proc/self/task")
	if err != nil {
		t.Fatal(err)
	}
	return len(tasks)
}
