package main

import (
	"bytes"
	"encoding/json"
	"image"
	"image/jpeg"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/image/draw"

	"facerecd/cross/testkit"
)

// scenes is a folder with a photo without people: a gray one.
func scenes(t *testing.T) string {
	t.Helper()
	m := image.NewGray(image.Rect(0, 0, 64, 64))
	for i := range m.Pix {
		m.Pix[i] = 90
	}
	return folder(t, m)
}

// smallPhoto is a folder with a photo of one person, small enough to be quick.
func smallPhoto(t *testing.T) string {
	t.Helper()
	file, err := os.Open(filepath.Join(testkit.Photos(t), "obama.jpg"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	large, err := jpeg.Decode(file)
	if err != nil {
		t.Fatal(err)
	}
	m := image.NewRGBA(image.Rect(0, 0, 400, 500))
	draw.CatmullRom.Scale(m, m.Rect, large, large.Bounds(), draw.Src, nil)
	return folder(t, m)
}

func folder(t *testing.T, m image.Image) string {
	t.Helper()
	var data bytes.Buffer
	if err := png.Encode(&data, m); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "photo.png"), data.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestEvalDetectionTellsTheDetectorsApart(t *testing.T) {
	images := smallPhoto(t)
	args := []string{
		"eval-detection", "--images", images, "--backgrounds", scenes(t), "--models", testkit.Models(t),
		"--runtime", testkit.Runtime(t), "--faces", "8", "--empty", "2", "--detectors", "full,tiled",
	}
	var stdout, stderr bytes.Buffer
	if code := run(t.Context(), append(args, "--json"), nil, &stdout, &stderr); code != exitOK {
		t.Fatalf("exit code %d: %s", code, stderr.String())
	}
	var got struct {
		Pack      string
		Frame     [2]int
		Detectors map[string]struct {
			Photos, Missed, Empty, False int
			Recall                       []struct{ Width, Faces, Found int }
			Milliseconds                 float64
		}
	}
	if err := json.Unmarshal(stdout.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	full, tiled := got.Detectors["full"], got.Detectors["tiled"]
	if got.Pack == "" || got.Frame != [2]int{1280, 720} || len(got.Detectors) != 2 || len(full.Recall) != 6 || len(tiled.Recall) != 6 {
		t.Fatalf("%+v", got)
	}
	for i, width := range []int{16, 24, 32, 48, 64, 96} {
		if r := tiled.Recall[i]; r.Width != width || r.Faces != 8 || r.Found > 8 || r.Found < full.Recall[i].Found {
			t.Errorf("tiled %+v, full %+v", r, full.Recall[i])
		}
	}
	if full.Recall[2].Found != 0 || tiled.Recall[2].Found < 6 {
		t.Errorf("of 8 faces of 32 pixels full finds %d, want none, and tiled %d, want nearly all", full.Recall[2].Found, tiled.Recall[2].Found)
	}
	if full.Photos != 1 || full.Missed != 0 || full.Empty != 2 || full.False != 0 || full.Milliseconds <= 0 {
		t.Errorf("%+v", full)
	}

	stdout.Reset()
	if code := run(t.Context(), append(args, "--detectors", "short"), nil, &stdout, &stderr); code != exitOK || !strings.Contains(stdout.String(), "| faces of 32 px") {
		t.Errorf("exit code %d: %s%s", code, stdout.String(), stderr.String())
	}
}

func TestEvalDetectionSaysWhatIsWrong(t *testing.T) {
	empty := t.TempDir()
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"--width", "320"}, "facerecd: frames of 320x720: set --width and --height to 640x480 or more, and to 8192x8192 at most\n"},
		{[]string{"--faces", "0"}, "facerecd: --faces must be at least 1, and --empty at least 0\n"},
		{nil, "facerecd: no photos in " + empty + ": name a folder with .jpg or .png files\n"},
	} {
		var stdout, stderr bytes.Buffer
		args := append([]string{"eval-detection", "--images", empty, "--backgrounds", empty}, c.args...)
		if code := run(t.Context(), args, nil, &stdout, &stderr); code != exitFailed || stderr.String() != c.want {
			t.Errorf("exit code %d:\n%swant\n%s", code, stderr.String(), c.want)
		}
	}
}
