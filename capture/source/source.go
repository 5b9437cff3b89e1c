// Package source opens what a camera's "source" in the configuration names: a
// camera of the machine or of the network, a photo, a folder of photos or an
// MJPEG file.
package source

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"facerecd/capture"
	"facerecd/capture/child"
	"facerecd/capture/replay"
	"facerecd/capture/v4l2"
	"facerecd/capture/web"
)

// Spec describes a source. 0 leaves a choice to the source.
type Spec struct {
	// Source is the path of a device node, a link to one, usb: with a serial
	// number, csi or csi:N, argus or argus:N, an rtsp, rtsps, http or https
	// URL, or the path of a file or folder to play.
	Source        string
	Width, Height int     // pixels that are asked for
	FPS           float64 // frames a second that are asked for

	// For cameras of the machine only.
	Exposure time.Duration // 0 for automatic
	Format   string        // see v4l2.Options and child.Options; "" for the best

	// For recordings only.
	Loop bool          // begin again at the end
	Hold time.Duration // how long each photo stays

	Log *slog.Logger // nil for none
}

// Open is a capture.Camera's Open for the source. What kind it is, is looked
// up anew each time that it is opened. A path below /dev that is not there is
// a camera that is not plugged in. Errors name the source as Shown does.
func Open(spec Spec) func(context.Context) (capture.Source, error) {
	return func(ctx context.Context) (capture.Source, error) {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		a, err := parse(spec.Source)
		if err != nil {
			return nil, err
		}
		src, err := spec.open(ctx, a)
		if err != nil && a.kind != recording && a.kind != usb { // which name it themselves
			return nil, fmt.Errorf("open %s: %w", Shown(spec.Source), err)
		}
		return src, err
	}
}

func (s Spec) open(ctx context.Context, a address) (capture.Source, error) {
	program := child.Options{
		Width: s.Width, Height: s.Height, FPS: s.FPS, Exposure: s.Exposure, Format: s.Format,
		Hide: secrets(s.Source), Log: s.Log,
	}
	switch {
	case a.kind == csi:
		return child.OpenCSI(ctx, a.number, program)
	case a.kind == argus:
		return child.OpenArgus(ctx, a.number, program)
	case a.kind == rtsp:
		return child.OpenRTSP(ctx, s.Source, program)
	case a.kind == network:
		return web.Open(ctx, s.Source, web.Options{FPS: s.FPS})
	case a.kind == usb, isDevice(s.Source):
		return v4l2.Open(ctx, s.Source, v4l2.Options{
			Width: s.Width, Height: s.Height, FPS: s.FPS, Exposure: s.Exposure, Format: s.Format, Log: s.Log,
		})
	}
	return replay.Open(s.Source, replay.Options{
		Width: s.Width, Height: s.Height, FPS: s.FPS, Loop: s.Loop, Hold: s.Hold, Log: s.Log,
	})
}

func isDevice(path string) bool {
	info, err := os.Stat(path)
	if err != nil {
		return strings.HasPrefix(filepath.Clean(path), "/dev/")
	}
	return info.Mode()&os.ModeCharDevice != 0
}
