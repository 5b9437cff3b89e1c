package v4l2

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"syscall"
	"time"

	"github.com/blackjack/webcam"
	"golang.org/x/sys/unix"
)

// settings is what webcam is good at: it asks a camera what it can do, and sets
// its controls. Both may be done while another descriptor streams.
type settings interface {
	catalogue
	// Range is what a control can be set to; ok is false when there is none.
	Range(webcam.ControlID) (lowest, highest int, ok bool)
	Get(webcam.ControlID) (int, error)
	Set(id webcam.ControlID, value int) error
}

// Ask opens the node through webcam for as long as ask runs.
func (n *node) Ask(ask func(settings) error) error {
	return withWebcam(n.path, func(c *webcam.Webcam) error { return ask(asked{c}) })
}

// withWebcam opens a camera through webcam and closes it again.
//
// webcam v0.6.1 opens without O_CLOEXEC. A child that is started meanwhile (of
// the CSI camera, say) would keep the descriptor, and a camera that is plugged
// in again would get another number, so none is started meanwhile. The lock
// can go when webcam sets the flag.
func withWebcam(path string, use func(*webcam.Webcam) error) error {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	cam, err := webcam.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(use(cam), cam.Close())
}

type asked struct{ cam *webcam.Webcam }

func (a asked) Formats() []fourcc {
	var list []fourcc
	for f := range a.cam.GetSupportedFormats() {
		list = append(list, fourcc(f))
	}
	slices.Sort(list)
	return list
}

func (a asked) Sizes(f fourcc) []sizes {
	var list []sizes
	for _, s := range a.cam.GetSupportedFrameSizes(webcam.PixelFormat(f)) {
		// A continuous range comes as zeros (webcam does not read it), which
		// is what the zero sizes stands for.
		list = append(list, sizes{
			int(s.MinWidth), int(s.MaxWidth), int(s.StepWidth),
			int(s.MinHeight), int(s.MaxHeight), int(s.StepHeight),
		})
	}
	return list
}

func (a asked) Rates(f fourcc, width, height int) []float64 {
	var list []float64
	for _, r := range a.cam.GetSupportedFramerates(webcam.PixelFormat(f), uint32(width), uint32(height)) {
		// These are intervals: the shortest of a range is the highest rate.
		if r.MinNumerator > 0 && r.MinDenominator > 0 {
			rate := float64(r.MinDenominator) / float64(r.MinNumerator)
			list = append(list, math.Round(100*rate)/100)
		}
	}
	slices.Sort(list)
	slices.Reverse(list)
	return slices.Compact(list)
}

func (a asked) Range(id webcam.ControlID) (lowest, highest int, ok bool) {
	c, ok := a.cam.GetControls()[id]
	return int(c.Min), int(c.Max), ok
}

func (a asked) Get(id webcam.ControlID) (int, error) {
	v, err := a.cam.GetControl(id)
	return int(v), err
}

func (a asked) Set(id webcam.ControlID, value int) error { return a.cam.SetControl(id, int32(value)) }

// From linux/v4l2-controls.h.
const (
	exposureAuto     webcam.ControlID = 0x009a0901
	exposureAbsolute webcam.ControlID = 0x009a0902 // in units of 100 us

	// The values of exposureAuto: what the camera chooses by itself.
	autoTimeAndIris = 0
	autoNothing     = 1
	autoIris        = 2
	autoTime        = 3
)

// expose sets the time of exposure, or gives it back to the camera when another
// program took it and want is 0.
func expose(s settings, want time.Duration) error {
	if want <= 0 {
		mode, err := s.Get(exposureAuto)
		if err != nil || mode != autoNothing && mode != autoIris {
			return nil // automatic, or there is nothing to choose
		}
		if err := s.Set(exposureAuto, autoTimeAndIris); err != nil {
			return s.Set(exposureAuto, autoTime) // cameras have one of the two
		}
		return nil
	}
	lowest, highest, ok := s.Range(exposureAbsolute)
	if !ok {
		return errors.New("the camera has no such control")
	}
	if _, _, ok := s.Range(exposureAuto); ok {
		if err := s.Set(exposureAuto, autoNothing); err != nil {
			return fmt.Errorf("switch its automatic off: %w", err)
		}
	}
	const unit = 100 * time.Microsecond
	return s.Set(exposureAbsolute, min(max(int((want+unit/2)/unit), lowest), highest))
}

// Modes lists what the camera at path can do. The node may be in use.
func Modes(path string) ([]Mode, error) {
	fd, err := unix.Open(path, unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err == nil {
		err = errors.Join(checkCapabilities(fd), unix.Close(fd))
	}
	if err != nil {
		return nil, failure("open", path, err)
	}
	var list []Mode
	err = withWebcam(path, func(c *webcam.Webcam) error {
		list = modes(asked{c})
		return nil
	})
	if err != nil {
		return nil, failure("open", path, err)
	}
	return list, nil
}

// modes are the catalogue's: the readable formats first, of each the largest.
func modes(c catalogue) []Mode {
	var list []Mode
	for _, f := range c.Formats() {
		known, readable := formatOf(f)
		name := known.name
		if !readable {
			name = f.String()
		}
		all := c.Sizes(f)
		if len(all) == 0 {
			all = []sizes{{}}
		}
		for _, s := range all {
			list = append(list, Mode{
				Format: name, Readable: readable,
				Width: s.maxWidth, Height: s.maxHeight, MinWidth: s.minWidth, MinHeight: s.minHeight,
				Rates: c.Rates(f, s.maxWidth, s.maxHeight),
			})
		}
	}
	slices.SortStableFunc(list, func(a, b Mode) int {
		if a.Readable != b.Readable {
			if a.Readable {
				return -1
			}
			return 1
		}
		return cmp.Or(cmp.Compare(a.Format, b.Format), cmp.Compare(b.Width*b.Height, a.Width*a.Height))
	})
	return list
}
