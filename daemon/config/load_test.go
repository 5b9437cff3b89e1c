package config

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"facerecd/deploy/systemd"
)

var update = flag.Bool("update", false, "write the golden files anew")

// cases returns the documents of a folder of testdata, with the variables that
// go with each.
func cases(t testing.TB, folder string) (paths []string, envs [][]string) {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join("testdata", folder, "*.yaml"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no cases in testdata/%s: %v", folder, err)
	}
	for _, path := range paths {
		env, err := os.ReadFile(strings.TrimSuffix(path, ".yaml") + ".env")
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
		envs = append(envs, strings.Split(strings.TrimSpace(string(env)), "\n"))
	}
	return paths, envs
}

func golden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestEveryMistakeIsNamed(t *testing.T) {
	paths, envs := cases(t, "bad")
	for i, path := range paths {
		t.Run(filepath.Base(path), func(t *testing.T) {
			c, err := Load(path, envs[i])
			bad, ok := errors.AsType[*Error](err)
			if !ok || bad.File != path {
				t.Fatalf("got %v and %v, want an *Error about %s", c, err, path)
			}
			var got strings.Builder
			for _, problem := range bad.Problems {
				fmt.Fprintln(&got, problem)
			}
			golden(t, strings.TrimSuffix(path, ".yaml")+".err", got.String())
		})
	}
}

func TestGoodFilesAreRead(t *testing.T) {
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	paths, envs := cases(t, "good")
	for i, path := range paths {
		t.Run(filepath.Base(path), func(t *testing.T) {
			c, err := Load(path, envs[i])
			if err != nil {
				t.Fatal(err)
			}
			if c.Device == host {
				c.Device = "<host>"
			}
			golden(t, strings.TrimSuffix(path, ".yaml")+".values", strings.ReplaceAll(c.String(), " ", "\n")+"\n")
		})
	}
}

func TestWithoutFileTheDefaultsHold(t *testing.T) {
	c, err := Load("", nil)
	if err != nil {
		t.Fatal(err)
	}
	want := Default()
	want.Device, _ = os.Hostname()
	if c.String() != want.String() {
		t.Errorf("got  %v\nwant %v", c, want)
	}
}

func TestErrorNamesTheFileAndEveryProblem(t *testing.T) {
	_, err := Load(filepath.Join("testdata", "bad", "match.yaml"), nil)
	want := `bad configuration in testdata/bad/match.yaml:
  threads: 0: set 1 to 64
  match.threshold: 1.01: set -1 to 1, or 0 for the model pack's own
  match.margin: -0.1: set 0 to 1, or 0 for the model pack's own
  match.min_seen: 0: set 1 to 100 frames`
	if err == nil || err.Error() != want {
		t.Errorf("got\n%v\nwant\n%s", err, want)
	}
}

func TestUnreadableFiles(t *testing.T) {
	dir := t.TempDir()
	write := func(name string, data []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	missing := filepath.Join(dir, "missing.yaml")
	tests := []struct{ path, want string }{
		{missing, "open " + missing + ": no such file or directory: create it, or name another with --config"},
		{dir, "read " + dir + ": is a directory"},
		{write("large.yaml", bytes.Repeat([]byte("# padding\n"), maxFile/10+1)), "the file is larger than 32 KiB: is it the right one?"},
		{write("model.tflite", []byte("TFL3\x00\x00")), "the file is not text: is it the right one?"},
	}
	for _, tt := range tests {
		_, err := Load(tt.path, nil)
		if want := "bad configuration in " + tt.path + ":\n  " + tt.want; err == nil || err.Error() != want {
			t.Errorf("got\n%v\nwant\n%s", err, want)
		}
	}
	if _, err := Load(missing, nil); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v is not fs.ErrNotExist", err)
	}
}

// The parser must stay quick on whatever maxFile lets through.
func TestLargestFilesAreReadInTime(t *testing.T) {
	var manyKeys strings.Builder
	for i := 0; manyKeys.Len() < maxFile-20; i++ {
		fmt.Fprintf(&manyKeys, "k%d: %d\n", i, i)
	}
	for name, text := range map[string]string{
		"one value": "device: " + strings.Repeat("x", maxFile-10),
		"comments":  strings.Repeat("# hello\n", maxFile/8),
		"many keys": manyKeys.String(),
	} {
		path := filepath.Join(t.TempDir(), "large.yaml")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		_, _ = Load(path, nil)
		if took := time.Since(began); took > 30*time.Second {
			t.Errorf("%s: took %v", name, took)
		} else {
			t.Logf("%s: %v", name, took)
		}
	}
}

func TestSampleHoldsEveryKeyWithItsDefaultAndAComment(t *testing.T) {
	sample := systemd.SampleConfig()
	for i, text := range strings.Split(sample, "\n") {
		if strings.Contains(text, ":") && !strings.Contains(text, "#") && !strings.HasSuffix(text, "tls:") && text != "log:" {
			t.Errorf("line %d has no comment: %s", i+1, text)
		}
	}
	var c Config
	set, problems := decodeKeys([]byte(sample), &c)
	if problems != nil {
		t.Fatal(problems)
	}
	if want := Default(); c.String() != want.String() {
		t.Errorf("the sample gives\n%v\nthe defaults are\n%v", c, want)
	}
	for _, l := range leaves(&c) {
		if !set[l.path] {
			t.Errorf("the sample lacks %s", l.path)
		}
	}
}

func TestEveryKeyCanBeSet(t *testing.T) {
	values := map[string]string{
		"int": "2", "float64": "0.5", "string": "x", "time.Duration": "2s", "slog.Level": "warn",
		"config.Hours": "22:00-07:00", "config.Polygon": "0,0 1,0 1,1",
	}
	withZone := func() Config {
		c := Default()
		c.Cameras[0].Zones = []Zone{{}}
		return c
	}
	c := withZone()
	for _, l := range leaves(&c) {
		text := values[l.value.Type().String()]
		if l.value.Kind() == reflect.Bool {
			text = fmt.Sprint(!l.value.Bool())
		}
		changed := withZone()
		if problems := override(&changed, []string{EnvName(l.path) + "=" + text}); problems != nil {
			t.Errorf("%s: %v", l.path, problems)
		}
		if got, plain := changed.String(), withZone().String(); got == plain {
			t.Errorf("%s changes nothing", EnvName(l.path))
		}
	}
}

func TestDefaultsAreNotShared(t *testing.T) {
	changed := Default()
	changed.Cameras[0].Name = "door"
	if got := Default().Cameras[0].Name; got != "camera" {
		t.Errorf("the default camera is now called %q", got)
	}
}

func TestPasswordsAreNotShown(t *testing.T) {
	for _, broker := range []string{"mqtt://ana:hunter2@h:1883", "mqtt://ana:hunter2%@h", "ana:hunter2@h", "mqtt://h/?password=@hunter2"} {
		c := Default()
		c.MQTT.Broker = broker
		for _, text := range []string{c.String(), fmt.Sprintf("%v %+v", c, c), c.LogValue().String()} {
			if strings.Contains(text, "hunter2") {
				t.Errorf("%s is shown in %s", broker, text)
			}
		}
		for _, problem := range c.problems() {
			if strings.Contains(problem.Error(), "hunter2") {
				t.Errorf("%s is shown in the problem %v", broker, problem)
			}
		}
	}
}

func TestPasswordsOfCamerasAreNotShown(t *testing.T) {
	for _, source := range []string{
		"rtsp://ana:hunter2@h/live", "rtsp://ana:hunter2%@h", "http://h/video?user=ana&pwd=hunter2", "ftp://ana:hunter2@h",
		"rtsp://ana:hunter2@", "http://ana:hunter2@h:port/",
	} {
		c := Default()
		c.Cameras[0].Source = source
		c.Cameras = append(c.Cameras, c.Cameras[0]) // and what is said of two with one source
		for _, text := range []string{c.String(), fmt.Sprintf("%v %+v", c, c), c.LogValue().String()} {
			if strings.Contains(text, "hunter2") {
				t.Errorf("%s is shown in %s", source, text)
			}
		}
		for _, problem := range c.problems() {
			if strings.Contains(problem.Error(), "hunter2") {
				t.Errorf("%s is shown in the problem %v", source, problem)
			}
		}
	}
}

func FuzzLoad(f *testing.F) {
	for _, folder := range []string{"bad", "good"} {
		paths, _ := cases(f, folder)
		for _, path := range paths {
			data, err := os.ReadFile(path)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(data, "FACERECD_LOG_LEVEL=debug")
		}
	}
	f.Fuzz(func(t *testing.T, data []byte, env string) {
		if len(data) > 4<<10 {
			t.Skip("a file of this size only makes the parser slow")
		}
		path := filepath.Join(t.TempDir(), "fuzz.yaml")
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		c, err := Load(path, []string{env})
		if err == nil {
			// What Load accepts is complete: nothing about it is left to check.
			if problems := c.problems(); problems != nil || c.Device == "" {
				t.Fatalf("accepted, yet %v: %v", problems, c)
			}
			return
		}
		if bad, ok := errors.AsType[*Error](err); !ok || len(bad.Problems) == 0 {
			t.Fatalf("%v is not an *Error with problems", err)
		}
	})
}
