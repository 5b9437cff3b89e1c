//go:build !linux

package v4l2

import (
	"context"
	"errors"

	"facerecd/capture"
)

var errLinux = errors.New("open camera: cameras are read on Linux only; use a photo, a folder or an MJPEG file")

// Open fails: Video4Linux is a part of Linux.
func Open(context.Context, string, Options) (capture.Source, error) { return nil, errLinux }

// Modes fails: Video4Linux is a part of Linux.
func Modes(string) ([]Mode, error) { return nil, errLinux }
