//go:build vm && linux

package v4l2

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"log/slog"
	"math"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"facerecd/capture"
	"facerecd/cross/vm/vivid"
)

// These tests run as root in the guest of cross/vm, where the kernel has
// cameras: vivid, and on amd64 v4l2loopback. The guest's processor is
// emulated, so that deadlines are generous where nothing is promised.
const (
	patience = time.Minute

	// recovery is promised: from when the camera is plugged in to its first
	// frame.
	recovery = 3 * time.Second
)

const vmCamera = "/dev/video10" // vivid.Load's first

func open(t *testing.T, source string, o Options) capture.Source {
	t.Helper()
	src, err := Open(t.Context(), source, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = src.Close() }) // was closed, mostly
	return src
}

func next(t *testing.T, src capture.Source, f *capture.Frame) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := src.Read(ctx, f); err != nil {
		t.Fatal(err)
	}
}

// failing reads until there is an error, as there must be soon.
func failing(t *testing.T, src capture.Source) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var f capture.Frame
	for {
		if err := src.Read(ctx, &f); err != nil {
			return err
		}
	}
}

func closed(t *testing.T, src capture.Source) {
	t.Helper()
	if err := src.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
}

// opens waits until the camera can be opened and sends a frame.
func opens(t *testing.T, source string) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for {
		src, err := Open(t.Context(), source, Options{})
		if err == nil {
			var f capture.Frame
			next(t, src, &f)
			closed(t, src)
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("does not open again: %v", err)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// held is what a process has of its cameras.
type held struct{ descriptors, mappings, goroutines int }

func holds(t *testing.T) held {
	t.Helper()
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		t.Fatal(err)
	}
	return held{len(fds), strings.Count(string(maps), "/dev/video"), runtime.NumGoroutine()}
}

// wantHeld waits for a moment in which no more is held than before: a goroutine
// that has done its work may not have ended yet.
func wantHeld(t *testing.T, before held) {
	t.Helper()
	var now held
	for range 100 {
		now = holds(t)
		if now.descriptors <= before.descriptors && now.mappings <= before.mappings && now.goroutines <= before.goroutines {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("holds %+v, and %+v before", now, before)
}

// counted are n YUYV frames that all differ, each with its number in its first
// bytes, and no two lines of one alike.
func counted(n int) []byte {
	all := make([]byte, 0, n*vivid.FrameBytes)
	for i := range n {
		frame := make([]byte, vivid.FrameBytes)
		for j := range frame {
			frame[j] = byte(16 + (j*7+j/1280*31+i*53)%220)
		}
		binary.BigEndian.PutUint32(frame, uint32(i))
		all = append(all, frame...)
	}
	return all
}

func TestVMFramesAreTheOnesThatAreFed(t *testing.T) {
	const fed = 8
	camera := vivid.Load(t, 1)[0]
	frames := counted(fed)
	camera.Feed(t, frames)
	src := open(t, vmCamera, Options{Format: "yuyv"})
	defer closed(t, src)

	// Until the feeder runs there is noise.
	var f, last capture.Frame
	number := func() int {
		if i := binary.BigEndian.Uint32(f.Data); i < fed && bytes.Equal(f.Data, frames[i*vivid.FrameBytes:][:vivid.FrameBytes]) {
			return int(i)
		}
		return -1
	}
	for deadline := time.Now().Add(patience); ; {
		if next(t, src, &f); number() >= 0 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("none of the frames is one that is fed")
		}
	}
	seen := make(map[int]int)
	const want = 60
	for range want {
		last.Seq, last.At = f.Seq, f.At
		next(t, src, &f)
		if f.Format != capture.YUYV || f.Width != vivid.Width || f.Height != vivid.Height || f.Stride != 2*vivid.Width || len(f.Data) != vivid.FrameBytes {
			t.Fatalf("%v %dx%d, stride %d, %d bytes", f.Format, f.Width, f.Height, f.Stride, len(f.Data))
		}
		if n := number(); n >= 0 {
			seen[n]++
		} else {
			t.Errorf("frame %d (%x...) is none that is fed", f.Seq, f.Data[:16])
		}
		if f.Seq <= last.Seq || !f.At.After(last.At) || time.Since(f.At) > time.Second || time.Since(f.At) < 0 {
			t.Errorf("frame %d taken at %v follows frame %d of %v; it is %v", f.Seq, f.At, last.Seq, last.At, time.Now())
		}
	}
	t.Logf("frames by number: %v", seen)
	if len(seen) < fed {
		t.Errorf("saw %d different frames of %d", len(seen), fed)
	}
}

// The driver stamps a frame when it is made; what is between that and Read is
// no part of it.
func TestVMFramesCarryTheTimeOfTheDriver(t *testing.T) {
	vivid.Load(t, 1)
	src := open(t, vmCamera, Options{})
	defer closed(t, src)
	var f capture.Frame
	next(t, src, &f)
	time.Sleep(200 * time.Millisecond) // the frames wait in the buffers
	next(t, src, &f)
	if age := time.Since(f.At); age < 100*time.Millisecond || age > 5*time.Second {
		t.Errorf("a frame that waited in the buffers for 200 ms is %v old", age)
	}
	before := f.Seq
	next(t, src, &f)
	for range 4 {
		next(t, src, &f)
	}
	if f.Seq <= before+5 {
		t.Errorf("frame %d after %d: nothing was lost while nobody read", f.Seq, before)
	}
}

// webcamInput loads a vivid that is like a USB camera: sizes and rates, and a
// picture of its own.
func webcamInput(t *testing.T) {
	t.Helper()
	vivid.Unload(t)
	vivid.Run(t, "modprobe", "vivid", "n_devs=1", "node_types=0x1", "num_inputs=1", "input_types=0", "vid_cap_nr=10")
	t.Cleanup(func() { vivid.Unload(t) })
	vivid.Run(t, "udevadm", "settle")
	vivid.Run(t, "v4l2-ctl", "-d", vmCamera, "--set-ctrl", "osd_text_mode=2")
}

func TestVMFormatsAreReadAsTheDriverLaysThemOut(t *testing.T) {
	webcamInput(t)
	// Colour bars: the luma of each format is the same picture.
	luma := make(map[string][]byte)
	for _, test := range []struct {
		format        string
		layout        capture.Format
		width, height int
		stride, bytes int
		step          int // from one luma to the next
	}{
		{"yuyv", capture.YUYV, 640, 360, 1280, 640 * 360 * 2, 2},
		{"nv12", capture.NV12, 640, 360, 640, 640 * 360 * 3 / 2, 1},
		{"yu12", capture.I420, 640, 360, 640, 640 * 360 * 3 / 2, 1},
		{"grey", capture.Gray, 640, 360, 640, 640 * 360, 1},
		{"yuyv", capture.YUYV, 1280, 720, 2560, 1280 * 720 * 2, 2},
	} {
		src := open(t, vmCamera, Options{Format: test.format, Width: test.width, Height: test.height})
		var f capture.Frame
		next(t, src, &f)
		closed(t, src)
		if f.Format != test.layout || f.Width != test.width || f.Height != test.height || f.Stride != test.stride || len(f.Data) != test.bytes {
			t.Errorf("%s %dx%d: %v %dx%d, stride %d, %d bytes", test.format, test.width, test.height, f.Format, f.Width, f.Height, f.Stride, len(f.Data))
			continue
		}
		if test.width == 640 {
			for x := range test.width { // of a line in the middle
				luma[test.format] = append(luma[test.format], f.Data[f.Stride*180+x*test.step])
			}
		}
	}
	edges := func(line []byte) (at []int) {
		for x := 1; x < len(line); x++ {
			if int(line[x]) < int(line[x-1])-3 { // the bars go from white to black
				at = append(at, x)
			}
		}
		return at
	}
	want := edges(luma["yuyv"])
	if len(want) != 7 {
		t.Errorf("edges at %v, and should be those of 8 bars", want)
	}
	for format, line := range luma {
		// vivid makes gray with other weights and levels.
		if got := edges(line); !slices.Equal(got, want) {
			t.Errorf("%s: edges at %v, at %v in yuyv", format, got, want)
		}
		for x, y := range line {
			if math.Abs(float64(y)-float64(luma["yuyv"][x])) > 2 && format != "grey" {
				t.Errorf("%s: luma %d at column %d, %d in yuyv", format, y, x, luma["yuyv"][x])
				break
			}
		}
	}
}

func TestVMModesAreListedWhileTheCameraStreams(t *testing.T) {
	webcamInput(t)
	src := open(t, vmCamera, Options{Width: 320, Height: 180})
	defer closed(t, src)
	var f capture.Frame
	next(t, src, &f)
	before := f.Seq
	if f.Width != 320 || f.Height != 180 {
		t.Errorf("the smallest that holds 320x180 is %dx%d", f.Width, f.Height)
	}
	held := holds(t)
	list, err := Modes(vmCamera)
	if err != nil {
		t.Fatal(err)
	}
	wantHeld(t, held)
	var text []string
	for _, m := range list {
		if m.Readable {
			text = append(text, m.String())
		}
	}
	all := strings.Join(text, "\n")
	t.Logf("%d modes, and of those that can be read:\n%s", len(list), all)
	if !strings.Contains(all, "yuyv 640x480 at ") || !list[0].Readable || list[len(list)-1].Readable {
		t.Error("the list has no yuyv 640x480 with rates, or the wrong order")
	}
	for range 5 {
		next(t, src, &f)
	}
	if f.Seq < before+5 {
		t.Errorf("frame %d after %d and 5 more", f.Seq, before)
	}
}

func TestVMACameraIsFoundByItsPort(t *testing.T) {
	vivid.Load(t, 1)
	list, err := Cameras("/")
	if err != nil {
		t.Fatal(err)
	}
	var pictures []Camera
	for _, c := range list {
		t.Logf("%+v", c)
		if c.Kind == Picture && c.Driver == "vivid" {
			pictures = append(pictures, c)
		}
	}
	if len(pictures) != 1 || pictures[0].Path != vmCamera || pictures[0].ByPath == "" {
		t.Fatalf("cameras %+v, want one at %s with a name by its port", pictures, vmCamera)
	}
	opens(t, pictures[0].ByPath)
	if _, err := Open(t.Context(), "usb:A1B2", Options{}); !errors.Is(err, capture.ErrNotFound) {
		t.Errorf("Open(usb:A1B2): %v", err)
	}
	_, err = Open(t.Context(), "/dev/video20", Options{}) // the output
	if want := "open /dev/video20: camera cannot be read: this node delivers no pictures: use the one with the lowest number"; err == nil || err.Error() != want {
		t.Errorf("Open of the output: %v\nwant %s", err, want)
	}
}

func TestVMEveryFaultIsNamedAndLeavesNothingBehind(t *testing.T) {
	camera := vivid.Load(t, 1)[0]
	opens(t, vmCamera) // what is allocated once is allocated now
	before := holds(t)
	tests := []struct {
		name  string
		cause func()
		is    error
		mend  func()
	}{
		{"unbind", func() { vivid.Unplug(t) }, capture.ErrUnplugged, func() {
			if _, err := Open(t.Context(), vmCamera, Options{}); !errors.Is(err, capture.ErrNotFound) {
				t.Errorf("Open without a camera: %v, want %v", err, capture.ErrNotFound)
			}
			camera.Replug(t)
		}},
		{"disconnect", func() { camera.Control(t, "disconnect=1") }, capture.ErrUnplugged, func() {}},
		{"fatal error in the stream", func() { camera.Control(t, "inject_fatal_streaming_error=1") }, capture.ErrStream, func() {}},
	}
	for _, test := range tests {
		src := open(t, vmCamera, Options{})
		var f capture.Frame
		next(t, src, &f)
		test.cause()
		err := failing(t, src)
		if !errors.Is(err, test.is) {
			t.Errorf("%s: %v, want %v", test.name, err, test.is)
		}
		t.Logf("%s: %v", test.name, err)
		closed(t, src)
		test.mend()
		opens(t, vmCamera)
		wantHeld(t, before)
	}
}

func TestVMADamagedFrameIsToldAndTheStreamGoesOn(t *testing.T) {
	camera := vivid.Load(t, 1)[0]
	src := open(t, vmCamera, Options{})
	defer closed(t, src)
	var f capture.Frame
	next(t, src, &f)
	camera.Control(t, "inject_v4l2_buf_flag_error=1")
	if err := failing(t, src); !errors.Is(err, capture.ErrBadFrame) || err.Error() != "read /dev/video10: damaged frame: the driver says so" {
		t.Errorf("Read = %v", err)
	}
	for range 5 {
		next(t, src, &f)
	}
}

func TestVMAStreamThatDoesNotStartLeavesNothingBehind(t *testing.T) {
	camera := vivid.Load(t, 1)[0]
	opens(t, vmCamera)
	before := holds(t)
	for control, want := range map[string]string{
		"inject_vidioc_reqbufs_error":  "start /dev/video10: request buffers: invalid argument",
		"inject_vidioc_qbuf_error":     "start /dev/video10: queue a buffer: invalid argument",
		"inject_vidioc_streamon_error": "start /dev/video10: switch the stream on: invalid argument",
	} {
		camera.Control(t, control+"=1")
		if _, err := Open(t.Context(), vmCamera, Options{}); err == nil || err.Error() != want {
			t.Errorf("Open: %v\nwant %s", err, want)
		}
		wantHeld(t, before)
		opens(t, vmCamera)
	}
}

func TestVMACameraInUseIsBusyAndNotDisturbed(t *testing.T) {
	vivid.Load(t, 1)
	src := open(t, vmCamera, Options{Width: 320, Height: 240})
	var f capture.Frame
	next(t, src, &f)
	before, held := f.Seq, holds(t)
	for range 5 {
		if _, err := Open(t.Context(), vmCamera, Options{Width: 640, Height: 480, Exposure: time.Millisecond}); !errors.Is(err, capture.ErrBusy) {
			t.Errorf("a second Open: %v, want %v", err, capture.ErrBusy)
		}
		next(t, src, &f)
	}
	if f.Width != 320 || f.Height != 240 || f.Seq < before+5 {
		t.Errorf("frame %d of %dx%d, after %d", f.Seq, f.Width, f.Height, before)
	}
	wantHeld(t, held)
	closed(t, src)
	opens(t, vmCamera)
}

func TestVMACameraOfAnotherUserIsForbidden(t *testing.T) {
	vivid.Load(t, 1)
	vivid.Run(t, "chmod", "660", vmCamera)
	result := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with its identity
		if err := unix.Setfsuid(65534); err != nil {
			result <- err
			return
		}
		_, err := Open(context.Background(), vmCamera, Options{})
		result <- err
	}()
	err := <-result
	if want := "open /dev/video10: no permission to open the camera: permission denied"; !errors.Is(err, capture.ErrPermission) || err.Error() != want {
		t.Errorf("Open as nobody: %v\nwant %s", err, want)
	}
}

func TestVMACameraThatIsNotThereIsNotFound(t *testing.T) {
	vivid.Unload(t)
	for _, source := range []string{vmCamera, "/dev/v4l/by-id/usb-nobody-video-index0", "usb:1234"} {
		if _, err := Open(t.Context(), source, Options{}); !errors.Is(err, capture.ErrNotFound) {
			t.Errorf("Open(%s): %v, want %v", source, err, capture.ErrNotFound)
		}
	}
}

func TestVMAnHDMIGrabberFollowsItsSignal(t *testing.T) {
	camera := vivid.Load(t, 1)[0]
	set := func() string {
		return vivid.Run(t, "v4l2-ctl", "-d", vmCamera, "--get-dv-timings")
	}
	was := set()
	opens(t, vmCamera)
	if now := set(); now != was {
		t.Errorf("timings that fit were changed from\n%s\nto\n%s", was, now)
	}
	for _, mode := range []string{"1", "2"} { // no signal, no lock
		camera.Control(t, "dv_timings_signal_mode="+mode)
		if _, err := Open(t.Context(), vmCamera, Options{}); !errors.Is(err, capture.ErrStalled) || !strings.Contains(err.Error(), "no picture at the HDMI input") {
			t.Errorf("Open without a signal: %v", err)
		}
	}
	camera.Control(t, "dv_timings_signal_mode=0")
	vivid.Run(t, "v4l2-ctl", "-d", vmCamera, "--set-dv-bt-timings", "index=5")
	if now := set(); now == was {
		t.Fatal("the timings cannot be told apart")
	}
	vivid.Run(t, "v4l2-ctl", "-d", vmCamera, "--set-ctrl", "dv_timings_signal_mode=4") // the ones selected in a menu: its first, 640x480
	vivid.Run(t, "v4l2-ctl", "-d", vmCamera, "--set-ctrl", "dv_timings=0")
	opens(t, vmCamera)
	if now := set(); !strings.Contains(now, "Active width: 640") {
		t.Errorf("the timings are\n%s\nwant those of the signal", now)
	}
}

func TestVMControlsAreReadAndSet(t *testing.T) {
	webcamInput(t)
	const brightness = 0x00980900
	n, err := openNode(vmCamera)
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	err = n.Ask(func(s settings) error {
		lowest, highest, ok := s.Range(brightness)
		if !ok || lowest != 0 || highest != 255 {
			t.Errorf("brightness from %d to %d, %v", lowest, highest, ok)
		}
		return s.Set(brightness, 77)
	})
	if err != nil {
		t.Fatal(err)
	}
	if text := vivid.Run(t, "v4l2-ctl", "-d", vmCamera, "--get-ctrl", "brightness"); strings.TrimSpace(text) != "brightness: 77" {
		t.Errorf("v4l2-ctl says %s", text)
	}
	// vivid has no exposure; the camera works all the same.
	var log bytes.Buffer
	src := open(t, vmCamera, Options{Exposure: 10 * time.Millisecond, Log: slog.New(slog.NewTextHandler(&log, nil))})
	var f capture.Frame
	next(t, src, &f)
	closed(t, src)
	if strings.Count(log.String(), "\n") != 1 || !strings.Contains(log.String(), "the camera has no such control") {
		t.Errorf("log %s", log.String())
	}
}

// supervised is a camera that runs until the test ends.
type supervised struct {
	*capture.Camera
	changes chan change
	story   []change // what wait has seen
}

type change struct {
	capture.Status
	at time.Time
}

func supervise(t *testing.T, source string, o Options) *supervised {
	t.Helper()
	s := &supervised{changes: make(chan change, 1000)}
	s.Camera = &capture.Camera{
		Name: source, Box: capture.NewMailbox(), Log: slog.New(slog.DiscardHandler),
		Open:     func(ctx context.Context) (capture.Source, error) { return Open(ctx, source, o) },
		OnStatus: func(st capture.Status) { s.changes <- change{st, time.Now()} },
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	s.wait(t, capture.Streaming)
	return s
}

// wait is for the next time that the camera is in the state.
func (s *supervised) wait(t *testing.T, state capture.State) change {
	t.Helper()
	timeout := time.After(patience)
	for {
		select {
		case c := <-s.changes:
			s.story = append(s.story, c)
			if c.State == state {
				return c
			}
		case <-timeout:
			t.Fatalf("not %s in %v: %+v", state, patience, s.Status())
		}
	}
}

func vmCycles(t *testing.T) int {
	t.Helper()
	text := os.Getenv("VM_CYCLES")
	if text == "" {
		return 10
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestVMCameraComesBackFromEveryUnplugWithoutALeak(t *testing.T) {
	camera := vivid.Load(t, 1)[0]
	c := supervise(t, vmCamera, Options{})
	var worst, sum time.Duration
	cycle := func(i int) {
		c.story = nil
		var plugged time.Time
		if i%2 == 0 {
			vivid.Unplug(t)
			c.wait(t, capture.Failed)
			vivid.Plug(t)
			plugged = time.Now()
		} else {
			camera.Control(t, "disconnect=1")
			plugged = time.Now()
		}
		took := c.wait(t, capture.Streaming).at.Sub(plugged)
		worst, sum = max(worst, took), sum+took
		if took > recovery {
			t.Errorf("cycle %d: back after %v, want within %v", i, took, recovery)
			for _, change := range c.story {
				t.Logf("%v after it was plugged in: %s %v", change.at.Sub(plugged), change.State, change.Err)
			}
		}
	}
	for i := range 2 {
		cycle(i)
	}
	// Between two frames of a steady stream, so that the same is held.
	before := holds(t)
	worst, sum = 0, 0
	cycles := vmCycles(t)
	for i := range cycles {
		cycle(i)
	}
	wantHeld(t, before)
	t.Logf("%d cycles: back within %v, %v on average; held %+v, then %+v; %+v", cycles, worst, sum/time.Duration(max(cycles, 1)), before, holds(t), c.Status())
}

// pace reads a camera until stop is closed, and says how long it was, at most,
// from one frame to the next.
func pace(src capture.Source, stop <-chan struct{}) (longest time.Duration, frames int, err error) {
	var f capture.Frame
	var last time.Time
	for {
		select {
		case <-stop:
			return longest, frames, nil
		default:
		}
		if err := src.Read(context.Background(), &f); err != nil {
			return longest, frames, err
		}
		if frames > 0 {
			longest = max(longest, f.At.Sub(last))
		}
		last = f.At
		frames++
	}
}

func TestVMOneCameraIsUnpluggedAndTheOtherNeverStops(t *testing.T) {
	small := Options{Width: 160, Height: 120} // the noise of 60 frames a second is much work for the guest
	cameras := vivid.Load(t, 2)
	door := supervise(t, cameras[0].Capture, small)
	other := open(t, cameras[1].Capture, small)
	defer closed(t, other)

	// watch measures the other camera while something happens to the first.
	watch := func(happens func()) (longest time.Duration) {
		stop, done := make(chan struct{}), make(chan struct{})
		go func() {
			defer close(done)
			var frames int
			var err error
			if longest, frames, err = pace(other, stop); err != nil || frames < 10 {
				t.Errorf("the other camera: %d frames, %v", frames, err)
			}
		}()
		happens()
		close(stop)
		<-done
		return longest
	}
	// The same work for the processor, but nothing is unplugged.
	calm := watch(func() {
		for range 10 {
			cameras[0].Control(t, "osd_text_mode=2")
			time.Sleep(500 * time.Millisecond)
		}
	})
	unplugged := watch(func() {
		for range 5 {
			cameras[0].Control(t, "disconnect=1")
			door.wait(t, capture.Failed)
			door.wait(t, capture.Streaming)
		}
	})
	const interval = time.Second / 60
	t.Logf("the other camera, from one frame to the next: %v at most before, %v meanwhile", calm, unplugged)
	if unplugged > max(10*interval, 2*calm) {
		t.Errorf("the other camera stood still for %v, want %v at most, or twice %v", unplugged, 10*interval, calm)
	}
}

func TestVMFramesThatTheDriverDropsAreCounted(t *testing.T) {
	camera := vivid.Load(t, 1)[0]
	c := supervise(t, vmCamera, Options{})
	before := c.Status().Lost
	camera.Control(t, "percentage_of_dropped_buffers=50")
	deadline := time.Now().Add(patience)
	for c.Status().Lost < before+20 {
		if time.Now().After(deadline) {
			t.Fatalf("half of the buffers are dropped, and the status is %+v", c.Status())
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// loopback runs v4l2loopback with a writer, which ends with the test or before.
// Its module is built for the amd64 guest only.
func loopback(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	if runtime.GOARCH != "amd64" {
		t.Skip("v4l2loopback is in the amd64 guest only")
	}
	vivid.Run(t, "modprobe", "v4l2loopback", "devices=1", "video_nr=30", "exclusive_caps=1")
	t.Cleanup(func() {
		for range 50 {
			if exec.Command("rmmod", "v4l2loopback").Run() == nil {
				return
			}
			time.Sleep(100 * time.Millisecond)
		}
		t.Error("v4l2loopback cannot be removed: something has it open")
	})
	args = append([]string{"-nostdin", "-hide_banner", "-loglevel", "error", "-re", "-f", "lavfi", "-i", "testsrc=size=640x480:rate=10"}, args...)
	writer := exec.Command("ffmpeg", append(args, "-f", "v4l2", "/dev/video30")...)
	writer.Stderr = os.Stderr
	if err := writer.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = writer.Process.Kill()
		_ = writer.Wait() // killed
	})
	return writer
}

func TestVMMotionJPEGIsReadWholeAndASilentCameraIsStalled(t *testing.T) {
	writer := loopback(t, "-vf", "format=yuvj422p", "-c:v", "mjpeg", "-q:v", "3")
	opens(t, "/dev/video30")
	before := holds(t)
	src := open(t, "/dev/video30", Options{StallAfter: 2 * time.Second})
	var f, last capture.Frame
	for i := range 20 {
		next(t, src, &f)
		if f.Format != capture.JPEG || f.Width != 640 || f.Height != 480 || f.Stride != 0 || len(f.Data) < 1000 {
			t.Fatalf("%v %dx%d, stride %d, %d bytes", f.Format, f.Width, f.Height, f.Stride, len(f.Data))
		}
		if i > 0 && (f.Seq <= last.Seq || !f.At.After(last.At)) {
			t.Errorf("frame %d taken at %v follows frame %d of %v", f.Seq, f.At, last.Seq, last.At)
		}
		last.Seq, last.At = f.Seq, f.At
	}
	if err := writer.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	if err := failing(t, src); !errors.Is(err, capture.ErrStalled) {
		t.Errorf("the writer is dead: %v, want %v", err, capture.ErrStalled)
	}
	if took := time.Since(begin); took > 10*time.Second {
		t.Errorf("said so after %v", took)
	}
	closed(t, src)
	wantHeld(t, before)
}
