package config

import (
	"fmt"
	"io"
	"os"
	"strings"
)

// ReadSecret returns the one line that the file at path holds, as
// mqtt.password_file does. It refuses a file that everybody may read.
func ReadSecret(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("read secret: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return "", fmt.Errorf("read secret: %w", err)
	}
	if info.Mode().Perm()&0o007 != 0 {
		return "", fmt.Errorf("read secret: every user may read %s: run chmod 600 %[1]s", path)
	}
	const longest = 4 << 10
	data, err := io.ReadAll(io.LimitReader(f, longest+1))
	if err != nil {
		return "", fmt.Errorf("read secret: %w", err)
	}
	secret := strings.TrimRight(string(data), "\r\n")
	if secret == "" || len(data) > longest || strings.ContainsAny(secret, "\r\n\x00") {
		return "", fmt.Errorf("read secret: %s does not hold one line: write the password there, and nothing else", path)
	}
	return secret, nil
}
