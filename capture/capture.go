// Package capture brings frames from a camera, or from something played as
// one, to the place where the newest of them is wanted.
//
// A Source yields frames, a Camera keeps a Source open for as long as it can
// be opened, and a Mailbox holds the newest frame for a slower reader.
package capture

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Format is the layout of a Frame's pixels.
type Format uint8

// The layouts that a Source may deliver. YUYV, NV12, I420 and Gray carry
// BT.601 limited-range ("video") levels, as V4L2 cameras give them; JPEG data
// carries full-range levels, as JFIF asks.
const (
	YUYV Format = iota // packed 4:2:2, Y0 Cb Y1 Cr
	NV12               // Y plane, then interleaved CbCr plane, 4:2:0
	I420               // Y, Cb, Cr planes, 4:2:0
	RGB                // packed, 8 bits each
	Gray               // Y plane only
	JPEG               // one complete compressed picture; Stride is 0
)

func (f Format) String() string {
	names := [...]string{"YUYV", "NV12", "I420", "RGB", "GRAY", "JPEG"}
	if int(f) < len(names) {
		return names[f]
	}
	return fmt.Sprintf("Format(%d)", uint8(f))
}

// Frame is one picture. Whoever holds the pointer owns Data; a Source that is
// given the Frame to fill reuses Data's capacity.
type Frame struct {
	Seq    uint64    // the source's own count; a gap means that frames were lost before us, or damaged
	At     time.Time // when the picture was taken, with a monotonic reading
	Format Format
	Width  int // pixels; 0 for JPEG when the source does not know it
	Height int
	Stride int // bytes from one row of the first plane to the next
	Data   []byte
}

// Source delivers frames. One goroutine reads; Close may be called by another
// once, ends a Read in progress, and frees everything that was opened.
type Source interface {
	// Read blocks until the next frame, and overwrites f with it. After
	// ErrBadFrame the next Read may succeed; after any other error, the
	// context's own aside, the Source must be closed and opened again.
	Read(ctx context.Context, f *Frame) error
	Close() error
}

// The reasons why a Source stops, for errors.Is. What reaches the user wraps
// one of these with the device and the cause.
var (
	ErrBadFrame    = errors.New("damaged frame")
	ErrUnplugged   = errors.New("camera unplugged")
	ErrStream      = errors.New("camera is there, but its stream broke")
	ErrFrozen      = errors.New("camera repeats one picture")
	ErrStalled     = errors.New("camera sends no frames")
	ErrBusy        = errors.New("camera in use by another program")
	ErrPermission  = errors.New("no permission to open the camera")
	ErrNotFound    = errors.New("camera not found")
	ErrUnsupported = errors.New("camera cannot be read")
	ErrEnd         = errors.New("end of recording")
)
