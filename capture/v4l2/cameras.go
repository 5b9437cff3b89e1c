package v4l2

import (
	"cmp"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Camera is a camera that is plugged in.
type Camera struct {
	Path string // its device node, such as /dev/video0, which can change from one boot to the next
	ByID string // a name in /dev/v4l/by-id that stays; empty when it has none
	Name string // what its maker calls it
}

// Cameras lists the cameras of the machine whose file system is at root ("/"
// but in tests), by number. It opens none of them: the list may have devices
// that only convert pictures, and it has the first node of each device only
// (the others of a USB camera carry metadata). A machine without cameras, or
// without Video4Linux, has an empty list.
func Cameras(root string) ([]Camera, error) {
	const class, byID = "sys/class/video4linux", "dev/v4l/by-id"
	nodes, err := os.ReadDir(filepath.Join(root, class))
	if os.IsNotExist(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	stable := make(map[string]string)                 // from the name of the node
	links, _ := os.ReadDir(filepath.Join(root, byID)) // not there when no camera has an id
	for _, l := range links {
		if target, err := os.Readlink(filepath.Join(root, byID, l.Name())); err == nil {
			stable[filepath.Base(target)] = "/" + byID + "/" + l.Name()
		}
	}
	var list []Camera
	for _, n := range nodes {
		read := func(file string) string {
			data, _ := os.ReadFile(filepath.Join(root, class, n.Name(), file)) // may go away under our eyes
			return strings.TrimSpace(string(data))
		}
		if !strings.HasPrefix(n.Name(), "video") || read("index") != "0" {
			continue
		}
		list = append(list, Camera{Path: "/dev/" + n.Name(), ByID: stable[n.Name()], Name: read("name")})
	}
	slices.SortFunc(list, func(a, b Camera) int { return cmp.Compare(number(a.Path), number(b.Path)) })
	return list, nil
}

func number(path string) int {
	n, _ := strconv.Atoi(strings.TrimPrefix(path, "/dev/video"))
	return n
}
