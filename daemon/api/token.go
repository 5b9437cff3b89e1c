package api

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

const (
	minTokenLength = 16
	maxTokenFile   = 4 << 10
)

// LoadOrCreateToken returns the token that the file at path holds. When there
// is no file it makes one, readable by its owner only, with a random token of
// 128 bits, and created is true: the moment to show the token once. A file
// that others may read, or that holds no token, is an error. Two processes
// that create the file at once get the same token.
func LoadOrCreateToken(path string) (token string, created bool, err error) {
	token, err = loadToken(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return token, false, err
	}
	token = rand.Text()
	err = createToken(path, token)
	if errors.Is(err, fs.ErrExist) { // somebody was faster
		token, err = loadToken(path)
		return token, false, err
	}
	if err != nil {
		return "", false, fmt.Errorf("create token file: %w", err)
	}
	return token, true, nil
}

func loadToken(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("open token file: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return "", fmt.Errorf("read token file: %w", err)
	}
	// Reading by the group is let through: root:facerecd 0640 is how a
	// service's secret in /etc is usually kept.
	if mode := info.Mode().Perm(); mode&0o027 != 0 {
		return "", fmt.Errorf("token file %s is open to others (mode %04o): chmod 600 it, and replace the token if somebody may have seen it", path, mode)
	}
	data := make([]byte, maxTokenFile)
	n, err := f.Read(data)
	if err != nil && n == 0 && info.Size() > 0 {
		return "", fmt.Errorf("read token file: %w", err)
	}
	token := strings.TrimSpace(string(data[:n]))
	if len(token) < minTokenLength || strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return "", fmt.Errorf("token file %s does not hold a token (one line of at least %d letters and digits): delete it, and a new one is made at the next start", path, minTokenLength)
	}
	return token, nil
}

// createToken makes the file appear whole or not at all, also after a power
// cut, and never replaces one.
func createToken(path, token string) (err error) {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	tmp, err := os.CreateTemp(dir, ".token-*") // made with mode 0600
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.Remove(tmp.Name())) }()
	_, err = tmp.WriteString(token + "\n")
	if err = errors.Join(err, tmp.Sync(), tmp.Close()); err != nil {
		return err
	}
	if err := os.Link(tmp.Name(), path); err != nil {
		return err
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
