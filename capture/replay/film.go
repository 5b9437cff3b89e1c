package replay

import (
	"errors"
	"fmt"
	"io"
	"os"

	"facerecd/capture"
	"facerecd/capture/mjpeg"
)

// film reads the pictures of an MJPEG file, which are JPEG files one after the
// other, as it goes.
type film struct {
	file *os.File
	in   *mjpeg.Reader
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
	p.in = mjpeg.NewReader(p.file)
	p.any = false
}

// next yields the next picture. A damaged one is ErrBadFrame, and the one
// after it can be read.
func (p *film) next(f *capture.Frame) error {
	switch err := p.in.Next(f); {
	case err == nil:
		p.any = true
		return nil
	case !errors.Is(err, io.EOF):
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

func (p *film) close() error { return p.file.Close() }
