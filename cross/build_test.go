package cross_test

import (
	"debug/elf"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"facerecd/cross/testkit"
)

func TestTheProgramBuildsForARM64WithoutCgo(t *testing.T) {
	path := filepath.Join(t.TempDir(), "facerecd")
	c := exec.CommandContext(t.Context(), "go", "build", "-buildvcs=false", "-trimpath", "-o", path, "./daemon/facerecd")
	c.Dir = testkit.Root(t)
	c.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH=arm64")
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	f, err := elf.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if f.Machine != elf.EM_AARCH64 {
		t.Errorf("it is for %v", f.Machine)
	}
}
