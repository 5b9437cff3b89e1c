package child

import (
	"context"
	"fmt"
	"strconv"

	"facerecd/capture"
)

// OpenRTSP opens a network camera by its rtsp:// or rtsps:// URL, through
// ffmpeg. The picture is fitted into the size that is asked for, on gray.
//
// The URL, with its password, is on ffmpeg's command line, where every user of
// the machine can read it: ffmpeg has no other place for it.
func OpenRTSP(ctx context.Context, url string, o Options) (capture.Source, error) {
	o.complete()
	program, err := installed("sudo apt install ffmpeg", "ffmpeg")
	if err != nil {
		return nil, err
	}
	return Open(ctx, ffmpeg(program, []string{"-rtsp_transport", "tcp"}, url, o))
}

// ffmpeg is the command that reads an input. How long it waits is left to the
// supervision: its own option for that, -timeout, means something else before
// version 5, which Ubuntu 22.04 does not have.
func ffmpeg(program string, options []string, input string, o Options) Command {
	argv := append([]string{program, "-nostdin", "-hide_banner", "-loglevel", "error", "-fflags", "nobuffer", "-flags", "low_delay"}, options...)
	fit := fmt.Sprintf("fps=%s,scale=%[2]d:%[3]d:force_original_aspect_ratio=decrease:force_divisible_by=2:out_color_matrix=bt601:out_range=tv,"+
		"pad=%[2]d:%[3]d:(ow-iw)/2:(oh-ih)/2:gray", strconv.FormatFloat(o.FPS, 'f', -1, 64), o.Width, o.Height)
	c := o.command(append(argv, "-i", input, "-map", "0:v:0", "-vf", fit, "-f", "rawvideo", "-pix_fmt", "yuv420p", "-")...)
	c.Raw = &Raw{Width: o.Width, Height: o.Height, Stride: o.Width}
	return c
}
