//go:build vm

package vm_test

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"facerecd/cross/vm/vivid"
)

// recovery is how long a camera may take from being plugged in to frames. Our
// host emulates an arm64 two to three times slower than an amd64.
func recovery() time.Duration {
	if runtime.GOARCH == "arm64" {
		return 8 * time.Second
	}
	return 3 * time.Second
}

// Each fault has a code in the health and on MQTT, and goes away with its
// cause, without a restart of the service or a leaked descriptor.
func TestEveryCameraFaultIsNamedAndMended(t *testing.T) {
	faults := []struct {
		name, code string
		cause      func(*testing.T, *vivid.Camera)
		mend       func(*testing.T, *vivid.Camera)
	}{
		{"pulled out", "not_found", func(t *testing.T, c *vivid.Camera) { vivid.Unplug(t) }, func(t *testing.T, c *vivid.Camera) {
			c.Replug(t)
			c.Feed(t, picture(t, "obama.jpg", 4))
		}},
		{"fatal error in the stream", "stream", func(t *testing.T, c *vivid.Camera) { c.Control(t, "inject_fatal_streaming_error=1") }, nil},
		{"disconnected for a moment", "unplugged", func(t *testing.T, c *vivid.Camera) { c.Control(t, "disconnect=1") }, nil},
		{"the same picture for ever", "frozen", func(t *testing.T, c *vivid.Camera) { c.Feed(t, picture(t, "obama.jpg", 1)) }, func(t *testing.T, c *vivid.Camera) {
			c.Feed(t, picture(t, "obama.jpg", 4))
		}},
		{"no permission", "permission", func(t *testing.T, c *vivid.Camera) {
			vivid.Run(t, "chmod", "600", c.Capture)
			c.Control(t, "disconnect=1") // so that it is opened again
		}, func(t *testing.T, c *vivid.Camera) {
			vivid.Run(t, "chmod", "660", c.Capture)
			c.Feed(t, picture(t, "obama.jpg", 4)) // the feeder was disconnected, too
		}},
	}
	camera := vivid.Load(t, 1)[0]
	camera.Feed(t, picture(t, "obama.jpg", 4))
	ear := listen(t)
	s := start(t, door+"    frozen_after: 4s\n")
	s.enrol(t)
	eventually(t, "the camera streams", s.streaming(t, "door"))
	ear.recognized(t, time.Time{})
	before := s.descriptors(t)
	for _, fault := range faults {
		t.Run(fault.name, func(t *testing.T) {
			caused := time.Now()
			fault.cause(t, camera)
			ear.wait(t, "the status says "+fault.code, "facerecd/vm/door/status", caused, func(d decoded) bool {
				return d.State == "failed" && d.Code == fault.code
			})
			mended := time.Now()
			if fault.mend != nil {
				if c := s.camera(t, "door"); c.Code != fault.code || c.Hint == "" {
					t.Errorf("the health says %+v", c)
				}
				eventually(t, "everybody has left", func() bool { return len(ear.last("facerecd/vm/door/present").People) == 0 })
				mended = time.Now()
				fault.mend(t, camera)
			}
			ear.wait(t, "the status says streaming", "facerecd/vm/door/status", mended, func(d decoded) bool { return d.State == "streaming" })
			if fault.mend != nil {
				ear.recognized(t, mended)
			}
			s.wantSameProcess(t)
			eventually(t, fmt.Sprintf("%d descriptors are open, as before", before), func() bool { return s.descriptors(t) <= before })
		})
	}
}

func TestCameraThatAnotherProgramHoldsIsTakenWhenItIsFree(t *testing.T) {
	camera := vivid.Load(t, 1)[0]
	camera.Feed(t, picture(t, "obama.jpg", 4))
	other := exec.Command("v4l2-ctl", "-d", camera.Capture, "--stream-mmap", "--stream-to=/dev/null")
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = other.Process.Kill() }()
	time.Sleep(2 * time.Second)
	s := start(t, door)
	eventually(t, "the camera is busy", func() bool { return s.camera(t, "door").Code == "busy" })
	if err := other.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = other.Wait() // killed
	eventually(t, "the camera streams", s.streaming(t, "door"))
	s.wantSameProcess(t)
}

func TestOneCameraIsUnpluggedAndTheOtherNeverStops(t *testing.T) {
	cameras := vivid.Load(t, 2)
	frames := picture(t, "obama.jpg", 4)
	for _, c := range cameras {
		c.Feed(t, frames)
	}
	s := start(t, door+"  - name: hall\n    source: /dev/video11\n")
	for _, name := range []string{"door", "hall"} {
		eventually(t, name+" streams", s.streaming(t, name))
	}
	for range 5 {
		before, reopened := s.camera(t, "hall"), s.camera(t, "door").Reopened
		cameras[0].Control(t, "disconnect=1")
		eventually(t, "the door was opened again", func() bool {
			door := s.camera(t, "door")
			return door.Reopened > reopened && door.State == "streaming"
		})
		after := s.camera(t, "hall")
		if after.State != "streaming" || after.Reopened != before.Reopened || after.Frames <= before.Frames {
			t.Errorf("the other camera: before %+v, after %+v", before, after)
		}
	}
	s.wantSameProcess(t)
}

// The long form is `make soak`.
func TestCameraComesBackFromEveryUnplugWithoutALeak(t *testing.T) {
	cycles := 10
	if text := os.Getenv("VM_CYCLES"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil {
			t.Fatal(err)
		}
		cycles = n
	}
	camera := vivid.Load(t, 1)[0]
	s := start(t, door)
	eventually(t, "the camera streams", s.streaming(t, "door"))

	var worst time.Duration
	cycle := func(i int) {
		reopened := s.camera(t, "door").Reopened
		var from time.Time
		if i%2 == 0 {
			vivid.Unplug(t)
			eventually(t, "the camera is gone", func() bool { return s.camera(t, "door").State == "failed" })
			vivid.Plug(t)
			from = time.Now()
		} else {
			camera.Control(t, "disconnect=1")
			from = time.Now()
		}
		eventually(t, "the camera is back", func() bool {
			c := s.camera(t, "door")
			return c.Reopened > reopened && c.State == "streaming"
		})
		took := time.Since(from)
		worst = max(worst, took)
		if took > recovery() {
			t.Errorf("cycle %d: back after %v, want within %v", i, took, recovery())
		}
	}
	for i := range 4 { // what is allocated once is allocated now
		cycle(i)
	}
	time.Sleep(2 * time.Second)
	descriptors, goroutines := s.descriptors(t), s.goroutines(t)
	var memory []int // after each tenth of the cycles, in KiB
	for i := range cycles {
		cycle(i)
		if (i+1)%max(cycles/10, 1) == 0 {
			memory = append(memory, s.rss(t))
		}
	}
	time.Sleep(2 * time.Second)
	t.Logf("%d cycles: back within %v; descriptors %d, then %d; goroutines %d, then %d; memory in KiB after each tenth %d",
		cycles, worst, descriptors, s.descriptors(t), goroutines, s.goroutines(t), memory)
	if n := s.descriptors(t); n > descriptors {
		t.Errorf("%d descriptors are open, %d before", n, descriptors)
	}
	if n := s.goroutines(t); n > goroutines+1 {
		t.Errorf("%d goroutines, %d before", n, goroutines)
	}
	// What the collector has not collected yet comes and goes; a leak only comes.
	early, late := mean(memory[:len(memory)/2]), mean(memory[len(memory)/2:])
	if late > early+early/8+4096 {
		t.Errorf("the memory grows: %d KiB in the first half of the cycles, %d KiB in the second", early, late)
	}
	s.wantSameProcess(t)
}

func mean(list []int) int {
	sum := 0
	for _, n := range list {
		sum += n
	}
	return sum / max(len(list), 1)
}

func (s *service) goroutines(t *testing.T) int {
	t.Helper()
	h, err := s.client.Health(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return h.Process.Goroutines
}

// rss is the memory that the service holds, in KiB.
func (s *service) rss(t *testing.T) int {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(status)) {
		if text, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			n, err := strconv.Atoi(strings.Fields(text)[0])
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
	}
	t.Fatal("no VmRSS")
	return 0
}

func TestServiceStopsWhileItsCameraIsPulledOut(t *testing.T) {
	camera := vivid.Load(t, 1)[0]
	camera.Feed(t, picture(t, "obama.jpg", 4))
	s := start(t, door)
	eventually(t, "the camera streams", s.streaming(t, "door"))
	vivid.Unplug(t)
	began := time.Now()
	if err := syscall.Kill(s.pid, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	for {
		if err := syscall.Kill(s.pid, 0); err != nil {
			break
		}
		time.Sleep(20 * time.Millisecond)
		if time.Since(began) > patience {
			t.Fatal("it does not stop")
		}
	}
	if took := time.Since(began); took > 20*time.Second { // two on a real processor: a frame is looked at to its end
		t.Errorf("stopped after %v", took)
	}
	vivid.Plug(t)
}
