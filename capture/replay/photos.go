package replay

import (
	"errors"
	"fmt"
	"image"
	"image/color"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/image/draw"

	"facerecd/capture"
	"facerecd/capture/still"
)

// photos shows one photo after the other. Only the one on show is in memory.
type photos struct {
	paths  []string // those that were not found unreadable
	at     int      // the one on show, or the next one when left is 0
	left   int      // frames that the one on show has still to go
	hold   int      // frames for each photo
	loop   bool
	log    *slog.Logger
	canvas *image.RGBA // the size of every frame
	shown  string      // path of the photo whose pixels rgb has
	rgb    []byte
}

// openFolder plays the photos that lie in a folder, by name.
func openFolder(path string, o Options) (player, error) {
	entries, err := os.ReadDir(path)
	if err != nil {
		return nil, err
	}
	var paths []string
	for _, e := range entries { // which are sorted
		switch strings.ToLower(filepath.Ext(e.Name())) {
		case ".jpg", ".jpeg", ".png":
			if !e.IsDir() {
				paths = append(paths, filepath.Join(path, e.Name()))
			}
		}
	}
	if len(paths) == 0 {
		return nil, errors.New("the folder holds no photo: put .jpg or .png files into it")
	}
	return openPhotos(paths, o)
}

func openPhotos(paths []string, o Options) (player, error) {
	p := &photos{
		paths: paths, loop: o.Loop, log: o.Log,
		hold: max(1, int(o.Hold.Seconds()*o.FPS+0.5)),
	}
	if o.Width > 0 {
		p.canvas = image.NewRGBA(image.Rect(0, 0, o.Width, o.Height))
	}
	if len(paths) == 1 {
		return p, p.show()
	}
	if err := p.showNextReadable(); err != nil {
		return nil, err
	}
	return p, nil
}

// errUnreadable ends a folder in which no photo is left.
var errUnreadable = errors.New("none of the folder's photos can be read: the log says why")

// showNextReadable shows the photo at p.at, or the first one after it that can
// be read. Those that cannot are warned of, and left out from then on.
func (p *photos) showNextReadable() error {
	for p.at < len(p.paths) {
		err := p.show()
		if err == nil {
			return nil
		}
		p.log.Warn("photo skipped", "file", p.paths[p.at], "err", err)
		p.paths = slices.Delete(p.paths, p.at, p.at+1)
	}
	if len(p.paths) == 0 {
		return errUnreadable
	}
	return capture.ErrEnd
}

// show decodes the photo at p.at, unless it is on show already.
func (p *photos) show() error {
	path := p.paths[p.at]
	if path == p.shown {
		return nil
	}
	img, err := readPhoto(path)
	if err != nil {
		return err
	}
	if p.canvas == nil {
		p.canvas = image.NewRGBA(img.Bounds())
	}
	fit(p.canvas, img)
	p.rgb = packRGB(p.rgb, p.canvas)
	p.shown = path
	return nil
}

// readPhoto reads a file that may be anything.
func readPhoto(path string) (image.Image, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	// One byte more than is allowed is enough for still to say so.
	data, err := io.ReadAll(io.LimitReader(file, still.DefaultMaxBytes+1))
	if err != nil {
		return nil, fmt.Errorf("read photo: %w", err)
	}
	img, err := still.Decode(data, still.Limits{})
	if err != nil {
		return nil, fmt.Errorf("read photo: %w", err)
	}
	return img, nil
}

// fit draws img as large as it fits into dst, in the middle, on gray.
func fit(dst *image.RGBA, img image.Image) {
	d, s := dst.Rect, img.Bounds()
	w, h := d.Dx(), max(1, s.Dy()*d.Dx()/s.Dx())
	if h > d.Dy() {
		w, h = max(1, s.Dx()*d.Dy()/s.Dy()), d.Dy()
	}
	draw.Draw(dst, d, image.NewUniform(color.Gray{128}), image.Point{}, draw.Src)
	at := image.Rect(0, 0, w, h).Add(image.Pt((d.Dx()-w)/2, (d.Dy()-h)/2))
	if s.Size() == at.Size() {
		draw.Draw(dst, at, img, s.Min, draw.Over)
		return
	}
	// Halves are means of four pixels, and a step of less than that needs no more
	// than its neighbours: BiLinear does it at once, with 32 bytes for each pixel of
	// the photo's height and the picture's width.
	for s.Dx() >= 2*w && s.Dy() >= 2*h {
		half := image.NewRGBA(image.Rect(0, 0, s.Dx()/2, s.Dy()/2))
		draw.ApproxBiLinear.Scale(half, half.Rect, img, s, draw.Src, nil)
		img, s = half, half.Rect
	}
	draw.ApproxBiLinear.Scale(dst, at, img, s, draw.Over, nil)
}

// packRGB leaves the alpha of an opaque picture out.
func packRGB(dst []byte, img *image.RGBA) []byte {
	dst = dst[:0]
	for i := 0; i+3 < len(img.Pix); i += 4 {
		dst = append(dst, img.Pix[i], img.Pix[i+1], img.Pix[i+2])
	}
	return dst
}

func (p *photos) next(f *capture.Frame) error {
	if p.left == 0 {
		if p.at >= len(p.paths) && p.loop {
			p.at = 0
		}
		err := p.showNextReadable()
		if errors.Is(err, capture.ErrEnd) && p.loop { // the last ones became unreadable
			p.at = 0
			err = p.showNextReadable()
		}
		if err != nil {
			return fmt.Errorf("play photos: %w", err)
		}
		p.left = p.hold
	}
	if p.left--; p.left == 0 {
		p.at++
	}
	size := p.canvas.Rect
	f.Format, f.Width, f.Height, f.Stride = capture.RGB, size.Dx(), size.Dy(), 3*size.Dx()
	f.Data = append(f.Data[:0], p.rgb...)
	return nil
}

func (p *photos) close() error { return nil }
