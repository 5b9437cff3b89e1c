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

	"github.com/blackjack/webcam"
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

// offers is a catalogue.
type offers []offer

func (o offers) of(f fourcc) offer {
	for _, one := range o {
		if code(one.format) == f {
			return one
		}
	}
	return offer{}
}

func (o offers) Formats() []fourcc {
	var list []fourcc
	for _, one := range o {
		list = append(list, code(one.format))
	}
	return list
}

func (o offers) Sizes(f fourcc) []sizes { return o.of(f).sizes }

func (o offers) Rates(f fourcc, width, _ int) []float64 {
	if r, ok := o.of(f).rates[width]; ok {
		return []float64{r, r / 2}
	}
	return nil
}

// knob is a control of a fake camera.
type knob struct {
	lowest, highest, value int
	refuses                []int
}

// fake is a camera of the kernel's kind, with a frame every period. It fails
// the test when it is used in a way that a real driver would punish.
type fake struct {
	t      *testing.T
	period time.Duration
	offers
	answer func(pixFormat) pixFormat // what the driver makes of a format; nil: tight rows
	frame  func(n int) (picture, error)
	knobs  map[webcam.ControlID]*knob

	signalErr, formatErr, startErr, rateErr, waitErr, releaseErr, gone error

	mu        sync.Mutex
	set       pixFormat
	rate      float64
	started   time.Time
	streaming bool
	wake      chan struct{}
	closed    int
	dequeued  int
	held      []byte // the buffer that was dequeued and not released
	busy      bool   // a call is in progress
}

var _ driver = (*fake)(nil)

func (d *fake) FollowSignal() error { return d.signalErr }

func (d *fake) Ask(ask func(settings) error) error {
	if d.streaming {
		d.t.Error("Ask after Start")
	}
	return ask(d)
}

func (d *fake) Range(id webcam.ControlID) (lowest, highest int, ok bool) {
	if k := d.knobs[id]; k != nil {
		return k.lowest, k.highest, true
	}
	return 0, 0, false
}

func (d *fake) Get(id webcam.ControlID) (int, error) {
	if k := d.knobs[id]; k != nil {
		return k.value, nil
	}
	return 0, unix.EINVAL
}

func (d *fake) Set(id webcam.ControlID, value int) error {
	if d.set == (pixFormat{}) {
		d.t.Error("a control was set before the camera was known to be free")
	}
	k := d.knobs[id]
	if k == nil || slices.Contains(k.refuses, value) {
		return unix.EINVAL
	}
	if value < k.lowest || value > k.highest {
		return unix.ERANGE
	}
	k.value = value
	return nil
}

func (d *fake) SetFormat(f fourcc, width, height int) (pixFormat, error) {
	if d.formatErr != nil {
		return pixFormat{}, d.formatErr
	}
	d.set = pixFormat{fourcc: f, width: width, height: height, field: fieldNone}
	if d.answer != nil {
		d.set = d.answer(d.set)
	}
	return d.set, nil
}

func (d *fake) SetRate(fps float64) (float64, error) {
	d.rate = fps
	return fps, d.rateErr
}

func (d *fake) Start(n int) error {
	if n != 4 {
		d.t.Errorf("%d buffers, want 4", n)
	}
	if d.startErr != nil {
		return d.startErr
	}
	d.streaming, d.started = true, time.Now()
	d.wake = make(chan struct{}, 1)
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
	if limit <= 0 {
		d.t.Errorf("Wait for %v", limit)
	}
	due := d.started.Add(time.Duration(d.dequeued+1) * d.period)
	timer := time.NewTimer(min(limit, max(0, time.Until(due))))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-d.wake:
	}
	return d.waitErr
}

func (d *fake) Wake() {
	select {
	case d.wake <- struct{}{}:
	default:
	}
}

func (d *fake) Dequeue() (picture, error) {
	defer d.enter("Dequeue")()
	if d.held != nil {
		d.t.Error("Dequeue before the last buffer was released")
	}
	if time.Since(d.started) < time.Duration(d.dequeued+1)*d.period {
		return picture{}, unix.EAGAIN
	}
	p, err := d.frame(d.dequeued)
	d.dequeued++
	if err != nil {
		return picture{}, err
	}
	d.held = p.data
	p.index = uint32(d.dequeued % 4)
	return p, nil
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

func (d *fake) Alive() error { return d.gone }

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
		offers: offers{{"GREY", []sizes{single(8, 4)}, map[int]float64{8: 10}}},
		frame: func(n int) (picture, error) {
			return picture{data: bytes.Repeat([]byte{byte(n)}, 32), seq: uint32(n)}, nil
		},
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
		{"YUYV, another size", "YUYV", pixFormat{fourcc: code("YUYV"), width: 320, height: 240, stride: 640}, 153600, capture.Frame{Format: capture.YUYV, Width: 320, Height: 240, Stride: 640}, 153600},
		{"YUYV, padded rows and page", "YUYV", pixFormat{fourcc: code("YUYV"), width: 20, height: 10, stride: 64}, 4096, capture.Frame{Format: capture.YUYV, Width: 20, Height: 10, Stride: 64}, 640},
		{"YUYV, no stride", "YUYV", pixFormat{fourcc: code("YUYV"), width: 20, height: 10, stride: 0}, 400, capture.Frame{Format: capture.YUYV, Width: 20, Height: 10, Stride: 40}, 400},
		{"NV12", "NV12", pixFormat{fourcc: code("NV12"), width: 20, height: 10, stride: 32}, 480, capture.Frame{Format: capture.NV12, Width: 20, Height: 10, Stride: 32}, 480},
		{"I420", "YU12", pixFormat{fourcc: code("YU12"), width: 20, height: 10, stride: 20}, 300, capture.Frame{Format: capture.I420, Width: 20, Height: 10, Stride: 20}, 300},
		{"GREY", "GREY", pixFormat{fourcc: code("GREY"), width: 20, height: 10, stride: 20}, 200, capture.Frame{Format: capture.Gray, Width: 20, Height: 10, Stride: 20}, 200},
		{"another format", "YUYV", pixFormat{fourcc: code("GREY"), width: 20, height: 10, stride: 20}, 200, capture.Frame{Format: capture.Gray, Width: 20, Height: 10, Stride: 20}, 200},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := gray(t)
				d.offers = offers{{format: test.format}}
				d.answer = func(pixFormat) pixFormat { return test.answer }
				d.frame = func(int) (picture, error) { return picture{data: make([]byte, test.bytes)}, nil }
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
		flagged      bool
		want         string
	}{
		{"short", "GREY", make([]byte, 31), make([]byte, 32), false, "read /dev/video0: damaged frame: 31 of 32 bytes"},
		{"empty", "GREY", []byte{}, make([]byte, 32), false, "read /dev/video0: damaged frame: 0 of 32 bytes"},
		{"cut JPEG", "MJPG", whole[:5], append(whole, 0, 0, 0), false, "read /dev/video0: damaged frame: 5 bytes without the end of a picture"},
		{"flagged", "GREY", make([]byte, 32), make([]byte, 32), true, "read /dev/video0: damaged frame: the driver says so"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := gray(t)
				d.offers = offers{{test.format, []sizes{single(8, 4)}, nil}}
				d.frame = func(n int) (picture, error) {
					p := picture{data: slices.Clone([][]byte{test.bad, test.good}[n]), seq: uint32(n)}
					p.damaged = n == 0 && test.flagged
					return p, nil
				}
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
		name           string
		dequeue, wait  error
		release, alive error
		is             error
		want           string
	}{
		{"gone", unix.ENODEV, nil, nil, unix.ENODEV, capture.ErrUnplugged, "read /dev/video0: camera unplugged: no such device"},
		{"gone while waiting", nil, unix.ENODEV, nil, unix.ENODEV, capture.ErrUnplugged, "read /dev/video0: camera unplugged: no such device"},
		{"gone before its buffer was given back", nil, nil, unix.ENODEV, unix.ENODEV, capture.ErrUnplugged, "read /dev/video0: camera unplugged: no such device"},
		{"the stream broke", unix.EIO, nil, nil, nil, capture.ErrStream, "read /dev/video0: camera is there, but its stream broke: input/output error"},
		{"the stream broke while waiting", nil, unix.EIO, nil, nil, capture.ErrStream, "read /dev/video0: camera is there, but its stream broke: input/output error"},
		{"broken pipe", unix.EPIPE, nil, nil, nil, capture.ErrStream, "read /dev/video0: camera is there, but its stream broke: broken pipe"},
		{"the stream broke, for the camera is gone", unix.EIO, nil, nil, unix.ENODEV, capture.ErrUnplugged, "read /dev/video0: camera unplugged: input/output error"},
		{"something else", unix.EINVAL, nil, nil, nil, unix.EINVAL, "read /dev/video0: invalid argument"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := gray(t)
				d.waitErr, d.releaseErr, d.gone = test.wait, test.release, test.alive
				if test.dequeue != nil {
					d.frame = func(int) (picture, error) { return picture{}, test.dequeue }
				}
				src, err := start(d, "/dev/video0", Options{})
				if err != nil {
					t.Fatal(err)
				}
				defer src.Close()
				if err := src.Read(t.Context(), new(capture.Frame)); !errors.Is(err, test.is) || err.Error() != test.want {
					t.Errorf("Read = %v\nwant   %s", err, test.want)
				}
			})
		})
	}
}

func TestFramesCarryTheDriversTimeAndCount(t *testing.T) {
	const none = -1
	tests := []struct {
		name string
		seq  uint32
		age  time.Duration
		want uint64
		at   time.Duration // before the frame was fetched
	}{
		{"starts anywhere", math.MaxUint32 - 1, 20 * time.Millisecond, 1, 20 * time.Millisecond},
		{"the next", math.MaxUint32, 30 * time.Millisecond, 2, 30 * time.Millisecond},
		{"wraps, and two are lost", 2, 0, 5, 0},
		{"stands still, not stamped", 2, none, 6, 0},
		{"goes back, stamped in the future", 1, -time.Second, 7, 0},
		{"leaps, stamped long ago", 1 << 30, time.Hour, 8, 0},
		{"goes on", 1<<30 + 1, 10 * time.Millisecond, 9, 10 * time.Millisecond},
		{"stamped before the one before it", 1<<30 + 2, time.Second, 10, 0},
	}
	synctest.Test(t, func(t *testing.T) {
		d := gray(t)
		d.frame = func(n int) (picture, error) {
			return picture{data: make([]byte, 32), seq: tests[n].seq, age: tests[n].age}, nil
		}
		src, err := start(d, "/dev/video0", Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer src.Close()
		var f capture.Frame
		for _, test := range tests {
			if err := src.Read(t.Context(), &f); err != nil {
				t.Fatal(err)
			}
			if f.Seq != test.want {
				t.Errorf("%s: Seq %d, want %d", test.name, f.Seq, test.want)
			}
			if age := time.Since(f.At); age != test.at {
				t.Errorf("%s: taken %v ago, want %v", test.name, age, test.at)
			}
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
	answer := func(change func(*pixFormat)) func(*fake) {
		return func(d *fake) {
			d.answer = func(p pixFormat) pixFormat {
				change(&p)
				return p
			}
		}
	}
	list := "GREY, JPEG, MJPG, NV12, YU12, YUYV"
	tests := []struct {
		name  string
		spoil func(*fake)
		ask   string // Options.Format
		is    error
		want  string
	}{
		{"busy", func(d *fake) { d.formatErr = unix.EBUSY }, "", capture.ErrBusy, "set the format of /dev/video0: camera in use by another program: device or resource busy"},
		{"busy at start", func(d *fake) { d.startErr = fmt.Errorf("request buffers: %w", unix.EBUSY) }, "", capture.ErrBusy, "start /dev/video0: camera in use by another program: request buffers: device or resource busy"},
		{"gone at start", func(d *fake) { d.startErr, d.gone = unix.EIO, unix.ENODEV }, "", capture.ErrUnplugged, "start /dev/video0: camera unplugged: input/output error"},
		{"USB is full", func(d *fake) { d.startErr = unix.ENOSPC }, "", unix.ENOSPC, "start /dev/video0: no space left on device: USB has no room for its data: ask for a smaller picture or fewer frames, or use another port"},
		{"no signal", func(d *fake) { d.signalErr = fmt.Errorf("no picture: %w", unix.ENOLINK) }, "", unix.ENOLINK, "set up /dev/video0: no picture: link has been severed"},
		{"H.264 only", func(d *fake) { d.offers = offers{{format: "H264"}, {format: "BA81"}} }, "", capture.ErrUnsupported, "set up /dev/video0: camera cannot be read: it offers BA81, H264; what can be read is " + list},
		{"raw sensor", func(d *fake) { d.offers = offers{{format: "pRAA"}, {format: "RG10"}, {format: "BA81"}} }, "", capture.ErrUnsupported, "set up /dev/video0: camera cannot be read: it is a raw CSI sensor, which offers only BA81, RG10, pRAA: use `source: csi`"},
		{"no format", func(d *fake) { d.offers = nil }, "", capture.ErrUnsupported, "set up /dev/video0: camera cannot be read: it offers no pixel format; what can be read is " + list},
		{"not the format that is asked for", func(d *fake) {}, "mjpeg", capture.ErrUnsupported, "set up /dev/video0: camera cannot be read as mjpeg: it offers GREY: leave the format empty"},
		{"no such format", func(d *fake) {}, "h264", capture.ErrUnsupported, "set up /dev/video0: camera cannot be read: there is no format \"h264\": leave it empty, or use yuyv, nv12, yu12, grey or mjpeg"},
		{"another format", answer(func(p *pixFormat) { p.fourcc = code("H264") }), "", capture.ErrUnsupported, "set up /dev/video0 for GREY 8x4: camera cannot be read: the driver chose H264; what can be read is " + list},
		{"another format than asked for", answer(func(p *pixFormat) { p.fourcc = code("MJPG") }), "grey", capture.ErrUnsupported, "set up /dev/video0 for GREY 8x4: camera cannot be read as grey: the driver chose MJPG: leave the format empty"},
		{"two half pictures", answer(func(p *pixFormat) { p.field = fieldSequentialTB }), "", capture.ErrUnsupported, "set up /dev/video0 for GREY 8x4: camera cannot be read: it delivers two half pictures one after the other"},
		{"no size", answer(func(p *pixFormat) { p.width = 0 }), "", nil, "set up /dev/video0 for GREY 8x4: the driver chose a picture of 0x4"},
		{"short rows", answer(func(p *pixFormat) { p.stride = 7 }), "", nil, "set up /dev/video0 for GREY 8x4: the driver states rows of 7 bytes for 8 pixels"},
		{"small buffers", answer(func(p *pixFormat) { p.bytes = 31 }), "", nil, "set up /dev/video0 for GREY 8x4: the driver states 31 bytes for a picture of 32"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			d := gray(t)
			test.spoil(d)
			_, err := start(d, "/dev/video0", Options{Format: test.ask})
			if err == nil || err.Error() != test.want || test.is != nil && !errors.Is(err, test.is) {
				t.Errorf("start: %v\nwant:  %s", err, test.want)
			}
			if d.closed != 1 {
				t.Errorf("closed %d times, want once", d.closed)
			}
		})
	}
}

func TestWhatThePictureSuffersFromIsSaid(t *testing.T) {
	tests := []struct {
		name  string
		spoil func(*fake)
		o     Options
		want  string
	}{
		{"nothing", func(*fake) {}, Options{}, ""},
		{"interlaced", func(d *fake) {
			d.answer = func(p pixFormat) pixFormat { p.field = fieldInterlaced; return p }
		}, Options{}, `level=WARN msg="camera sends interlaced pictures: what moves has combed edges" source=/dev/video0 hint="set it, or what feeds it, to a progressive mode"` + "\n"},
		{"no exposure", func(*fake) {}, Options{Exposure: time.Millisecond}, `level=WARN msg="camera cannot be given the exposure" source=/dev/video0 exposure=1ms err="the camera has no such control"` + "\n"},
	}
	for _, test := range tests {
		d := gray(t)
		test.spoil(d)
		var log bytes.Buffer
		test.o.Log = slog.New(slog.NewTextHandler(&log, nil))
		src, err := start(d, "/dev/video0", test.o)
		if err != nil {
			t.Fatal(err)
		}
		if err := src.Close(); err != nil {
			t.Error(err)
		}
		_, got, _ := strings.Cut(log.String(), " ") // without the time
		if got != test.want {
			t.Errorf("%s: log %q, want %q", test.name, got, test.want)
		}
	}
}

func TestExposureIsSetWithinWhatTheCameraCanDo(t *testing.T) {
	tests := []struct {
		name        string
		want        time.Duration
		auto        *knob
		abs         *knob
		mode, value int // afterwards; -1: there is no such control
	}{
		{"10 ms", 10 * time.Millisecond, &knob{0, 3, 3, nil}, &knob{1, 5000, 156, nil}, 1, 100},
		{"rounded", 149 * time.Microsecond, &knob{0, 3, 3, nil}, &knob{1, 5000, 156, nil}, 1, 1},
		{"too short", time.Microsecond, &knob{0, 3, 3, nil}, &knob{3, 2047, 156, nil}, 1, 3},
		{"too long", time.Minute, &knob{0, 3, 3, nil}, &knob{3, 2047, 156, nil}, 1, 2047},
		{"no automatic", time.Millisecond, nil, &knob{1, 5000, 156, nil}, -1, 10},
		{"nothing at all", 0, nil, nil, -1, -1},
		{"automatic already", 0, &knob{0, 3, 3, []int{0, 3}}, &knob{1, 5000, 156, nil}, 3, 156},
		{"left manual by another program", 0, &knob{0, 3, 1, []int{0, 2}}, &knob{1, 5000, 20, nil}, 3, 20},
		{"left manual, with an iris", 0, &knob{0, 3, 2, nil}, &knob{1, 5000, 20, nil}, 0, 20},
	}
	for _, test := range tests {
		d := gray(t)
		d.knobs = map[webcam.ControlID]*knob{exposureAuto: test.auto, exposureAbsolute: test.abs}
		src, err := start(d, "/dev/video0", Options{Exposure: test.want})
		if err != nil {
			t.Fatal(err)
		}
		if err := src.Close(); err != nil {
			t.Error(err)
		}
		for id, want := range map[webcam.ControlID]int{exposureAuto: test.mode, exposureAbsolute: test.value} {
			if v, err := d.Get(id); err == nil && v != want {
				t.Errorf("%s: control %#x is %d, want %d", test.name, id, v, want)
			}
		}
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
	if want := `msg="camera set up" source=/dev/video0 format=GREY width=8 height=4 stride=8 rate=10 rate_err="invalid argument"`; !strings.Contains(log.String(), want) {
		t.Errorf("log %s", log.String())
	}
}

func TestChooseTheMode(t *testing.T) {
	vga, hd, full := single(640, 480), single(1280, 720), single(1920, 1080)
	uvc := offers{ // as USB cameras commonly are
		{"MJPG", []sizes{full, hd, vga}, map[int]float64{640: 30, 1280: 30, 1920: 30}},
		{"YUYV", []sizes{single(320, 240), vga, hd}, map[int]float64{320: 30, 640: 30, 1280: 9.99}},
	}
	any := sizes{16, 3280, 2, 16, 2464, 2}
	tests := []struct {
		name   string
		offers offers
		w, h   int
		fps    float64
		format string
		want   string
	}{
		{"uncompressed when it is quick enough", uvc, 640, 480, 10, "", "YUYV 640x480"},
		{"9.99 is 10", uvc, 1280, 720, 10, "", "YUYV 1280x720"},
		{"MJPEG when it is not", uvc, 1280, 720, 30, "", "MJPG 1280x720"},
		{"MJPEG when only it is large enough", uvc, 1920, 1080, 10, "", "MJPG 1920x1080"},
		{"the smallest that is large enough", uvc, 600, 400, 10, "", "YUYV 640x480"},
		{"a smaller MJPEG before a larger uncompressed one", offers{{"YUYV", []sizes{full}, nil}, {"MJPG", []sizes{full, vga}, nil}}, 640, 480, 10, "", "MJPG 640x480"},
		{"the largest when none is", uvc, 4000, 3000, 10, "", "MJPG 1920x1080"},
		{"MJPEG on request", uvc, 640, 480, 10, "mjpeg", "MJPG 640x480"},
		{"YUYV on request, though it is slow", uvc, 1280, 720, 30, "yuyv", "YUYV 1280x720"},
		{"JPEG is MJPEG, too", offers{{"YUYV", []sizes{vga}, nil}, {"JPEG", []sizes{vga}, nil}}, 640, 480, 10, "mjpeg", "JPEG 640x480"},
		{"a range", offers{{"YU12", []sizes{any}, nil}}, 641, 480, 30, "", "YU12 642x480"},
		{"below a range", offers{{"YU12", []sizes{any}, nil}}, 8, 8, 30, "", "YU12 16x16"},
		{"above a range", offers{{"YU12", []sizes{any}, nil}}, 9000, 480, 30, "", "YU12 3280x480"},
		{"a driver that says nothing", offers{{"NV12", nil, nil}}, 640, 480, 30, "", "NV12 640x480"},
		{"a continuous range", offers{{"NV12", []sizes{{}}, nil}}, 640, 480, 30, "", "NV12 640x480"},
		{"colour before gray", offers{{"GREY", []sizes{vga}, nil}, {"NV12", []sizes{vga}, nil}}, 640, 480, 30, "", "NV12 640x480"},
		{"what cannot be read is passed over", offers{{"H264", []sizes{vga}, nil}, {"MJPG", []sizes{vga}, nil}}, 640, 480, 30, "", "MJPG 640x480"},
		{"the quicker one when both are slow", offers{{"YUYV", []sizes{hd}, map[int]float64{1280: 5}}, {"MJPG", []sizes{hd}, map[int]float64{1280: 8}}}, 1280, 720, 10, "", "MJPG 1280x720"},
		{"not quicker than needed", offers{{"YUYV", []sizes{vga}, map[int]float64{640: 15}}, {"MJPG", []sizes{vga}, map[int]float64{640: 60}}}, 640, 480, 15, "", "YUYV 640x480"},
		{"no rates are taken for quick ones", offers{{"YUYV", []sizes{vga}, nil}, {"MJPG", []sizes{vga}, map[int]float64{640: 60}}}, 640, 480, 30, "", "YUYV 640x480"},
		{"vivid's HDMI input", offers{{"YUYV", []sizes{{16, 16384, 1, 16, 8640, 1}}, nil}}, 640, 480, 10, "", "YUYV 640x480"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			m, err := choose(test.offers, Options{Width: test.w, Height: test.h, FPS: test.fps, Format: test.format})
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

func TestModesAreTheReadableOnesFirst(t *testing.T) {
	got := modes(offers{
		{"H264", []sizes{single(1920, 1080)}, map[int]float64{1920: 30}},
		{"YUYV", []sizes{single(320, 240), single(640, 480)}, map[int]float64{640: 30}},
		{"MJPG", nil, nil},
		{"NV12", []sizes{{16, 3280, 2, 16, 2464, 2}}, nil},
	})
	want := []string{"mjpeg of any size", "nv12 16x16 to 3280x2464", "yuyv 640x480 at 30, 15 fps", "yuyv 320x240", "H264 1920x1080 at 30, 15 fps"}
	for i, m := range got {
		if i >= len(want) || m.String() != want[i] || m.Readable != (m.Format != "H264") {
			t.Errorf("mode %d is %v, readable %v; want %q", i, m, m.Readable, want)
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d modes, want %d", len(got), len(want))
	}
}
