package v4l2

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"facerecd/capture"
)

// fourcc is a V4L2 pixel format, four letters from the lowest byte on.
type fourcc uint32

func code(s string) fourcc {
	return fourcc(s[0]) | fourcc(s[1])<<8 | fourcc(s[2])<<16 | fourcc(s[3])<<24
}

func (f fourcc) String() string {
	return strings.TrimRight(string([]byte{byte(f), byte(f >> 8), byte(f >> 16), byte(f >> 24)}), " \x00")
}

// format is a layout that can be read, under V4L2's name.
type format struct {
	fourcc fourcc
	layout capture.Format
}

// formats are the ones that can be read; among equals the first is taken: the
// one with most colour, then those that are the least work.
func formats() []format {
	return []format{
		{code("YUYV"), capture.YUYV},
		{code("NV12"), capture.NV12},
		{code("YU12"), capture.I420},
		{code("GREY"), capture.Gray},
		{code("MJPG"), capture.JPEG},
		{code("JPEG"), capture.JPEG},
	}
}

func layoutOf(f fourcc) (capture.Format, bool) {
	for _, known := range formats() {
		if known.fourcc == f {
			return known.layout, true
		}
	}
	return 0, false
}

// sizes is a range of frame sizes in pixels; both steps are 0 for a single
// size. The zero sizes stands for a driver that does not say.
type sizes struct {
	minWidth, maxWidth, stepWidth    int
	minHeight, maxHeight, stepHeight int
}

// nearest is the smallest size of the range that holds w x h, or its largest.
func (s sizes) nearest(w, h int) (int, int) {
	if s == (sizes{}) {
		return w, h
	}
	up := func(v, lo, hi, step int) int {
		v = max(v, lo)
		if step > 1 {
			v = lo + (v-lo+step-1)/step*step
		}
		return min(v, hi)
	}
	return up(w, s.minWidth, s.maxWidth, s.stepWidth), up(h, s.minHeight, s.maxHeight, s.stepHeight)
}

// mode is one way of running the camera.
type mode struct {
	format
	width, height int
	rate          float64 // most frames a second; +Inf when the driver does not say
}

func (m mode) String() string {
	return fmt.Sprintf("%v %dx%d", m.fourcc, m.width, m.height)
}

// choose picks the mode for what is asked: the one that holds the size, or
// most of it, then one that reaches the rate, then an uncompressed one, then
// the smallest one.
func choose(d driver, width, height int, fps float64) (mode, error) {
	var modes []mode
	offered := d.Formats()
	for _, f := range formats() {
		if !slices.Contains(offered, f.fourcc) {
			continue
		}
		list := d.Sizes(f.fourcc)
		if len(list) == 0 {
			list = []sizes{{}}
		}
		for _, s := range list {
			w, h := s.nearest(width, height)
			rate := d.MaxRate(f.fourcc, w, h)
			if rate <= 0 {
				rate = math.Inf(1)
			}
			modes = append(modes, mode{f, w, h, rate})
		}
	}
	if len(modes) == 0 {
		return mode{}, fmt.Errorf("the camera offers %s; what can be read is %s", names(offered), readable())
	}
	// Cameras state 29.97 or 9.99 for what people call 30 and 10.
	enough := 0.95 * fps
	return slices.MinFunc(modes, func(a, b mode) int {
		held := func(m mode) int { return min(m.width, width) * min(m.height, height) }
		return cmp.Or(
			cmp.Compare(held(b), held(a)),
			cmp.Compare(min(b.rate, enough), min(a.rate, enough)),
			compareBool(a.layout == capture.JPEG, b.layout == capture.JPEG),
			cmp.Compare(a.width*a.height, b.width*b.height),
		) // and MinFunc takes the first of equals
	}), nil
}

// compareBool puts false before true.
func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	}
	return -1
}

func names(list []fourcc) string {
	if len(list) == 0 {
		return "no pixel format"
	}
	s := make([]string, len(list))
	for i, f := range list {
		s[i] = f.String()
	}
	slices.Sort(s)
	return strings.Join(s, ", ")
}

func readable() string {
	var list []fourcc
	for _, f := range formats() {
		list = append(list, f.fourcc)
	}
	return names(list)
}
