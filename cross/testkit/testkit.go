// Package testkit finds what the tests need and the repository does not hold:
// the LiteRT runtime and the demo photos, which `make deps` fetches.
//
// A test that needs them fails when they are missing; it does not skip, so that
// a green run means that everything ran.
package testkit

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

// Root returns the folder of the module, the one that holds go.mod.
func Root(t testing.TB) string {
	t.Helper()
	start, err := os.Getwd()
	if err != nil {
		t.Fatalf("find the module root: %v", err)
	}
	for dir := start; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		if dir == filepath.Dir(dir) {
			t.Fatalf("no go.mod in %s or above it", start)
		}
	}
}

// Runtime returns the path of libLiteRt.so for the machine that runs the test.
func Runtime(t testing.TB) string {
	t.Helper()
	path := filepath.Join(Root(t), ".cache", "litert", runtime.GOARCH, "libLiteRt.so")
	need(t, path)
	return path
}

// Photos returns the folder of the demo photos: one face each, Barack Obama's
// in obama.jpg, obama2.jpg and obama3.jpg, Joe Biden's in biden.jpg.
func Photos(t testing.TB) string {
	t.Helper()
	dir := filepath.Join(Root(t), ".cache", "photos")
	for _, name := range []string{"obama.jpg", "obama2.jpg", "obama3.jpg", "biden.jpg"} {
		need(t, filepath.Join(dir, name))
	}
	return dir
}

// Models returns the folder of the model pack.
func Models(t testing.TB) string {
	t.Helper()
	dir := filepath.Join(Root(t), "models")
	need(t, filepath.Join(dir, "manifest.json"))
	return dir
}

func need(t testing.TB, path string) {
	t.Helper()
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("%v; run `make deps` first", err)
	}
}
