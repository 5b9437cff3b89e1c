package child_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"facerecd/capture"
	"facerecd/capture/capturetest"
	"facerecd/capture/child"
	"facerecd/capture/jpeg"
)

func small() child.Options { return child.Options{Width: 128, Height: 32, FPS: 25} }

func openCSI(t *testing.T, o child.Options) capture.Source {
	t.Helper()
	src, err := child.OpenCSI(t.Context(), 0, o)
	return capturetest.Opened(t, src, err)
}

func TestCSICamerasKeepTheSourceContract(t *testing.T) {
	for _, format := range []string{"yu12", "mjpeg"} {
		t.Run(format, func(t *testing.T) {
			camera(t, "")
			o := small()
			o.Format = format
			capturetest.SuiteLive(t, func(t *testing.T) capture.Source { return openCSI(t, o) })
		})
	}
}

func TestCSIFramesAreInTheLevelsOfI420(t *testing.T) {
	camera(t, "")
	var f capture.Frame
	if err := openCSI(t, small()).Read(t.Context(), &f); err != nil {
		t.Fatal(err)
	}
	if f.Format != capture.I420 || f.Width != 128 || f.Height != 32 || f.Stride != 128 || len(f.Data) != 128*32*3/2 {
		t.Fatalf("%v frame %dx%d, stride %d, %d bytes", f.Format, f.Width, f.Height, f.Stride, len(f.Data))
	}
	if y, c := f.Data[0], f.Data[128*32]; y != 235 || c != 128 {
		t.Errorf("white is %d, neutral %d; want 235 and 128", y, c)
	}
	if age := time.Since(taken(f.Data, 128, 32)); age < 0 || age > time.Second {
		t.Errorf("the frame is %v old", age)
	}
}

func TestCSISizesWhoseRowsMayBePaddedGoAsMJPEG(t *testing.T) {
	tests := []struct {
		width, height int
		format        string
		want          capture.Format
		err           string
	}{
		{128, 32, "", capture.I420, ""},
		{128, 32, "mjpeg", capture.JPEG, ""},
		{320, 240, "", capture.JPEG, ""},
		{128, 36, "", capture.JPEG, ""},
		{320, 240, "yu12", 0, "camera cannot be read: yu12 from a CSI camera needs a width in steps of 128 and a height in steps of 16: " +
			"set such a size, 640x480 say, or format: mjpeg"},
		{128, 32, "yuyv", 0, "camera cannot be read: CSI cameras give no yuyv: use yu12 or mjpeg, or leave format empty"},
	}
	for _, test := range tests {
		camera(t, "")
		src, err := child.OpenCSI(t.Context(), 1, child.Options{Width: test.width, Height: test.height, FPS: 25, Format: test.format, Exposure: 8 * time.Millisecond})
		if test.err != "" {
			if err == nil || err.Error() != test.err {
				t.Errorf("%dx%d %s: %v\nwant %s", test.width, test.height, test.format, err, test.err)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		var f capture.Frame
		if err := src.Read(t.Context(), &f); err != nil || f.Format != test.want || f.Width != test.width || f.Height != test.height {
			t.Errorf("%dx%d %s: %v frame %dx%d, %v", test.width, test.height, test.format, f.Format, f.Width, f.Height, err)
		}
		if f.Format == capture.JPEG && !jpeg.Complete(f.Data) {
			t.Error("the picture is not whole")
		}
		if err := src.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestOpenSaysWhyTheProgramEnded(t *testing.T) {
	tests := []struct {
		behaviour string
		camera    int
		is        error
		err       string
	}{
		{
			"none", 0, capture.ErrNotFound,
			"camera not found: rpicam-vid ended (exit status 255): [0:12:41.308413925] [2218]  INFO Camera camera_manager.cpp:330 libcamera v0.5.2+99-bfd68f78; ERROR: *** no cameras available ***",
		},
		{
			"", 7, capture.ErrNotFound,
			"camera not found: rpicam-vid ended (exit status 255): [0:12:41.308413925] [2218]  INFO Camera camera_manager.cpp:330 libcamera v0.5.2+99-bfd68f78; ERROR: *** selected camera is not available ***",
		},
		{
			"legacy", 0, capture.ErrUnsupported,
			"camera cannot be read: rpicam-vid ended (exit status 255): [0:12:41.308413925] [2218]  INFO Camera camera_manager.cpp:330 libcamera v0.5.2+99-bfd68f78; ERROR: the system appears to be configured for the legacy camera stack",
		},
		{
			"busy", 0, capture.ErrBusy,
			"camera in use by another program: rpicam-vid ended (exit status 255): [0:12:41.308413925] [2218]  INFO Camera camera_manager.cpp:330 libcamera v0.5.2+99-bfd68f78; " +
				"[0:12:41.315] [2218] ERROR Camera camera.cpp:1035 Pipeline handler in use by another process; ERROR: *** failed to acquire camera /base/soc/i2c0mux/i2c@1/imx219@10 ***",
		},
		{
			"denied", 0, capture.ErrPermission,
			"no permission to open the camera: rpicam-vid ended (exit status 255): [0:12:41.308413925] [2218]  INFO Camera camera_manager.cpp:330 libcamera v0.5.2+99-bfd68f78; " +
				"[0:12:41.315] [2218] ERROR DeviceEnumerator: Unable to open /dev/media0: Permission denied; ERROR: *** no cameras available ***",
		},
		{
			"hangs 0", 0, capture.ErrStalled,
			"camera sends no frames: none in 700ms: Stream configuration adjusted; " +
				"[0:12:41.5] [2218]  INFO Camera camera.cpp:1215 configuring streams: (0) 128x32-YUV420/sYCC (1) 1640x1232-SBGGR10_CSI2P/RAW; ERROR: Device timeout detected, attempting a restart!!!",
		},
		{
			"adjusts", 0, capture.ErrUnsupported,
			"camera cannot be read: it gives 1296x972 and not 128x32: set width and height to what it gives, or format: mjpeg",
		},
	}
	for _, test := range tests {
		t.Run(test.behaviour, func(t *testing.T) {
			pids := camera(t, test.behaviour)
			o := small()
			if strings.HasPrefix(test.behaviour, "hangs") {
				o.Start = 700 * time.Millisecond
			}
			_, err := child.OpenCSI(t.Context(), test.camera, o)
			if err == nil || err.Error() != test.err || !errors.Is(err, test.is) {
				t.Errorf("Open: %v\nwant: %s", err, test.err)
			}
			if left := running(t, pids); len(left) > 0 {
				t.Errorf("still running: %v", left)
			}
		})
	}
}

func TestOpenNamesThePackageToInstall(t *testing.T) {
	programs(t)
	tests := []struct {
		open func() (capture.Source, error)
		err  string
	}{
		{
			func() (capture.Source, error) { return child.OpenCSI(t.Context(), 0, child.Options{}) },
			"camera cannot be read: rpicam-vid is not installed: run `sudo apt install rpicam-apps-lite`",
		},
		{
			func() (capture.Source, error) { return child.OpenArgus(t.Context(), 0, child.Options{}) },
			"camera cannot be read: gst-launch-1.0 is not installed: run `sudo apt install gstreamer1.0-tools nvidia-l4t-gstreamer`",
		},
		{
			func() (capture.Source, error) { return child.OpenRTSP(t.Context(), "rtsp://h/", child.Options{}) },
			"camera cannot be read: ffmpeg is not installed: run `sudo apt install ffmpeg`",
		},
	}
	for _, test := range tests {
		if _, err := test.open(); err == nil || err.Error() != test.err || !errors.Is(err, capture.ErrUnsupported) {
			t.Errorf("Open: %v\nwant: %s", err, test.err)
		}
	}
}

func TestTheOlderNameOfTheProgramDoes(t *testing.T) {
	t.Setenv("FAKE_PIDS", filepath.Join(programs(t, "libcamera-vid"), "pids"))
	if err := openCSI(t, small()).Read(t.Context(), new(capture.Frame)); err != nil {
		t.Error(err)
	}
}

// readUntilError reads for as long as frames come.
func readUntilError(t *testing.T, src capture.Source) error {
	t.Helper()
	for range 1000 {
		if err := src.Read(t.Context(), new(capture.Frame)); err != nil {
			return err
		}
	}
	t.Fatal("no error in 1000 frames")
	return nil
}

func TestAProgramThatDiesBreaksTheStream(t *testing.T) {
	camera(t, "dies 5")
	err := readUntilError(t, openCSI(t, small()))
	if !errors.Is(err, capture.ErrStream) || !strings.HasPrefix(err.Error(), "camera is there, but its stream broke: rpicam-vid ended (exit status 255): ") ||
		!strings.HasSuffix(err.Error(), "; ERROR: *** failed to queue request ***") {
		t.Errorf("Read: %v", err)
	}
}

func TestAProgramThatIsKilledBreaksTheStream(t *testing.T) {
	pids := camera(t, "")
	src := openCSI(t, small())
	if err := syscall.Kill(running(t, pids)[0], syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if err := readUntilError(t, src); !errors.Is(err, capture.ErrStream) || !strings.HasPrefix(err.Error(), "camera is there, but its stream broke: rpicam-vid ended (signal: killed): ") {
		t.Errorf("Read: %v", err)
	}
}

func TestAProgramThatHangsIsAStall(t *testing.T) {
	pids := camera(t, "hangs 5")
	o := small()
	o.Stall = 300 * time.Millisecond
	src := openCSI(t, o)
	err := readUntilError(t, src)
	if !errors.Is(err, capture.ErrStalled) || !strings.HasSuffix(err.Error(), "; ERROR: Device timeout detected, attempting a restart!!!") {
		t.Errorf("Read: %v", err)
	}
	if err := src.Close(); err != nil {
		t.Error(err)
	}
	if left := running(t, pids); len(left) > 0 {
		t.Errorf("still running: %v", left)
	}
}

func TestCloseEndsWhateverTheProgramDoes(t *testing.T) {
	tests := []struct {
		behaviour string
		atMost    time.Duration
	}{
		{"", 700 * time.Millisecond},
		{"deaf", 2 * time.Second}, // SIGKILL after one
		{"parent", 700 * time.Millisecond},
		{"floods", 700 * time.Millisecond},
	}
	for _, test := range tests {
		t.Run(test.behaviour, func(t *testing.T) {
			pids := camera(t, test.behaviour)
			src := openCSI(t, small())
			start := time.Now()
			if err := src.Close(); err != nil {
				t.Error(err)
			}
			if took := time.Since(start); took > test.atMost {
				t.Errorf("Close took %v", took)
			}
			// What a program leaves behind was sent SIGKILL, and nobody here can wait for it.
			eventually(t, "end", func() bool { return len(running(t, pids)) == 0 })
		})
	}
}

func TestASlowReaderGetsTheNewestFrame(t *testing.T) {
	camera(t, "")
	src := openCSI(t, small())
	var f capture.Frame
	for range 3 {
		time.Sleep(500 * time.Millisecond)
		if err := src.Read(t.Context(), &f); err != nil {
			t.Fatal(err)
		}
		if age := time.Since(taken(f.Data, 128, 32)); age > 200*time.Millisecond {
			t.Errorf("the frame is %v old", age)
		}
	}
}

func TestAFloodOfWordsNeitherBlocksNorPilesUp(t *testing.T) {
	camera(t, "floods")
	o := small()
	o.Stall = 100 * time.Millisecond // to see what is kept
	src := openCSI(t, o)
	for range 5 {
		err := src.Read(t.Context(), new(capture.Frame))
		if errors.Is(err, capture.ErrStalled) {
			if len(err.Error()) > 4<<10 {
				t.Errorf("an error of %d bytes", len(err.Error()))
			}
		} else if err != nil {
			t.Fatal(err)
		}
	}
}

func TestNothingIsLeftBehind(t *testing.T) {
	descriptors := func() int {
		entries, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		return len(entries)
	}
	camera(t, "")
	openCSI(t, small()).Close() // what the runtime opens once
	before := descriptors()
	for i := range 20 {
		t.Setenv("FAKE", []string{"", "none", "dies 1", "parent"}[i%4])
		src, err := child.OpenCSI(t.Context(), 0, small())
		if err != nil {
			continue
		}
		if err := src.Close(); err != nil {
			t.Error(err)
		}
	}
	if after := descriptors(); after > before {
		t.Errorf("%d descriptors were open before, %d after", before, after)
	}
}

func TestADoneContextEndsOpenAndTheProgram(t *testing.T) {
	pids := camera(t, "hangs 0")
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	if _, err := child.OpenCSI(ctx, 0, small()); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Open: %v", err)
	}
	if left := running(t, pids); len(left) > 0 {
		t.Errorf("still running: %v", left)
	}
}

// The fake waits for nothing and writes nothing: only the kernel can end it.
func TestTheProgramDiesWithAKilledDaemon(t *testing.T) {
	pids := camera(t, "hangs 0")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(t.TempDir(), "daemon")
	if err := os.Symlink(self, link); err != nil {
		t.Fatal(err)
	}
	daemon := exec.Command(link)
	if err := daemon.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "start", func() bool { _, err := os.Stat(pids); return err == nil && len(running(t, pids)) == 1 })
	time.Sleep(200 * time.Millisecond) // threads that the runtime would end, end
	if len(running(t, pids)) != 1 {
		t.Error("the program ended although the daemon lives")
	}
	if err := daemon.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = daemon.Wait() // it was killed
	eventually(t, "end", func() bool { return len(running(t, pids)) == 0 })
}

func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for range 500 {
		if is() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("the program does not %s", what)
}

func TestSettingsOfTheDaemonDoNotReachTheProgram(t *testing.T) {
	camera(t, "environment")
	t.Setenv("FACERECD_SECRET", "hunter2")
	_, err := child.OpenCSI(t.Context(), 0, small())
	if err == nil || !strings.HasSuffix(err.Error(), "; ERROR: *** secret , locale C ***") {
		t.Errorf("Open: %v", err)
	}
}

func TestSecretsAreInNeitherErrorsNorLogs(t *testing.T) {
	programs(t, "ffmpeg")
	var log bytes.Buffer
	_, err := child.OpenRTSP(t.Context(), "rtsp://ana:hunter2@127.0.0.1/", child.Options{
		Hide: []string{"hunter2"}, Log: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	want := "no permission to open the camera: ffmpeg ended (exit status 1): [rtsp @ 0x55d0c8] method DESCRIBE failed: 401 Unauthorized; " +
		"rtsp://ana:xxxxx@127.0.0.1/: Server returned 401 Unauthorized (authorization failed)"
	if err == nil || err.Error() != want || !errors.Is(err, capture.ErrPermission) {
		t.Errorf("Open: %v\nwant: %s", err, want)
	}
	if strings.Contains(log.String(), "hunter2") || !strings.Contains(log.String(), "401 Unauthorized") {
		t.Errorf("log:\n%s", log.String())
	}
}
