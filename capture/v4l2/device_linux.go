package v4l2

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"facerecd/capture"
	"facerecd/capture/jpeg"
)

// driver is a camera as the kernel shows it; node is the real one. One
// goroutine at a time calls it, but for Wake.
type driver interface {
	FollowSignal() error                                      // of an HDMI input
	Ask(func(settings) error) error                           // before Start
	SetFormat(f fourcc, width, height int) (pixFormat, error) // returns what the driver chose
	SetRate(fps float64) (float64, error)                     // the nearest one is set and returned
	Start(buffers int) error                                  // of the stream
	Wait(limit time.Duration) error                           // until there may be a frame, or Wake
	Wake()                                                    // ends a Wait, or else the next one
	Dequeue() (picture, error)                                // unix.EAGAIN when there is none
	Release(index uint32) error                               // gives the buffer back to be filled
	Alive() error                                             // whether the camera is still there
	Close() error                                             // stops the stream, too
}

// picture is a buffer that the driver has filled.
type picture struct {
	data    []byte // the driver's memory, valid until Release
	index   uint32
	seq     uint32        // the driver's count
	age     time.Duration // since it was taken; negative when the driver does not say
	damaged bool          // the driver says so
}

const (
	defaultWidth, defaultHeight = 640, 480
	defaultFPS                  = 10

	// buffers is enough to keep the camera going while one is copied and one
	// is waiting for a reader that is late.
	buffers = 4
)

// device is an open camera that streams.
type device struct {
	source     string // for errors
	driver     driver
	layout     capture.Format
	format     pixFormat
	size       int // bytes of a whole uncompressed frame
	stallAfter time.Duration
	count      sequence
	at         time.Time // of the last frame
	once       sync.Once
	closed     chan struct{} // closed by Close, to end a Read in progress
	idle       chan struct{} // holds a token while no Read is in progress
}

var _ capture.Source = (*device)(nil)

// Open opens the camera that source names (see Find), agrees with it on a
// format and starts the stream. Errors wrap capture.ErrNotFound, ErrPermission,
// ErrBusy, ErrUnplugged or ErrUnsupported when that is why.
func Open(ctx context.Context, source string, o Options) (capture.Source, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	path, err := Find("/", source)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", source, err)
	}
	n, err := openNode(path)
	if err != nil {
		return nil, failure("open", source, err)
	}
	return start(n, source, o)
}

// start agrees on a format and starts the stream. It closes d when it fails.
func start(d driver, source string, o Options) (_ *device, err error) {
	defer func() {
		if err != nil {
			err = errors.Join(err, d.Close())
		}
	}()
	c, err := negotiate(d, source, o)
	if err != nil {
		return nil, err
	}
	if err := d.Start(buffers); err != nil {
		if errors.Is(err, unix.ENOSPC) { // what uvcvideo says for it
			err = fmt.Errorf("%w: USB has no room for its data: ask for a smaller picture or fewer frames, or use another port", err)
		}
		return nil, c.failure("start", err)
	}
	return c, nil
}

func negotiate(d driver, source string, o Options) (*device, error) {
	if o.Width <= 0 || o.Height <= 0 {
		o.Width, o.Height = defaultWidth, defaultHeight
	}
	if o.FPS <= 0 {
		o.FPS = defaultFPS
	}
	if o.StallAfter <= 0 {
		o.StallAfter = capture.DefaultStallAfter
	}
	c := &device{
		source: source, driver: d, stallAfter: o.StallAfter,
		closed: make(chan struct{}), idle: make(chan struct{}, 1),
	}
	c.idle <- struct{}{}

	if err := d.FollowSignal(); err != nil {
		return nil, c.failure("set up", err)
	}
	var exposureErr error
	err := d.Ask(func(s settings) error {
		m, err := choose(s, o)
		if err != nil {
			return fmt.Errorf("set up %s: %w", source, err)
		}
		// First, as it is refused when another program streams; nothing of
		// that one's may change.
		if c.format, err = d.SetFormat(m.fourcc, m.width, m.height); err != nil {
			return c.failure("set the format of", err)
		}
		if c.layout, c.size, err = c.format.layOut(); err == nil && o.Format != "" && c.layout != m.layout {
			err = fmt.Errorf("%w as %s: the driver chose %v: leave the format empty", capture.ErrUnsupported, o.Format, c.format.fourcc)
		}
		if err != nil {
			return fmt.Errorf("set up %s for %v: %w", source, m, err)
		}
		exposureErr = expose(s, o.Exposure)
		return nil
	})
	if err != nil {
		return nil, err
	}
	// Drivers that know one rate only refuse to be told: the frames come as
	// they come, and the mailbox skips what is too much.
	rate, rateErr := d.SetRate(o.FPS)
	if o.Log != nil {
		f := c.format
		o.Log.Debug("camera set up", "source", source, "format", f.fourcc.String(), "width", f.width, "height", f.height,
			"stride", f.stride, "rate", rate, "rate_err", rateErr)
		if exposureErr != nil {
			o.Log.Warn("camera cannot be given the exposure", "source", source, "exposure", o.Exposure, "err", exposureErr)
		}
		if f.field.interlaced() {
			o.Log.Warn("camera sends interlaced pictures: what moves has combed edges", "source", source,
				"hint", "set it, or what feeds it, to a progressive mode")
		}
	}
	return c, nil
}

var errClosed = errors.New("read camera: it is closed")

// Read implements capture.Source. A frame's At is when the driver took it, and
// its Seq is the driver's count, from an arbitrary number on.
func (c *device) Read(ctx context.Context, f *capture.Frame) error {
	select {
	case <-c.closed:
		return errClosed
	case <-c.idle:
		defer func() { c.idle <- struct{}{} }()
	}
	defer context.AfterFunc(ctx, c.driver.Wake)()
	deadline := time.Now().Add(c.stallAfter)
	for {
		select {
		case <-c.closed:
			return errClosed
		case <-ctx.Done():
			return ctx.Err()
		default:
		}
		p, err := c.driver.Dequeue()
		switch {
		case err == nil:
			return c.take(p, f)
		case !errors.Is(err, unix.EAGAIN):
			return c.failure("read", err)
		}
		left := time.Until(deadline)
		if left <= 0 {
			return fmt.Errorf("read %s: %w: none in %v", c.source, capture.ErrStalled, c.stallAfter)
		}
		if err := c.driver.Wait(left); err != nil {
			return c.failure("read", err)
		}
	}
}

// take copies the driver's buffer into f and gives the buffer back.
func (c *device) take(p picture, f *capture.Frame) error {
	c.at = p.taken(time.Now(), c.at)
	f.Seq, f.At = c.count.next(p.seq), c.at
	f.Format, f.Width, f.Height, f.Stride = c.layout, c.format.width, c.format.height, c.format.stride
	n, data := len(p.data), p.data
	if c.size > 0 {
		data = data[:min(n, c.size)] // without what the driver adds to fill a page
	}
	if !p.damaged {
		f.Data = append(f.Data[:0], data...)
	}
	if err := c.driver.Release(p.index); err != nil {
		return c.failure("read", err)
	}
	switch {
	case p.damaged:
		return fmt.Errorf("read %s: %w: the driver says so", c.source, capture.ErrBadFrame)
	case n < c.size:
		return fmt.Errorf("read %s: %w: %d of %d bytes", c.source, capture.ErrBadFrame, n, c.size)
	case c.layout == capture.JPEG && !jpeg.Complete(f.Data):
		// The kernel does not tell when a compressed frame was cut short.
		return fmt.Errorf("read %s: %w: %d bytes without the end of a picture", c.source, capture.ErrBadFrame, n)
	}
	return nil
}

// taken is when the picture was taken, after last and with a monotonic
// reading: a wall clock that is set does not move it. Some drivers give
// nonsense; then it is now.
func (p picture) taken(now, last time.Time) time.Time {
	const oldest = 5 * time.Second // the buffers' worth of frames of a camera that barely streams
	if at := now.Add(-p.age); p.age >= 0 && p.age <= oldest && at.After(last) {
		return at
	}
	return now
}

// sequence makes the driver's count, which may start anywhere and wraps, one
// that goes up with each frame.
type sequence struct {
	begun bool
	last  uint32
	count uint64
}

func (s *sequence) next(seq uint32) uint64 {
	// A count that stands still, goes back, or leaps by more frames than a
	// camera can lose before it is stalled, says nothing.
	const leap = 10_000
	step := seq - s.last
	if !s.begun || step == 0 || step > leap {
		step = 1
	}
	s.begun, s.last = true, seq
	s.count += uint64(step)
	return s.count
}

// Close implements capture.Source. No Read is in progress, and the camera is
// free for other programs, when it returns.
func (c *device) Close() (err error) {
	c.once.Do(func() {
		close(c.closed)
		c.driver.Wake()
		<-c.idle
		if err = c.driver.Close(); err != nil {
			err = fmt.Errorf("close %s: %w", c.source, err)
		}
	})
	return err
}

// failure is the function failure for a camera that is open: what looks like a
// broken stream may be one, or else a camera that is gone.
func (c *device) failure(did string, err error) error {
	if errors.Is(reason(err), capture.ErrStream) {
		if gone := c.driver.Alive(); gone != nil {
			return fmt.Errorf("%s %s: %w: %w", did, c.source, capture.ErrUnplugged, err)
		}
	}
	return failure(did, c.source, err)
}

// failure wraps a system call's error with what was done and, when its number
// tells, with capture's reason.
func failure(did, source string, err error) error {
	if why := reason(err); why != nil {
		return fmt.Errorf("%s %s: %w: %w", did, source, why, err)
	}
	return fmt.Errorf("%s %s: %w", did, source, err)
}

// reason is capture's word for a system call's error, nil when there is none.
func reason(err error) error {
	var errno unix.Errno
	if !errors.As(err, &errno) {
		return nil
	}
	switch errno {
	case unix.ENODEV, unix.ENXIO, unix.ESHUTDOWN:
		return capture.ErrUnplugged
	case unix.EIO, unix.EPIPE, unix.EPROTO, unix.EILSEQ:
		return capture.ErrStream
	case unix.EBUSY:
		return capture.ErrBusy
	case unix.EACCES, unix.EPERM:
		return capture.ErrPermission
	case unix.ENOENT:
		return capture.ErrNotFound
	case unix.ETIMEDOUT:
		return capture.ErrStalled
	}
	return nil
}
