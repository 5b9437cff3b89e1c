//go:build vm

package vm_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"facerecd/cross/vm/vivid"
)

const (
	dataDir    = "/var/lib/facerecd"
	configFile = "/etc/facerecd/facerecd.yaml"
	tokenFile  = "/etc/facerecd/token"
)

// The package's whole life, as its owner sees it.
func TestPackageKeepsPeopleUntilItIsPurged(t *testing.T) {
	camera := vivid.Load(t, 1)[0]
	camera.Feed(t, picture(t, "obama.jpg", 4))
	t.Cleanup(func() { // for the tests that follow
		if err := install(); err != nil {
			t.Error(err)
		}
	})
	aptOK(t, "purge", "facerecd")
	deb := filepath.Join(share(), "facerecd.deb")

	said := aptOK(t, "install", deb)
	for _, want := range []string{"sudo systemctl start facerecd", "sudo cat " + tokenFile, "mqtt://127.0.0.1:1883"} {
		if !strings.Contains(said, want) {
			t.Errorf("the installation does not say %q:\n%s", want, said)
		}
	}
	if got := state("is-enabled") + ", " + state("is-active"); got != "enabled, inactive" {
		t.Errorf("after the installation the service is %s; want enabled, inactive", got)
	}
	wantOwner(t, configFile, "root:facerecd 640")
	wantOwner(t, tokenFile, "root:facerecd 640")
	token := read(t, tokenFile)
	if len(strings.TrimSpace(token)) != 32 {
		t.Error("the token has not 32 characters")
	}
	if groups := vivid.Run(t, "id", "-nG", "facerecd"); !strings.Contains(groups, "video") || !strings.Contains(groups, "render") {
		t.Errorf("the user is in the groups %s", groups)
	}

	ear := listen(t)
	s := start(t, door)
	out := vivid.Run(t, "curl", "-sS", "-F", "name=obama", "-F", "images=@"+photo("obama2.jpg"), "-F", "images=@"+photo("obama3.jpg"),
		s.client.BaseURL+"/register")
	if !strings.Contains(out, `"accepted":2`) {
		t.Fatalf("curl enrols: %s", out)
	}
	ear.recognized(t, time.Time{})

	config := read(t, configFile)
	upgraded := time.Now()
	newer := repacked(t, deb, "upgrade1")
	aptOK(t, "install", newer)
	if state("is-active") != "active" || mainPID(t) == s.pid {
		t.Error("the upgrade did not start the service again")
	}
	ear.recognized(t, upgraded)
	if read(t, configFile) != config || read(t, tokenFile) != token {
		t.Error("the upgrade changed the configuration or the token")
	}

	vivid.Run(t, "systemctl", "stop", "facerecd")
	aptOK(t, "install", repacked(t, deb, "upgrade2"))
	if got := state("is-active"); got != "inactive" {
		t.Errorf("an upgrade of the stopped service left it %s", got)
	}

	vivid.Run(t, "systemctl", "start", "facerecd")
	said = aptOK(t, "remove", "facerecd")
	if !strings.Contains(said, "purge") {
		t.Errorf("the removal does not say how to erase people:\n%s", said)
	}
	if _, err := os.Stat("/usr/bin/facerecd"); err == nil {
		t.Error("the program is still there")
	}
	if out, _ := exec.Command("pgrep", "-x", "facerecd").Output(); len(out) > 0 {
		t.Errorf("the service still runs: %s", out)
	}
	if read(t, configFile) != config || read(t, tokenFile) != token {
		t.Error("the removal changed the configuration or the token")
	}

	aptOK(t, "install", deb)
	vivid.Run(t, "systemctl", "start", "facerecd")
	eventually(t, "the person is still known", func() bool {
		people, err := s.client.People(t.Context())
		return err == nil && len(people) == 1
	})

	aptOK(t, "purge", "facerecd")
	for _, gone := range []string{dataDir, "/etc/facerecd"} {
		if _, err := os.Stat(gone); !os.IsNotExist(err) {
			list, _ := exec.Command("find", gone).Output()
			t.Errorf("after purging there is %s", list)
		}
	}
	if err := exec.Command("id", "facerecd").Run(); err != nil {
		t.Error("the user is gone; its number may become another's")
	}
}

func TestPackageHasAManualAndCompletesCommands(t *testing.T) {
	// The guest has no manuals: they are looked at in the package.
	list := vivid.Run(t, "dpkg-deb", "--contents", filepath.Join(share(), "facerecd.deb"))
	for _, want := range []string{"man1/facerecd.1.gz", "man5/facerecd.yaml.5.gz", "vendor-completions/_facerecd", "facerecd.fish"} {
		if !strings.Contains(list, want) {
			t.Errorf("the package has no %s", want)
		}
	}
	complete := `. /usr/share/bash-completion/completions/facerecd; COMP_WORDS=(facerecd people ""); COMP_CWORD=2; _facerecd; echo "${COMPREPLY[*]}"`
	if got := vivid.Run(t, "bash", "-c", complete); strings.TrimSpace(got) != "list rename notify forget" {
		t.Errorf("facerecd people TAB offers %q", got)
	}
}

func aptOK(t *testing.T, args ...string) string {
	t.Helper()
	out, err := apt(args...)
	if err != nil {
		t.Fatalf("apt-get %s: %v: %s", strings.Join(args, " "), err, out)
	}
	return out
}

// repacked is the package with a version that comes after its own.
func repacked(t *testing.T, deb, suffix string) string {
	t.Helper()
	dir := t.TempDir()
	tree := filepath.Join(dir, "tree")
	vivid.Run(t, "dpkg-deb", "--raw-extract", deb, tree)
	vivid.Run(t, "sed", "-i", "s/^Version: .*/&+"+suffix+"/", filepath.Join(tree, "DEBIAN/control"))
	newer := filepath.Join(dir, suffix+".deb")
	vivid.Run(t, "dpkg-deb", "-Znone", "--build", tree, newer)
	return newer
}

// state is what systemctl says, whatever its exit status.
func state(question string) string {
	out, _ := exec.Command("systemctl", question, "facerecd").Output()
	return strings.TrimSpace(string(out))
}

func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func wantOwner(t *testing.T, path, want string) {
	t.Helper()
	if got := strings.TrimSpace(vivid.Run(t, "stat", "-c", "%U:%G %a", path)); got != want {
		t.Errorf("%s is %s, want %s", path, got, want)
	}
}
