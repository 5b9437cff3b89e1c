package live

import (
	"bytes"
	"fmt"
	"image"
	stdjpeg "image/jpeg"
	"sync"
	"time"

	"facerecd/capture/jpeg"
	"facerecd/inference"
)

// quality of the JPEGs that are encoded here, 1..100.
const quality = 80

// shot is a frame that was kept for its watchers.
type shot struct {
	at     time.Time
	width  int
	height int
	faces  []Face
	planes func() *image.YCbCr // of the frame; read only
	jpegs  map[Overlay]func() ([]byte, error)
}

// newShot keeps of f what these overlays need. Everything that takes time
// waits until a watcher asks for it, and is done once for all of them.
func newShot(f Frame, waiting map[Overlay]int) *shot {
	s := &shot{
		at: f.At, width: f.View.Width, height: f.View.Height, faces: f.Faces,
		jpegs: make(map[Overlay]func() ([]byte, error), len(waiting)),
	}
	encode := false
	for o := range waiting {
		if n := showable(f.JPEG); o == (Overlay{}) && n > 0 {
			file := bytes.Clone(f.JPEG[:n])
			s.jpegs[o] = sync.OnceValues(func() ([]byte, error) { return withTables(file) })
			continue
		}
		encode = true
		s.jpegs[o] = sync.OnceValues(func() ([]byte, error) { return s.encode(o) })
	}
	if encode {
		view := keep(f.View)
		s.planes = sync.OnceValue(func() *image.YCbCr { return planar(view) })
	}
	return s
}

// Encode is the frame as a JPEG with the overlay, for who has no Hub's watchers.
func Encode(f Frame, o Overlay) ([]byte, error) {
	p, err := newShot(f, map[Overlay]int{o: 1}).picture(o)
	return p.JPEG, err
}

func (s *shot) picture(o Overlay) (Picture, error) {
	data, err := s.jpegs[o]()
	return Picture{data, s.at}, err
}

func (s *shot) encode(o Overlay) ([]byte, error) {
	img := s.planes()
	if o != (Overlay{}) {
		img = copyOf(img)
		if err := annotate(img, s.faces, o); err != nil {
			return nil, err
		}
	}
	var b bytes.Buffer
	b.Grow(s.width * s.height / 4)
	if err := stdjpeg.Encode(&b, img, &stdjpeg.Options{Quality: quality}); err != nil {
		return nil, fmt.Errorf("encode live picture: %w", err)
	}
	return b.Bytes(), nil
}

// showable is the length of the picture in a camera's JPEG that a browser
// shows as we see it; 0 when it has to be encoded anew.
func showable(file []byte) int {
	if !jpeg.Complete(file) {
		return 0
	}
	for marker, p := range jpeg.Segments(file) {
		const app1 = 0xE1
		if marker == app1 && bytes.HasPrefix(p, []byte("Exif")) {
			return 0 // a browser might turn it
		}
	}
	n, _, err := jpeg.Extent(file)
	if err != nil {
		return 0
	}
	return n
}

// withTables gives a JPEG the usual Huffman tables if it has none, as Motion
// JPEG may: browsers want them.
func withTables(file []byte) ([]byte, error) {
	const dht = 0xC4
	for marker := range jpeg.Segments(file) {
		if marker == dht {
			return file, nil
		}
	}
	// The standard library writes just these into every picture in colour.
	var usual bytes.Buffer
	if err := stdjpeg.Encode(&usual, image.NewYCbCr(image.Rect(0, 0, 1, 1), image.YCbCrSubsampleRatio420), nil); err != nil {
		return nil, fmt.Errorf("make Huffman tables: %w", err)
	}
	out := append(make([]byte, 0, len(file)+512), file[:2]...)
	for marker, p := range jpeg.Segments(usual.Bytes()) {
		if marker == dht {
			n := len(p) + 2
			out = append(out, 0xFF, dht, byte(n>>8), byte(n))
			out = append(out, p...)
		}
	}
	return append(out, file[2:]...), nil
}

// keep copies the pixels of a view, as they are: what becomes of them can wait.
func keep(v inference.View) inference.View {
	kept := v
	for i := range v.Planes {
		p := &v.Planes[i]
		if len(p.Pix) == 0 {
			continue
		}
		end, shared := 0, -1
		for j := range v.Planes { // packed planes lie in the same bytes
			o := &v.Planes[j]
			if len(o.Pix) == 0 || &o.Pix[0] != &p.Pix[0] {
				continue
			}
			if j < i {
				shared = j
			}
			end = max(end, o.Offset+(o.Height-1)*o.Stride+(o.Width-1)*o.Step+1)
		}
		if shared >= 0 {
			kept.Planes[i].Pix = kept.Planes[shared].Pix
		} else {
			kept.Planes[i].Pix = bytes.Clone(p.Pix[:end])
		}
	}
	return kept
}
