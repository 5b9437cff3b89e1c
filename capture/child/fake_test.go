package child_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"image/color"
	stdjpeg "image/jpeg"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"facerecd/capture/child"
)

// The test binary is also the programs that it starts: which one, its name
// says, and how it behaves, the variable FAKE.
func TestMain(m *testing.M) {
	switch filepath.Base(os.Args[0]) {
	case "rpicam-vid", "libcamera-vid":
		os.Exit(rpicam(os.Args[1:]))
	case "ffmpeg":
		os.Exit(refusedFFmpeg(os.Args[1:]))
	case "daemon":
		_, err := child.OpenCSI(context.Background(), 0, child.Options{Start: time.Hour})
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	goleak.VerifyTestMain(m)
}

// programs puts the fakes of these names, and nothing else, into PATH.
func programs(t *testing.T, names ...string) (dir string) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir = t.TempDir()
	for _, name := range names {
		if err := os.Symlink(self, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", dir)
	return dir
}

// camera puts a fake rpicam-vid that behaves so into PATH. It writes its
// process id, and that of a child of its own, into the file that is returned.
func camera(t *testing.T, behaviour string) (pids string) {
	t.Helper()
	pids = filepath.Join(programs(t, "rpicam-vid"), "pids")
	t.Setenv("FAKE", behaviour)
	t.Setenv("FAKE_PIDS", pids)
	return pids
}

// rpicam does what rpicam-vid of rpicam-apps 1.9 does: the options that it
// knows, what it says, and when, and how it ends.
func rpicam(args []string) int {
	behaviour, parameter, _ := strings.Cut(os.Getenv("FAKE"), " ")
	pids := []byte(fmt.Sprintln(os.Getpid()))
	if behaviour == "parent" { // one that leaves a process behind, which holds the pipes
		sleep := exec.Command("/bin/sleep", "1000")
		sleep.Stdout, sleep.Stderr = os.Stdout, os.Stderr
		if err := sleep.Start(); err != nil {
			panic(err)
		}
		pids = fmt.Appendln(pids, sleep.Process.Pid)
	}
	if err := os.WriteFile(os.Getenv("FAKE_PIDS"), pids, 0o600); err != nil {
		panic(err)
	}
	o, err := options(args)
	if err != nil {
		return failed(err.Error())
	}
	say := func(format string, a ...any) { fmt.Fprintf(os.Stderr, format+"\n", a...) }
	say("[0:12:41.308413925] [2218]  INFO Camera camera_manager.cpp:330 libcamera v0.5.2+99-bfd68f78")
	switch behaviour {
	case "none":
		return failed("no cameras available")
	case "legacy":
		fmt.Fprintln(os.Stderr, "ERROR: the system appears to be configured for the legacy camera stack")
		return 255
	case "busy":
		say("[0:12:41.315] [2218] ERROR Camera camera.cpp:1035 Pipeline handler in use by another process")
		return failed("failed to acquire camera /base/soc/i2c0mux/i2c@1/imx219@10")
	case "denied":
		say("[0:12:41.315] [2218] ERROR DeviceEnumerator: Unable to open /dev/media0: Permission denied")
		return failed("no cameras available")
	case "environment":
		return failed("secret " + os.Getenv("FACERECD_SECRET") + ", locale " + os.Getenv("LC_ALL"))
	case "deaf":
		signal.Ignore(syscall.SIGTERM)
	}
	if o["camera"] != "0" && o["camera"] != "1" {
		return failed("selected camera is not available")
	}
	width, _ := strconv.Atoi(o["width"])
	height, _ := strconv.Atoi(o["height"])
	if behaviour == "adjusts" {
		width, height = 1296, 972
	}
	say("Mode selection for %d:%d:12:P(%s)", width, height, o["framerate"])
	say("Stream configuration adjusted")
	say("[0:12:41.5] [2218]  INFO Camera camera.cpp:1215 configuring streams: (0) %dx%d-YUV420/sYCC (1) 1640x1232-SBGGR10_CSI2P/RAW", width, height)

	fps, _ := strconv.ParseFloat(o["framerate"], 64)
	frames, _ := strconv.Atoi(parameter)
	for n := 0; ; n++ {
		if behaviour == "hangs" && n == frames {
			say("ERROR: Device timeout detected, attempting a restart!!!")
			time.Sleep(time.Hour)
		}
		if behaviour == "dies" && n == frames {
			return failed("failed to queue request")
		}
		if behaviour == "floods" {
			for range 2000 {
				say("[0:12:41.5] [2218]  WARN IPARPI ipa.cpp:1 %s", strings.Repeat("x", 200))
			}
			fmt.Fprint(os.Stderr, strings.Repeat("no end of line ", 10000))
		}
		frame := yuv(width, height)
		if o["codec"] == "mjpeg" {
			frame = picture(width, height)
		}
		if _, err := os.Stdout.Write(frame); err != nil {
			return failed("failed to write output bytes")
		}
		time.Sleep(time.Duration(float64(time.Second) / fps))
	}
}

func failed(why string) int {
	fmt.Fprintf(os.Stderr, "ERROR: *** %s ***\n", why)
	return 255
}

// options reads the command line as rpicam-vid does: by the names that it has.
func options(args []string) (map[string]string, error) {
	o := make(map[string]string)
	for len(args) > 0 {
		name, ok := strings.CutPrefix(args[0], "--")
		switch {
		case ok && slices.Contains([]string{"nopreview", "flush"}, name):
			o[name], args = "1", args[1:]
		case ok && len(args) > 1 && slices.Contains([]string{"camera", "timeout", "width", "height", "framerate", "codec", "output", "shutter", "quality"}, name):
			o[name], args = args[1], args[2:]
		default:
			return nil, fmt.Errorf("unrecognised option '%s'", args[0])
		}
	}
	if o["timeout"] != "0" || o["output"] != "-" || o["nopreview"] == "" || o["flush"] == "" {
		return nil, fmt.Errorf("this would not run for ever, or not into the pipe: %v", o)
	}
	return o, nil
}

// yuv is a full-range frame: white, neutral, with the time in the first bytes
// of the last row of Y, two bits of it in each byte.
func yuv(width, height int) []byte {
	frame := bytes.Repeat([]byte{255}, width*height)
	frame = append(frame, bytes.Repeat([]byte{128}, width*height/2)...)
	stamp := binary.BigEndian.AppendUint64(nil, uint64(time.Now().UnixNano()))
	for i := range 32 {
		frame[width*(height-1)+i] = stamp[i/4] >> (2 * (i % 4)) & 3 * 64
	}
	return frame
}

// taken is the time that a frame of yuv holds, with Y as limited has it.
func taken(data []byte, width, height int) time.Time {
	var stamp [8]byte
	for i := range 32 {
		v := (int(data[width*(height-1)+i]) - 16) * 255 / 219
		stamp[i/4] |= byte((v+32)/64) << (2 * (i % 4))
	}
	return time.Unix(0, int64(binary.BigEndian.Uint64(stamp[:])))
}

func picture(width, height int) []byte {
	img := image.NewGray(image.Rect(0, 0, width, height))
	for i := range img.Pix {
		img.Pix[i] = byte(i*i) >> 2
	}
	img.SetGray(0, 0, color.Gray{Y: byte(time.Now().UnixMilli())})
	var b bytes.Buffer
	if err := stdjpeg.Encode(&b, img, nil); err != nil {
		panic(err)
	}
	return b.Bytes()
}

// refusedFFmpeg says what ffmpeg 5.1 says to a wrong password.
func refusedFFmpeg(args []string) int {
	url := args[slices.Index(args, "-i")+1]
	fmt.Fprintf(os.Stderr, "[rtsp @ 0x55d0c8] method DESCRIBE failed: 401 Unauthorized\n%s: Server returned 401 Unauthorized (authorization failed)\n", url)
	return 1
}

// running tells which of the processes in the file are still there.
func running(t *testing.T, pids string) (all []int) {
	t.Helper()
	data, err := os.ReadFile(pids)
	if err != nil {
		t.Fatal(err)
	}
	for _, word := range strings.Fields(string(data)) {
		pid, err := strconv.Atoi(word)
		if err != nil {
			t.Fatal(err)
		}
		if err := syscall.Kill(pid, 0); errors.Is(err, syscall.ESRCH) {
			continue
		}
		// A zombie that its new parent has not looked at yet has ended.
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err == nil && !strings.Contains(string(stat), ") Z ") {
			all = append(all, pid)
		}
	}
	return all
}
