//go:build !race

// The race detector makes sync.Pool forget on purpose.

package inference_test

import (
	"testing"

	"facerecd/inference"
)

func TestFramesNeedNoNewMemory(t *testing.T) {
	e := newEngine(t)
	v := cameraFrame(t, "obama.jpg")
	var face inference.Face
	look := func() {
		found, err := e.Detect(v)
		if err != nil || len(found) != 1 {
			t.Fatal(len(found), err)
		}
		if err := e.LocateIn(&face, v, found[0]); err != nil {
			t.Fatal(err)
		}
		if err := e.Embed(&face); err != nil {
			t.Fatal(err)
		}
	}
	look() // makes what is used again
	if n := testing.AllocsPerRun(20, look); n != 0 {
		t.Errorf("%v allocations a frame", n)
	}
	if !face.Real() || len(face.Embedding) != 192 || len(face.Quality.Reasons) > 0 {
		t.Errorf("the face became %d numbers with quality %+v", len(face.Embedding), face.Quality)
	}
}
