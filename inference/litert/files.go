package litert

import "crypto/sha256"

// files are the .tflite files that open models read from, each once, however many
// models were made of it. Library.mu guards them.
type files map[[sha256.Size]byte]*file

type file struct {
	hash   [sha256.Size]byte
	data   []byte // read-only, outside the Go heap
	models int
}

// take returns a copy of data, or the one there is, until leave.
func (f files) take(data []byte) (*file, error) {
	hash := sha256.Sum256(data)
	if known := f[hash]; known != nil {
		known.models++
		return known, nil
	}
	mapped, err := mapReadOnly(data)
	if err != nil {
		return nil, err
	}
	f[hash] = &file{hash: hash, data: mapped, models: 1}
	return f[hash], nil
}

func (f files) leave(one *file) error {
	if one.models--; one.models > 0 {
		return nil
	}
	delete(f, one.hash)
	return unmap(one.data)
}
