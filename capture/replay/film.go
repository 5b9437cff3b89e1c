package replay

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

	"facerecd/capture"
	"facerecd/capture/jpeg"
)

// maxPicture bounds the memory that one picture of a film may take.
const maxPicture = 16 << 20

// film reads the pictures of an MJPEG file, which are JPEG files one after the
// other, as it goes.
type film struct {
	file *os.File
	in   *bufio.Scanner
	loop bool
	any  bool // a whole picture was seen since the beginning
}

func openFilm(path string, o Options) (player, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	p := &film{file: file, loop: o.Loop}
	// Look for the first picture, so that a file without any is refused now.
	var f capture.Frame
	p.rewind()
	for {
		err = p.next(&f)
		if !errors.Is(err, capture.ErrBadFrame) {
			break
		}
	}
	if err == nil {
		err = p.seekStart()
	}
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return p, nil
}

func (p *film) seekStart() error {
	if _, err := p.file.Seek(0, io.SeekStart); err != nil {
		return err
	}
	p.rewind()
	return nil
}

// rewind starts a new reader where the file is, which is at its beginning.
func (p *film) rewind() {
	p.in = bufio.NewScanner(p.file)
	p.in.Buffer(nil, maxPicture)
	p.in.Split(splitPictures)
	p.any = false
}

// next yields the next picture. A damaged one is ErrBadFrame, and the one
// after it can be read.
func (p *film) next(f *capture.Frame) error {
	if !p.in.Scan() {
		switch err := p.in.Err(); {
		case errors.Is(err, bufio.ErrTooLong):
			return fmt.Errorf("read film: a picture of more than %d MiB", maxPicture>>20)
		case err != nil:
			return fmt.Errorf("read film: %w", err)
		case !p.any:
			return errors.New("the file holds no JPEG picture")
		case !p.loop:
			return fmt.Errorf("play film: %w", capture.ErrEnd)
		}
		if err := p.seekStart(); err != nil {
			return fmt.Errorf("play film again: %w", err)
		}
		return p.next(f) // once: a rewound film either has a picture or says that it has none
	}
	data := p.in.Bytes()
	width, height, err := jpeg.Size(data)
	if err != nil || !jpeg.Complete(data) {
		return fmt.Errorf("read film: %w: %d bytes without the end of a picture", capture.ErrBadFrame, len(data))
	}
	p.any = true
	f.Format, f.Width, f.Height, f.Stride = capture.JPEG, width, height, 0
	f.Data = append(f.Data[:0], data...)
	return nil
}

func (p *film) close() error { return p.file.Close() }

// splitPictures is a bufio.SplitFunc. Its tokens are whole pictures, found by
// walking their markers, and the pieces of those that are damaged; what lies
// between pictures is skipped.
func splitPictures(data []byte, atEOF bool) (advance int, token []byte, err error) {
	start := bytes.Index(data, []byte{0xFF, 0xD8, 0xFF})
	switch {
	case start < 0 && atEOF:
		return len(data), nil, nil
	case start < 0:
		return max(0, len(data)-2), nil, nil // the last two bytes may begin a picture
	case start > 0:
		return start, nil, nil
	}
	n, _, err := jpeg.Extent(data)
	switch {
	case n > 0:
		return n, data[:n], nil
	case err == nil && !atEOF:
		return 0, nil, nil
	}
	// No picture, or one that is cut short by the end of the file: go on at
	// what may be the next one. A start marker inside a thumbnail would only
	// yield the thumbnail's picture.
	if next := bytes.Index(data[2:], []byte{0xFF, 0xD8, 0xFF}); next >= 0 {
		return 2 + next, data[:2+next], nil
	}
	if !atEOF {
		data = data[:len(data)-2] // the last two bytes may begin a picture
	}
	return len(data), data, nil
}
