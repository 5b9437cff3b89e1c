//go:build !linux

package jpeg

import (
	"errors"
	"image"
)

// Turbo is there on Linux only.
type Turbo struct{}

// NewTurbo always fails here.
func NewTurbo() (*Turbo, error) { return nil, errors.New("load libjpeg-turbo: only done on Linux") }

// Decode is never reached.
func (*Turbo) Decode([]byte) (*image.YCbCr, error) {
	return nil, errors.New("decode JPEG: no libjpeg-turbo")
}

// Close does nothing.
func (*Turbo) Close() error { return nil }
