package v4l2

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"facerecd/capture"
)

// The kernel finds out from the request number how large it takes the
// structure to be; these are the numbers of linux/videodev2.h on 64 bits.
func TestRequestNumbersAreTheKernels(t *testing.T) {
	if unsafe.Sizeof(uintptr(0)) != 8 {
		t.Fatal("write down the numbers of this architecture")
	}
	for name, number := range map[string][2]uintptr{
		"VIDIOC_QUERYCAP":         {requestQueryCap(), 0x80685600},
		"VIDIOC_S_FMT":            {requestSetFormat(), 0xc0d05605},
		"VIDIOC_REQBUFS":          {requestBufs(), 0xc0145608},
		"VIDIOC_QUERYBUF":         {requestQueryBuf(), 0xc0585609},
		"VIDIOC_QBUF":             {requestQueue(), 0xc058560f},
		"VIDIOC_DQBUF":            {requestDequeue(), 0xc0585611},
		"VIDIOC_STREAMON":         {requestStreamOn(), 0x40045612},
		"VIDIOC_STREAMOFF":        {requestStreamOff(), 0x40045613},
		"VIDIOC_S_PARM":           {requestSetParm(), 0xc0cc5616},
		"VIDIOC_S_DV_TIMINGS":     {requestSetTimings(), 0xc0845657},
		"VIDIOC_G_DV_TIMINGS":     {requestGetTimings(), 0xc0845658},
		"VIDIOC_QUERY_DV_TIMINGS": {requestQueryTimings(), 0x80845663},
	} {
		if number[0] != number[1] {
			t.Errorf("%s = %#x, want %#x", name, number[0], number[1])
		}
	}
	var f imageFormat
	var b buffer
	for name, offset := range map[string][2]uintptr{
		"v4l2_format.fmt":       {unsafe.Offsetof(f.fmt), 8},
		"v4l2_buffer.timestamp": {unsafe.Offsetof(b.timestamp), 24},
		"v4l2_buffer.sequence":  {unsafe.Offsetof(b.sequence), 56},
		"v4l2_buffer.m":         {unsafe.Offsetof(b.offset), 64},
		"v4l2_buffer.length":    {unsafe.Offsetof(b.length), 72},
	} {
		if offset[0] != offset[1] {
			t.Errorf("%s is at %d, want %d", name, offset[0], offset[1])
		}
	}
}

func TestOpenSaysWhatIsNoCamera(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		path string
		is   error
		want string
	}{
		{filepath.Join(dir, "video9"), capture.ErrNotFound, "open DIR/video9: camera not found: no such file or directory"},
		{file, unix.ENOTTY, "open DIR/file: it is no camera: inappropriate ioctl for device"},
		{"/dev/null", unix.ENOTTY, "open /dev/null: it is no camera: inappropriate ioctl for device"},
	}
	for _, test := range tests {
		before := descriptors(t)
		_, err := Open(t.Context(), test.path, Options{})
		if err == nil || !errors.Is(err, test.is) || strings.ReplaceAll(err.Error(), dir, "DIR") != test.want {
			t.Errorf("Open(%s): %v\nwant %s", test.path, err, test.want)
		}
		if after := descriptors(t); after != before {
			t.Errorf("Open(%s) left %d descriptors open", test.path, after-before)
		}
	}
}

func descriptors(t *testing.T) int {
	t.Helper()
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}

func TestABufferIsAsOldAsItsMonotonicStamp(t *testing.T) {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
		t.Fatal(err)
	}
	b := buffer{flags: 0x12001 | bufFlagTimestampMonotonic, timestamp: unix.NsecToTimeval(now.Nano() - int64(time.Second))}
	// The kernel stamps whole microseconds, so that a second may come out as one less.
	if age := b.age(); age < time.Second-time.Microsecond || age > time.Minute {
		t.Errorf("a second old: %v", age)
	}
	for _, flags := range []uint32{0, 0x4000} { // unknown, and copied from the writer
		b.flags = flags
		if age := b.age(); age >= 0 {
			t.Errorf("flags %#x: %v old, want unknown", flags, age)
		}
	}
}

// quiet is a node whose descriptor never has a frame.
func quiet(t *testing.T) *node {
	t.Helper()
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	wake, err := unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	return &node{fd: fd, wake: wake}
}

func TestWakeEndsAWait(t *testing.T) {
	n := quiet(t)
	defer n.Close()
	begin := time.Now()
	if err := n.Wait(10 * time.Millisecond); err != nil || time.Since(begin) < 10*time.Millisecond {
		t.Errorf("Wait = %v after %v, want 10ms", err, time.Since(begin))
	}
	n.Wake() // before the Wait
	n.Wake() // many are like one
	if err := n.Wait(time.Hour); err != nil {
		t.Error(err)
	}
	var wakers sync.WaitGroup
	wakers.Go(n.Wake)
	if err := n.Wait(time.Hour); err != nil {
		t.Error(err)
	}
	wakers.Wait()
	begin = time.Now()
	if err := n.Wait(10 * time.Millisecond); err != nil || time.Since(begin) < 10*time.Millisecond {
		t.Errorf("Wait = %v after %v: an old Wake was left", err, time.Since(begin))
	}
}

func TestWakeAfterCloseTouchesNobodysDescriptor(t *testing.T) {
	n := quiet(t)
	was := n.wake
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	other := quiet(t) // has the numbers now
	defer other.Close()
	if other.wake != was && other.fd != was {
		t.Fatalf("descriptor %d was not given out again", was)
	}
	n.Wake()
	for _, fd := range []int{other.wake, other.fd} {
		ready, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 0)
		if ready != 0 || err != nil {
			t.Errorf("descriptor %d was written to", fd)
		}
	}
}
