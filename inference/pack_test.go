package inference

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"facerecd/cross/testkit"
)

func TestShippedPackIsWhatItsManifestSays(t *testing.T) {
	p, err := LoadPack(testkit.Models(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range []ModelFile{p.Models.Detector, *p.Models.DetectorShort, p.Models.Landmarks, p.Models.Embedding} {
		if model, err := p.Read(m); err != nil || len(model) == 0 {
			t.Errorf("%s: %d bytes, %v", m.File, len(model), err)
		}
	}
}

// copyPack copies the shipped pack so that a test can spoil it.
func copyPack(t *testing.T) string {
	dir := t.TempDir()
	from := testkit.Models(t)
	for _, name := range []string{"manifest.json", "detector.tflite", "detector_short.tflite", "landmarks.tflite", "embedding.tflite"} {
		data, err := os.ReadFile(filepath.Join(from, name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestSpoiledPackIsRefused(t *testing.T) {
	edit := func(old, new string) func(t *testing.T, dir string) {
		return func(t *testing.T, dir string) {
			path := filepath.Join(dir, "manifest.json")
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			changed := strings.Replace(string(text), old, new, 1)
			if changed == string(text) {
				t.Fatalf("manifest has no %q", old)
			}
			if err := os.WriteFile(path, []byte(changed), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, c := range []struct {
		name  string
		spoil func(t *testing.T, dir string)
		want  string
	}{
		{"one bit flipped", func(t *testing.T, dir string) {
			path := filepath.Join(dir, "landmarks.tflite")
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			data[len(data)/2] ^= 1
			if err := os.WriteFile(path, data, 0o600); err != nil {
				t.Fatal(err)
			}
		}, "the file was changed; install the pack again"},
		{"cut short", func(t *testing.T, dir string) {
			if err := os.Truncate(filepath.Join(dir, "embedding.tflite"), 1000); err != nil {
				t.Fatal(err)
			}
		}, "has 1000 bytes and its manifest says"},
		{"missing model", func(t *testing.T, dir string) {
			if err := os.Remove(filepath.Join(dir, "detector.tflite")); err != nil {
				t.Fatal(err)
			}
		}, "the model pack is incomplete"},
		{"missing manifest", func(t *testing.T, dir string) {
			if err := os.Remove(filepath.Join(dir, "manifest.json")); err != nil {
				t.Fatal(err)
			}
		}, "manifest.json is missing; set `models` to the folder that holds it"},
		{"not JSON", edit("{", "["), "decode manifest"},
		{"unknown key", edit(`"decision"`, `"desicion"`), `unknown field "desicion"`},
		{"newer version", edit(`"version": 1`, `"version": 2`), "manifest version 2 is not supported: this facerecd reads version 1"},
		{"file outside", edit(`"file": "detector.tflite"`, `"file": "../detector.tflite"`), "lies outside the pack"},
		{"no deviation", edit(`"std": 127.5`, `"std": 0`), "every pipeline std must be above 0"},
		{"endless embedding", edit(`"size": 192`, `"size": 8193`), "pipeline.embedding.size is 8193: 1 to 8192 are possible"},
		{"no threshold", edit(`"threshold": 0.`, `"threshold": -0.`), "decision.threshold must lie between 0 and 1: `facerecd eval --calibrate` proposes one"},
		{"no use of a margin", edit(`"margin": 0`, `"margin": 1`), "decision.margin must be at least 0, and below 1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := copyPack(t)
			c.spoil(t, dir)
			if _, err := LoadPack(dir); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v\nwant one with %q", err, c.want)
			}
		})
	}
}
