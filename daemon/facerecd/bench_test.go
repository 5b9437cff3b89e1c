package main

import (
	"bytes"
	"encoding/json"
	"image"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"facerecd/cross/testkit"
)

func benchArgs(t *testing.T, more ...string) []string {
	t.Helper()
	return append([]string{
		"bench", "--images", testkit.Photos(t), "--models", testkit.Models(t), "--runtime", testkit.Runtime(t),
		"--frames", "20", "--warmup", "2", "--people", "10",
	}, more...)
}

func TestBenchMeasuresEveryStage(t *testing.T) {
	for _, format := range []string{"yuyv", "mjpeg", "gray"} {
		var got map[string]any
		if err := json.Unmarshal([]byte(must(t, benchArgs(t, "--json", "--camera-format", format, "--cpu-time")...)), &got); err != nil {
			t.Fatal(err)
		}
		number := func(key string) float64 { v, _ := got[key].(float64); return v }
		stages, _ := got["stages"].(map[string]any)
		want := []string{"decode", "detect", "embed", "locate", "match", "total"}
		if keys := slices.Sorted(maps.Keys(stages)); !slices.Equal(keys, want) {
			t.Errorf("%s: stages %v, want %v", format, keys, want)
		}
		for name, stage := range stages {
			s, _ := stage.(map[string]any)
			p50, _ := s["p50"].(float64)
			p95, _ := s["p95"].(float64)
			if name != "decode" && name != "match" && p50 <= 0 || p95 < p50 {
				t.Errorf("%s: %s takes %v", format, name, stage)
			}
		}
		raw, all := number("raw_model_ms"), number("end_to_end_ms")
		if raw <= 0 || all <= 0 || number("overhead_ratio") != all/raw {
			t.Errorf("%s: %v ms in all, %v ms of models: overhead ratio %v", format, all, raw, got["overhead_ratio"])
		}
		if rss := number("rss_mib"); rss < 10 || rss > 1000 {
			t.Errorf("%s: %v MiB resident", format, rss)
		}
		if number("model_threads") != 1 || number("frames") != 20 || number("faces_per_frame") != 1 {
			t.Errorf("%s: %v", format, got)
		}
	}
}

func TestBenchDrawsAPage(t *testing.T) {
	path := filepath.Join(t.TempDir(), "bench.html")
	must(t, benchArgs(t, "--html", path)...)
	page, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"20 frames of yuyv 640x480", "<td>detect<td>", "<td>embedding alone<td>", "<path d=\"M0.0 "} {
		if !strings.Contains(string(page), text) {
			t.Errorf("the page lacks %q", text)
		}
	}
	if strings.Contains(string(page), "NaN") || strings.Contains(string(page), "ZgotmplZ") {
		t.Errorf("the page has holes:\n%s", page)
	}
}

func TestBenchSaysWhatIsWrong(t *testing.T) {
	empty, nobody := t.TempDir(), folder(t, image.NewGray(image.Rect(0, 0, 64, 48)))
	for _, c := range []struct {
		images string
		args   []string
		want   string
	}{
		{empty, []string{"--size", "640"}, "--size 640: give two even numbers between 32 and 8192, such as 640x480"},
		{empty, []string{"--size", "641x480"}, "--size 641x480: give two even numbers between 32 and 8192, such as 640x480"},
		{empty, []string{"--frames", "3"}, "--frames takes 20 or more, --photos 1 or more, --warmup and --people 0 or more"},
		{empty, nil, "no photos in " + empty + ": name a folder with .jpg or .png files"},
		{nobody, nil, "none of 1 frames shows exactly one face: name other photos with --images, or add --any-faces"},
	} {
		var stdout, stderr bytes.Buffer
		args := append([]string{"bench", "--images", c.images, "--models", testkit.Models(t), "--runtime", testkit.Runtime(t)}, c.args...)
		if code := run(t.Context(), args, nil, &stdout, &stderr); code != exitFailed || stderr.String() != "facerecd: "+c.want+"\n" {
			t.Errorf("exit code %d:\n%swant\n%s", code, stderr.String(), c.want)
		}
	}
}
