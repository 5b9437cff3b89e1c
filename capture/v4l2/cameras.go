package v4l2

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"facerecd/capture"
)

// Kind is what a video node is for.
type Kind string

// The kinds of video nodes. Only a Picture can be opened.
const (
	Picture   Kind = "camera"       // takes pictures: a USB camera, an HDMI grabber
	Sensor    Kind = "csi sensor"   // the bare sensor at a board's connector: `source: csi` reads it
	Converter Kind = "converter"    // a codec or image processor, which takes no pictures
	Extra     Kind = "another node" // metadata, statistics or output, beside a node of another kind
)

// Camera is a video node of the machine.
type Camera struct {
	Path   string // its device node, such as /dev/video0, which can change from one boot to the next
	ByID   string // a name in /dev/v4l/by-id that stays with the camera; empty when it has none
	ByPath string // a name in /dev/v4l/by-path that stays with the port; empty when it has none
	Serial string // the USB serial number, for "usb:SERIAL"; empty when it has none; cheap cameras share one
	Name   string // what its maker calls it
	Driver string // of the kernel; empty for what is made by software
	Kind   Kind
}

// Cameras lists the video nodes of the machine whose file system is at root
// ("/" but in tests), by number. It opens none of them: what kind they are is
// told by their drivers' names, and Modes has the truth. A machine without
// cameras, or without Video4Linux, has an empty list.
func Cameras(root string) ([]Camera, error) {
	found, err := nodes(root)
	list := make([]Camera, len(found))
	for i, f := range found {
		list[i] = f.Camera
	}
	return list, err
}

// found is a Camera and, in sysfs, the USB device that it is a part of and the
// interface of that one.
type found struct {
	Camera
	device, iface string
}

func nodes(root string) ([]found, error) {
	class := filepath.Join(root, "sys/class/video4linux")
	entries, err := os.ReadDir(class)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list the cameras: %w", err)
	}
	byID, byPath := links(root, "by-id"), links(root, "by-path")
	var list []found
	for _, e := range entries {
		name := e.Name()
		if !strings.HasPrefix(name, "video") {
			continue // the parts of a board's camera, and radios
		}
		dir := filepath.Join(class, name)
		f := found{Camera: Camera{Path: "/dev/" + name, ByID: byID[name], ByPath: byPath[name], Name: text(dir, "name")}}
		if driver, err := filepath.EvalSymlinks(filepath.Join(dir, "device/driver")); err == nil {
			f.Driver = filepath.Base(driver)
		}
		f.device, f.iface, f.Serial = usb(root, dir)
		index, err := strconv.Atoi(text(dir, "index"))
		if err != nil {
			continue // it goes away under our eyes
		}
		f.Kind = kindOf(f.Driver, f.Name, index)
		list = append(list, f)
	}
	slices.SortFunc(list, func(a, b found) int { return cmp.Compare(number(a.Path), number(b.Path)) })
	return list, nil
}

// text is what a file of sysfs says; empty when it cannot be read.
func text(dir, file string) string {
	data, _ := os.ReadFile(filepath.Join(dir, file)) // may go away under our eyes
	return strings.TrimSpace(string(data))
}

// links are udev's names in a folder of /dev/v4l, by the name of the node. Of
// several for one node it is the first in the alphabet.
func links(root, folder string) map[string]string {
	dir := "/dev/v4l/" + folder
	entries, _ := os.ReadDir(filepath.Join(root, dir)) // not there when there are none
	m := make(map[string]string)
	for _, e := range entries {
		target, err := os.Readlink(filepath.Join(root, dir, e.Name()))
		node := filepath.Base(target)
		if _, has := m[node]; err == nil && !has {
			m[node] = dir + "/" + e.Name()
		}
	}
	return m
}

// usb finds the USB device above a node, and its serial number.
func usb(root, dir string) (device, iface, serial string) {
	top, err := filepath.EvalSymlinks(filepath.Join(root, "sys"))
	if err != nil {
		return "", "", ""
	}
	iface, err = filepath.EvalSymlinks(filepath.Join(dir, "device"))
	if err != nil {
		return "", "", ""
	}
	for at := iface; strings.HasPrefix(at, top+"/"); at = filepath.Dir(at) {
		if text(at, "idVendor") != "" { // interfaces have none
			return at, iface, text(at, "serial")
		}
	}
	return "", "", ""
}

func number(path string) int {
	n, _ := strconv.Atoi(strings.TrimPrefix(path, "/dev/video"))
	return n
}

// kindOf tells by the names of node and driver. index counts the nodes of one
// parent.
func kindOf(driver, name string, index int) Kind {
	is := func(prefixes ...string) bool {
		return slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(driver, p) || strings.HasPrefix(name, p) })
	}
	switch {
	case is("bcm2835-codec", "bcm2835-isp", "pispbe", "rpi-hevc-dec", "rpivid", // Raspberry Pi
		"hantro", "rkvdec", "rkvenc", "rockchip-rga", "cedrus", "vicodec", "vim2m", "coda", "mtk-vcodec", "qcom-venus"):
		return Converter
	case is("unicam", "rp1-cfe", // Raspberry Pi
		"vi-output", "tegra-camrtc", "tegra-vi", // Jetson
		"rkisp", "rkcif", "sun6i-csi", "qcom-camss", "imx7-csi", "ipu3", "isys", "Intel IPU"):
		return Sensor
	case driver == "uvcvideo": // it puts the metadata of each node behind it
		if index%2 == 1 {
			return Extra
		}
		return Picture
	case is("vivid"):
		if !strings.HasSuffix(name, "-vid-cap") {
			return Extra
		}
		return Picture
	case index > 0:
		return Extra
	}
	return Picture
}

// Find is the path of the camera that source names: "usb:SERIAL" is the one
// with that serial number, wherever it is plugged in and whatever its number;
// anything else is a path already. root is as for Cameras. Of several nodes of
// one camera it is that of its first interface: the others are infrared or
// depth, mostly. Errors wrap capture.ErrNotFound when that is why.
func Find(root, source string) (string, error) {
	serial, ok := strings.CutPrefix(source, "usb:")
	if !ok {
		return source, nil
	}
	all, err := nodes(root)
	if err != nil {
		return "", err
	}
	var have []string // serial numbers
	var match []found // one node of each device
	for _, f := range all {
		if f.Kind != Picture || f.device == "" {
			continue
		}
		if f.Serial != "" && !slices.Contains(have, f.Serial) {
			have = append(have, f.Serial)
		}
		if f.Serial != serial || serial == "" {
			continue
		}
		switch i := slices.IndexFunc(match, func(m found) bool { return m.device == f.device }); {
		case i < 0:
			match = append(match, f)
		case f.iface < match[i].iface:
			match[i] = f
		}
	}
	switch {
	case len(match) == 1:
		return match[0].Path, nil
	case len(match) > 1:
		var paths []string
		for _, m := range match {
			paths = append(paths, cmp.Or(m.ByPath, m.Path))
		}
		return "", fmt.Errorf("%d cameras have the serial number %s: name each by its port: %s", len(match), serial, strings.Join(paths, ", "))
	case len(have) > 0:
		slices.Sort(have)
		return "", fmt.Errorf("%w: the serial numbers of those that are plugged in are %s", capture.ErrNotFound, strings.Join(have, ", "))
	}
	return "", fmt.Errorf("%w: no USB camera with a serial number is plugged in", capture.ErrNotFound)
}
