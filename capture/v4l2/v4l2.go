// Package v4l2 reads cameras through Video4Linux.
package v4l2

import (
	"log/slog"
	"time"
)

// Options says what a camera is asked for. It gives the nearest that it has.
type Options struct {
	Width, Height int     // pixels; 0 means 640x480
	FPS           float64 // frames a second; 0 means 10

	// StallAfter is how long a Read waits for a frame before ErrStalled; 0
	// means capture.DefaultStallAfter.
	StallAfter time.Duration

	Log *slog.Logger // a line at debug level says what was agreed on; nil for none
}
