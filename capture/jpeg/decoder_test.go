package jpeg_test

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"facerecd/capture/jpeg"
)

const width, height = 67, 45 // of the pictures in testdata

// want is the picture that testdata shows.
func want(name string, x, y int) (r, g, b float64) {
	r = 255 * float64(x) / (width - 1)
	if name == "gray" {
		return r, r, r
	}
	return r, 255 * float64(y) / (height - 1), 127 + 120*math.Sin(float64(x+y)/9)
}

func picture(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name+".jpg"))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// decoders are the implementations that share one suite.
func decoders(t testing.TB) map[string]jpeg.Decoder {
	t.Helper()
	turbo, err := jpeg.NewTurbo()
	if err != nil {
		t.Fatalf("%v: run make deps", err)
	}
	t.Cleanup(func() {
		if err := turbo.Close(); err != nil {
			t.Error(err)
		}
	})
	return map[string]jpeg.Decoder{"std": jpeg.NewStd(), "turbo": turbo}
}

var pictures = []struct {
	name   string
	ratio  image.YCbCrSubsampleRatio
	within float64 // mean difference of a pixel's colours from the picture's
}{
	{"444", image.YCbCrSubsampleRatio444, 2.5},
	{"422", image.YCbCrSubsampleRatio422, 4},
	{"420", image.YCbCrSubsampleRatio420, 5},
	{"440", image.YCbCrSubsampleRatio440, 4},
	{"411", image.YCbCrSubsampleRatio411, 6},
	{"410", image.YCbCrSubsampleRatio410, 7},
	{"gray", image.YCbCrSubsampleRatio420, 2.5},
	{"progressive", image.YCbCrSubsampleRatio420, 5},
	{"restart", image.YCbCrSubsampleRatio420, 5},
	{"rgb", image.YCbCrSubsampleRatio444, 2.5},
	{"cmyk", image.YCbCrSubsampleRatio444, 6},
}

func TestDecodersShowThePicture(t *testing.T) {
	for which, d := range decoders(t) {
		for _, p := range pictures {
			t.Run(which+"/"+p.name, func(t *testing.T) {
				img, err := d.Decode(picture(t, p.name))
				if err != nil {
					t.Fatal(err)
				}
				checkPicture(t, img, p.name, p.ratio, p.within)
			})
		}
	}
}

func checkPicture(t *testing.T, img *image.YCbCr, name string, ratio image.YCbCrSubsampleRatio, within float64) {
	t.Helper()
	if img.Rect != image.Rect(0, 0, width, height) || img.SubsampleRatio != ratio {
		t.Fatalf("%v %v, want %dx%d %v", img.Rect, img.SubsampleRatio, width, height, ratio)
	}
	var sum float64
	for y := range height {
		for x := range width {
			c := img.YCbCrAt(x, y)
			r, g, b, _ := c.RGBA()
			wr, wg, wb := want(name, x, y)
			sum += math.Abs(float64(r>>8)-wr) + math.Abs(float64(g>>8)-wg) + math.Abs(float64(b>>8)-wb)
		}
	}
	if mean := sum / (3 * width * height); mean > within {
		t.Errorf("the picture is off by %.2f on average, want at most %v", mean, within)
	}
}

func TestDecodersAgree(t *testing.T) {
	ds := decoders(t)
	for _, p := range pictures {
		a, err := ds["std"].Decode(picture(t, p.name))
		if err != nil {
			t.Fatal(err)
		}
		b, err := ds["turbo"].Decode(picture(t, p.name))
		if err != nil {
			t.Fatal(err)
		}
		for y := range height {
			for x := range width {
				ca, cb := a.YCbCrAt(x, y), b.YCbCrAt(x, y)
				for _, d := range []int{int(ca.Y) - int(cb.Y), int(ca.Cb) - int(cb.Cb), int(ca.Cr) - int(cb.Cr)} {
					if d < -3 || d > 3 {
						t.Fatalf("%s: (%d,%d) is %v by std and %v by turbo", p.name, x, y, ca, cb)
					}
				}
			}
		}
	}
}

func TestDecodersSupplyTheTablesThatMotionJPEGLeavesOut(t *testing.T) {
	const dht = 0xC4
	whole := picture(t, "420")
	bare := slices.Clone(whole[:2])
	at := 2
	for marker, p := range jpeg.Segments(whole) {
		end := at + 4 + len(p)
		if marker != dht {
			bare = append(bare, whole[at:end]...)
		}
		at = end
	}
	bare = append(bare, whole[at:]...)
	if len(bare) > len(whole)-400 {
		t.Fatalf("the tables were not taken out: %d of %d bytes left", len(bare), len(whole))
	}
	for which, d := range decoders(t) {
		t.Run(which, func(t *testing.T) {
			img, err := d.Decode(bare)
			if err != nil {
				t.Fatal(err)
			}
			checkPicture(t, img, "420", image.YCbCrSubsampleRatio420, 5)
		})
	}
}

func TestDecodersRefuseDamagedPictures(t *testing.T) {
	whole := picture(t, "420")
	huge := slices.Clone(picture(t, "444"))
	sof := bytes.Index(huge, []byte{0xFF, 0xC0})
	copy(huge[sof+5:], []byte{0x27, 0x10, 0x17, 0x70}) // 6000 x 10000 pixels
	scans := picture(t, "progressive")
	first := bytes.Index(scans, []byte{0xFF, 0xDA})
	next := first + bytes.Index(scans[first:], []byte{0xFF, 0xC4})
	scans = slices.Concat(scans[:next], bytes.Repeat(scans[first:next], jpeg.MaxScans), scans[next:])
	tests := []struct {
		name string
		data []byte
		err  error
	}{
		{"empty", nil, jpeg.ErrMalformed},
		{"text", []byte("this is not a picture"), jpeg.ErrMalformed},
		{"start marker only", whole[:2], jpeg.ErrMalformed},
		{"cut in the header", whole[:100], jpeg.ErrMalformed},
		{"cut in the scan", whole[:len(whole)-300], jpeg.ErrMalformed},
		{"60 megapixels", huge, jpeg.ErrTooLarge},
		{"too many scans", scans, jpeg.ErrMalformed},
		{"too many scans behind a stray byte", slices.Insert(slices.Clone(scans), first, 0), jpeg.ErrMalformed},
	}
	for which, d := range decoders(t) {
		for _, test := range tests {
			t.Run(which+"/"+test.name, func(t *testing.T) {
				if _, err := d.Decode(test.data); !errors.Is(err, test.err) {
					t.Errorf("Decode: %v, want %v", err, test.err)
				}
				// and the decoder lives on
				if _, err := d.Decode(whole); err != nil {
					t.Errorf("Decode afterwards: %v", err)
				}
			})
		}
	}
}

func TestDecodersForgiveStrayBytesBeforeTheEnd(t *testing.T) {
	whole := picture(t, "420")
	n := len(whole)
	stray := slices.Concat(whole[:n-2], []byte{1, 2, 3, 4, 5, 6, 7, 8, 9}, whole[n-2:])
	for which, d := range decoders(t) {
		t.Run(which, func(t *testing.T) {
			img, err := d.Decode(stray)
			if err != nil {
				t.Fatal(err)
			}
			checkPicture(t, img, "420", image.YCbCrSubsampleRatio420, 5)
		})
	}
}

func TestTurboReusesItsPlanes(t *testing.T) {
	d := decoders(t)["turbo"]
	data := picture(t, "420")
	a, err := d.Decode(data)
	if err != nil {
		t.Fatal(err)
	}
	y := &a.Y[0]
	b, err := d.Decode(data)
	if err != nil {
		t.Fatal(err)
	}
	if &b.Y[0] != y {
		t.Error("the second picture of the same size has new planes")
	}
}

func TestTurboIsSilentAfterClose(t *testing.T) {
	d, err := jpeg.NewTurbo()
	if err != nil {
		t.Fatalf("%v: run make deps", err)
	}
	for range 2 {
		if err := d.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	}
	if _, err := d.Decode(picture(t, "420")); err == nil || err.Error() != "decode JPEG: the decoder is closed" {
		t.Errorf("Decode after Close: %v", err)
	}
}

func TestNewTakesTheLibraryWhenItIsInstalled(t *testing.T) {
	var log bytes.Buffer
	d := jpeg.New(slog.New(slog.NewTextHandler(&log, nil)))
	defer d.Close()
	if _, ok := d.(*jpeg.Turbo); !ok || log.Len() > 0 {
		t.Errorf("New = %T, log %q; want *jpeg.Turbo and no log", d, log.String())
	}
}

func FuzzDecode(f *testing.F) {
	for _, p := range pictures {
		data := picture(f, p.name)
		f.Add(data)
		f.Add(data[:len(data)/2])
	}
	ds := decoders(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		if w, h, err := jpeg.Size(data); err == nil && w*h > 1<<20 {
			t.Skip("slow")
		}
		for which, d := range ds {
			img, err := d.Decode(data)
			if err != nil {
				continue
			}
			b := img.Bounds()
			if b.Empty() {
				t.Errorf("%s: an empty picture", which)
			}
			img.YCbCrAt(b.Max.X-1, b.Max.Y-1) // within the planes
		}
	})
}

func BenchmarkDecode(b *testing.B) {
	// The test picture tiled to the size of a camera's.
	src, err := jpeg.NewStd().Decode(picture(b, "444"))
	if err != nil {
		b.Fatal(err)
	}
	for _, size := range [][2]int{{640, 480}, {1280, 720}} {
		data := tiled(b, src, size[0], size[1])
		for which, d := range decoders(b) {
			b.Run(fmt.Sprintf("%s/%dx%d", which, size[0], size[1]), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if _, err := d.Decode(data); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
