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

// driver is a camera as the kernel shows it; node is the real one.
type driver interface {
	Formats() []fourcc
	Sizes(fourcc) []sizes                          // empty when the driver does not say
	MaxRate(f fourcc, width, height int) float64   // 0 when the driver does not say
	SetFormat(f fourcc, width, height int) error   // the driver may choose another one
	Format() (pixFormat, error)                    // what it chose
	SetRate(fps float64) error                     // the nearest one is set
	Start(buffers int) error                       // of the stream
	Wait(d time.Duration) error                    // until there may be a frame, for d at most
	Dequeue() (data []byte, index uint32, _ error) // unix.EAGAIN when there is no frame; data is valid until Release
	Release(index uint32) error                    // gives the buffer back to be filled
	Close() error                                  // stops the stream too; no other call is in progress
}

// pixFormat is the part of struct v4l2_pix_format that matters here.
type pixFormat struct {
	fourcc        fourcc
	width, height int // pixels
	stride        int // bytesperline, of the first plane; 0 when compressed
}

const (
	defaultWidth, defaultHeight = 640, 480
	defaultFPS                  = 10

	// buffers is enough to keep the camera going while one is copied and one
	// is waiting for a reader that is late.
	buffers = 4

	// slice bounds the time that Read spends in one system call, and so the
	// time that it takes to notice its context, Close and the deadline.
	slice = 50 * time.Millisecond
)

// device is an open camera that streams.
type device struct {
	path       string
	driver     driver
	layout     capture.Format
	format     pixFormat
	size       int // bytes of a whole uncompressed frame
	stallAfter time.Duration
	seq        uint64
	once       sync.Once
	closed     chan struct{} // closed by Close, to end a Read in progress
	idle       chan struct{} // holds a token while no Read is in progress
}

var _ capture.Source = (*device)(nil)

// Open opens the camera at path (a device node, or a link to one such as those
// in /dev/v4l/by-id), agrees with it on a format and starts the stream. Errors
// wrap capture.ErrNotFound, ErrPermission, ErrBusy or ErrUnplugged when that
// is why.
func Open(ctx context.Context, path string, o Options) (capture.Source, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	n, err := openNode(path)
	if err != nil {
		return nil, failure("open", path, err)
	}
	return start(n, path, o)
}

// start agrees on a format and starts the stream. It closes d when it fails.
func start(d driver, path string, o Options) (*device, error) {
	c, err := negotiate(d, path, o)
	if err != nil {
		return nil, errors.Join(err, d.Close())
	}
	if err := d.Start(buffers); err != nil {
		err = failure("start", path, err)
		if errors.Is(err, unix.ENOSPC) { // what uvcvideo says for it
			err = fmt.Errorf("%w: USB has no room for its data: ask for a smaller picture or fewer frames, or use another port", err)
		}
		return nil, errors.Join(err, d.Close())
	}
	return c, nil
}

func negotiate(d driver, path string, o Options) (*device, error) {
	if o.Width <= 0 || o.Height <= 0 {
		o.Width, o.Height = defaultWidth, defaultHeight
	}
	if o.FPS <= 0 {
		o.FPS = defaultFPS
	}
	if o.StallAfter <= 0 {
		o.StallAfter = capture.DefaultStallAfter
	}
	m, err := choose(d, o.Width, o.Height, o.FPS)
	if err != nil {
		return nil, fmt.Errorf("set up %s: %w", path, err)
	}
	if err := d.SetFormat(m.fourcc, m.width, m.height); err != nil {
		return nil, failure("set the format of", path, err)
	}
	got, err := d.Format()
	if err != nil {
		return nil, failure("read the format of", path, err)
	}
	c := &device{
		path: path, driver: d, format: got, stallAfter: o.StallAfter,
		closed: make(chan struct{}), idle: make(chan struct{}, 1),
	}
	c.idle <- struct{}{}
	if err := c.layOut(); err != nil {
		return nil, fmt.Errorf("set up %s for %v: %w", path, m, err)
	}
	// Drivers that know one rate only refuse to be told: the frames come as
	// they come, and the mailbox skips what is too much.
	rateErr := d.SetRate(o.FPS)
	if o.Log != nil {
		o.Log.Debug("camera set up", "source", path, "format", got.fourcc.String(),
			"width", got.width, "height", got.height, "stride", c.format.stride, "rate_err", rateErr)
	}
	return c, nil
}

// layOut finds how long a whole frame of the format is.
func (c *device) layOut() error {
	f := &c.format
	layout, ok := layoutOf(f.fourcc)
	if !ok {
		return fmt.Errorf("the driver chose %v; what can be read is %s", f.fourcc, readable())
	}
	c.layout = layout
	if f.width < 1 || f.height < 1 || f.width > 1<<14 || f.height > 1<<14 {
		return fmt.Errorf("the driver chose a picture of %dx%d", f.width, f.height)
	}
	row, chroma := f.width, 0
	switch layout {
	case capture.JPEG:
		f.stride = 0
		return nil
	case capture.YUYV:
		row = (f.width + 1) / 2 * 4
	}
	if f.stride == 0 { // some drivers leave it out when the rows are tight
		f.stride = row
	}
	if f.stride < row || f.stride > 1<<17 {
		return fmt.Errorf("the driver states rows of %d bytes for %d pixels", f.stride, f.width)
	}
	switch layout { // the chroma planes follow; their rows are as padded as the luma's
	case capture.NV12:
		chroma = f.stride * ((f.height + 1) / 2)
	case capture.I420:
		chroma = 2 * ((f.stride + 1) / 2) * ((f.height + 1) / 2)
	}
	c.size = f.stride*f.height + chroma
	return nil
}

var errClosed = errors.New("read camera: it is closed")

// Read implements capture.Source. A frame's At is the time at which it was
// fetched and its Seq counts those, for webcam v0.6.1 gives neither the
// driver's timestamp nor its sequence number.
func (c *device) Read(ctx context.Context, f *capture.Frame) error {
	select {
	case <-c.closed:
		return errClosed
	case <-c.idle:
		defer func() { c.idle <- struct{}{} }()
	}
	deadline := time.Now().Add(c.stallAfter)
	for {
		select {
		case <-c.closed:
			return errClosed
		case <-ctx.Done():
			return ctx.Err()
		default:
		}
		data, index, err := c.driver.Dequeue()
		switch {
		case err == nil:
			return c.take(data, index, f)
		case errors.Is(err, unix.EINTR):
			continue
		case !errors.Is(err, unix.EAGAIN):
			return failure("read", c.path, err)
		}
		left := time.Until(deadline)
		if left <= 0 {
			return fmt.Errorf("read %s: %w: none in %v", c.path, capture.ErrStalled, c.stallAfter)
		}
		if err := c.driver.Wait(min(slice, left)); err != nil && !errors.Is(err, unix.EINTR) {
			return failure("wait for", c.path, err)
		}
	}
}

// take copies the driver's buffer into f and gives the buffer back.
func (c *device) take(data []byte, index uint32, f *capture.Frame) error {
	c.seq++
	f.Seq, f.At = c.seq, time.Now()
	f.Format, f.Width, f.Height, f.Stride = c.layout, c.format.width, c.format.height, c.format.stride
	n := len(data)
	if c.size > 0 {
		data = data[:min(n, c.size)] // without what the driver adds to fill a page
	}
	f.Data = append(f.Data[:0], data...)
	if err := c.driver.Release(index); err != nil {
		return failure("read", c.path, err)
	}
	switch {
	case n < c.size:
		return fmt.Errorf("read %s: %w: %d of %d bytes", c.path, capture.ErrBadFrame, n, c.size)
	case c.layout == capture.JPEG && !jpeg.Complete(f.Data):
		// The kernel does not tell when a compressed frame was cut short.
		return fmt.Errorf("read %s: %w: %d bytes without the end of a picture", c.path, capture.ErrBadFrame, n)
	}
	return nil
}

// Close implements capture.Source. No Read is in progress, and the camera is
// free for other programs, when it returns.
func (c *device) Close() (err error) {
	c.once.Do(func() {
		close(c.closed)
		<-c.idle
		if err = c.driver.Close(); err != nil {
			err = fmt.Errorf("close %s: %w", c.path, err)
		}
	})
	return err
}

// failure wraps a system call's error with what was done and, when its number
// tells, with capture's reason.
func failure(did, path string, err error) error {
	var reason error
	var errno unix.Errno
	if errors.As(err, &errno) {
		switch errno {
		case unix.ENODEV, unix.ENXIO, unix.EIO, unix.EPIPE:
			reason = capture.ErrUnplugged
		case unix.EBUSY:
			reason = capture.ErrBusy
		case unix.EACCES, unix.EPERM:
			reason = capture.ErrPermission
		case unix.ENOENT:
			reason = capture.ErrNotFound
		case unix.ETIMEDOUT:
			reason = capture.ErrStalled
		}
	}
	if reason == nil {
		return fmt.Errorf("%s %s: %w", did, path, err)
	}
	return fmt.Errorf("%s %s: %w: %w", did, path, reason, err)
}
