package config

import (
	"os"
	"path/filepath"
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
