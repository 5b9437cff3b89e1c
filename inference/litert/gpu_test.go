package litert

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"facerecd/cross/testkit"
)

func TestWithoutEnableGPUNoModelRunsOnOne(t *testing.T) {
	if _, err := load(t).Open(readModel(t, "landmarks"), Options{GPU: true}); err == nil || err.Error() != "open model: no GPU was enabled" {
		t.Error(err)
	}
}

func TestEnableGPUSaysWhatIsWrongWithTheLibrary(t *testing.T) {
	for _, tt := range []struct{ what, content, want string }{
		{"missing", "", "no such file or directory; " + gpuRemedy},
		{"garbage", "no library at all", "it is not a shared library, or it is damaged"},
	} {
		t.Run(tt.what, func(t *testing.T) {
			dir := t.TempDir()
			if tt.content != "" {
				if err := os.WriteFile(filepath.Join(dir, AcceleratorFile), []byte(tt.content), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want := "load the GPU's library " + filepath.Join(dir, AcceleratorFile) + ": " + tt.want
			if err := load(t).EnableGPU(dir); err == nil || !strings.HasPrefix(err.Error(), want) {
				t.Errorf("got  %v\nwant %s", err, want)
			}
		})
	}
}

// LiteRT itself stands for a library that can be loaded and drives no GPU.
func TestALibraryThatDrivesNoGPULeavesTheModelsOfTheCPUAlone(t *testing.T) {
	dir := t.TempDir()
	path, err := filepath.Abs(testkit.Runtime(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(path, filepath.Join(dir, AcceleratorFile)); err != nil {
		t.Fatal(err)
	}
	l := load(t)
	if err := l.EnableGPU(dir); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Open(readModel(t, "landmarks"), Options{GPU: true}); err == nil || !strings.HasPrefix(err.Error(), "open model: ") {
		t.Errorf("on the GPU: %v", err)
	}
	runOnNoise(t, open(t, l, readModel(t, "landmarks"), Options{}))
}
