package v4l2

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func TestCamerasListsTheFirstNodeOfEach(t *testing.T) {
	root := t.TempDir()
	for path, text := range map[string]string{
		"video10/name": "HD Webcam: HD Webcam\n", "video10/index": "0\n",
		"video11/name": "HD Webcam: HD Webcam\n", "video11/index": "1\n", // its metadata
		"video2/name": "unicam-image\n", "video2/index": "0\n",
		"v4l-subdev0/name": "imx219 10-0010\n", "v4l-subdev0/index": "0\n",
		"video5/name": "going away\n",
	} {
		path = filepath.Join(root, "sys/class/video4linux", path)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	byID := filepath.Join(root, "dev/v4l/by-id")
	if err := os.MkdirAll(byID, 0o700); err != nil {
		t.Fatal(err)
	}
	for name, target := range map[string]string{
		"usb-HD_Webcam_1234-video-index0": "../../video10", "usb-HD_Webcam_1234-video-index1": "../../video11",
	} {
		if err := os.Symlink(target, filepath.Join(byID, name)); err != nil {
			t.Fatal(err)
		}
	}
	got, err := Cameras(root)
	if err != nil {
		t.Fatal(err)
	}
	want := []Camera{
		{Path: "/dev/video2", Name: "unicam-image"},
		{Path: "/dev/video10", ByID: "/dev/v4l/by-id/usb-HD_Webcam_1234-video-index0", Name: "HD Webcam: HD Webcam"},
	}
	if !slices.Equal(got, want) {
		t.Errorf("Cameras = %+v\nwant %+v", got, want)
	}
}

func TestCamerasOfAMachineWithoutVideo(t *testing.T) {
	if got, err := Cameras(t.TempDir()); len(got) != 0 || err != nil {
		t.Errorf("Cameras = %v, %v; want none", got, err)
	}
}
