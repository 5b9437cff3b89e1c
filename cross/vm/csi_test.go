//go:build vm

package vm_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"facerecd/cross/vm/vivid"
)

// No guest has a CSI camera. What is tested is that the service may run
// rpicam-vid at all, under the restrictions of its unit, and looks after it:
// the program here writes what the real one does for --codec yuv420.
func TestServiceRunsTheProgramOfACSICameraAndStartsItAgain(t *testing.T) {
	dir := "/usr/local/share/facerecd-test"
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	frames := filepath.Join(dir, "frames")
	if err := os.WriteFile(frames, planar(picture(t, "obama.jpg", 4)), 0o644); err != nil {
		t.Fatal(err)
	}
	const program = "/usr/bin/rpicam-vid"
	script := "#!/bin/sh\nwhile sleep 0.1; do cat " + frames + " || exit 1; done\n"
	if err := os.WriteFile(program, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Remove(program) })

	ear := listen(t)
	s := start(t, "  - name: door\n    source: csi\n")
	s.enrol(t)
	ear.recognized(t, time.Time{})
	before := s.descriptors(t)

	killed := time.Now()
	vivid.Run(t, "pkill", "-f", program)
	ear.wait(t, "the status says failed", "facerecd/vm/door/status", killed, func(d decoded) bool { return d.State == "failed" && d.Code != "" })
	ear.wait(t, "the camera streams", "facerecd/vm/door/status", killed, func(d decoded) bool { return d.State == "streaming" })
	eventually(t, "no descriptor is left", func() bool { return s.descriptors(t) <= before })
	s.wantSameProcess(t)
}

// planar makes I420 with the full range of levels of YUYV frames.
func planar(yuyv []byte) []byte {
	const w, h = vivid.Width, vivid.Height
	level := func(v, from byte, range_ float64) byte {
		return byte(min(max((float64(v)-float64(from))*255/range_+float64(from&128), 0), 255))
	}
	var all []byte
	for ; len(yuyv) > 0; yuyv = yuyv[vivid.FrameBytes:] {
		var y, cb, cr []byte
		for i := 0; i < vivid.FrameBytes; i += 2 {
			y = append(y, level(yuyv[i], 16, 219))
		}
		for row := 0; row < h; row += 2 {
			for x := 0; x < w; x += 2 {
				i := 2 * (row*w + x)
				cb = append(cb, level(yuyv[i+1], 128, 224))
				cr = append(cr, level(yuyv[i+3], 128, 224))
			}
		}
		all = append(append(append(all, y...), cb...), cr...)
	}
	return all
}
