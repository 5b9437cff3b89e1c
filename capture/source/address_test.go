package source_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"facerecd/capture"
	"facerecd/capture/source"
)

func TestCheckSaysWhatToWrite(t *testing.T) {
	const (
		first  = `write csi for the first camera, csi:1 for the second`
		scheme = `: write rtsp://, rtsps://, http:// or https:// for a network camera, csi for a CSI camera, or a path`
	)
	tests := []struct {
		source string
		live   bool
		err    string
	}{
		{"/dev/video0", true, ""},
		{"/dev/v4l/by-id/usb-Some_Camera_1234-video-index0", true, ""},
		{"/dev/v4l/by-path/platform-fd500000.pcie-pci-0000:01:00.0-usb-0:1.3:1.0-video-index0", true, ""},
		{"/dev/../dev/video0", true, ""},
		{"/var/lib/photos", false, ""},
		{"film.mjpeg", false, ""},
		{"C:odd name.jpg", false, ""},
		{"csi", true, ""},
		{"csi:0", true, ""},
		{"csi:1", true, ""},
		{"argus", true, ""},
		{"argus:1", true, ""},
		{"usb:1234 56", true, ""},
		{"rtsp://10.0.0.2/stream", true, ""},
		{"rtsps://ana:a%40b@[fe80::1]:322/stream?profile=1", true, ""},
		{"http://door.local:8080/video", true, ""},
		{"HTTPS://door.local/snapshot.jpg", true, ""},

		{"", false, "no source: write /dev/video0, csi, rtsp://…, http://…, or the path of a recording"},
		{"csi:", false, `"csi:": ` + first},
		{"csi:-1", false, `"csi:-1": ` + first},
		{"csi:16", false, `"csi:16": ` + first},
		{"csi:imx219", false, `"csi:imx219": ` + first},
		{"argus:x", false, `"argus:x": write argus for the first camera, argus:1 for the second`},
		{"usb", false, "\"usb\": write usb: and the camera's serial number, which `facerecd doctor` lists"},
		{"usb: ", false, "\"usb: \": write usb: and the camera's serial number, which `facerecd doctor` lists"},
		{"ftp://ana:hunter2@10.0.0.2/", false, `"ftp://" is not known` + scheme},
		{"rtsp://", false, "rtsp:// names no host: write rtsp://192.168.1.20/path"},
		{"http://ana:hunter2@/x", false, "http://ana:xxxxx@/x names no host: write http://192.168.1.20/path"},
		{"rtsp://ana:hunt/er#2@10.0.0.2/x", false, "rtsp://ana:xxxxx@10.0.0.2/x is no URL: write @, :, / and # in a password as %40, %3A, %2F and %23"},
	}
	for _, test := range tests {
		got := ""
		if err := source.Check(test.source); err != nil {
			got = err.Error()
		}
		if got != test.err {
			t.Errorf("Check(%s): %s\nwant: %s", test.source, got, test.err)
		}
		if live := source.Live(test.source); live != test.live {
			t.Errorf("Live(%s) = %v", test.source, live)
		}
	}
}

func TestShownHidesPasswords(t *testing.T) {
	tests := []struct{ source, want string }{
		{"/dev/video0", "/dev/video0"},
		{"photos/a:b@c/key=d", "photos/a:b@c/key=d"},
		{"csi:1", "csi:1"},
		{"rtsp://10.0.0.2:554/stream", "rtsp://10.0.0.2:554/stream"},
		{"rtsp://ana@10.0.0.2/", "rtsp://ana@10.0.0.2/"},
		{"rtsp://ana:@10.0.0.2/", "rtsp://ana:@10.0.0.2/"},
		{"rtsp://ana:hunter2@10.0.0.2/", "rtsp://ana:xxxxx@10.0.0.2/"},
		{"rtsp://ana:r@10.0.0.2/", "rtsp://ana:xxxxx@10.0.0.2/"},
		{"rtsp://ana:p@ss:w/rd?#@10.0.0.2/", "rtsp://ana:xxxxx@10.0.0.2/"},
		{"http://h/video.cgi?user=a&pwd=hunter2&size=1", "http://h/video.cgi?user=a&pwd=xxxxx&size=1"},
		{"http://h/video.cgi?Password=hunter2", "http://h/video.cgi?Password=xxxxx"},
		{"rtsp://h/user=a&password=hunter2&channel=1.sdp", "rtsp://h/user=a&password=xxxxx&channel=1.sdp"},
		{"rtsp://h/user=a_password=hunter2_channel=1.sdp", "rtsp://h/user=a_password=xxxxx"}, // too much, not too little
	}
	for _, test := range tests {
		if got := source.Shown(test.source); got != test.want {
			t.Errorf("Shown(%s) = %s, want %s", test.source, got, test.want)
		}
	}
}

func FuzzShown(f *testing.F) {
	f.Add("hunter2", "10.0.0.2/stream")
	f.Add("p@ss:w/rd?#", "h/?key=1")
	f.Add("%40%", "[::1]:554/a@b")
	f.Fuzz(func(t *testing.T, password, rest string) {
		// Hidden with its surroundings, so that a password of one letter is told from the rest.
		shown := source.Shown("rtsp://ana:" + password + "@" + rest)
		if password != "" && !strings.HasPrefix(shown, "rtsp://ana:xxxxx@") {
			t.Errorf("the password %q is shown: %s", password, shown)
		}
		if err := source.Check("rtsp://ana:secretly" + password + "@" + rest); err != nil && strings.Contains(err.Error(), "secretly") {
			t.Errorf("Check shows it: %v", err)
		}
	})
}

func TestOpenDispatchesByTheScheme(t *testing.T) {
	t.Setenv("PATH", t.TempDir()) // no camera program is installed
	denied := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) }))
	defer denied.Close()
	host := strings.TrimPrefix(denied.URL, "http://")
	tests := []struct {
		source string
		is     error
		err    string
	}{
		{"csi:1", capture.ErrUnsupported, "open csi:1: camera cannot be read: rpicam-vid is not installed: run `sudo apt install rpicam-apps-lite`"},
		{"argus", capture.ErrUnsupported, "open argus: camera cannot be read: gst-launch-1.0 is not installed: run `sudo apt install gstreamer1.0-tools nvidia-l4t-gstreamer`"},
		{"rtsp://ana:hunter2@h/", capture.ErrUnsupported, "open rtsp://ana:xxxxx@h/: camera cannot be read: ffmpeg is not installed: run `sudo apt install ffmpeg`"},
		{"http://ana:hunter2@" + host, capture.ErrPermission, "open http://ana:xxxxx@" + host + ": no permission to open the camera: it answers 403 Forbidden: check user and password in the URL"},
		{"csi:x", nil, `"csi:x": write csi for the first camera, csi:1 for the second`},
	}
	for _, test := range tests {
		_, err := source.Open(source.Spec{Source: test.source})(t.Context())
		if err == nil || err.Error() != test.err || test.is != nil && !errors.Is(err, test.is) {
			t.Errorf("Open(%s): %v\nwant: %s", test.source, err, test.err)
		}
	}
	if _, err := source.Open(source.Spec{Source: "usb:no such"})(t.Context()); !errors.Is(err, capture.ErrNotFound) {
		t.Errorf("Open(usb:no such): %v", err)
	}
}
