package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"facerecd/cross/testkit"
	"facerecd/daemon/config"
	"facerecd/deploy/systemd"
)

func TestUnitOfABareBinaryIsThePackagesWithOtherPaths(t *testing.T) {
	text, err := unitFor("/opt/facerecd/bin/facerecd", "/etc/door.yaml")
	if err != nil {
		t.Fatal(err)
	}
	want := strings.NewReplacer(
		"ExecStart=/usr/bin/facerecd run --config /etc/facerecd/facerecd.yaml", "ExecStart={{Path}} run --config /etc/door.yaml",
		"ExecReload=/usr/bin/facerecd run --check --config /etc/facerecd/facerecd.yaml", "ExecReload={{Path}} run --check --config /etc/door.yaml",
	).Replace(systemd.Unit())
	if text != want || strings.Count(text, "{{") != 2 || text == systemd.Unit() {
		t.Errorf("the unit is\n%s", text)
	}
}

func TestSystemdUnderstandsTheUnit(t *testing.T) {
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Fatal("systemd-analyze is missing: run make test-needs, or apt install systemd")
	}
	path := filepath.Join(t.TempDir(), "facerecd.service")
	write(t, path, []byte(strings.ReplaceAll(systemd.Unit(), "/usr/bin/facerecd ", "/bin/true ")))
	if out, err := exec.CommandContext(t.Context(), analyze, "verify", "--man=no", path).CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("systemd-analyze verify: %v\n%s", err, out)
	}
	// Fails when the exposure is above 2.0.
	out, err := exec.CommandContext(t.Context(), analyze, "security", "--offline=true", "--no-pager", "--threshold=20", path).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "Overall exposure level") {
		t.Errorf("systemd-analyze security: %v\n%s", err, out)
	}
}

func TestPathsThatTheServiceCannotUseAreRefused(t *testing.T) {
	for path, want := range map[string]string{
		"/home/ana/facerecd":   "the service does not see /home/ana/facerecd, as it sees nobody's files: move it, as to /usr/local/bin/facerecd, with models and libLiteRt.so in /usr/local/lib/facerecd",
		"/opt/100% sure":       `"/opt/100% sure" would need quoting in a unit: move it to a path of letters, digits and . _ + -`,
		"/opt/{{Path}}":        `"/opt/{{Path}}" would need quoting in a unit: move it to a path of letters, digits and . _ + -`,
		"/opt/a\nUser=root":    `"/opt/a\nUser=root" would need quoting in a unit: move it to a path of letters, digits and . _ + -`,
		"relative/facerecd":    `"relative/facerecd" would need quoting in a unit: move it to a path of letters, digits and . _ + -`,
		"/tmp/facerecd":        "the service does not see /tmp/facerecd, as it sees nobody's files: move it, as to /usr/local/bin/facerecd, with models and libLiteRt.so in /usr/local/lib/facerecd",
		"/usr/local/bin/plain": "",
	} {
		message := ""
		if _, err := unitFor(path, defaultConfig); err != nil {
			message = err.Error()
		}
		if message != want {
			t.Errorf("%q: %q, want %q", path, message, want)
		}
	}
}

func TestThePackagesUnitIsNotFought(t *testing.T) {
	unit := write(t, filepath.Join(t.TempDir(), "facerecd.service"), nil)
	want := "the package facerecd is the service here, by " + unit + ": sudo systemctl enable --now facerecd; to use this binary instead, first: sudo apt remove facerecd"
	if err := notThePackage([]string{unit + ".other", unit}); err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
	if err := notThePackage([]string{unit + ".other"}); err != nil {
		t.Error(err)
	}
}

func TestConfigurationOfABareBinaryNamesItsModelsAndRuntime(t *testing.T) {
	models, runtime := testkit.Models(t), testkit.Runtime(t)
	text, err := configFor(models, runtime)
	if err != nil {
		t.Fatal(err)
	}
	c, err := config.Load(write(t, filepath.Join(t.TempDir(), "facerecd.yaml"), []byte(text)), nil)
	if err != nil || c.Models != models || c.Runtime != runtime {
		t.Errorf("models %s, runtime %s, %v", c.Models, c.Runtime, err)
	}
	if _, err := configFor(models, filepath.Join(t.TempDir(), "missing.so")); err == nil {
		t.Error("a runtime that is not there is written down")
	}
}

func TestServicesAreForRoot(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("this is root")
	}
	for _, action := range []string{"start", "stop", "restart"} {
		fails(t, exitFailed, "only root may change services: sudo facerecd service "+action, "service", action)
	}
}
