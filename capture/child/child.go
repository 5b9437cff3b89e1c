// Package child reads cameras that another program drives: rpicam-vid for the
// CSI cameras of a Raspberry Pi, GStreamer for those of a Jetson, ffmpeg for
// RTSP. The program writes frames to its standard output and is supervised: it
// lives no longer than the source, nor than the daemon.
package child

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"facerecd/capture"
	"facerecd/capture/mjpeg"
	"facerecd/capture/stream"
)

// Options says what a camera is asked for.
type Options struct {
	Width, Height int           // pixels; 0 means 640x480
	FPS           float64       // frames a second; 0 means 10
	Exposure      time.Duration // 0 leaves it to the camera
	Format        string        // "mjpeg" or "yu12", where there is a choice; "" for the better one

	// Hide are the secrets in the address of a network camera, which must not
	// appear in a log or an error.
	Hide []string

	Start time.Duration // see stream.Options
	Stall time.Duration
	Log   *slog.Logger // what the program says, at debug level; nil for none
}

func (o *Options) complete() {
	if o.Width <= 0 || o.Height <= 0 {
		o.Width, o.Height = 640, 480
	}
	// The planes of 4:2:0 want even sizes.
	o.Width, o.Height = max(o.Width&^1, 2), max(o.Height&^1, 2)
	if o.FPS <= 0 {
		o.FPS = 10
	}
}

func (o *Options) command(argv ...string) Command {
	return Command{Argv: argv, Hide: o.Hide, Start: o.Start, Stall: o.Stall, Log: o.Log}
}

// Command is a program that writes frames to its standard output.
type Command struct {
	Argv []string // the program, by path or to be found in PATH, and its arguments; no shell sees them
	Raw  *Raw     // the frames, when they are not MJPEG

	// Watch, when set, gets each line that the program writes to its standard
	// error. An error ends the source.
	Watch func(line string) error

	Hide  []string // what must not appear in a log or an error
	Start time.Duration
	Stall time.Duration
	Log   *slog.Logger // nil for none
}

// Raw describes I420 frames that follow each other without anything between.
type Raw struct {
	Width, Height int  // pixels, even
	Stride        int  // bytes of a row of the Y plane, even; a row of the others has half of that
	Full          bool // levels from 0 to 255, which are brought to capture.I420's 16 to 235
}

func (r *Raw) size() int { return r.Stride * r.Height * 3 / 2 }

// Open starts the program and waits for its first frame. An error that the
// program ended with wraps the reason of package capture that its words tell.
func Open(ctx context.Context, c Command) (capture.Source, error) {
	if r := c.Raw; r != nil && (r.Width <= 0 || r.Height <= 0 || r.Stride < r.Width || (r.Width|r.Height|r.Stride)%2 != 0) {
		return nil, fmt.Errorf("read raw frames of %dx%d with rows of %d bytes: ask for an even size", r.Width, r.Height, r.Stride)
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	r := &reader{command: c, name: filepath.Base(c.Argv[0])}
	r.said = newTail(c.Hide, r.heard)
	if err := r.start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", r.name, err)
	}
	return stream.Open(ctx, r, stream.Options{Start: c.Start, Stall: c.Stall, Detail: r.said.last})
}

// reader is a stream.Reader of what a program writes.
type reader struct {
	command Command
	name    string
	process *process
	out     *os.File
	mjpeg   *mjpeg.Reader // nil for raw frames
	levels  *levels       // nil when the levels are right as they come
	said    *tail
	refused atomic.Pointer[error] // what Watch objected to
	frames  bool                  // some were read
}

func (r *reader) start() error {
	out, in, err := os.Pipe()
	if err != nil {
		return err
	}
	cmd := exec.Command(r.command.Argv[0], r.command.Argv[1:]...)
	cmd.Stdout, cmd.Stderr = in, r.said
	cmd.Env = environ()
	r.process, err = startProcess(cmd)
	if cerr := in.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return errors.Join(err, out.Close())
	}
	r.out = out
	switch {
	case r.command.Raw == nil:
		r.mjpeg = mjpeg.NewReader(out)
	case r.command.Raw.Full:
		r.levels = newLevels()
	}
	return nil
}

// environ is the daemon's environment without its own settings, some of which
// are secret, and in the language whose errors are known here.
func environ() []string {
	env := slices.DeleteFunc(os.Environ(), func(s string) bool {
		return strings.HasPrefix(s, "FACERECD_") || strings.HasPrefix(s, "LC_ALL=") || strings.HasPrefix(s, "NOTIFY_SOCKET=")
	})
	return append(env, "LC_ALL=C")
}

// heard takes a line of the program's standard error.
func (r *reader) heard(line string) {
	r.command.Log.Debug("the camera's program says", "program", r.name, "line", line)
	if r.command.Watch == nil {
		return
	}
	if err := r.command.Watch(line); err != nil {
		r.refused.CompareAndSwap(nil, &err)
	}
}

// Next implements stream.Reader.
func (r *reader) Next(f *capture.Frame) error {
	err := r.next(f)
	if refused := r.refused.Load(); refused != nil {
		return *refused
	}
	if err == nil {
		r.frames = true
		return nil
	}
	if errors.Is(err, capture.ErrBadFrame) {
		return err
	}
	return r.ended(err)
}

func (r *reader) next(f *capture.Frame) error {
	if r.mjpeg != nil {
		return r.mjpeg.Next(f)
	}
	raw := r.command.Raw
	size := raw.size()
	f.Data = slices.Grow(f.Data[:0], size)[:size]
	if _, err := io.ReadFull(r.out, f.Data); err != nil {
		return err
	}
	if r.levels != nil {
		r.levels.limit(f.Data, raw.Stride*raw.Height)
	}
	f.Format, f.Width, f.Height, f.Stride = capture.I420, raw.Width, raw.Height, raw.Stride
	return nil
}

// ended says why the program writes no more.
func (r *reader) ended(err error) error {
	state := r.process.end()
	reason := r.said.reason()
	if reason == nil && r.frames {
		reason = capture.ErrStream
	}
	text := fmt.Sprintf("%s ended (%v)", r.name, state)
	if !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		text = fmt.Sprintf("read from %s: %v", r.name, err)
	}
	if last := r.said.last(); last != "" {
		text += ": " + last
	}
	if reason == nil {
		return errors.New(text)
	}
	return fmt.Errorf("%w: %s", reason, text)
}

// Close implements stream.Reader.
func (r *reader) Close() error {
	return errors.Join(r.process.stop(), r.out.Close())
}
