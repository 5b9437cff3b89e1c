package still_test

import (
	"encoding/binary"
	"flag"
	"fmt"
	"image"
	"image/color"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"facerecd/capture/still"
)

// exif is a TIFF structure with a few tags, of which orientation is one.
func exif(order binary.AppendByteOrder, orientation uint16) []byte {
	tiff := []byte("MM\x00*")
	if order == binary.AppendByteOrder(binary.LittleEndian) {
		tiff = []byte("II*\x00")
	}
	tiff = order.AppendUint32(tiff, 8)
	tiff = order.AppendUint16(tiff, 2)
	for _, e := range [][2]uint16{{0x0100, 640}, {0x0112, orientation}} {
		tiff = order.AppendUint16(tiff, e[0])
		tiff = order.AppendUint16(tiff, 3) // SHORT
		tiff = order.AppendUint32(tiff, 1)
		tiff = order.AppendUint16(tiff, e[1])
		tiff = order.AppendUint16(tiff, 0)
	}
	return order.AppendUint32(tiff, 0)
}

// withEXIF puts a TIFF structure into an APP1 segment of a JPEG picture.
func withEXIF(pic, tiff []byte) []byte {
	p := append([]byte("Exif\x00\x00"), tiff...)
	n := len(p) + 2
	return slices.Concat(pic[:2], []byte{0xFF, 0xE1, byte(n >> 8), byte(n)}, p, pic[2:])
}

// seen is where the stored pixel (x, y) is seen in the upright picture of w x
// h, from the standard's table: which side of the scene row 0 and column 0 are.
func seen(orientation, x, y, w, h int) (int, int) {
	switch orientation {
	case 2: // top, right
		return w - 1 - x, y
	case 3: // bottom, right
		return w - 1 - x, h - 1 - y
	case 4: // bottom, left
		return x, h - 1 - y
	case 5: // left, top
		return y, x
	case 6: // right, top
		return w - 1 - y, x
	case 7: // right, bottom
		return w - 1 - y, h - 1 - x
	case 8: // left, bottom
		return y, h - 1 - x
	}
	return x, y // top, left
}

func TestDecodeTurnsAPictureUpright(t *testing.T) {
	kinds := map[string][]byte{"4:2:0 of even size": asJPEG(t, scene(64, 48))}
	for _, name := range []string{"444", "422", "420", "440", "411", "410", "gray", "rgb", "cmyk"} {
		kinds[name] = sample(t, name)
	}
	for name, pic := range kinds {
		stored, err := still.Decode(pic, still.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		sb := stored.Bounds()
		for orientation := 1; orientation <= 8; orientation++ {
			for _, order := range []binary.AppendByteOrder{binary.BigEndian, binary.LittleEndian} {
				t.Run(fmt.Sprintf("%s/%d/%v", name, orientation, order), func(t *testing.T) {
					got, err := still.Decode(withEXIF(pic, exif(order, uint16(orientation))), still.Limits{})
					if err != nil {
						t.Fatal(err)
					}
					w, h := sb.Dx(), sb.Dy()
					if orientation >= 5 {
						w, h = h, w
					}
					if got.Bounds() != image.Rect(0, 0, w, h) {
						t.Fatalf("bounds %v, want %dx%d", got.Bounds(), w, h)
					}
					sum := 0
					for y := range sb.Dy() {
						for x := range sb.Dx() {
							ux, uy := seen(orientation, x, y, w, h)
							sum += difference(got.At(ux, uy), stored.At(x, y))
						}
					}
					if mean := float64(sum) / float64(3*w*h); mean > within(name) {
						t.Errorf("off by %.2f on average, want at most %v", mean, within(name))
					}
				})
			}
		}
	}
}

// within is the mean difference that a kind of picture may have: chroma that is
// subsampled moves by a part of its sample where the size is no multiple of it.
func within(kind string) float64 {
	switch kind {
	case "422", "420", "440", "411", "410":
		return 8
	}
	return 0
}

// difference is the sum over the three colours.
func difference(a, b color.Color) int {
	ar, ag, ab, _ := a.RGBA()
	br, bg, bb, _ := b.RGBA()
	d := 0
	for _, c := range []int{int(ar) - int(br), int(ag) - int(bg), int(ab) - int(bb)} {
		d += max(c, -c) >> 8
	}
	return d
}

// brokenEXIF are structures that state no orientation, or lead a careless
// reader astray.
func brokenEXIF() map[string][]byte {
	good := exif(binary.BigEndian, 6)
	with := func(at int, b ...byte) []byte {
		out := slices.Clone(good)
		copy(out[at:], b)
		return out
	}
	return map[string][]byte{
		"empty":                  {},
		"cut in the header":      good[:6],
		"cut in an entry":        good[:len(good)-12],
		"unknown byte order":     with(0, 'X', 'X'),
		"directory far away":     with(4, 0xFF, 0xFF, 0xFF, 0xFF),
		"directory at the end":   with(4, 0, 0, 0, byte(len(good)-1)),
		"directory is its own":   with(4, 0, 0, 0, 0),
		"65535 entries":          with(8, 0xFF, 0xFF)[:22],
		"orientation 0":          exif(binary.BigEndian, 0),
		"orientation 9":          exif(binary.BigEndian, 9),
		"orientation is a LONG":  with(24, 0, 4),
		"orientation is a list":  with(26, 0xFF, 0xFF, 0xFF, 0xFF),
		"next directory is this": with(len(good)-4, 0, 0, 0, 8)[:10],
	}
}

func TestDecodeIgnoresBrokenEXIF(t *testing.T) {
	pic := asJPEG(t, scene(64, 48))
	for name, tiff := range brokenEXIF() {
		t.Run(name, func(t *testing.T) {
			img, err := still.Decode(withEXIF(pic, tiff), still.Limits{})
			if err != nil {
				t.Fatal(err)
			}
			if img.Bounds() != image.Rect(0, 0, 64, 48) {
				t.Errorf("the picture was turned: %v", img.Bounds())
			}
		})
	}
}

var update = flag.Bool("update", false, "write the fuzz seeds anew")

// TestSeedsAreCommitted keeps the seeds of FuzzDecode in testdata.
func TestSeedsAreCommitted(t *testing.T) {
	photo, drawing := asJPEG(t, scene(16, 8)), asPNG(t, scene(16, 8))
	seeds := map[string][]byte{
		"jpeg": photo, "png": drawing, "jpeg-cut": photo[:len(photo)-9], "png-cut": drawing[:len(drawing)-20],
		"jpeg-60mp": hugeJPEG(t), "png-60mp": hugePNG(t), "text": []byte("text called .jpg"), "empty": nil,
		"progressive": sample(t, "progressive"), "cmyk": sample(t, "cmyk"), "gray": sample(t, "gray"), "arithmetic": file(t, "testdata", "arithmetic.jpg"),
	}
	for o := range uint16(8) {
		seeds[fmt.Sprintf("exif-%d", o+1)] = withEXIF(photo, exif(binary.LittleEndian, o+1))
	}
	for name, tiff := range brokenEXIF() {
		seeds["exif-"+strings.ReplaceAll(name, " ", "-")] = withEXIF(photo, tiff)
	}
	for name, data := range seeds {
		path := filepath.Join("testdata", "fuzz", "FuzzDecode", name)
		want := fmt.Sprintf("go test fuzz v1\n[]byte(%q)\n", data)
		if *update {
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := os.Stat(path); err != nil {
			t.Errorf("%v: run the test with -update", err)
		}
	}
}
