package jpeg_test

import (
	"bytes"
	"errors"
	"image"
	"image/color"
	stdjpeg "image/jpeg"
	"slices"
	"testing"

	"facerecd/capture/jpeg"
)

// tiled is src repeated over a picture of w x h, encoded.
func tiled(t testing.TB, src image.Image, w, h int) []byte {
	t.Helper()
	img := image.NewRGBA(image.Rect(0, 0, w, h))
	b := src.Bounds()
	for y := range h {
		for x := range w {
			img.Set(x, y, color.RGBAModel.Convert(src.At(x%b.Dx(), y%b.Dy())))
		}
	}
	var out bytes.Buffer
	if err := stdjpeg.Encode(&out, img, &stdjpeg.Options{Quality: 85}); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestCompleteWantsStartAndEnd(t *testing.T) {
	whole := picture(t, "420")
	tests := []struct {
		name string
		data []byte
		want bool
	}{
		{"whole", whole, true},
		{"padded with zeros", append(slices.Clone(whole), make([]byte, 100)...), true},
		{"cut short", whole[:len(whole)-50], false},
		{"cut short by one byte", whole[:len(whole)-1], false},
		{"start lost", whole[10:], false},
		{"end marker alone", []byte{0xFF, 0xD9}, false},
		{"zeros", make([]byte, 100), false},
		{"empty", nil, false},
	}
	for _, test := range tests {
		if got := jpeg.Complete(test.data); got != test.want {
			t.Errorf("%s: Complete = %v, want %v", test.name, got, test.want)
		}
	}
}

// withThumbnail puts a whole picture into an APP1 segment of another.
func withThumbnail(outer, inner []byte) []byte {
	n := len(inner) + 2
	out := slices.Clone(outer[:2])
	out = append(out, 0xFF, 0xE1, byte(n>>8), byte(n))
	out = append(out, inner...)
	return append(out, outer[2:]...)
}

func TestExtentFindsTheEndOfThePictureAndNotOfItsThumbnail(t *testing.T) {
	pic := withThumbnail(picture(t, "420"), picture(t, "gray"))
	stream := append(slices.Clone(pic), picture(t, "444")...)
	n, scans, err := jpeg.Extent(stream)
	if n != len(pic) || scans != 1 || err != nil {
		t.Errorf("Extent = %d, %d scans, %v; want %d, 1, nil", n, scans, err, len(pic))
	}
}

func TestExtentOfEveryKindOfPicture(t *testing.T) {
	for _, p := range pictures {
		data := picture(t, p.name)
		n, scans, err := jpeg.Extent(append(slices.Clone(data), 0xFF, 0xD8, 0xFF))
		if n != len(data) || err != nil {
			t.Errorf("%s: Extent = %d, %v; want %d", p.name, n, err, len(data))
		}
		if multiple := p.name == "progressive"; (scans > 1) != multiple {
			t.Errorf("%s: %d scans", p.name, scans)
		}
		for cut := range len(data) {
			if n, _, err := jpeg.Extent(data[:cut]); n != 0 || err != nil {
				t.Fatalf("%s: Extent of the first %d bytes = %d, %v; want 0, nil", p.name, cut, n, err)
			}
		}
	}
}

func TestExtentOfWhatIsNoPicture(t *testing.T) {
	for _, data := range [][]byte{[]byte("text"), {0xFF, 0xD8, 0x00}, {0xFF, 0xD8, 0xFF, 0xE0, 0, 1}, {0xFF, 0xD8, 0xFF, 0xD8}} {
		if _, _, err := jpeg.Extent(data); !errors.Is(err, jpeg.ErrMalformed) {
			t.Errorf("Extent(%x) = %v, want %v", data, err, jpeg.ErrMalformed)
		}
	}
}

func TestSizeReadsTheHeader(t *testing.T) {
	for _, p := range pictures {
		w, h, err := jpeg.Size(picture(t, p.name))
		if w != width || h != height || err != nil {
			t.Errorf("%s: Size = %dx%d, %v", p.name, w, h, err)
		}
	}
	if _, _, err := jpeg.Size([]byte("text")); err == nil || err.Error() != "malformed JPEG" {
		t.Errorf("Size of text: %v", err)
	}
}

func FuzzExtent(f *testing.F) {
	for _, p := range pictures {
		f.Add(picture(f, p.name))
	}
	f.Add(withThumbnail(picture(f, "420"), picture(f, "gray")))
	f.Fuzz(func(t *testing.T, data []byte) {
		n, scans, err := jpeg.Extent(data)
		if n < 0 || n > len(data) || scans < 0 || n > 0 && err != nil {
			t.Errorf("Extent = %d, %d, %v of %d bytes", n, scans, err, len(data))
		}
		if n > 0 && !bytes.Equal(data[n-2:n], []byte{0xFF, 0xD9}) {
			t.Errorf("Extent ends with %x", data[n-2:n])
		}
	})
}
