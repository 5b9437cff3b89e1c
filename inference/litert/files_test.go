package litert

import (
	"bytes"
	"slices"
	"testing"

	"facerecd/cross/testkit"
)

func TestModelsOfOneFileShareItUntilTheLastIsClosed(t *testing.T) {
	l, err := Load(testkit.Runtime(t))
	if err != nil {
		t.Fatal(err)
	}
	data := readModel(t, "landmarks")
	var models []*Model
	for _, name := range []string{"landmarks", "landmarks", "detector_short"} {
		m, err := l.Open(readModel(t, name), Options{})
		if err != nil {
			t.Fatal(err)
		}
		models = append(models, m)
	}
	if models[0].file != models[1].file || len(l.files) != 2 {
		t.Fatalf("%d files in memory", len(l.files))
	}
	want := runOnNoise(t, models[1])
	if err := models[0].Close(); err != nil {
		t.Fatal(err)
	}
	if got := runOnNoise(t, models[1]); !slices.EqualFunc(got, want, bytes.Equal) || !bytes.Equal(models[1].file.data, data) {
		t.Error("the model that is left runs otherwise, or has lost its file")
	}
	for _, m := range models[1:] {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	}
	if len(l.files) != 0 {
		t.Errorf("%d files are left", len(l.files))
	}
	if _, err := l.Open([]byte("no model"), Options{}); err == nil || len(l.files) != 0 {
		t.Errorf("%v, and %d files are left", err, len(l.files))
	}
}
