package v4l2

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"facerecd/capture"
	"facerecd/capture/capturetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// offer is one pixel format of a fake camera.
type offer struct {
	format string
	sizes  []sizes
	rates  map[int]float64 // by width
}

// fake is a camera of the kernel's kind, with a frame every period. It fails
// the test when it is used in a way that a real driver would punish.
type fake struct {
	t      *testing.T
	period time.Duration
	offers []offer
	answer func(pixFormat) pixFormat // what the driver makes of a format; nil: tight rows
	frame  func(n int) ([]byte, error)

	formatErr, startErr, rateErr, releaseErr error

	mu        sync.Mutex
	set       pixFormat
	rate      float64
	streaming bool
	closed    int
	started   time.Time
	dequeued  int
	held      []byte // the buffer that was dequeued and not released
	busy      bool   // a call is in progress
}

func (d *fake) Formats() []fourcc {
	var list []fourcc
	for _, o := range d.offers {
		list = append(list, code(o.format))
	}
	return list
}

func (d *fake) offer(f fourcc) offer {
	for _, o := range d.offers {
		if code(o.format) == f {
			return o
		}
	}
	return offer{}
}

func (d *fake) Sizes(f fourcc) []sizes { return d.offer(f).sizes }

func (d *fake) MaxRate(f fourcc, width, _ int) float64 { return d.offer(f).rates[width] }

func (d *fake) SetFormat(f fourcc, width, height int) error {
	d.set = pixFormat{fourcc: f, width: width, height: height}
	if d.answer != nil {
		d.set = d.answer(d.set)
	}
	return d.formatErr
}

func (d *fake) Format() (pixFormat, error) { return d.set, nil }

func (d *fake) SetRate(fps float64) error {
	d.rate = fps
	return d.rateErr
}

func (d *fake) Start(n int) error {
	if n != 4 {
		d.t.Errorf("%d buffers, want 4", n)
	}
	if d.startErr != nil {
		return d.startErr
	}
	d.streaming, d.started = true, time.Now()
	return nil
}

// enter checks that calls do not overlap.
func (d *fake) enter(call string) func() {
	d.mu.Lock()
	if d.busy || d.closed > 0 {
		d.t.Errorf("%s while another call is in progress, or after Close", call)
	}
	d.busy = true
	d.mu.Unlock()
	return func() {
		d.mu.Lock()
		d.busy = false
		d.mu.Unlock()
	}
}

func (d *fake) Wait(limit time.Duration) error {
	defer d.enter("Wait")()
	if limit <= 0 || limit > 100*time.Millisecond {
		d.t.Errorf("Wait for %v", limit)
	}
	due := d.started.Add(time.Duration(d.dequeued+1) * d.period)
	time.Sleep(min(limit, max(0, time.Until(due))))
	return nil
}

func (d *fake) Dequeue() ([]byte, uint32, error) {
	defer d.enter("Dequeue")()
	if d.held != nil {
		d.t.Error("Dequeue before the last buffer was released")
	}
	if time.Since(d.started) < time.Duration(d.dequeued+1)*d.period {
		return nil, 0, unix.EAGAIN
	}
	data, err := d.frame(d.dequeued)
	d.dequeued++
	if err != nil {
		return nil, 0, err
	}
	d.held = data
	return data, uint32(d.dequeued % 4), nil
}

func (d *fake) Release(index uint32) error {
	defer d.enter("Release")()
	if d.held == nil || index != uint32(d.dequeued%4) {
		d.t.Errorf("Release(%d), which is not held", index)
	}
	for i := range d.held { // the driver fills it again
		d.held[i] = 0xAA
	}
	d.held = nil
	return d.releaseErr
}

func (d *fake) Close() error {
	defer d.enter("Close")()
	d.closed++
	return nil
}

func single(w, h int) sizes { return sizes{w, w, 0, h, h, 0} }

// gray is a fake camera of 8x4 gray frames, each with its number in it.
func gray(t *testing.T) *fake {
	return &fake{
		t: t, period: 100 * time.Millisecond,
		offers: []offer{{"GREY", []sizes{single(8, 4)}, map[int]float64{8: 10}}},
		frame:  func(n int) ([]byte, error) { return bytes.Repeat([]byte{byte(n)}, 32), nil },
	}
}

func TestDeviceKeepsTheSourceContract(t *testing.T) {
	capturetest.Suite(t, func(t *testing.T) capture.Source {
		src, err := start(gray(t), "/dev/video0", Options{})
		if err != nil {
			t.Fatal(err)
		}
		return src
	})
}

func TestReadCopiesBeforeTheDriverHasTheBufferBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := gray(t)
		src, err := start(d, "/dev/video0", Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer src.Close()
		var f capture.Frame
		for n := range 3 {
			if err := src.Read(t.Context(), &f); err != nil {
				t.Fatal(err)
			}
			if want := bytes.Repeat([]byte{byte(n)}, 32); !bytes.Equal(f.Data, want) {
				t.Errorf("frame %d has %x", n, f.Data)
			}
			if d.held != nil {
				t.Error("the buffer was not given back")
			}
		}
	})
}

func TestFramesHaveTheDriversSizeAndStride(t *testing.T) {
	tests := []struct {
		name   string
		format string
		answer pixFormat // to 640x480
		bytes  int       // of a frame
		want   capture.Frame
		size   int // of Data
	}{
		{"YUYV, another size", "YUYV", pixFormat{code("YUYV"), 320, 240, 640}, 153600, capture.Frame{Format: capture.YUYV, Width: 320, Height: 240, Stride: 640}, 153600},
		{"YUYV, padded rows and page", "YUYV", pixFormat{code("YUYV"), 20, 10, 64}, 4096, capture.Frame{Format: capture.YUYV, Width: 20, Height: 10, Stride: 64}, 640},
		{"YUYV, no stride", "YUYV", pixFormat{code("YUYV"), 20, 10, 0}, 400, capture.Frame{Format: capture.YUYV, Width: 20, Height: 10, Stride: 40}, 400},
		{"NV12", "NV12", pixFormat{code("NV12"), 20, 10, 32}, 480, capture.Frame{Format: capture.NV12, Width: 20, Height: 10, Stride: 32}, 480},
		{"I420", "YU12", pixFormat{code("YU12"), 20, 10, 20}, 300, capture.Frame{Format: capture.I420, Width: 20, Height: 10, Stride: 20}, 300},
		{"GREY", "GREY", pixFormat{code("GREY"), 20, 10, 20}, 200, capture.Frame{Format: capture.Gray, Width: 20, Height: 10, Stride: 20}, 200},
		{"another format", "YUYV", pixFormat{code("GREY"), 20, 10, 20}, 200, capture.Frame{Format: capture.Gray, Width: 20, Height: 10, Stride: 20}, 200},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := gray(t)
				d.offers = []offer{{format: test.format}}
				d.answer = func(pixFormat) pixFormat { return test.answer }
				d.frame = func(int) ([]byte, error) { return make([]byte, test.bytes), nil }
				src, err := start(d, "/dev/video0", Options{FPS: 15})
				if err != nil {
					t.Fatal(err)
				}
				defer src.Close()
				var f capture.Frame
				if err := src.Read(t.Context(), &f); err != nil {
					t.Fatal(err)
				}
				if f.Format != test.want.Format || f.Width != test.want.Width || f.Height != test.want.Height || f.Stride != test.want.Stride || len(f.Data) != test.size {
					t.Errorf("%v %dx%d stride %d, %d bytes", f.Format, f.Width, f.Height, f.Stride, len(f.Data))
				}
				if d.rate != 15 {
					t.Errorf("rate %v, want 15", d.rate)
				}
			})
		})
	}
}

func TestDamagedFramesAreToldAndReadingGoesOn(t *testing.T) {
	whole := []byte{0xFF, 0xD8, 1, 2, 3, 0xFF, 0xD9}
	tests := []struct {
		name, format string
		bad, good    []byte
		want         string
	}{
		{"short", "GREY", make([]byte, 31), make([]byte, 32), "read /dev/video0: damaged frame: 31 of 32 bytes"},
		{"empty", "GREY", []byte{}, make([]byte, 32), "read /dev/video0: damaged frame: 0 of 32 bytes"},
		{"cut JPEG", "MJPG", whole[:5], append(whole, 0, 0, 0), "read /dev/video0: damaged frame: 5 bytes without the end of a picture"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := gray(t)
				d.offers = []offer{{test.format, []sizes{single(8, 4)}, nil}}
				d.frame = func(n int) ([]byte, error) { return slices.Clone([][]byte{test.bad, test.good}[n]), nil }
				src, err := start(d, "/dev/video0", Options{})
				if err != nil {
					t.Fatal(err)
				}
				defer src.Close()
				var f capture.Frame
				if err := src.Read(t.Context(), &f); !errors.Is(err, capture.ErrBadFrame) || err.Error() != test.want {
					t.Errorf("Read = %v, want %s", err, test.want)
				}
				if err := src.Read(t.Context(), &f); err != nil || f.Seq != 2 {
					t.Errorf("Read = frame %d, %v; want frame 2", f.Seq, err)
				}
			})
		})
	}
}

func TestReadSaysWhyACameraStops(t *testing.T) {
	tests := []struct {
		errno unix.Errno
		is    error
		want  string
	}{
		{unix.ENODEV, capture.ErrUnplugged, "read /dev/video0: camera unplugged: no such device"},
		{unix.EIO, capture.ErrUnplugged, "read /dev/video0: camera unplugged: input/output error"},
		{unix.EPIPE, capture.ErrUnplugged, "read /dev/video0: camera unplugged: broken pipe"},
		{unix.EINVAL, unix.EINVAL, "read /dev/video0: invalid argument"},
	}
	for _, test := range tests {
		t.Run(test.errno.Error(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := gray(t)
				d.frame = func(int) ([]byte, error) { return nil, test.errno }
				src, err := start(d, "/dev/video0", Options{})
				if err != nil {
					t.Fatal(err)
				}
				defer src.Close()
				if err := src.Read(t.Context(), new(capture.Frame)); !errors.Is(err, test.is) || err.Error() != test.want {
					t.Errorf("Read = %v, want %s", err, test.want)
				}
			})
		})
	}
}

func TestASignalDoesNotEndARead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := gray(t)
		d.frame = func(n int) ([]byte, error) {
			if n == 0 {
				return nil, unix.EINTR
			}
			return make([]byte, 32), nil
		}
		src, err := start(d, "/dev/video0", Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer src.Close()
		if err := src.Read(t.Context(), new(capture.Frame)); err != nil {
			t.Error(err)
		}
	})
}

func TestASilentCameraIsStalled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := gray(t)
		d.period = time.Hour
		src, err := start(d, "/dev/video0", Options{StallAfter: 2 * time.Second})
		if err != nil {
			t.Fatal(err)
		}
		defer src.Close()
		begin := time.Now()
		err = src.Read(t.Context(), new(capture.Frame))
		if !errors.Is(err, capture.ErrStalled) || err.Error() != "read /dev/video0: camera sends no frames: none in 2s" {
			t.Errorf("Read = %v", err)
		}
		if took := time.Since(begin); took != 2*time.Second {
			t.Errorf("Read took %v, want 2s", took)
		}
	})
}

func TestStartSaysWhyAndLeavesNothingOpen(t *testing.T) {
	tests := []struct {
		name  string
		spoil func(*fake)
		is    error
		want  string
	}{
		{"busy", func(d *fake) { d.formatErr = unix.EBUSY }, capture.ErrBusy, "set the format of /dev/video0: camera in use by another program: device or resource busy"},
		{"busy at start", func(d *fake) { d.startErr = fmt.Errorf("request buffers: %w", unix.EBUSY) }, capture.ErrBusy, "start /dev/video0: camera in use by another program: request buffers: device or resource busy"},
		{"USB is full", func(d *fake) { d.startErr = unix.ENOSPC }, unix.ENOSPC, "start /dev/video0: no space left on device: USB has no room for its data: ask for a smaller picture or fewer frames, or use another port"},
		{"H.264 only", func(d *fake) { d.offers = []offer{{format: "H264"}, {format: "BA81"}} }, nil, "set up /dev/video0: the camera offers BA81, H264; what can be read is GREY, JPEG, MJPG, NV12, YU12, YUYV"},
		{"no format", func(d *fake) { d.offers = nil }, nil, "set up /dev/video0: the camera offers no pixel format; what can be read is GREY, JPEG, MJPG, NV12, YU12, YUYV"},
		{"another format", func(d *fake) {
			d.answer = func(p pixFormat) pixFormat { p.fourcc = code("H264"); return p }
		}, nil, "set up /dev/video0 for GREY 8x4: the driver chose H264; what can be read is GREY, JPEG, MJPG, NV12, YU12, YUYV"},
		{"no size", func(d *fake) {
			d.answer = func(p pixFormat) pixFormat { p.width = 0; return p }
		}, nil, "set up /dev/video0 for GREY 8x4: the driver chose a picture of 0x4"},
		{"short rows", func(d *fake) {
			d.answer = func(p pixFormat) pixFormat { p.stride = 7; return p }
		}, nil, "set up /dev/video0 for GREY 8x4: the driver states rows of 7 bytes for 8 pixels"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			d := gray(t)
			test.spoil(d)
			_, err := start(d, "/dev/video0", Options{})
			if err == nil || err.Error() != test.want || test.is != nil && !errors.Is(err, test.is) {
				t.Errorf("start: %v\nwant:  %s", err, test.want)
			}
			if d.closed != 1 {
				t.Errorf("closed %d times, want once", d.closed)
			}
		})
	}
}

func TestACameraThatKnowsOneRateOnlyIsTaken(t *testing.T) {
	d := gray(t)
	d.rateErr = unix.EINVAL
	var log bytes.Buffer
	src, err := start(d, "/dev/video0", Options{Log: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	if want := `msg="camera set up" source=/dev/video0 format=GREY width=8 height=4 stride=8 rate_err="invalid argument"`; !strings.Contains(log.String(), want) {
		t.Errorf("log %s", log.String())
	}
}

func TestChooseTheMode(t *testing.T) {
	vga, hd, full := single(640, 480), single(1280, 720), single(1920, 1080)
	uvc := []offer{ // as USB cameras commonly are
		{"MJPG", []sizes{full, hd, vga}, map[int]float64{640: 30, 1280: 30, 1920: 30}},
		{"YUYV", []sizes{single(320, 240), vga, hd}, map[int]float64{320: 30, 640: 30, 1280: 9.99}},
	}
	any := sizes{16, 3280, 2, 16, 2464, 2}
	tests := []struct {
		name   string
		offers []offer
		w, h   int
		fps    float64
		want   string
	}{
		{"uncompressed when it is quick enough", uvc, 640, 480, 10, "YUYV 640x480"},
		{"9.99 is 10", uvc, 1280, 720, 10, "YUYV 1280x720"},
		{"MJPEG when it is not", uvc, 1280, 720, 30, "MJPG 1280x720"},
		{"MJPEG when only it is large enough", uvc, 1920, 1080, 10, "MJPG 1920x1080"},
		{"the smallest that is large enough", uvc, 600, 400, 10, "YUYV 640x480"},
		{"the largest when none is", uvc, 4000, 3000, 10, "MJPG 1920x1080"},
		{"a range", []offer{{"YU12", []sizes{any}, nil}}, 641, 480, 30, "YU12 642x480"},
		{"below a range", []offer{{"YU12", []sizes{any}, nil}}, 8, 8, 30, "YU12 16x16"},
		{"above a range", []offer{{"YU12", []sizes{any}, nil}}, 9000, 480, 30, "YU12 3280x480"},
		{"a driver that says nothing", []offer{{"NV12", nil, nil}}, 640, 480, 30, "NV12 640x480"},
		{"a continuous range", []offer{{"NV12", []sizes{{}}, nil}}, 640, 480, 30, "NV12 640x480"},
		{"colour before gray", []offer{{"GREY", []sizes{vga}, nil}, {"NV12", []sizes{vga}, nil}}, 640, 480, 30, "NV12 640x480"},
		{"what cannot be read is passed over", []offer{{"H264", []sizes{vga}, nil}, {"MJPG", []sizes{vga}, nil}}, 640, 480, 30, "MJPG 640x480"},
		{"the quicker one when both are slow", []offer{{"YUYV", []sizes{hd}, map[int]float64{1280: 5}}, {"MJPG", []sizes{hd}, map[int]float64{1280: 8}}}, 1280, 720, 10, "MJPG 1280x720"},
		{"not quicker than needed", []offer{{"YUYV", []sizes{vga}, map[int]float64{640: 15}}, {"MJPG", []sizes{vga}, map[int]float64{640: 60}}}, 640, 480, 15, "YUYV 640x480"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			m, err := choose(&fake{offers: test.offers}, test.w, test.h, test.fps)
			if err != nil {
				t.Fatal(err)
			}
			if m.String() != test.want {
				t.Errorf("choose = %v, want %s", m, test.want)
			}
			if m.rate <= 0 || math.IsNaN(m.rate) {
				t.Errorf("rate %v", m.rate)
			}
		})
	}
}
