//go:build !linux

package v4l2

import (
	"context"
	"errors"

	"facerecd/capture"
)

// Open fails: Video4Linux is a part of Linux.
func Open(context.Context, string, Options) (capture.Source, error) {
	return nil, errors.New("open camera: cameras are read on Linux only; use a photo, a folder or an MJPEG file")
}
