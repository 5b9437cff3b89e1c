// Package source opens what a camera's "source" in the configuration names: a
// camera of the machine, a photo, a folder of photos or an MJPEG file.
package source

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"facerecd/capture"
	"facerecd/capture/replay"
	"facerecd/capture/v4l2"
)

// Spec describes a source. 0 leaves a choice to the source.
type Spec struct {
	Source        string  // path of a device node, a link to one, a file or a folder
	Width, Height int     // pixels that are asked for
	FPS           float64 // frames a second that are asked for

	// For recordings only.
	Loop bool          // begin again at the end
	Hold time.Duration // how long each photo stays

	Log *slog.Logger // nil for none
}

// Open is a capture.Camera's Open for the source. What kind it is, is looked
// up anew each time that it is opened. A path below /dev that is not there is
// a camera that is not plugged in.
func Open(spec Spec) func(context.Context) (capture.Source, error) {
	return func(ctx context.Context) (capture.Source, error) {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if isDevice(spec.Source) {
			return v4l2.Open(ctx, spec.Source, v4l2.Options{
				Width: spec.Width, Height: spec.Height, FPS: spec.FPS, Log: spec.Log,
			})
		}
		return replay.Open(spec.Source, replay.Options{
			Width: spec.Width, Height: spec.Height, FPS: spec.FPS, Loop: spec.Loop, Hold: spec.Hold, Log: spec.Log,
		})
	}
}

func isDevice(path string) bool {
	info, err := os.Stat(path)
	if err != nil {
		return strings.HasPrefix(filepath.Clean(path), "/dev/")
	}
	return info.Mode()&os.ModeCharDevice != 0
}
