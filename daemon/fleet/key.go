package fleet

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// KeySize is the size of a fleet's key in bytes.
const KeySize = 32

// LoadKey reads a key that CreateKey wrote. A file that others may read, or in
// which no key is, is an error; what is in it is not in the error.
func LoadKey(path string) ([]byte, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("open fleet key: %w: copy it from another device of the fleet, or make the first one with facerecd fleet key", err)
	} else if err != nil {
		return nil, fmt.Errorf("open fleet key: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("read fleet key: %w", err)
	}
	// As for the other secrets in /etc, the group may read: root:facerecd 0640.
	if mode := info.Mode().Perm(); mode&0o027 != 0 {
		return nil, fmt.Errorf("fleet key %s is open to others (mode %04o): chmod 600 it, and make a new key for all devices if somebody may have seen it", path, mode)
	}
	data, err := io.ReadAll(io.LimitReader(f, 1<<10))
	if err != nil {
		return nil, fmt.Errorf("read fleet key: %w", err)
	}
	key, err := base64.StdEncoding.Strict().DecodeString(strings.TrimSpace(string(data)))
	if err != nil || len(key) != KeySize {
		return nil, fmt.Errorf("fleet key %s does not hold a key (one line of 44 letters and digits): copy it again from another device", path)
	}
	return key, nil
}

// CreateKey makes a random key in a new file, which its owner alone can read.
// It never replaces one: whoever loses a fleet's key starts a new fleet.
func CreateKey(path string) (err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("make fleet key: %w", err)
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("make fleet key: %s is there already: copy it to the other devices, or delete it to begin a new fleet", path)
	} else if err != nil {
		return fmt.Errorf("make fleet key: %w", err)
	}
	var key [KeySize]byte
	_, _ = rand.Read(key[:]) // never fails
	_, err = f.WriteString(base64.StdEncoding.EncodeToString(key[:]) + "\n")
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return errors.Join(fmt.Errorf("make fleet key: %w", err), os.Remove(path))
	}
	return nil
}
