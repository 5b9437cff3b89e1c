package v4l2

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"facerecd/capture"
)

// machine is a file system with the video nodes of a machine.
type machine struct {
	t    *testing.T
	root string
}

func (m machine) write(path, text string) {
	m.t.Helper()
	path = filepath.Join(m.root, path)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		m.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text+"\n"), 0o600); err != nil {
		m.t.Fatal(err)
	}
}

func (m machine) link(path, target string) {
	m.t.Helper()
	path = filepath.Join(m.root, path)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		m.t.Fatal(err)
	}
	if err := os.Symlink(target, path); err != nil {
		m.t.Fatal(err)
	}
}

// node adds a node the way sysfs has it: below its parent device, with links
// to and from it.
func (m machine) node(name, parent, driver, title, index string) {
	m.t.Helper()
	dir := parent + "/video4linux/" + name
	m.write("sys/devices/"+dir+"/name", title)
	m.write("sys/devices/"+dir+"/index", index)
	m.link("sys/devices/"+dir+"/device", "../../../"+filepath.Base(parent))
	m.link("sys/class/video4linux/"+name, "../../devices/"+dir)
	if driver != "" {
		m.write("sys/bus/drivers/"+driver+"/bind", "")
		if _, err := os.Lstat(filepath.Join(m.root, "sys/devices", parent, "driver")); err != nil {
			m.link("sys/devices/"+parent+"/driver", m.root+"/sys/bus/drivers/"+driver)
		}
	}
}

// usb adds a USB camera with its node for metadata.
func (m machine) usb(port, serial, title, first, second string) {
	m.t.Helper()
	device := "pci0/usb1/" + port
	m.write("sys/devices/"+device+"/idVendor", "046d")
	if serial != "" {
		m.write("sys/devices/"+device+"/serial", serial)
	}
	m.node(first, device+"/"+port+":1.0", "uvcvideo", title, "0")
	m.node(second, device+"/"+port+":1.0", "uvcvideo", title, "1")
	for name, node := range map[string]string{"0": first, "1": second} {
		if serial != "" { // of two with one serial number the last has the link
			link := "dev/v4l/by-id/usb-046d_Cam_" + serial + "-video-index" + name
			os.Remove(filepath.Join(m.root, link))
			m.link(link, "../../"+node)
		}
		m.link("dev/v4l/by-path/pci0-usb-0:"+port+":1.0-video-index"+name, "../../"+node)
		m.link("dev/v4l/by-path/pci0-usbv2-0:"+port+":1.0-video-index"+name, "../../"+node)
	}
}

func TestCamerasTellsCamerasFromWhatIsBesideThem(t *testing.T) {
	m := machine{t, t.TempDir()}
	m.usb("1-2", "A1B2", "HD Webcam: HD Webcam", "video10", "video11")
	m.usb("1-3", "", "Cheap Cam", "video2", "video3")
	m.node("video0", "platform/csi", "unicam", "unicam-image", "0")
	m.node("video1", "platform/csi", "unicam", "unicam-embedded", "1")
	m.node("v4l-subdev0", "platform/i2c", "imx219", "imx219 10-0010", "0")
	m.node("video4", "platform/cfe", "rp1-cfe", "rp1-cfe-csi2_ch0", "0")
	m.node("video12", "platform/codec", "bcm2835-codec", "bcm2835-codec-decode", "0")
	m.node("video13", "platform/isp", "bcm2835-isp", "bcm2835-isp-output0", "0")
	m.node("video19", "platform/hevc", "rpi-hevc-dec", "rpi-hevc-dec", "0")
	m.node("video20", "platform/pisp", "pispbe", "pispbe-input", "0")
	m.node("video30", "platform/vi", "tegra-camrtc-capture-vi", "vi-output, imx219 9-0010", "0")
	m.node("video40", "virtual", "", "Dummy video device (0x0000)", "0") // v4l2loopback
	m.node("video41", "platform/vivid.0", "vivid", "vivid-000-vid-cap", "0")
	m.node("video42", "platform/vivid.0", "vivid", "vivid-000-vid-out", "1")
	m.node("video43", "platform/vivid.0", "vivid", "vivid-001-vid-cap", "2")
	m.write("sys/class/video4linux/video50/name", "going away")

	got, err := Cameras(m.root)
	if err != nil {
		t.Fatal(err)
	}
	const byPath = "/dev/v4l/by-path/pci0-usb-0:"
	want := []Camera{
		{Path: "/dev/video0", Name: "unicam-image", Driver: "unicam", Kind: Sensor},
		{Path: "/dev/video1", Name: "unicam-embedded", Driver: "unicam", Kind: Sensor},
		{Path: "/dev/video2", ByPath: byPath + "1-3:1.0-video-index0", Name: "Cheap Cam", Driver: "uvcvideo", Kind: Picture},
		{Path: "/dev/video3", ByPath: byPath + "1-3:1.0-video-index1", Name: "Cheap Cam", Driver: "uvcvideo", Kind: Extra},
		{Path: "/dev/video4", Name: "rp1-cfe-csi2_ch0", Driver: "rp1-cfe", Kind: Sensor},
		{
			Path: "/dev/video10", ByID: "/dev/v4l/by-id/usb-046d_Cam_A1B2-video-index0", ByPath: byPath + "1-2:1.0-video-index0",
			Serial: "A1B2", Name: "HD Webcam: HD Webcam", Driver: "uvcvideo", Kind: Picture,
		},
		{
			Path: "/dev/video11", ByID: "/dev/v4l/by-id/usb-046d_Cam_A1B2-video-index1", ByPath: byPath + "1-2:1.0-video-index1",
			Serial: "A1B2", Name: "HD Webcam: HD Webcam", Driver: "uvcvideo", Kind: Extra,
		},
		{Path: "/dev/video12", Name: "bcm2835-codec-decode", Driver: "bcm2835-codec", Kind: Converter},
		{Path: "/dev/video13", Name: "bcm2835-isp-output0", Driver: "bcm2835-isp", Kind: Converter},
		{Path: "/dev/video19", Name: "rpi-hevc-dec", Driver: "rpi-hevc-dec", Kind: Converter},
		{Path: "/dev/video20", Name: "pispbe-input", Driver: "pispbe", Kind: Converter},
		{Path: "/dev/video30", Name: "vi-output, imx219 9-0010", Driver: "tegra-camrtc-capture-vi", Kind: Sensor},
		{Path: "/dev/video40", Name: "Dummy video device (0x0000)", Kind: Picture},
		{Path: "/dev/video41", Name: "vivid-000-vid-cap", Driver: "vivid", Kind: Picture},
		{Path: "/dev/video42", Name: "vivid-000-vid-out", Driver: "vivid", Kind: Extra},
		{Path: "/dev/video43", Name: "vivid-001-vid-cap", Driver: "vivid", Kind: Picture},
	}
	for i := range max(len(got), len(want)) {
		var g, w Camera
		if i < len(got) {
			g = got[i]
		}
		if i < len(want) {
			w = want[i]
		}
		if g != w {
			t.Errorf("camera %d:\n got %+v\nwant %+v", i, g, w)
		}
	}
}

func TestCamerasOfAMachineWithoutVideo(t *testing.T) {
	if got, err := Cameras(t.TempDir()); len(got) != 0 || err != nil {
		t.Errorf("Cameras = %v, %v; want none", got, err)
	}
}

func TestFindTakesTheCameraWithTheSerialNumber(t *testing.T) {
	m := machine{t, t.TempDir()}
	m.usb("1-1", "SN0001", "Cheap Cam", "video6", "video7")
	m.usb("1-2", "A1B2", "HD Webcam", "video10", "video11")
	m.usb("1-4", "SN0001", "Cheap Cam", "video0", "video1")
	// An infrared camera in the same housing: another interface.
	m.node("video2", "pci0/usb1/1-2/1-2:1.2", "uvcvideo", "HD Webcam IR", "0")
	m.write("sys/devices/pci0/usb1/1-9/serial", "NOVIDEO")
	tests := []struct{ source, path, err string }{
		{"/dev/video3", "/dev/video3", ""},
		{"/dev/v4l/by-id/usb-x", "/dev/v4l/by-id/usb-x", ""},
		{"usb:A1B2", "/dev/video10", ""},
		{"usb:SN0001", "", "2 cameras have the serial number SN0001: name each by its port: /dev/v4l/by-path/pci0-usb-0:1-4:1.0-video-index0, /dev/v4l/by-path/pci0-usb-0:1-1:1.0-video-index0"},
		{"usb:a1b2", "", "camera not found: the serial numbers of those that are plugged in are A1B2, SN0001"},
		{"usb:", "", "camera not found: the serial numbers of those that are plugged in are A1B2, SN0001"},
	}
	for _, test := range tests {
		path, err := Find(m.root, test.source)
		var text string
		if err != nil {
			text = err.Error()
		}
		if path != test.path || text != test.err {
			t.Errorf("Find(%s) = %q, %q; want %q, %q", test.source, path, text, test.path, test.err)
		}
	}
	_, err := Find(m.root, "usb:C3")
	if !errors.Is(err, capture.ErrNotFound) {
		t.Errorf("Find = %v, want ErrNotFound", err)
	}
}

func TestFindSaysThatNoCameraIsThere(t *testing.T) {
	_, err := Find(t.TempDir(), "usb:A1B2")
	if want := "camera not found: no USB camera with a serial number is plugged in"; !errors.Is(err, capture.ErrNotFound) || err.Error() != want {
		t.Errorf("Find = %v, want %s", err, want)
	}
}

func TestFindFollowsACameraThatGetsAnotherNumber(t *testing.T) {
	for _, node := range []string{"video0", "video4"} {
		m := machine{t, t.TempDir()}
		m.usb("1-2", "A1B2", "HD Webcam", node, node+"1")
		m.usb("1-3", "C3D4", "HD Webcam", "video2", "video3")
		if path, err := Find(m.root, "usb:A1B2"); path != "/dev/"+node || err != nil {
			t.Errorf("Find = %s, %v; want /dev/%s", path, err, node)
		}
	}
}
