package v4l2

import (
	"fmt"
	"strconv"
	"strings"
)

// Mode is a size that a camera has in one of its formats.
type Mode struct {
	// Format is what Options.Format calls it; for one that cannot be read, and
	// then Readable is false, the four letters of Video4Linux.
	Format   string
	Readable bool

	// Pixels. A camera that scales has a range of sizes, from the smallest to
	// these, and a driver that does not say has 0 everywhere.
	Width, Height       int
	MinWidth, MinHeight int

	// Rates are the frames a second at Width x Height, the highest first.
	// Empty when the driver does not say.
	Rates []float64
}

// String is the mode in words, such as "yuyv 640x480 at 30, 15 fps".
func (m Mode) String() string {
	var s strings.Builder
	s.WriteString(m.Format)
	switch {
	case m.Width == 0:
		s.WriteString(" of any size")
	case m.MinWidth != m.Width || m.MinHeight != m.Height:
		fmt.Fprintf(&s, " %dx%d to %dx%d", m.MinWidth, m.MinHeight, m.Width, m.Height)
	default:
		fmt.Fprintf(&s, " %dx%d", m.Width, m.Height)
	}
	for i, r := range m.Rates {
		s.WriteString([]string{" at ", ", "}[min(i, 1)])
		s.WriteString(strconv.FormatFloat(r, 'f', -1, 32))
	}
	if len(m.Rates) > 0 {
		s.WriteString(" fps")
	}
	return s.String()
}
