package main

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"filippo.io/age"

	"facerecd/daemon/api"
	"facerecd/match"
)

// enrolTwo enrols two people with a running daemon.
func enrolTwo(t *testing.T, server string) {
	t.Helper()
	must(t, "enroll", "Barack", photo(t, "obama2"), photo(t, "obama3"), "--server", server)
	must(t, "enroll", "Joe", photo(t, "biden"), "--server", server)
}

func TestABackupOfOneDeviceMakesAnother(t *testing.T) {
	t.Parallel()
	config, server, _ := configure(t, "obama")
	daemon := begin(t, nil, "run", "--config", config)
	daemon.says(t, "facerecd is ready")
	enrolTwo(t, server)
	dir := t.TempDir()
	passphrase := write(t, filepath.Join(dir, "passphrase"), []byte("correct horse battery staple\n"))
	identity, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	keyFile := write(t, filepath.Join(dir, "key"), []byte(identity.String()+"\n"))

	file := func(name string) string { return filepath.Join(dir, name) }
	saved := must(t, "backup", file("plain"), "--config", config)
	if want := "Wrote " + file("plain") + ": 2 people, 3 embeddings. Faces are biometric data: keep the file so.\n"; saved != want {
		t.Errorf("it says %q, want %q", saved, want)
	}
	must(t, "backup", file("locked"), "--passphrase-file", passphrase, "--config", config)
	must(t, "backup", file("sealed"), "--recipient", identity.Recipient().String(), "--server", server)
	if out := must(t, "backup", "-", "--config", config); !strings.HasPrefix(out, "facerecd backup 1\n") {
		t.Errorf("standard output begins with %.40q", out)
	}
	for _, name := range []string{"plain", "locked", "sealed"} {
		info, err := os.Stat(file(name))
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", name, info.Mode(), err)
		}
		data, err := os.ReadFile(file(name))
		if err != nil || bytes.Contains(data, []byte("Barack")) != (name == "plain") {
			t.Errorf("%s, %v: it has the name, or not, and should not, or should", name, err)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(dir, ".*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}

	// The other device, whose daemon does not run at first.
	config2, server2, _ := configure(t, "biden")
	const cannot = "this backup cannot be used: "
	fails(t, exitFailed, cannot+"it is encrypted with age; say with which passphrase or identity to open it", "restore", file("locked"), "--config", config2)
	fails(t, exitFailed, "this is not the passphrase or identity that the backup was encrypted with", "restore", file("locked"), "--identity", keyFile, "--config", config2)
	fails(t, exitFailed, "choose between --passphrase-file and --identity", "restore", file("locked"), "--identity", keyFile, "--passphrase-file", passphrase)
	fails(t, exitFailed, cannot+"it is not a backup that facerecd made", "restore", photo(t, "obama"), "--config", config2)
	code, _, stderr := try(t, nil, "backup", file("none"), "--config", config2)
	if code != exitFailed || !strings.Contains(stderr, "no daemon answers, and there is no store in ") {
		t.Errorf("where there is nothing: %d, %s", code, stderr)
	}
	if _, err := os.Stat(file("none")); err == nil {
		t.Error("a backup of nothing was written")
	}
	data, err := os.ReadFile(file("locked"))
	if err != nil {
		t.Fatal(err)
	}
	cut := write(t, file("cut"), data[:len(data)-20])
	code, _, stderr = try(t, nil, "restore", cut, "--passphrase-file", passphrase, "--config", config2)
	if code != exitFailed || !strings.Contains(stderr, "read backup: ") {
		t.Errorf("what was cut off: %d, %s", code, stderr)
	}

	const restored = `Restored the backup that test made on \d{4}-\d\d-\d\d \d\d:\d\d:\d\d: 2 people, 3 new embeddings(, \d+ events)?\.\n`
	if out := must(t, "restore", file("locked"), "--passphrase-file", passphrase, "--config", config2); !regexp.MustCompile("^" + restored + "$").MatchString(out) {
		t.Errorf("it says %q", out)
	}
	again := must(t, "backup", "-", "--config", config2) // from the store itself
	second := begin(t, nil, "run", "--config", config2)
	second.says(t, "facerecd is ready")
	if out := must(t, "recognize", photo(t, "obama"), "--server", server2); !strings.HasPrefix(out, "Barack ") {
		t.Errorf("recognised: %s", out)
	}
	if !strings.HasPrefix(again, "facerecd backup 1\n") {
		t.Errorf("the store's backup begins with %.40q", again)
	}

	// A running daemon takes one in as well, and knows the people at once.
	must(t, "people", "forget", "Joe", "--server", server2)
	done := unmarshal[api.Restored](t, must(t, "restore", file("sealed"), "--identity", keyFile, "--json", "--config", config2))
	if done.People != 1 || done.Deleted != 1 || done.Device != "test" {
		t.Errorf("restored %+v", done)
	}
	if out := must(t, "recognize", photo(t, "biden"), "--server", server2); !strings.HasPrefix(out, "unknown ") {
		t.Errorf("who was deleted is recognised: %s", out)
	}
	must(t, "enroll", "Kamala", "--force", photo(t, "biden"), "--server", server2)
	out := must(t, "restore", file("plain"), "--replace", "--with-deleted", "--server", server2)
	if !strings.HasSuffix(out, "1 people who are not in it were taken away.\n") {
		t.Errorf("it says %q", out)
	}
	if out := must(t, "recognize", photo(t, "biden"), "--server", server2); !strings.HasPrefix(out, "Joe ") {
		t.Errorf("recognised: %s", out)
	}
	if people := unmarshal[[]match.Person](t, must(t, "people", "--json", "--server", server2)); len(people) != 2 {
		t.Errorf("people: %+v", people)
	}
	damaged := bytes.Clone(mustRead(t, file("plain")))
	damaged[len(damaged)/2] ^= 1
	code, _, stderr = try(t, nil, "restore", write(t, file("damaged"), damaged), "--server", server2)
	if code != exitFailed || !strings.Contains(stderr, "backup cannot be used: ") {
		t.Errorf("a damaged one: %d, %s", code, stderr)
	}
	if log := second.stderr.String() + daemon.stderr.String(); strings.Contains(log, "Barack") || strings.Contains(log, "ERROR") {
		t.Errorf("the log has names or errors:\n%s", log)
	}
}

func mustRead(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}
