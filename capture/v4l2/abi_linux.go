package v4l2

import (
	"unsafe"

	"github.com/blackjack/webcam/ioctl"
	"golang.org/x/sys/unix"
)

// From linux/videodev2.h.
const (
	capVideoCapture       = 0x00000001
	capVideoCaptureMPlane = 0x00001000
	capVideoM2M           = 0x00008000
	capVideoM2MMPlane     = 0x00004000
	capStreaming          = 0x04000000
	capIOMC               = 0x20000000 // works only when something has set up the media controller
	capDeviceCaps         = 0x80000000

	bufTypeVideoCapture = 1
	memoryMMAP          = 1

	bufFlagError              = 0x00000040
	bufFlagTimestampMask      = 0x0000e000
	bufFlagTimestampMonotonic = 0x00002000
)

// capability is struct v4l2_capability.
type capability struct {
	_            [16 + 32 + 32]byte // driver, card, bus_info
	_            uint32             // version
	capabilities uint32             // of the whole device
	deviceCaps   uint32             // of this node
	_            [3]uint32
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

// streamParameters is struct v4l2_streamparm with its member capture of the
// union parm.
type streamParameters struct {
	kind                   uint32
	_                      [2]uint32 // capability, capturemode
	numerator, denominator uint32    // of the seconds from one frame to the next
	_                      [200 - 4*4]byte
}

// requestBuffers is struct v4l2_requestbuffers.
type requestBuffers struct {
	count, kind, memory uint32
	_                   [2]uint32
}

// buffer is struct v4l2_buffer.
type buffer struct {
	index, kind, bytesused, flags uint32
	_                             uint32 // field
	timestamp                     unix.Timeval
	_                             [4]uint32 // timecode
	sequence, memory              uint32
	offset                        uint32 // a member of a union that is as wide as a pointer
	_                             [unsafe.Sizeof(uintptr(0)) - 4]byte
	length                        uint32
	_                             [2]uint32 // reserved2, request_fd
}

// timings is struct v4l2_dv_timings, packed, with its member bt of the union.
type timings struct {
	kind                      uint32
	width, height, interlaced uint32
	_                         uint32    // polarities
	pixelclock                [2]uint32 // 64 bits, not aligned
	_                         [132 - 7*4]byte
}

// The requests. The kernel finds out from the number how large it takes the
// structure to be.
func requestQueryCap() uintptr   { return ioctl.IoR('V', 0, unsafe.Sizeof(capability{})) }
func requestSetFormat() uintptr  { return ioctl.IoRW('V', 5, unsafe.Sizeof(imageFormat{})) }
func requestBufs() uintptr       { return ioctl.IoRW('V', 8, unsafe.Sizeof(requestBuffers{})) }
func requestQueryBuf() uintptr   { return ioctl.IoRW('V', 9, unsafe.Sizeof(buffer{})) }
func requestQueue() uintptr      { return ioctl.IoRW('V', 15, unsafe.Sizeof(buffer{})) }
func requestDequeue() uintptr    { return ioctl.IoRW('V', 17, unsafe.Sizeof(buffer{})) }
func requestStreamOn() uintptr   { return ioctl.IoW('V', 18, unsafe.Sizeof(int32(0))) }
func requestStreamOff() uintptr  { return ioctl.IoW('V', 19, unsafe.Sizeof(int32(0))) }
func requestSetParm() uintptr    { return ioctl.IoRW('V', 22, unsafe.Sizeof(streamParameters{})) }
func requestSetTimings() uintptr { return ioctl.IoRW('V', 87, unsafe.Sizeof(timings{})) }
func requestGetTimings() uintptr { return ioctl.IoRW('V', 88, unsafe.Sizeof(timings{})) }
func requestQueryTimings() uintptr {
	return ioctl.IoR('V', 99, unsafe.Sizeof(timings{}))
}

// control is ioctl(2) with a pointer to its structure, again when a signal
// came in between.
func control[T any](fd int, request uintptr, arg *T) error {
	for {
		_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), request, uintptr(unsafe.Pointer(arg)))
		switch errno {
		case 0:
			return nil
		case unix.EINTR:
			continue
		}
		return errno
	}
}
