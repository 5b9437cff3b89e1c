package v4l2

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unsafe"

	"github.com/blackjack/webcam"
	"github.com/blackjack/webcam/ioctl"
	"golang.org/x/sys/unix"
)

// node is a camera read through blackjack/webcam, with repairs of what
// v0.6.1 gets wrong. Each says when it can go.
//
// Repair: webcam keeps its file descriptor to itself, and some of the repairs
// need one. V4L2 lets a device be opened more than once, and what they ask for
// (capabilities, format, readiness) is the device's and not the descriptor's,
// so the node has a second one of its own. Only the first may stop the
// stream. It can go when webcam hands its descriptor out.
type node struct {
	cam     *webcam.Webcam
	control int // the second descriptor
}

var _ driver = (*node)(nil)

func openNode(path string) (*node, error) {
	control, err := unix.Open(path, unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	if err := checkCapabilities(control); err != nil {
		return nil, errors.Join(err, unix.Close(control))
	}
	cam, err := webcam.Open(path)
	if err != nil {
		return nil, errors.Join(err, unix.Close(control))
	}
	return &node{cam: cam, control: control}, nil
}

// checkCapabilities repairs webcam's check, which looks at what the whole
// camera can do and so accepts its metadata nodes. It can go when webcam reads
// device_caps.
func checkCapabilities(fd int) error {
	caps, err := queryCapabilities(fd)
	switch {
	case errors.Is(err, unix.ENOTTY), errors.Is(err, unix.EINVAL):
		return fmt.Errorf("it is no camera: %w", err)
	case err != nil:
		return err
	case caps&capVideoCapture == 0 && caps&capVideoCaptureMPlane != 0:
		return errors.New("the camera delivers multi-planar buffers, which cannot be read")
	case caps&capVideoCapture == 0:
		return errors.New("this node of the camera delivers no pictures: use the one with the lowest number")
	case caps&capStreaming == 0:
		return errors.New("the camera cannot stream")
	}
	return nil
}

func (n *node) Formats() []fourcc {
	var list []fourcc
	for f := range n.cam.GetSupportedFormats() {
		list = append(list, fourcc(f))
	}
	slices.Sort(list)
	return list
}

func (n *node) Sizes(f fourcc) []sizes {
	var list []sizes
	for _, s := range n.cam.GetSupportedFrameSizes(webcam.PixelFormat(f)) {
		// A continuous range comes as zeros (webcam does not read it), which
		// is what the zero sizes stands for.
		list = append(list, sizes{
			int(s.MinWidth), int(s.MaxWidth), int(s.StepWidth),
			int(s.MinHeight), int(s.MaxHeight), int(s.StepHeight),
		})
	}
	return list
}

func (n *node) MaxRate(f fourcc, width, height int) float64 {
	var most float64
	for _, r := range n.cam.GetSupportedFramerates(webcam.PixelFormat(f), uint32(width), uint32(height)) {
		// These are intervals: the shortest one is the highest rate.
		if r.MinNumerator > 0 {
			most = max(most, float64(r.MinDenominator)/float64(r.MinNumerator))
		}
	}
	return most
}

func (n *node) SetFormat(f fourcc, width, height int) error {
	_, _, _, err := n.cam.SetImageFormat(webcam.PixelFormat(f), uint32(width), uint32(height))
	return err
}

// Format repairs SetImageFormat, which returns the size that it was asked for
// and not the one that the driver chose, and no bytes per line. It can go when
// webcam returns the driver's answer.
func (n *node) Format() (pixFormat, error) { return getFormat(n.control) }

func (n *node) SetRate(fps float64) error { return n.cam.SetFramerate(float32(fps)) }

// Start repairs two things in StartStreaming. It flattens the system's error
// into text, from which it is recovered: that can go when webcam wraps it. And
// when it fails half way it leaves the buffers mapped, which keeps the camera
// open, and so busy, for as long as this process lives: that can go with
// webcam's issue 70.
func (n *node) Start(buffers int) error {
	if err := n.cam.SetBufferCount(uint32(buffers)); err != nil {
		return err
	}
	err := n.cam.StartStreaming()
	if err == nil {
		return nil
	}
	err = unflatten(err)
	if !strings.HasPrefix(err.Error(), "Failed to map request buffers") {
		// The kernel gave us the buffers, so that all mappings of the camera
		// in this process are ours.
		err = errors.Join(err, unmapAll(n.control))
	}
	return err
}

// unflatten finds the system's error at the end of an error's text.
func unflatten(err error) error {
	for _, errno := range []unix.Errno{
		unix.EBUSY, unix.ENODEV, unix.ENXIO, unix.EIO, unix.EPIPE, unix.ENOSPC, unix.ENOMEM, unix.EINVAL, unix.EPERM, unix.ETIMEDOUT,
	} {
		if text, ok := strings.CutSuffix(err.Error(), errno.Error()); ok {
			return fmt.Errorf("%s%w", text, errno)
		}
	}
	return err
}

// Wait repairs WaitForFrame, which waits for whole seconds only. It polls the
// second descriptor, and answers early rather than late: whether there is a
// frame is for Dequeue to say. It can go when webcam waits for milliseconds.
func (n *node) Wait(d time.Duration) error {
	fds := []unix.PollFd{{Fd: int32(n.control), Events: unix.POLLIN}}
	ready, err := unix.Poll(fds, int(max(d.Milliseconds(), 1)))
	if err != nil {
		return err
	}
	if ready > 0 && fds[0].Revents&unix.POLLIN == 0 {
		// A camera that is gone, as Dequeue will tell at once; or a driver
		// (v4l2loopback) that tells the streaming descriptor only, which is
		// then asked often.
		time.Sleep(min(d, 5*time.Millisecond))
	}
	return nil
}

// Dequeue and Release repair ReadFrame, which gives the buffer back to the
// driver before anybody has read it. It can go when ReadFrame copies.
func (n *node) Dequeue() ([]byte, uint32, error) { return n.cam.GetFrame() }

func (n *node) Release(index uint32) error { return n.cam.ReleaseFrame(index) }

// Close stops the stream and closes the camera.
//
// webcam's StopStreaming unmaps the buffers before the stream is off, and only
// the descriptor that it hides could turn it off before (the kernel answers
// EBUSY to the second one). What makes that harmless: a device calls Close
// only while no Read is in progress, so nobody looks at the mappings; the
// kernel keeps the pages while the camera writes to them; and closing the
// descriptor turns the stream off in any case, also when StopStreaming gave
// up. Nothing remains to be done here when webcam swaps the two.
func (n *node) Close() error {
	return errors.Join(n.cam.Close(), unix.Close(n.control))
}

// From linux/videodev2.h.
const (
	capVideoCapture       = 0x00000001
	capVideoCaptureMPlane = 0x00001000
	capStreaming          = 0x04000000
	capDeviceCaps         = 0x80000000

	bufTypeVideoCapture = 1
)

// capability is struct v4l2_capability.
type capability struct {
	driver       [16]byte
	card         [32]byte
	busInfo      [32]byte
	version      uint32
	capabilities uint32
	deviceCaps   uint32
	reserved     [3]uint32
}

// queryCapabilities is what this node of the device can do.
func queryCapabilities(fd int) (uint32, error) {
	var c capability
	if err := control(fd, ioctl.IoR('V', 0, unsafe.Sizeof(c)), unsafe.Pointer(&c)); err != nil {
		return 0, err
	}
	if c.capabilities&capDeviceCaps != 0 {
		return c.deviceCaps, nil
	}
	return c.capabilities, nil
}

// imageFormat is struct v4l2_format with its member pix of the union fmt. The
// union has pointers in other members, and so a pointer's alignment.
type imageFormat struct {
	kind uint32
	fmt  struct {
		_                                                          [0]uintptr
		width, height, pixelformat, field, bytesperline, sizeimage uint32
		_                                                          [200 - 6*4]byte
	}
}

func getFormat(fd int) (pixFormat, error) {
	f := imageFormat{kind: bufTypeVideoCapture}
	if err := control(fd, ioctl.IoRW('V', 4, unsafe.Sizeof(f)), unsafe.Pointer(&f)); err != nil {
		return pixFormat{}, err
	}
	return pixFormat{
		fourcc: fourcc(f.fmt.pixelformat), width: int(f.fmt.width), height: int(f.fmt.height), stride: int(f.fmt.bytesperline),
	}, nil
}

// control is ioctl(2), again when a signal came in between.
func control(fd int, request uintptr, arg unsafe.Pointer) error {
	for {
		_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), request, uintptr(arg))
		switch errno {
		case 0:
			return nil
		case unix.EINTR:
			continue
		}
		return errno
	}
}
