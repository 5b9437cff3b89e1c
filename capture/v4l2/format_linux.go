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
	const bigEndian = 1 << 31 // V4L2 marks these so
	letters := f &^ bigEndian
	s := strings.TrimRight(string([]byte{byte(letters), byte(letters >> 8), byte(letters >> 16), byte(letters >> 24)}), " \x00")
	if f&bigEndian != 0 {
		s += "-BE"
	}
	return s
}

// bayer tells whether the format is the bare mosaic of a sensor, of which only
// the board's image signal processor makes a picture.
func (f fourcc) bayer() bool {
	const list = "BA81 GBRG GRBG RGGB BYR2 GB16 GR16 RG16 " + // 8 and 16 bits, from linux/videodev2.h
		"BG10 GB10 BA10 RG10 pBAA pGAA pgAA pRAA " +
		"BG12 GB12 BA12 RG12 pBCC pGCC pgCC pRCC " +
		"BG14 GB14 GR14 RG14 pBEE pGEE pgEE pREE " +
		"PC1R PC1G PC1g PC1B" // the Pi 5's compressed ones
	return slices.Contains(strings.Fields(list), f.String())
}

// format is a layout that can be read, under V4L2's name.
type format struct {
	fourcc fourcc
	layout capture.Format
	name   string // in Options
}

// formats are the ones that can be read; among equals the first is taken: the
// one with most colour, then those that are the least work.
func formats() []format {
	return []format{
		{code("YUYV"), capture.YUYV, "yuyv"},
		{code("NV12"), capture.NV12, "nv12"},
		{code("YU12"), capture.I420, "yu12"},
		{code("GREY"), capture.Gray, "grey"},
		{code("MJPG"), capture.JPEG, "mjpeg"},
		{code("JPEG"), capture.JPEG, "mjpeg"},
	}
}

func formatOf(f fourcc) (format, bool) {
	for _, known := range formats() {
		if known.fourcc == f {
			return known, true
		}
	}
	return format{}, false
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

// catalogue is what a camera says that it can do.
type catalogue interface {
	Formats() []fourcc
	Sizes(fourcc) []sizes                        // empty when the driver does not say
	Rates(f fourcc, width, height int) []float64 // empty when the driver does not say
}

// choice is one way of running the camera.
type choice struct {
	format
	width, height int
	rate          float64 // most frames a second; +Inf when the driver does not say
}

func (m choice) String() string {
	return fmt.Sprintf("%v %dx%d", m.fourcc, m.width, m.height)
}

// choose picks the mode for what is asked: the one that holds the size, or
// most of it, then one that reaches the rate, then the smallest, and then an
// uncompressed one.
func choose(c catalogue, o Options) (choice, error) {
	offered := c.Formats()
	var known bool
	var modes []choice
	for _, f := range formats() {
		if o.Format != "" && o.Format != f.name {
			continue
		}
		known = true
		if !slices.Contains(offered, f.fourcc) {
			continue
		}
		list := c.Sizes(f.fourcc)
		if len(list) == 0 {
			list = []sizes{{}}
		}
		for _, s := range list {
			w, h := s.nearest(o.Width, o.Height)
			rate := math.Inf(1)
			if rates := c.Rates(f.fourcc, w, h); len(rates) > 0 {
				rate = slices.Max(rates)
			}
			modes = append(modes, choice{f, w, h, rate})
		}
	}
	switch {
	case !known:
		return choice{}, fmt.Errorf("%w: there is no format %q: leave it empty, or use yuyv, nv12, yu12, grey or mjpeg", capture.ErrUnsupported, o.Format)
	case len(modes) > 0:
	case len(offered) > 0 && !slices.ContainsFunc(offered, func(f fourcc) bool { return !f.bayer() }):
		return choice{}, fmt.Errorf("%w: it is a raw CSI sensor, which offers only %s: use `source: csi`", capture.ErrUnsupported, names(offered))
	case o.Format != "" && slices.ContainsFunc(offered, func(f fourcc) bool { _, ok := formatOf(f); return ok }):
		return choice{}, fmt.Errorf("%w as %s: it offers %s: leave the format empty", capture.ErrUnsupported, o.Format, names(offered))
	default:
		return choice{}, fmt.Errorf("%w: it offers %s; what can be read is %s", capture.ErrUnsupported, names(offered), readable())
	}
	// Cameras state 29.97 or 9.99 for what people call 30 and 10.
	enough := 0.95 * o.FPS
	return slices.MinFunc(modes, func(a, b choice) int {
		held := func(m choice) int { return min(m.width, o.Width) * min(m.height, o.Height) }
		return cmp.Or(
			cmp.Compare(held(b), held(a)),
			cmp.Compare(min(b.rate, enough), min(a.rate, enough)),
			cmp.Compare(a.width*a.height, b.width*b.height),
		) // and MinFunc takes the first of equals
	}), nil
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

// pixFormat is the part of struct v4l2_pix_format that matters here.
type pixFormat struct {
	fourcc        fourcc
	width, height int   // pixels
	field         field // how the lines of two half pictures are mixed
	stride        int   // bytesperline, of the first plane; 0 when compressed
	bytes         int   // sizeimage, of the buffers; 0 when the driver does not say
}

// layOut checks the format that the driver chose, fills in the stride, and
// returns how long a whole frame is; 0 for a compressed one.
func (f *pixFormat) layOut() (capture.Format, int, error) {
	known, ok := formatOf(f.fourcc)
	switch {
	case !ok:
		return 0, 0, fmt.Errorf("%w: the driver chose %v; what can be read is %s", capture.ErrUnsupported, f.fourcc, readable())
	case f.width < 1 || f.height < 1 || f.width > 1<<14 || f.height > 1<<14:
		return 0, 0, fmt.Errorf("the driver chose a picture of %dx%d", f.width, f.height)
	case f.field == fieldSequentialTB || f.field == fieldSequentialBT:
		return 0, 0, fmt.Errorf("%w: it delivers two half pictures one after the other", capture.ErrUnsupported)
	}
	row, chroma := f.width, 0
	switch known.layout {
	case capture.JPEG:
		f.stride = 0
		return known.layout, 0, nil
	case capture.YUYV:
		row = (f.width + 1) / 2 * 4
	}
	if f.stride == 0 { // some drivers leave it out when the rows are tight
		f.stride = row
	}
	if f.stride < row || f.stride > 1<<17 {
		return 0, 0, fmt.Errorf("the driver states rows of %d bytes for %d pixels", f.stride, f.width)
	}
	switch known.layout { // the chroma planes follow; their rows are as padded as the luma's
	case capture.NV12:
		chroma = f.stride * ((f.height + 1) / 2)
	case capture.I420:
		chroma = 2 * ((f.stride + 1) / 2) * ((f.height + 1) / 2)
	}
	size := f.stride*f.height + chroma
	if f.bytes != 0 && f.bytes < size {
		return 0, 0, fmt.Errorf("the driver states %d bytes for a picture of %d", f.bytes, size)
	}
	return known.layout, size, nil
}

// field is enum v4l2_field.
type field uint32

const (
	fieldNone         field = 1 // whole pictures
	fieldInterlaced   field = 4
	fieldSequentialTB field = 5
	fieldSequentialBT field = 6
	fieldAlternate    field = 7
	fieldInterlacedTB field = 8
	fieldInterlacedBT field = 9
)

// interlaced tells whether a picture has lines of two moments, or is every
// second line only.
func (f field) interlaced() bool {
	switch f {
	case fieldInterlaced, fieldInterlacedTB, fieldInterlacedBT, fieldAlternate:
		return true
	}
	return false
}
