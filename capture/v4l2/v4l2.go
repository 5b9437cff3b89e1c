// Package v4l2 reads cameras through Video4Linux: USB cameras, HDMI grabbers,
// and whatever else is a plain capture device. It finds them, too.
//
// Formats, rates and controls are asked through blackjack/webcam; the stream
// is the package's own (docs/adr/0006-own-streaming-loop.md).
package v4l2

import (
	"log/slog"
	"time"
)

// Options says what a camera is asked for. It gives the nearest that it has.
type Options struct {
	Width, Height int     // pixels; 0 means 640x480
	FPS           float64 // frames a second; 0 means 10

	// Format is the pixel format: "yuyv", "nv12", "yu12", "grey" or "mjpeg".
	// Empty means the best of those that the camera has.
	Format string

	// Exposure is how long each picture is exposed, in steps of 100 us and
	// within what the camera can do. 0 leaves that to the camera.
	Exposure time.Duration

	// StallAfter is how long a Read waits for a frame before ErrStalled; 0
	// means capture.DefaultStallAfter.
	StallAfter time.Duration

	// Log gets a line at debug level that says what was agreed on, and a
	// warning when the picture suffers from what the camera cannot do. Nil
	// for none.
	Log *slog.Logger
}
