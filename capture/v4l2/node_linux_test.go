package v4l2

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"unsafe"

	"github.com/blackjack/webcam/ioctl"
	"golang.org/x/sys/unix"

	"facerecd/capture"
)

// The kernel finds out from the request number how large it takes the
// structure to be; these are the numbers of linux/videodev2.h.
func TestRequestNumbersAreTheKernels(t *testing.T) {
	if got := ioctl.IoR('V', 0, unsafe.Sizeof(capability{})); got != 0x80685600 {
		t.Errorf("VIDIOC_QUERYCAP = %#x, want 0x80685600", got)
	}
	var f imageFormat
	size, at := uintptr(208), uintptr(8)
	if unsafe.Sizeof(uintptr(0)) == 4 {
		size, at = 204, 4
	}
	if unsafe.Sizeof(f) != size || unsafe.Offsetof(f.fmt) != at {
		t.Errorf("struct v4l2_format has %d bytes and its union is at %d, want %d and %d", unsafe.Sizeof(f), unsafe.Offsetof(f.fmt), size, at)
	}
	if got, want := ioctl.IoRW('V', 4, size), uintptr(0xc0005604)|size<<16; got != want {
		t.Errorf("VIDIOC_G_FMT = %#x, want %#x", got, want)
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

func TestUnflattenFindsTheSystemsError(t *testing.T) {
	err := unflatten(errors.New("Failed to start streaming: " + unix.ENOSPC.Error()))
	if !errors.Is(err, unix.ENOSPC) || err.Error() != "Failed to start streaming: no space left on device" {
		t.Errorf("unflatten = %v", err)
	}
	if plain := errors.New("Already streaming"); unflatten(plain) != plain {
		t.Error("an error without a system's error was changed")
	}
}

// webcam v0.6.1 leaves buffers mapped when it cannot start; what the kernel
// would see is the same for any file.
func TestUnmapAllRemovesTheMappingsOfOneFileOnly(t *testing.T) {
	const size = 8192
	open := func() (fd int, mapped []byte) {
		fd, err := unix.MemfdCreate("buffers", unix.MFD_CLOEXEC)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { unix.Close(fd) })
		if err := unix.Ftruncate(fd, size); err != nil {
			t.Fatal(err)
		}
		mapped, err = unix.Mmap(fd, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
		if err != nil {
			t.Fatal(err)
		}
		if _, err = unix.Mmap(fd, size/2, size/2, unix.PROT_READ, unix.MAP_SHARED); err != nil {
			t.Fatal(err)
		}
		return fd, mapped
	}
	gone, _ := open()
	kept, mapped := open()
	if a, b := mappings(t, gone), mappings(t, kept); a != 2 || b != 2 {
		t.Fatalf("%d and %d mappings before, want 2 and 2", a, b)
	}
	if err := unmapAll(gone); err != nil {
		t.Fatal(err)
	}
	if a, b := mappings(t, gone), mappings(t, kept); a != 0 || b != 2 {
		t.Errorf("%d and %d mappings after, want 0 and 2", a, b)
	}
	mapped[0] = 1 // still there
}

// mappings counts the lines of /proc/self/maps with the file's inode.
func mappings(t *testing.T, fd int) int {
	t.Helper()
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		t.Fatal(err)
	}
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for line := range strings.Lines(string(maps)) {
		if f := strings.Fields(line); len(f) > 5 && strings.Contains(line, "memfd:buffers") && f[4] == strconv.FormatUint(st.Ino, 10) {
			n++
		}
	}
	return n
}
