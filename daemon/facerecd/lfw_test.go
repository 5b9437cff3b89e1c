package main

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"facerecd/cross/testkit"
)

// dataset makes a folder in LFW's layout from the demo photos, and the flags
// that lead to it, the models and pairs.
func dataset(t *testing.T, pairs string) (args []string, images string) {
	t.Helper()
	dir := t.TempDir()
	images = filepath.Join(dir, "images")
	for name, photos := range map[string][]string{"obama": {"obama", "obama2", "obama3"}, "biden": {"biden"}} {
		if err := os.MkdirAll(filepath.Join(images, name), 0o700); err != nil {
			t.Fatal(err)
		}
		for i, p := range photos {
			number := string(rune('1' + i))
			if err := os.Symlink(photo(t, p), filepath.Join(images, name, name+"_000"+number+".jpg")); err != nil {
				t.Fatal(err)
			}
		}
	}
	file := write(t, filepath.Join(dir, "pairs.txt"), []byte(pairs))
	return []string{"eval", "--images", images, "--pairs", file, "--models", testkit.Models(t), "--runtime", testkit.Runtime(t)}, images
}

const fourPairs = "2\nobama 1 2\nobama 2 3\nobama 1 biden 1\nobama 3 biden 1\n"

func TestEvalMeasuresAFolderInLFWsLayout(t *testing.T) {
	t.Parallel()
	args, images := dataset(t, fourPairs)
	var got map[string]any
	if err := json.Unmarshal([]byte(must(t, append(args, "--json")...)), &got); err != nil {
		t.Fatal(err)
	}
	want := []string{"accuracy", "not_detected", "pack", "pairs", "photos", "std", "tar_at_far_1e3", "threshold"}
	if keys := slices.Sorted(maps.Keys(got)); !slices.Equal(keys, want) {
		t.Errorf("keys %v, want %v", keys, want)
	}
	threshold, _ := got["threshold"].(float64)
	if threshold < 0.1 || threshold > 0.8 {
		t.Errorf("threshold %v", got["threshold"])
	}
	delete(got, "threshold")
	pack, _ := got["pack"].(string)
	delete(got, "pack")
	if exact := map[string]any{"pairs": 4.0, "photos": 4.0, "accuracy": 1.0, "std": 0.0, "tar_at_far_1e3": 1.0, "not_detected": 0.0}; !maps.Equal(got, exact) {
		t.Errorf("%v, want %v", got, exact)
	}
	table := must(t, args...)
	for _, text := range []string{pack, "100.00 %", "4, no face found in 0"} {
		if !strings.Contains(table, text) || text == "" {
			t.Errorf("the table lacks %q:\n%s", text, table)
		}
	}

	// A photo without a face is counted, and is nobody's.
	emptied := filepath.Join(images, "obama", "obama_0002.jpg")
	if err := os.Remove(emptied); err != nil {
		t.Fatal(err)
	}
	write(t, emptied, blank(t))
	r := unmarshal[report](t, must(t, append(args, "--json")...))
	if r.NotDetected != 1 || r.Photos != 4 || r.Pairs != 4 || r.TAR != 0 || r.Accuracy != 0.5 {
		t.Errorf("with a photo of nobody: %+v", r)
	}
}

func TestEvalSaysWhatIsWrongWithItsInput(t *testing.T) {
	t.Parallel()
	args, images := dataset(t, "1\nobama 1 4\nobama 1 biden 1\n")
	missing := filepath.Join(images, "obama", "obama_0004.jpg")
	fails(t, exitFailed, "the pairs name "+missing+", which is missing: is --images the folder that holds a folder for each person?", args...)
	write(t, missing, []byte("no picture"))
	code, stdout, stderr := try(t, nil, args...)
	if code != exitFailed || stdout != "" || !strings.HasPrefix(stderr, "facerecd: decode "+missing+": ") {
		t.Errorf("with a photo that is none it exits with %d: %s%s", code, stdout, stderr)
	}
	for pairs, want := range map[string]string{
		"":                         "pairs file is empty",
		"2\nobama 1 2\n":           "pairs file has 1 pairs and promises 4",
		"1\n../obama 1 2\n":        `pairs file, line 2: "../obama" is not a name`,
		"1\nobama 1 biden 1\n":     "pairs file, line 2: expected a pair of one person",
		"obama 1 2\nobama 1 2 3\n": `pairs file, line 1: "obama" is not a count`,
	} {
		args, _ := dataset(t, pairs)
		fails(t, exitFailed, want, args...)
	}
	args, _ = dataset(t, fourPairs)
	args[6] = t.TempDir() // in place of the models
	if code, _, stderr := try(t, nil, args...); code != exitFailed || !strings.Contains(stderr, "manifest.json") {
		t.Errorf("without models it exits with %d: %s", code, stderr)
	}
}
