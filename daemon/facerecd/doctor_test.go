package main

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"facerecd/cross/testkit"
)

// examine runs doctor, and returns its findings by their check.
func examine(t *testing.T, wantCode int, env []string, config string) map[string]finding {
	t.Helper()
	code, stdout, stderr := try(t, env, "doctor", "--json", "--config", config)
	if code != wantCode || (code == exitOK) != (stderr == "") {
		t.Errorf("doctor exits with %d: %s%s", code, stdout, stderr)
	}
	all := map[string]finding{}
	for _, f := range unmarshal[[]finding](t, stdout) {
		if f.Check == "" || f.Detail == "" || !slices.Contains([]string{fine, warning, failed}, f.State) {
			t.Errorf("finding %+v", f)
		}
		all[f.Check] = f
	}
	return all
}

func TestDoctorFindsAGoodSetupGood(t *testing.T) {
	t.Parallel()
	config, _, _ := configure(t, "obama")
	daemon := begin(t, nil, "run", "--config", config)
	daemon.says(t, "facerecd is ready")
	found := examine(t, exitOK, nil, config)
	for _, check := range []string{"configuration", "runtime", "models", "camera door", "data", "daemon", "broker"} {
		if found[check].State != fine {
			t.Errorf("%s: %+v", check, found[check])
		}
	}
	if d := found["runtime"].Detail; d != testkit.Runtime(t) {
		t.Errorf("runtime: %s", d)
	}
	if text := must(t, "doctor", "--config", config); !strings.Contains(text, "ok       models ") {
		t.Errorf("as text:\n%s", text)
	}
}

func TestDoctorFindsWhatIsBroken(t *testing.T) {
	t.Parallel()
	config, server, broker := configure(t, "obama")
	dir := filepath.Dir(config)
	if err := os.Mkdir(filepath.Join(dir, "data"), 0o755); err != nil { // umask or not, others can enter
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(dir, "data"), 0o755); err != nil {
		t.Fatal(err)
	}
	env := []string{"FACERECD_CAMERAS_0_SOURCE=" + filepath.Join(dir, "missing"), "FACERECD_MQTT_BROKER=tcp://" + broker}
	found := examine(t, exitFailed, env, config)
	for check, want := range map[string]finding{
		"configuration": {State: fine, Detail: config},
		"models":        {State: fine, Detail: testkit.Models(t)},
		"camera door":   {State: warning, Detail: filepath.Join(dir, "missing") + ": no such file or directory"},
		"data":          {State: fine, Detail: "data"}, // after the warning about its mode
		"daemon":        {State: warning, Detail: strings.TrimPrefix(server, "http://")},
		"broker":        {State: failed, Detail: broker + " cannot be reached"},
	} {
		if got := found[check]; got.State != want.State || !strings.Contains(got.Detail, want.Detail) {
			t.Errorf("%s: %+v, want %+v", check, got, want)
		}
	}
	code, stdout, stderr := try(t, env, "doctor", "--config", config)
	if code != exitFailed || stderr != "facerecd: something has to be mended; see above\n" ||
		!strings.Contains(stdout, "chmod 700") || !strings.Contains(stdout, "failed   broker ") {
		t.Errorf("doctor exits with %d: %s%s", code, stdout, stderr)
	}

	wrong := write(t, filepath.Join(dir, "wrong.yaml"), []byte("brokr: 1\n"))
	if got := examine(t, exitFailed, nil, wrong)["configuration"]; got.State != failed || !strings.Contains(got.Detail, "brokr") {
		t.Errorf("configuration: %+v", got)
	}
	if got := examine(t, exitFailed, []string{"FACERECD_MODELS=" + dir}, config)["models"]; got.State != failed || !strings.Contains(got.Detail, "manifest.json") {
		t.Errorf("models: %+v", got)
	}
	broken := write(t, filepath.Join(dir, "libLiteRt.so"), bytes.Repeat([]byte("x"), 100))
	if got := examine(t, exitFailed, []string{"FACERECD_RUNTIME=" + broken}, config)["models"]; got.State != failed || !strings.Contains(got.Detail, broken) {
		t.Errorf("runtime: %+v", got)
	}
}
