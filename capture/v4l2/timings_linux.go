package v4l2

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"facerecd/capture"
)

// FollowSignal sets an HDMI grabber to the signal at its input, which it does
// not do by itself. Cameras have no such timings, and nothing is done.
func (n *node) FollowSignal() error {
	var signal, set timings
	err := control(n.fd, requestQueryTimings(), &signal)
	switch {
	case errors.Is(err, unix.ENOLINK), errors.Is(err, unix.ENOLCK):
		return fmt.Errorf("%w: no picture at the HDMI input: switch its source on, and check the cable: %w", capture.ErrStalled, err)
	case errors.Is(err, unix.ERANGE):
		return fmt.Errorf("the HDMI input cannot take the signal: choose a smaller resolution at its source: %w", err)
	case err != nil:
		return nil // no such input, or it cannot tell: it stays as it is
	}
	if control(n.fd, requestGetTimings(), &set) == nil && set.same(signal) {
		return nil
	}
	return control(n.fd, requestSetTimings(), &signal)
}

// same tells whether pictures of both have one size and rate. What else differs
// is how the two were measured.
func (t timings) same(u timings) bool {
	return t.kind == u.kind && t.width == u.width && t.height == u.height && t.interlaced == u.interlaced && t.pixelclock == u.pixelclock
}
