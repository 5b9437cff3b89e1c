package child

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"regexp"
	"strconv"

	"facerecd/capture"
)

// OpenCSI opens a CSI camera of a Raspberry Pi by its number, as rpicam-vid
// --list-cameras counts them. libcamera is the only way to such a camera: its
// V4L2 node gives raw sensor data.
func OpenCSI(ctx context.Context, camera int, o Options) (capture.Source, error) {
	o.complete()
	program, err := installed("sudo apt install rpicam-apps-lite", "rpicam-vid", "libcamera-vid")
	if err != nil {
		return nil, err
	}
	c, err := csi(program, camera, o)
	if err != nil {
		return nil, err
	}
	return Open(ctx, c)
}

// csi is the command that reads the camera.
//
// Raw frames cost least by far: nothing is compressed here only to be
// decompressed there, which is some 8 % of a core of a Pi 4 at 640x480 and 10
// frames a second. But rpicam-vid writes its buffers as they are (rpicam-apps,
// encoder/null_encoder.cpp), and says nowhere how long a row is. A Pi 4 pads
// rows to 64 bytes, a Pi 5 those of each chroma plane, so that Y has multiples
// of 128: a width that is one of those has no padding on either. Rows of 16
// keep the planes together. Any other size goes as MJPEG, which says
// everything itself.
//
// With yuv420, as with mjpeg, rpicam-vid asks for JPEG's levels (apps/
// rpicam_vid.cpp, get_colourspace_flags), hence Full.
func csi(program string, camera int, o Options) (Command, error) {
	raw := o.Width%128 == 0 && o.Height%16 == 0
	switch {
	case o.Format == "mjpeg":
		raw = false
	case o.Format == "yu12" && !raw:
		return Command{}, fmt.Errorf("%w: yu12 from a CSI camera needs a width in steps of 128 and a height in steps of 16: "+
			"set such a size, 640x480 say, or format: mjpeg", capture.ErrUnsupported)
	case o.Format != "" && o.Format != "yu12":
		return Command{}, fmt.Errorf("%w: CSI cameras give no %s: use yu12 or mjpeg, or leave format empty", capture.ErrUnsupported, o.Format)
	}
	argv := []string{
		program, "--camera", strconv.Itoa(camera),
		"--timeout", "0", // for ever
		"--nopreview",
		"--width", strconv.Itoa(o.Width), "--height", strconv.Itoa(o.Height),
		"--framerate", strconv.FormatFloat(o.FPS, 'f', -1, 64),
		"--flush", // each frame at once
	}
	if o.Exposure > 0 {
		argv = append(argv, "--shutter", strconv.FormatInt(max(o.Exposure.Microseconds(), 1), 10))
	}
	if !raw {
		// The default of 50 blurs what tells faces apart.
		c := o.command(append(argv, "--codec", "mjpeg", "--quality", "90", "--output", "-")...)
		return c, nil
	}
	c := o.command(append(argv, "--codec", "yuv420", "--output", "-")...)
	c.Raw = &Raw{Width: o.Width, Height: o.Height, Stride: o.Width, Full: true}
	c.Watch = sameSize(o.Width, o.Height)
	return c, nil
}

// sameSize refuses raw frames of another size than was asked for, which
// libcamera may choose. It announces the streams, of which the first is ours:
// "configuring streams: (0) 640x480-YUV420/sYCC (1) 1640x1232-…".
func sameSize(width, height int) func(line string) error {
	announced := regexp.MustCompile(`\(0\) (\d+)x(\d+)-YUV420`)
	return func(line string) error {
		m := announced.FindStringSubmatch(line)
		if m == nil || m[1] == strconv.Itoa(width) && m[2] == strconv.Itoa(height) {
			return nil
		}
		return fmt.Errorf("%w: it gives %sx%s and not %dx%d: set width and height to what it gives, or format: mjpeg",
			capture.ErrUnsupported, m[1], m[2], width, height)
	}
}

// OpenArgus opens a CSI camera of a Jetson by its number, through NVIDIA's
// GStreamer elements. No test met one of them.
func OpenArgus(ctx context.Context, camera int, o Options) (capture.Source, error) {
	o.complete()
	program, err := installed("sudo apt install gstreamer1.0-tools nvidia-l4t-gstreamer", "gst-launch-1.0")
	if err != nil {
		return nil, err
	}
	return Open(ctx, argus(program, camera, o))
}

// argus is the command that reads the camera. Width and height are in steps of
// 8: then GStreamer's default layout of I420, which fdsink writes, has no
// padding. It runs the sensor at 30 frames a second, the one rate that all of
// them have, and drops frames.
func argus(program string, camera int, o Options) Command {
	o.Width, o.Height = max(o.Width&^7, 8), max(o.Height&^7, 8)
	source := []string{program, "-q", "nvarguscamerasrc", "sensor-id=" + strconv.Itoa(camera)}
	if o.Exposure > 0 {
		ns := strconv.FormatInt(o.Exposure.Nanoseconds(), 10)
		source = append(source, "exposuretimerange="+ns+" "+ns)
	}
	c := o.command(append(source,
		"!", "video/x-raw(memory:NVMM),framerate=30/1",
		"!", "videorate", "drop-only=true", fmt.Sprintf("max-rate=%d", max(1, int(o.FPS))),
		"!", "nvvidconv",
		"!", fmt.Sprintf("video/x-raw,format=I420,width=%d,height=%d", o.Width, o.Height),
		"!", "fdsink", "fd=1", "sync=false")...)
	c.Raw = &Raw{Width: o.Width, Height: o.Height, Stride: o.Width}
	return c
}

// installed finds the first of the programs that is there.
func installed(how string, programs ...string) (string, error) {
	var missing error
	for _, name := range programs {
		path, err := exec.LookPath(name)
		if err == nil {
			return path, nil
		}
		missing = cmp.Or(missing, err)
	}
	if !errors.Is(missing, exec.ErrNotFound) {
		return "", fmt.Errorf("%w: %w", capture.ErrPermission, missing)
	}
	return "", fmt.Errorf("%w: %s is not installed: run `%s`", capture.ErrUnsupported, programs[0], how)
}
