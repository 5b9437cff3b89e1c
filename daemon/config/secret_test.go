package config

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestReadSecret(t *testing.T) {
	path := filepath.Join(t.TempDir(), "password")
	const notOneLine = "read secret: PATH does not hold one line: write the password there, and nothing else"
	tests := []struct {
		content string
		mode    os.FileMode
		want    string
		err     string
	}{
		{"hunter2\n", 0o600, "hunter2", ""},
		{" spaces count \r\n", 0o640, " spaces count ", ""},
		{"hunter2\n", 0o644, "", "read secret: every user may read PATH: run chmod 600 PATH"},
		{"\n", 0o600, "", notOneLine},
		{"", 0o600, "", notOneLine},
		{"two\nlines\n", 0o600, "", notOneLine},
		{strings.Repeat("x", 5000), 0o600, "", notOneLine},
	}
	for _, tt := range tests {
		if err := os.WriteFile(path, []byte(tt.content), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, tt.mode); err != nil {
			t.Fatal(err)
		}
		got, err := ReadSecret(path)
		message := ""
		if err != nil {
			message = strings.ReplaceAll(err.Error(), path, "PATH")
		}
		if got != tt.want || message != tt.err {
			t.Errorf("%q with mode %o: got %q and %q, want %q and %q", tt.content, tt.mode, got, message, tt.want, tt.err)
		}
	}
	if _, err := ReadSecret(path + ".missing"); err == nil {
		t.Error("read a missing file")
	}
}

func TestCredentialsOfSystemdAreFiles(t *testing.T) {
	const file = "http: {token_file: %s, tls: {cert: /etc/cert.pem, key: 'credential:key.pem'}}\n"
	env := []string{"CREDENTIALS_DIRECTORY=/run/credentials/other.service"}
	for _, tt := range []struct {
		env         []string
		token       string
		want, key   string
		wantProblem string
	}{
		{env, "credential:token", "/run/credentials/other.service/token", "/run/credentials/other.service/key.pem", ""},
		{env, "'${CREDENTIALS_DIRECTORY}/token'", "/run/credentials/other.service/token", "/run/credentials/other.service/key.pem", ""},
		{nil, "credential:token", "/run/credentials/facerecd.service/token", "/run/credentials/facerecd.service/key.pem", ""},
		{nil, "/etc/facerecd/token", "/etc/facerecd/token", "/run/credentials/facerecd.service/key.pem", ""},
		{nil, "credential:../token", "", "", `http.token_file: "credential:../token": write credential: and the name that LoadCredential= in the unit gives it`},
		{nil, "'credential:'", "", "", `http.token_file: "credential:": write credential: and the name that LoadCredential= in the unit gives it`},
	} {
		path := filepath.Join(t.TempDir(), "facerecd.yaml")
		if err := os.WriteFile(path, fmt.Appendf(nil, file, tt.token), 0o600); err != nil {
			t.Fatal(err)
		}
		c, err := Load(path, tt.env)
		if tt.wantProblem != "" {
			if err == nil || err.Error() != "bad configuration in "+path+":\n  "+tt.wantProblem {
				t.Errorf("%s: %v, want %s", tt.token, err, tt.wantProblem)
			}
			continue
		}
		if err != nil || c.HTTP.TokenFile != tt.want || c.HTTP.TLS.Key != tt.key || c.HTTP.TLS.Cert != "/etc/cert.pem" {
			t.Errorf("%s: %+v, %v", tt.token, c.HTTP, err)
		}
	}
}

func TestChangedListsTheKeysThatDiffer(t *testing.T) {
	before, after := Default(), Default()
	if changed := before.Changed(after); len(changed) > 0 {
		t.Errorf("of two that are alike: %v", changed)
	}
	after.Threads, after.MQTT.TLS.CA, after.Log.Faces = 2, "/ca.pem", true
	after.Cameras = []Camera{before.Cameras[0], {Name: "yard"}}
	after.Cameras[0].FPS = 25
	changed := after.Changed(before)
	want := []string{"threads", "mqtt.tls.ca", "cameras[0].fps", "cameras[1].name", "cameras[1].source"}
	for _, key := range want {
		if !slices.Contains(changed, key) {
			t.Errorf("%v lacks %s", changed, key)
		}
	}
	if slices.Contains(changed, "cameras[0].name") || slices.Contains(changed, "models") || changed[0] != "threads" {
		t.Errorf("changed: %v", changed)
	}
}
