package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"facerecd/capture"
	"facerecd/capture/v4l2"
	"facerecd/daemon/api"
	"facerecd/daemon/config"
)

// machine is a file system with the video nodes of a machine, below a folder.
type machine struct {
	*testing.T
	root string
}

func (m machine) file(path, text string) {
	m.Helper()
	path = filepath.Join(m.root, path)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		m.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		m.Fatal(err)
	}
}

func (m machine) link(path, target string) {
	m.Helper()
	path = filepath.Join(m.root, path)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		m.Fatal(err)
	}
	if err := os.Symlink(target, path); err != nil {
		m.Fatal(err)
	}
}

// node adds a video node of a device with a driver, as sysfs shows it.
func (m machine) node(name, device, driver, title string, index int) {
	m.Helper()
	dir := filepath.Join("sys/devices", device, "video4linux", name)
	m.file(dir+"/name", title)
	m.file(dir+"/index", fmt.Sprint(index))
	m.link(dir+"/device", "../..")
	m.link("sys/class/video4linux/"+name, filepath.Join(m.root, dir))
	m.file("dev/"+name, "")
	if index == 0 {
		m.file("sys/bus/drivers/"+driver+"/bind", "")
		m.link(filepath.Join("sys/devices", device, "driver"), filepath.Join(m.root, "sys/bus/drivers", driver))
	}
}

func desk(t *testing.T) machine {
	m := machine{t, t.TempDir()}
	m.file("sys/devices/usb1/1-2/idVendor", "046d")
	m.file("sys/devices/usb1/1-2/serial", "A1B2")
	m.node("video0", "usb1/1-2/1-2:1.0", "uvcvideo", "HD Webcam", 0)
	m.node("video1", "usb1/1-2/1-2:1.0", "uvcvideo", "HD Webcam", 1)
	m.link("dev/v4l/by-id/usb-046d_HD_Webcam_A1B2-video-index0", "../../video0")
	m.link("dev/v4l/by-path/pci-usb-0:2:1.0-video-index0", "../../video0")
	m.node("video2", "usb1/1-3/1-3:1.0", "uvcvideo", "Old Cam", 0)
	m.node("video3", "platform/csi", "unicam", "unicam-image", 0)
	m.node("video4", "platform/csi", "unicam", "unicam-embedded", 1)
	m.node("video10", "platform/codec", "bcm2835-codec", "bcm2835-codec-decode", 0)
	return m
}

func TestDoctorTellsWhatIsPluggedIn(t *testing.T) {
	m := desk(t)
	r := checkup{root: m.root, modes: func(path string) ([]v4l2.Mode, error) {
		if path == "/dev/video2" {
			return nil, fmt.Errorf("open %s: %w", path, capture.ErrPermission)
		}
		size := func(format string, readable bool, w, h int, rates ...float64) v4l2.Mode {
			return v4l2.Mode{Format: format, Readable: readable, Width: w, Height: h, MinWidth: w, MinHeight: h, Rates: rates}
		}
		return []v4l2.Mode{
			size("mjpeg", true, 1920, 1080, 30, 15), size("mjpeg", true, 640, 480, 30, 15),
			size("yuyv", true, 1920, 1080, 5), size("yuyv", true, 640, 480, 30, 25, 7.5), size("yuyv", true, 320, 240, 30, 25, 7.5),
			{Format: "grey", Readable: true, Width: 1280, Height: 720, MinWidth: 64, MinHeight: 64},
			size("H264", false, 1920, 1080, 30),
		}, nil
	}}
	r.plugged(config.Config{Cameras: []config.Camera{{Name: "door", Source: "usb:A1B2"}, {Name: "hall", Source: "csi"}}})
	want := []struct {
		state, detail string
		more          []string
	}{
		{fine, `/dev/video0 HD Webcam, configured as "door"`, []string{
			"this camera    /dev/v4l/by-id/usb-046d_HD_Webcam_A1B2-video-index0",
			"its serial     usb:A1B2",
			"its port       /dev/v4l/by-path/pci-usb-0:2:1.0-video-index0",
			"driver         uvcvideo",
			"mjpeg          1920x1080 640x480 at 30, 15 fps",
			"yuyv           1920x1080 at 5 fps; 640x480 320x240 at 7.5 to 30 fps",
			"grey           64x64 to 1280x720",
			"not read       H264",
		}},
		{warning, `/dev/video2 Old Cam; it cannot be asked what it can do: open /dev/video2: no permission to open the camera; ` +
			`who opens a camera must be in the group video: sudo usermod -aG video `, []string{"driver         uvcvideo"}},
		{fine, "/dev/video3 unicam-image, configured as \"hall\": a bare sensor, which `source: csi` reads", []string{"driver         unicam"}},
	}
	if len(r.findings) != len(want) {
		t.Fatalf("%d findings, want %d: %+v", len(r.findings), len(want), r.findings)
	}
	for i, w := range want {
		f := r.findings[i]
		if f.Check != "cameras" || f.State != w.state || !strings.HasPrefix(f.Detail, w.detail) || !slices.Equal(f.more, w.more) {
			t.Errorf("got\n%s %s\n%s\nwant\n%s %s\n%s", f.State, f.Detail, strings.Join(f.more, "\n"), w.state, w.detail, strings.Join(w.more, "\n"))
		}
	}
	data, err := json.Marshal(r.findings[0])
	const start = `{"check":"cameras","state":"ok","detail":"/dev/video0 HD Webcam, configured as \"door\"",` +
		`"camera":{"path":"/dev/video0","by_id":"/dev/v4l/by-id/usb-046d_HD_Webcam_A1B2-video-index0","by_path":"/dev/v4l/by-path/pci-usb-0:2:1.0-video-index0",` +
		`"serial":"A1B2","name":"HD Webcam","driver":"uvcvideo","kind":"camera","configured":"door",` +
		`"modes":[{"format":"mjpeg","readable":true,"width":1920,"height":1080,"min_width":1920,"min_height":1080,"rates":[30,15]},`
	if err != nil || !strings.HasPrefix(string(data), start) || strings.Count(string(data), `"rates":[`) != 7 {
		t.Errorf("JSON: %s, %v", data, err)
	}
}

func TestDoctorKnowsAConfiguredCameraByAnyOfItsNames(t *testing.T) {
	m := desk(t)
	r := checkup{root: m.root, modes: func(string) ([]v4l2.Mode, error) { return nil, nil }}
	for source, want := range map[string]int{
		"/dev/video0": 0, "/dev/v4l/by-id/usb-046d_HD_Webcam_A1B2-video-index0": 0, "/dev/v4l/by-path/pci-usb-0:2:1.0-video-index0": 0,
		"usb:A1B2": 0, "/dev/video2": 1, "csi:1": 2, "usb:other": -1, "/dev/video7": -1, "photos": -1,
	} {
		r.findings = nil
		r.plugged(config.Config{Cameras: []config.Camera{{Name: "door", Source: source}}})
		if got := slices.IndexFunc(r.findings, func(f finding) bool { return f.Camera.Configured == "door" }); got != want {
			t.Errorf("%s is the camera at %d, want %d", source, got, want)
		}
	}
}

func TestDoctorSaysThatNothingIsPluggedIn(t *testing.T) {
	codec := machine{t, t.TempDir()}
	codec.node("video10", "platform/codec", "bcm2835-codec", "bcm2835-codec-decode", 0)
	for _, root := range []string{t.TempDir(), codec.root} {
		r := checkup{root: root}
		r.plugged(config.Config{})
		if len(r.findings) != 1 || r.findings[0].State != warning || r.findings[0].Detail != "none is plugged in, or this kernel has no Video4Linux" {
			t.Errorf("findings %+v", r.findings)
		}
	}
}

func TestDoctorLeavesTheCamerasOfARunningDaemonAlone(t *testing.T) {
	since := time.Date(2026, 11, 24, 12, 0, 0, 0, time.Local)
	cfg := config.Config{Cameras: []config.Camera{
		{Name: "door", Source: "/dev/facerecd-no-such-camera"},
		{Name: "yard", Source: "rtsp://ana:hunter2@10.0.0.9/live"},
		{Name: "hall", Source: "csi"},
		{Name: "new", Source: "/dev/facerecd-no-such-camera-either"},
	}}
	running := &api.Health{Version: "1.0", Cameras: []api.CameraHealth{
		{Name: "door", State: "streaming", FPS: 9.96},
		{Name: "yard", State: "failed", Code: "stalled", Hint: "pull the plug", Since: since},
		{Name: "hall", State: "starting"},
	}}
	r := checkup{root: t.TempDir()}
	r.cameras(t.Context(), cfg, running)
	want := []finding{
		{Check: "cameras", State: warning, Detail: "none is plugged in, or this kernel has no Video4Linux"},
		{Check: "camera door", State: fine, Detail: "/dev/facerecd-no-such-camera: the running daemon has it, at 10.0 frames a second"},
		{Check: "camera yard", State: warning, Detail: "rtsp://ana:xxxxx@10.0.0.9/live: stalled since 2026-11-24 12:00:00, says the running daemon: pull the plug"},
		{Check: "camera hall", State: fine, Detail: "csi: the running daemon is starting it"},
		{Check: "camera new", State: warning, Detail: "open /dev/facerecd-no-such-camera-either: camera not found"},
	}
	for i, w := range want {
		if i >= len(r.findings) || r.findings[i].Check != w.Check || r.findings[i].State != w.State || !strings.HasPrefix(r.findings[i].Detail, w.Detail) {
			t.Fatalf("findings\n%+v\nwant\n%+v", r.findings, want)
		}
	}

	r = checkup{root: t.TempDir()}
	r.cameras(t.Context(), config.Config{Cameras: cfg.Cameras[:1]}, &api.Health{Status: "ok"}) // to a stranger
	if f := r.findings[1]; f.State != fine || f.Detail != "/dev/facerecd-no-such-camera: not tried, as a daemon runs; it says more to who can read http.token_file" {
		t.Errorf("without the token: %+v", f)
	}
}

func TestDoctorTriesEachCameraForOneFrame(t *testing.T) {
	empty := t.TempDir() // no program is installed in it
	t.Setenv("PATH", empty)
	for source, want := range map[string]finding{
		photo(t, "obama"):               {State: fine, Detail: photo(t, "obama") + ": a frame of 640x480 "},
		"/dev/null":                     {State: warning, Detail: "open /dev/null: it is no camera: inappropriate ioctl for device; "},
		"/dev/facerecd-no-such-camera":  {State: warning, Detail: "open /dev/facerecd-no-such-camera: camera not found"},
		"usb:facerecd-no-such-serial":   {State: warning, Detail: "open usb:facerecd-no-such-serial: camera not found"},
		"csi":                           {State: failed, Detail: "open csi: camera cannot be read: rpicam-vid is not installed: run `sudo apt install rpicam-apps-lite`; "},
		"rtsp://ana:hunter2@10.0.0.9/a": {State: failed, Detail: "open rtsp://ana:xxxxx@10.0.0.9/a: camera cannot be read: ffmpeg is not installed: run `sudo apt install ffmpeg`; "},
	} {
		var r checkup
		c := config.DefaultCamera()
		c.Source = source
		r.tryCamera(t.Context(), "camera door", c)
		if f := r.findings[0]; f.State != want.State || !strings.HasPrefix(f.Detail, want.Detail) {
			t.Errorf("%s:\n got %s %s\nwant %s %s", source, f.State, f.Detail, want.State, want.Detail)
		}
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := oneFrame(ended, config.Camera{Source: photo(t, "obama")}); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

func TestDoctorNamesWhoHoldsACamera(t *testing.T) {
	m := machine{t, t.TempDir()}
	m.file("dev/video0", "")
	m.link("dev/cam", "video0")
	m.file("proc/120/comm", "firefox\n")
	m.link("proc/120/fd/5", filepath.Join(m.root, "dev/video0"))
	m.file("proc/7/comm", "bash\n")
	m.link("proc/7/fd/0", filepath.Join(m.root, "dev/null"))
	m.file("proc/self/comm", "firefox\n")
	if got := holders(filepath.Join(m.root, "proc"), filepath.Join(m.root, "dev/cam")); !slices.Equal(got, []string{"firefox (process 120)"}) {
		t.Errorf("holders: %q", got)
	}
	if got := holders(filepath.Join(m.root, "proc"), filepath.Join(m.root, "dev/video1")); got != nil {
		t.Errorf("holders of what nobody has: %q", got)
	}
	if got := hint(capture.ErrBusy, filepath.Join(m.root, "dev/video0")); got != capture.Hint(capture.ErrBusy) {
		t.Errorf("hint when nobody is seen: %q", got)
	}
	if got := hint(capture.ErrPermission, "http://ana@door/"); got != "check the user and password in its source" {
		t.Errorf("hint for a network camera that refuses us: %q", got)
	}
}
