//go:build vm && amd64

// The guest for arm64 has neither v4l2loopback nor ffmpeg.
package vm_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"facerecd/cross/vm/vivid"
)

const loopback = `  - name: door
    source: /dev/video30
`

// compressed shows the picture at the camera /dev/video30 as MJPEG, until stop
// is called.
func compressed(t *testing.T, frames []byte) (stop func()) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "frames.yuyv")
	if err := os.WriteFile(file, frames, 0o600); err != nil {
		t.Fatal(err)
	}
	// The driver takes no second writer after one that was killed, nor any
	// writer while somebody looks at the node: it is loaded anew, and tried again.
	eventually(t, "the driver can be loaded anew", func() bool {
		_ = exec.Command("rmmod", "v4l2loopback").Run() // it may not be loaded
		_, err := os.Stat("/sys/module/v4l2loopback")
		return os.IsNotExist(err)
	})
	vivid.Run(t, "modprobe", "v4l2loopback", "devices=1", "video_nr=30", "exclusive_caps=1", "card_label=loop")
	vivid.Run(t, "udevadm", "settle")
	cmd := exec.Command("sh", "-c", `until "$@"; do sleep 0.5; done`, "sh", "ffmpeg", "-nostdin", "-loglevel", "error", "-re", "-f", "rawvideo", "-pix_fmt", "yuyv422", "-s", "640x480",
		"-framerate", "10", "-stream_loop", "-1", "-i", file, "-vf", "scale=out_range=pc,format=yuvj422p", "-c:v", "mjpeg", "-q:v", "3",
		"-f", "v4l2", "/dev/video30")
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	stopped := false
	stop = func() {
		if !stopped {
			stopped = true
			_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
			_ = cmd.Wait() // killed
		}
	}
	t.Cleanup(stop)
	return stop
}

// A writer that dies leaves a camera that hangs: no frame, and no error.
func TestMJPEGCameraIsReadAndItsHangIsNamedAndMended(t *testing.T) {
	frames := picture(t, "obama.jpg", 4)
	stop := compressed(t, frames)
	ear := listen(t)
	s := start(t, loopback)
	s.enrol(t)
	ear.recognized(t, time.Time{})

	hung := time.Now()
	stop()
	ear.wait(t, "the status says stalled", "facerecd/vm/door/status", hung, func(d decoded) bool {
		return d.State == "failed" && d.Code == "stalled"
	})
	ear.wait(t, "nobody is present", "facerecd/vm/door/present", hung, func(d decoded) bool { return len(d.People) == 0 })

	again := time.Now()
	compressed(t, frames)
	ear.recognized(t, again)
	s.wantSameProcess(t)
}
