// Package mjpeg takes a stream of JPEG pictures apart: the MJPEG of a file, of
// a program's output, or of an HTTP camera.
package mjpeg

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"

	"facerecd/capture"
	"facerecd/capture/jpeg"
)

// MaxPicture bounds the memory that one picture may take, in bytes.
const MaxPicture = 16 << 20

// A Reader yields the pictures of a stream. The markers of each picture are
// walked from its start to its end, so that neither a thumbnail's end nor
// 0xFF in coded data ends a picture early, and no boundary or length that the
// sender states is needed: what lies between pictures, the headers of a
// multipart body too, is skipped. One goroutine uses it.
type Reader struct {
	in    *bufio.Scanner
	walk  jpeg.Walk // of the picture that the scanner's data begins with
	whole bool      // the last token is a picture, not a piece that may look like one
}

// NewReader reads from r, which it never closes.
func NewReader(r io.Reader) *Reader {
	p := &Reader{in: bufio.NewScanner(r)}
	p.in.Buffer(nil, MaxPicture)
	p.in.Split(p.split)
	return p
}

// Next fills f's picture (Data's capacity is reused; Seq and At are left to
// the caller) with the next one of the stream. A damaged picture is
// capture.ErrBadFrame, and the one after it can be read. The end of the stream
// is io.EOF; any other error ends it.
func (p *Reader) Next(f *capture.Frame) error {
	if !p.in.Scan() {
		switch err := p.in.Err(); {
		case errors.Is(err, bufio.ErrTooLong):
			return fmt.Errorf("a picture of more than %d MiB", MaxPicture>>20)
		case err != nil:
			return err
		}
		return io.EOF
	}
	if !p.whole {
		return damaged(p.in.Bytes())
	}
	return Fill(f, p.in.Bytes())
}

// Fill makes f the JPEG picture in data, which is copied. Seq and At are left
// to the caller. The error wraps capture.ErrBadFrame.
func Fill(f *capture.Frame, data []byte) error {
	width, height, err := jpeg.Size(data)
	if err != nil || !jpeg.Complete(data) {
		return damaged(data)
	}
	f.Format, f.Width, f.Height, f.Stride = capture.JPEG, width, height, 0
	f.Data = append(f.Data[:0], data...)
	return nil
}

func damaged(data []byte) error {
	return fmt.Errorf("%w: %d bytes without the end of a picture", capture.ErrBadFrame, len(data))
}

// split is a bufio.SplitFunc. Its tokens are whole pictures, and the pieces of
// those that are damaged.
func (p *Reader) split(data []byte, atEOF bool) (advance int, token []byte, err error) {
	advance, token = p.cut(data, atEOF)
	if advance > 0 {
		p.walk = jpeg.Walk{}
	}
	return advance, token, nil
}

func (p *Reader) cut(data []byte, atEOF bool) (advance int, token []byte) {
	start := bytes.Index(data, []byte{0xFF, 0xD8, 0xFF})
	switch {
	case start < 0 && atEOF:
		return len(data), nil
	case start < 0:
		return max(0, len(data)-2), nil // the last two bytes may begin a picture
	case start > 0:
		// The picture's token goes with the skipped bytes: at the end of the
		// stream a Scanner does not call again after one without the other.
		advance, token = p.cut(data[start:], atEOF)
		return start + advance, token
	}
	n, err := p.walk.End(data)
	p.whole = n > 0
	switch {
	case p.whole:
		return n, data[:n]
	case err == nil && !atEOF:
		return 0, nil
	}
	// No picture, or one that is cut short by the end of the stream: go on at
	// what may be the next one. A start marker inside a thumbnail would only
	// yield the thumbnail's picture.
	if next := bytes.Index(data[2:], []byte{0xFF, 0xD8, 0xFF}); next >= 0 {
		return 2 + next, data[:2+next]
	}
	if !atEOF {
		data = data[:len(data)-2] // the last two bytes may begin a picture
	}
	return len(data), data
}
