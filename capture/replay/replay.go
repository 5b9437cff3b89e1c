// Package replay plays a photo, a folder of photos or an MJPEG file as a
// camera.
package replay

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"facerecd/capture"
)

// The defaults of Options.
const (
	DefaultFPS  = 10
	DefaultHold = 3 * time.Second
)

// Options says how a recording is played. The zero value plays it once.
type Options struct {
	FPS  float64       // frames a second; 0 means DefaultFPS
	Hold time.Duration // how long each photo stays; 0 means DefaultHold
	Loop bool          // begin again at the end, instead of ErrEnd

	// The size into which photos are fitted, on gray, in pixels. 0 and 0: as
	// large as the first photo. An MJPEG file keeps its own size.
	Width, Height int

	Log *slog.Logger // one warning for each photo that cannot be read; nil for none
}

// player is what differs between photos and films.
type player interface {
	// next fills the frame's picture; it does not wait. At the end it begins
	// again when it loops, or returns capture.ErrEnd.
	next(f *capture.Frame) error
	close() error
}

// source paces a player.
type source struct {
	player player
	period time.Duration
	timer  *time.Timer
	due    time.Time // of the next frame; zero before the first
	seq    uint64
	once   sync.Once
	closed chan struct{} // closed by Close, to end a Read in progress
	idle   chan struct{} // holds a token while no Read is in progress
}

// Open opens the photo, folder of photos or MJPEG file at path. It fails when
// there is nothing in it that can be played.
func Open(path string, o Options) (capture.Source, error) {
	if o.FPS == 0 {
		o.FPS = DefaultFPS
	}
	if o.Hold <= 0 {
		o.Hold = DefaultHold
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	switch {
	case !(o.FPS > 0 && o.FPS <= 1000):
		return nil, fmt.Errorf("play %s: %v frames a second: set more than 0 and at most 1000", path, o.FPS)
	case (o.Width == 0) != (o.Height == 0), o.Width < 0, o.Height < 0:
		return nil, fmt.Errorf("play %s: size %dx%d: set both width and height, or neither", path, o.Width, o.Height)
	}
	p, err := open(path, o)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("%w: %w", capture.ErrNotFound, err)
	case errors.Is(err, fs.ErrPermission):
		return nil, fmt.Errorf("%w: %w", capture.ErrPermission, err)
	case err != nil:
		return nil, fmt.Errorf("play %s: %w", path, err)
	}
	s := &source{
		player: p, period: time.Duration(float64(time.Second) / o.FPS),
		closed: make(chan struct{}), idle: make(chan struct{}, 1),
	}
	s.idle <- struct{}{}
	return s, nil
}

func open(path string, o Options) (player, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.IsDir() {
		return openFolder(path, o)
	}
	if !info.Mode().IsRegular() { // to open a pipe may take for ever
		return nil, errors.New("it is neither a file nor a folder")
	}
	switch ext := strings.ToLower(filepath.Ext(path)); ext {
	case ".mjpeg", ".mjpg":
		return openFilm(path, o)
	case ".mp4", ".mov", ".avi", ".mkv", ".webm", ".m4v":
		return nil, fmt.Errorf("%s films cannot be played: convert it with `ffmpeg -i FILM%s -c:v mjpeg -q:v 3 film.mjpeg`", ext, ext)
	}
	return openPhotos([]string{path}, o)
}

var errClosed = errors.New("read recording: it is closed")

// Read implements capture.Source. Frames are due at equal distances from the
// first one; a reader that is late by more than one distance gets the next
// frame at once, and the distances start anew from there.
func (s *source) Read(ctx context.Context, f *capture.Frame) error {
	select {
	case <-s.closed:
		return errClosed
	case <-s.idle:
		defer func() { s.idle <- struct{}{} }()
	}
	if err := s.wait(ctx); err != nil {
		return err
	}
	if err := s.player.next(f); err != nil {
		return err
	}
	s.seq++
	f.Seq, f.At = s.seq, time.Now()
	return nil
}

// wait waits until the next frame is due, and sets when the one after it is.
func (s *source) wait(ctx context.Context) error {
	now := time.Now()
	if s.due.IsZero() || now.Sub(s.due) > s.period {
		s.due = now
	}
	if s.timer == nil {
		s.timer = time.NewTimer(0)
	}
	s.timer.Reset(s.due.Sub(now))
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-s.closed:
		return errClosed
	case <-s.timer.C:
	}
	// All three may be ready at once.
	if err := ctx.Err(); err != nil {
		return err
	}
	s.due = s.due.Add(s.period)
	return nil
}

// Close implements capture.Source. No Read is in progress, and the file is
// closed, when it returns.
func (s *source) Close() (err error) {
	s.once.Do(func() {
		close(s.closed)
		<-s.idle
		err = s.player.close()
	})
	return err
}
