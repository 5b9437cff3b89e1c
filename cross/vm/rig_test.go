//go:build vm

// These tests run as root in the guest of cross/vm, against the service as it
// is installed: systemd, a camera of the kernel's, mosquitto.
package vm_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"image/jpeg"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"facerecd/cross/vm/vivid"
	"facerecd/daemon/api"
	"facerecd/daemon/api/client"
)

// patience is for a guest whose processor is emulated: a start of the service
// takes seconds, a look at a frame tenths of one.
const patience = 3 * time.Minute

func share() string { return os.Getenv("VM_SHARE") }

// TestMain installs the package that is shipped.
func TestMain(m *testing.M) {
	if os.Getenv("VM_BOOT") != "" {
		os.Exit(m.Run()) // power_test.go looks after itself
	}
	if err := install(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

func install() error {
	if out, err := exec.Command("systemctl", "start", "mosquitto").CombinedOutput(); err != nil {
		return fmt.Errorf("start mosquitto: %w: %s", err, out)
	}
	if out, err := apt("install", filepath.Join(share(), "facerecd.deb")); err != nil {
		return fmt.Errorf("install the package: %w: %s", err, out)
	}
	return nil
}

// apt is apt-get. The guest has what the package depends on, so that nothing is
// fetched.
func apt(args ...string) (string, error) {
	cmd := exec.Command("apt-get", append([]string{"--yes", "--quiet"}, args...)...)
	cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// service is facerecd under systemd with a configuration of the test's.
type service struct {
	client client.Client
	pid    int
}

// start (re)starts the service with the cameras and waits until it answers.
// What is enrolled stays from test to test.
func start(t *testing.T, cameras string) *service {
	t.Helper()
	configure(t, cameras)
	vivid.Run(t, "systemctl", "restart", "facerecd")
	s := &service{client: client.Client{BaseURL: "http://127.0.0.1:4000"}}
	t.Cleanup(func() {
		if t.Failed() {
			out, _ := exec.Command("journalctl", "-u", "facerecd", "-b", "-n", "60", "-o", "short-monotonic").CombinedOutput()
			t.Logf("the service's journal:\n%s", out)
			out, _ = exec.Command("curl", "-s", "http://127.0.0.1:4000/healthz").CombinedOutput()
			t.Logf("its health: %s", out)
		}
		_ = exec.Command("systemctl", "stop", "facerecd").Run() // the test may have removed it
	})
	eventually(t, "the service answers", func() bool {
		_, err := s.client.Health(t.Context())
		return err == nil
	})
	s.pid = mainPID(t)
	return s
}

func mainPID(t *testing.T) int {
	t.Helper()
	text := vivid.Run(t, "systemctl", "show", "--property=MainPID", "--value", "facerecd")
	pid, err := strconv.Atoi(strings.TrimSpace(text))
	if err != nil || pid == 0 {
		t.Fatalf("the service has no process: %q", text)
	}
	return pid
}

// wantSameProcess fails the test when systemd had to start the service again.
func (s *service) wantSameProcess(t *testing.T) {
	t.Helper()
	if pid := mainPID(t); pid != s.pid {
		t.Errorf("the service was started again: process %d, then %d", s.pid, pid)
	}
}

// camera is the health of the camera with the name.
func (s *service) camera(t *testing.T, name string) api.CameraHealth {
	t.Helper()
	h, err := s.client.Health(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range h.Cameras {
		if c.Name == name {
			return c
		}
	}
	t.Fatalf("no camera %q in %+v", name, h.Cameras)
	return api.CameraHealth{}
}

func (s *service) streaming(t *testing.T, name string) func() bool {
	return func() bool { return s.camera(t, name).State == "streaming" }
}

// descriptors counts what the service has open.
func (s *service) descriptors(t *testing.T) int {
	t.Helper()
	list, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", s.pid))
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}

// enrol knows Barack Obama from two photos that no camera shows.
func (s *service) enrol(t *testing.T) {
	t.Helper()
	people, err := s.client.People(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(people) > 0 {
		return
	}
	e, err := s.client.Register(t.Context(), "obama", []string{photo("obama2.jpg"), photo("obama3.jpg")})
	if err != nil || e.Accepted == 0 {
		t.Fatalf("enrol: %+v, %v", e, err)
	}
}

func photo(name string) string { return filepath.Join(share(), "photos", name) }

// picture is the photo as YUYV frames of the camera's size, on grey. The frames
// differ in their noise, as those of a real camera do.
func picture(t *testing.T, name string, frames int) []byte {
	t.Helper()
	file, err := os.Open(photo(name))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	img, err := jpeg.Decode(file)
	if err != nil {
		t.Fatal(err)
	}
	const w, h = vivid.Width, vivid.Height
	b := img.Bounds()
	scale := max(float64(b.Dx())/w, float64(b.Dy())/h)
	x0, y0 := (w-int(float64(b.Dx())/scale))/2, (h-int(float64(b.Dy())/scale))/2
	frame := bytes.Repeat([]byte{128}, vivid.FrameBytes)
	for y := range h {
		for x := range w {
			fromX, fromY := int(math.Floor(float64(x-x0)*scale)), int(math.Floor(float64(y-y0)*scale))
			if fromX < 0 || fromY < 0 || fromX >= b.Dx() || fromY >= b.Dy() {
				continue
			}
			r, g, bl, _ := img.At(b.Min.X+fromX, b.Min.Y+fromY).RGBA()
			r8, g8, b8 := float64(r>>8), float64(g>>8), float64(bl>>8)
			i := 2 * (y*w + x) // BT.601, video levels
			frame[i] = byte(16 + (65.738*r8+129.057*g8+25.064*b8)/256)
			if x%2 == 0 {
				frame[i+1] = byte(128 + (-37.945*r8-74.494*g8+112.439*b8)/256)
				frame[i+3] = byte(128 + (112.439*r8-94.154*g8-18.285*b8)/256)
			}
		}
	}
	all := make([]byte, 0, frames*len(frame))
	for n := range frames {
		for i := 0; i < len(frame); i += 2 * 97 {
			frame[i] ^= byte(n & 1)
		}
		all = append(all, frame...)
	}
	return all
}

// message is what somebody who subscribes sees.
type message struct {
	topic    string
	retained bool
	payload  []byte
	at       time.Time
}

// ear is mosquitto_sub.
type ear struct {
	heard func(message) // nil: nobody is told at once

	mu  sync.Mutex
	all []message
}

// listen subscribes to all of facerecd's topics.
func listen(t *testing.T) *ear {
	t.Helper()
	e := &ear{}
	e.listen(t)
	return e
}

func (e *ear) listen(t *testing.T) {
	t.Helper()
	cmd := exec.Command("mosquitto_sub", "-h", "127.0.0.1", "-t", "facerecd/#", "-q", "1", "-F", "%t\t%r\t%p")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			topic, rest, _ := strings.Cut(lines.Text(), "\t")
			retained, payload, _ := strings.Cut(rest, "\t")
			m := message{topic, retained == "1", []byte(payload), time.Now()}
			if e.heard != nil {
				e.heard(m)
			}
			e.mu.Lock()
			e.all = append(e.all, m)
			e.mu.Unlock()
		}
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-done
		_ = cmd.Wait() // killed
		if t.Failed() {
			for _, m := range e.messages() {
				t.Logf("%s %s retained=%v %s", m.at.Format("15:04:05.000"), m.topic, m.retained, m.payload)
			}
		}
	})
}

func (e *ear) messages() []message {
	e.mu.Lock()
	defer e.mu.Unlock()
	return append([]message(nil), e.all...)
}

// decoded is the parts of the payloads that the tests look at.
type decoded struct {
	ID      string
	Type    string
	Camera  string
	State   string
	Code    string
	Person  *struct{ Name string }
	People  []struct{ Name string }
	Unknown int
	Checks  []check
}

type check struct{ Code string }

// wait returns the first message on the topic, since the time, that is right.
func (e *ear) wait(t *testing.T, what, topic string, since time.Time, right func(decoded) bool) message {
	t.Helper()
	var found message
	eventually(t, what, func() bool {
		for _, m := range e.messages() {
			var d decoded
			if m.topic == topic && !m.at.Before(since) && json.Unmarshal(m.payload, &d) == nil && right(d) {
				found = m
				return true
			}
		}
		return false
	})
	return found
}

// recognized waits until the door's camera has recognised obama, since the time.
func (e *ear) recognized(t *testing.T, since time.Time) message {
	t.Helper()
	return e.wait(t, "obama is recognised", "facerecd/vm/door/event", since, func(d decoded) bool {
		return d.Type == "recognized" && d.Person != nil && d.Person.Name == "obama"
	})
}

// last is what the topic holds now.
func (e *ear) last(topic string) (d decoded) {
	for _, m := range slices.Backward(e.messages()) {
		if m.topic == topic && json.Unmarshal(m.payload, &d) == nil {
			break
		}
	}
	return d
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %s", patience, what)
		}
		time.Sleep(50 * time.Millisecond)
	}
}
