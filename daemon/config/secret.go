package config

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// unitCredentials is where systemd puts the credentials of facerecd.service. It
// tells its processes so in the environment; this is for other commands, which
// root may run.
const unitCredentials = "/run/credentials/facerecd.service"

// credentials replaces, in every key that names a file, credential:NAME by the
// path of what systemd hands over under that name (LoadCredential= in the unit),
// and ${CREDENTIALS_DIRECTORY} by the folder of all of them.
func credentials(c *Config, env []string) []error {
	dir := unitCredentials
	for _, e := range env {
		if value, ok := strings.CutPrefix(e, "CREDENTIALS_DIRECTORY="); ok && value != "" {
			dir = value
		}
	}
	var problems []error
	for _, l := range leaves(c) {
		path, ok := l.value.Addr().Interface().(*string)
		if !ok || !strings.HasSuffix(l.path, "_file") && !strings.Contains(l.path, ".tls.") {
			continue
		}
		if rest, ok := strings.CutPrefix(*path, "${CREDENTIALS_DIRECTORY}/"); ok {
			*path = filepath.Join(dir, rest)
		}
		name, ok := strings.CutPrefix(*path, "credential:")
		if !ok {
			continue
		}
		if name == "" || name != filepath.Base(name) || name == ".." || name == "." {
			problems = append(problems, fmt.Errorf("%s: %q: write credential: and the name that LoadCredential= in the unit gives it", l.path, *path))
			continue
		}
		*path = filepath.Join(dir, name)
	}
	return problems
}

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
