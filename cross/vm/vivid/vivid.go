// Package vivid drives the kernel's virtual camera for tests: what is fed to
// its output is what its capture node shows, byte for byte. It needs root, the
// module vivid (Linux 6.1 or later) and v4l2-ctl.
package vivid

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// The size of the pictures, in YUYV.
const (
	Width, Height = 640, 480
	FrameBytes    = Width * Height * 2
)

const (
	driver = "/sys/bus/platform/drivers/vivid/"
	device = "vivid.0"
	rule   = "/run/udev/rules.d/99-vivid.rules"
)

// Camera is one instance of the driver.
type Camera struct {
	Capture string // the node that is a camera
	output  string // the node that is fed
	feeder  *exec.Cmd
}

// Load makes n cameras, /dev/video10 and up, that show noise until they are
// fed. They are removed when the test ends.
func Load(t testing.TB, n int) []*Camera {
	t.Helper()
	Unload(t)
	list := func(value string) string { return strings.Repeat(value+",", n)[:n*(len(value)+1)-1] }
	capture, output := make([]string, n), make([]string, n)
	cameras := make([]*Camera, n)
	for i := range n {
		capture[i], output[i] = fmt.Sprint(10+i), fmt.Sprint(20+i)
		cameras[i] = &Camera{Capture: "/dev/video" + capture[i], output: "/dev/video" + output[i]}
	}
	open := shut(t)
	// Only HDMI to HDMI loops, and only within one instance.
	Run(t, "modprobe", "vivid", fmt.Sprint("n_devs=", n), "node_types="+list("0x101"),
		"num_inputs="+list("1"), "input_types="+list("3"), "num_outputs="+list("1"), "output_types="+list("1"),
		"vid_cap_nr="+strings.Join(capture, ","), "vid_out_nr="+strings.Join(output, ","))
	t.Cleanup(func() {
		for _, c := range cameras {
			c.Unfeed()
		}
		_ = os.WriteFile(driver+"unbind", []byte(device), 0) // whoever still reads lets go; it may be unbound
		Unload(t)
	})
	for _, c := range cameras {
		c.configure(t)
	}
	open()
	return cameras
}

// Unload removes the module. Nothing may have a camera open for long.
func Unload(t testing.TB) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for {
		if _, err := os.Stat(driver); err != nil {
			return
		}
		out, err := exec.Command("rmmod", "vivid").CombinedOutput()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("rmmod vivid: %v: %s", err, out)
		}
		time.Sleep(200 * time.Millisecond)
	}
}

// shut keeps everybody but root from cameras that appear until open is called:
// a service that opens them at once would keep them from being configured.
func shut(t testing.TB) (open func()) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(rule), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(rule, []byte(`SUBSYSTEM=="video4linux", GROUP="root", MODE="0600"`+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	Run(t, "udevadm", "control", "--reload")
	return func() {
		t.Helper()
		if err := os.Remove(rule); err != nil {
			t.Fatal(err)
		}
		Run(t, "udevadm", "control", "--reload")
		deadline := time.Now().Add(time.Minute)
		for { // a worker of udev's that is busy, at boot say, goes by the rules of before
			Run(t, "udevadm", "trigger", "--settle", "--action=add", "--subsystem-match=video4linux")
			if isOpen(t) {
				return
			}
			if time.Now().After(deadline) {
				t.Fatal("udev does not open the cameras to the group video")
			}
			time.Sleep(time.Second)
		}
	}
}

// isOpen tells whether every camera is its group's to use.
func isOpen(t testing.TB) bool {
	t.Helper()
	nodes, err := filepath.Glob("/dev/video*")
	if err != nil {
		t.Fatal(err)
	}
	for _, node := range nodes {
		if info, err := os.Stat(node); err == nil && info.Mode().Perm()&0o060 != 0o060 {
			return false
		}
	}
	return true
}

// configure makes the loop. The driver forgets it when it is unbound.
func (c *Camera) configure(t testing.TB) {
	t.Helper()
	Run(t, "udevadm", "settle")
	format := fmt.Sprintf("width=%d,height=%d,pixelformat=YUYV", Width, Height)
	for _, args := range [][]string{
		{c.output, "--set-dv-bt-timings", "index=0"}, // 640x480 at 60 Hz
		{c.output, "--set-fmt-video-out", format},
		{c.Capture, "--set-dv-bt-timings", "index=0"},
		{c.Capture, "--set-fmt-video", format},
		{c.Capture, "--set-ctrl", "loop_video=1,osd_text_mode=2"}, // 2: no clock over the picture
	} {
		Run(t, "v4l2-ctl", append([]string{"-d"}, args...)...)
	}
}

// Feed shows the frames in a circle, YUYV one after the other, until Unfeed or
// the next Feed.
func (c *Camera) Feed(t testing.TB, frames []byte) {
	t.Helper()
	c.Unfeed()
	if len(frames) == 0 || len(frames)%FrameBytes != 0 {
		t.Fatalf("feed %d bytes, which are no whole frames", len(frames))
	}
	file := filepath.Join(t.TempDir(), "frames.yuyv")
	if err := os.WriteFile(file, frames, 0o600); err != nil {
		t.Fatal(err)
	}
	c.feeder = exec.Command("v4l2-ctl", "-d", c.output, "--stream-out-mmap", "--stream-from="+file, "--stream-loop")
	if err := c.feeder.Start(); err != nil {
		t.Fatal(err)
	}
}

// Unfeed leaves the camera with noise.
func (c *Camera) Unfeed() {
	if c.feeder != nil {
		_ = c.feeder.Process.Kill()
		_ = c.feeder.Wait() // killed
		c.feeder = nil
	}
}

// Unplug takes every camera of the driver away, nodes and all.
func Unplug(t testing.TB) {
	t.Helper()
	write(t, driver+"unbind", device)
}

// Plug brings the cameras back. They show noise, however they are fed, and
// larger pictures.
func Plug(t testing.TB) {
	t.Helper()
	write(t, driver+"bind", device)
}

// Replug is Plug for a camera that is going to be fed.
func (c *Camera) Replug(t testing.TB) {
	t.Helper()
	open := shut(t)
	Plug(t)
	c.configure(t)
	open()
}

// Control sets a control of the camera, such as disconnect=1, after which what
// is open is dead and the node can be opened again.
func (c *Camera) Control(t testing.TB, setting string) {
	t.Helper()
	Run(t, "v4l2-ctl", "-d", c.Capture, "--set-ctrl", setting)
}

func write(t testing.TB, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0); err != nil {
		t.Fatal(err)
	}
}

// Run runs a program to its end and returns what it printed.
func Run(t testing.TB, name string, args ...string) string {
	t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}
