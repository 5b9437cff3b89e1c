package v4l2

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"facerecd/capture"
)

// node is a device node of the kernel's. One descriptor asks, sets and streams,
// but for what webcam asks (settings), which closes its own before the stream
// begins.
type node struct {
	path    string
	fd      int
	buffers [][]byte // mapped
	on      bool     // the stream

	mu   sync.Mutex // Wake comes from other goroutines, and may come late
	wake int        // an eventfd, which ends a Wait; -1 once closed
}

var _ driver = (*node)(nil)

func openNode(path string) (*node, error) {
	fd, err := unix.Open(path, unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	if err := checkCapabilities(fd); err != nil {
		return nil, errors.Join(err, unix.Close(fd))
	}
	wake, err := unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("make an eventfd: %w", err), unix.Close(fd))
	}
	return &node{path: path, fd: fd, wake: wake}, nil
}

func checkCapabilities(fd int) error {
	caps, err := queryCapabilities(fd)
	switch {
	case errors.Is(err, unix.ENOTTY), errors.Is(err, unix.EINVAL):
		return fmt.Errorf("it is no camera: %w", err)
	case err != nil:
		return err
	case caps&(capVideoM2M|capVideoM2MMPlane) != 0:
		return fmt.Errorf("%w: it converts pictures and takes none: `facerecd doctor` lists the cameras", capture.ErrUnsupported)
	case caps&capIOMC != 0:
		return fmt.Errorf("%w: it is a raw CSI sensor: use `source: csi`", capture.ErrUnsupported)
	case caps&capVideoCapture == 0 && caps&capVideoCaptureMPlane != 0:
		return fmt.Errorf("%w: its buffers have several planes: use `source: csi` for a camera at the board's connector, or a USB camera", capture.ErrUnsupported)
	case caps&capVideoCapture == 0:
		return fmt.Errorf("%w: this node delivers no pictures: use the one with the lowest number", capture.ErrUnsupported)
	case caps&capStreaming == 0:
		return fmt.Errorf("%w: it cannot stream", capture.ErrUnsupported)
	}
	return nil
}

// queryCapabilities is what this node of the device can do.
func queryCapabilities(fd int) (uint32, error) {
	var c capability
	if err := control(fd, requestQueryCap(), &c); err != nil {
		return 0, err
	}
	if c.capabilities&capDeviceCaps != 0 {
		return c.deviceCaps, nil
	}
	return c.capabilities, nil
}

func (n *node) Alive() error {
	_, err := queryCapabilities(n.fd)
	return err
}

func (n *node) SetFormat(f fourcc, width, height int) (pixFormat, error) {
	s := imageFormat{kind: bufTypeVideoCapture}
	s.fmt.width, s.fmt.height, s.fmt.pixelformat, s.fmt.field = uint32(width), uint32(height), uint32(f), uint32(fieldNone)
	if err := control(n.fd, requestSetFormat(), &s); err != nil {
		return pixFormat{}, err
	}
	return pixFormat{
		fourcc: fourcc(s.fmt.pixelformat), width: int(s.fmt.width), height: int(s.fmt.height),
		field: field(s.fmt.field), stride: int(s.fmt.bytesperline), bytes: int(s.fmt.sizeimage),
	}, nil
}

func (n *node) SetRate(fps float64) (float64, error) {
	p := streamParameters{kind: bufTypeVideoCapture, numerator: 1000, denominator: uint32(1000 * fps)}
	if err := control(n.fd, requestSetParm(), &p); err != nil {
		return 0, err
	}
	if p.numerator == 0 {
		return 0, nil
	}
	return float64(p.denominator) / float64(p.numerator), nil
}

func (n *node) Start(count int) error {
	req := requestBuffers{count: uint32(count), kind: bufTypeVideoCapture, memory: memoryMMAP}
	if err := control(n.fd, requestBufs(), &req); err != nil {
		return fmt.Errorf("request buffers: %w", err)
	}
	for i := range req.count { // it may be another number
		b := buffer{index: i, kind: bufTypeVideoCapture, memory: memoryMMAP}
		if err := control(n.fd, requestQueryBuf(), &b); err != nil {
			return fmt.Errorf("query a buffer: %w", err)
		}
		mapped, err := unix.Mmap(n.fd, int64(b.offset), int(b.length), unix.PROT_READ, unix.MAP_SHARED)
		if err != nil {
			return fmt.Errorf("map a buffer: %w", err)
		}
		n.buffers = append(n.buffers, mapped)
	}
	if len(n.buffers) == 0 {
		return errors.New("request buffers: the driver gave none")
	}
	for i := range n.buffers {
		if err := n.Release(uint32(i)); err != nil {
			return fmt.Errorf("queue a buffer: %w", err)
		}
	}
	kind := int32(bufTypeVideoCapture)
	if err := control(n.fd, requestStreamOn(), &kind); err != nil {
		return fmt.Errorf("switch the stream on: %w", err)
	}
	n.on = true
	return nil
}

func (n *node) Wait(limit time.Duration) error {
	fds := []unix.PollFd{{Fd: int32(n.fd), Events: unix.POLLIN}, {Fd: int32(n.wake), Events: unix.POLLIN}}
	// Rounded up, or the last millisecond before the limit is spent spinning.
	ready, err := unix.Poll(fds, int((limit+time.Millisecond-1)/time.Millisecond))
	switch {
	case errors.Is(err, unix.EINTR), err == nil && ready == 0:
		return nil
	case err != nil:
		return err
	}
	if fds[1].Revents != 0 {
		var count [8]byte
		_, _ = unix.Read(n.wake, count[:]) // resets it
	}
	if fds[0].Revents&unix.POLLIN == 0 && fds[0].Revents != 0 {
		// Gone (POLLERR and POLLHUP), or the driver gave up (POLLERR).
		if err := n.Alive(); err != nil {
			return err
		}
		return unix.EIO
	}
	return nil
}

func (n *node) Wake() {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.wake >= 0 {
		_, _ = unix.Write(n.wake, []byte{1, 0, 0, 0, 0, 0, 0, 0}) // can only fail when it is set already
	}
}

func (n *node) Dequeue() (picture, error) {
	b := buffer{kind: bufTypeVideoCapture, memory: memoryMMAP}
	if err := control(n.fd, requestDequeue(), &b); err != nil {
		return picture{}, err
	}
	if int(b.index) >= len(n.buffers) {
		return picture{}, fmt.Errorf("the driver gave buffer %d of %d", b.index, len(n.buffers))
	}
	mapped := n.buffers[b.index]
	return picture{
		data: mapped[:min(int(b.bytesused), len(mapped))], index: b.index,
		seq: b.sequence, age: b.age(), damaged: b.flags&bufFlagError != 0,
	}, nil
}

// age is how long ago the driver stamped the buffer; negative when it does not
// say.
func (b *buffer) age() time.Duration {
	var now unix.Timespec
	if b.flags&bufFlagTimestampMask != bufFlagTimestampMonotonic || unix.ClockGettime(unix.CLOCK_MONOTONIC, &now) != nil {
		return -1
	}
	return time.Duration(now.Nano() - b.timestamp.Nano())
}

func (n *node) Release(index uint32) error {
	b := buffer{index: index, kind: bufTypeVideoCapture, memory: memoryMMAP}
	return control(n.fd, requestQueue(), &b)
}

func (n *node) Close() error {
	n.mu.Lock()
	wake := n.wake
	n.wake = -1
	n.mu.Unlock()
	var errs []error
	if n.on {
		kind := int32(bufTypeVideoCapture)
		_ = control(n.fd, requestStreamOff(), &kind) // it fails for a camera that is gone; closing does it, too
	}
	for _, b := range n.buffers {
		errs = append(errs, unix.Munmap(b))
	}
	n.buffers = nil
	return errors.Join(append(errs, unix.Close(n.fd), unix.Close(wake))...)
}
