package still_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"image"
	"image/color"
	"image/draw"
	stdjpeg "image/jpeg"
	"image/png"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"

	"facerecd/capture/still"
)

// scene is a picture in which no two corners look alike.
func scene(w, h int) *image.RGBA {
	img := image.NewRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			img.SetRGBA(x, y, color.RGBA{uint8(255 * x / w), uint8(255 * y / h), uint8(200 - 100*x*y/(w*h)), 255})
		}
	}
	return img
}

func asJPEG(t testing.TB, img image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := stdjpeg.Encode(&b, img, &stdjpeg.Options{Quality: 95}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func asPNG(t testing.TB, img image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func file(t testing.TB, path ...string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(path...))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// sample is one of the pictures that the JPEG decoders are tested with.
func sample(t testing.TB, name string) []byte {
	return file(t, "..", "jpeg", "testdata", name+".jpg")
}

// hugeJPEG has a header of 6000x10000 pixels and little else.
func hugeJPEG(t testing.TB) []byte {
	data := slices.Clone(sample(t, "444"))
	sof := bytes.Index(data, []byte{0xFF, 0xC0})
	binary.BigEndian.PutUint16(data[sof+5:], 10000)
	binary.BigEndian.PutUint16(data[sof+7:], 6000)
	return data
}

// hugePNG is the same as PNG, with a right checksum.
func hugePNG(t testing.TB) []byte {
	data := asPNG(t, scene(4, 4))
	binary.BigEndian.PutUint32(data[16:], 6000)
	binary.BigEndian.PutUint32(data[20:], 10000)
	binary.BigEndian.PutUint32(data[29:], crc32.ChecksumIEEE(data[12:29]))
	return data
}

// deepPNG says that it is 5000x6000 pixels of 16 bits a colour.
func deepPNG() []byte {
	var b bytes.Buffer
	_ = png.Encode(&b, image.NewNRGBA64(image.Rect(0, 0, 4, 4)))
	data := b.Bytes()
	binary.BigEndian.PutUint32(data[16:], 5000)
	binary.BigEndian.PutUint32(data[20:], 6000)
	binary.BigEndian.PutUint32(data[29:], crc32.ChecksumIEEE(data[12:29]))
	return data
}

func TestDecodeRefusesWithAReasonAndARemedy(t *testing.T) {
	photo, drawing := asJPEG(t, scene(64, 48)), asPNG(t, scene(64, 48))
	badPNG := slices.Clone(drawing)
	badPNG[len(badPNG)-13] ^= 0xff // in the checksum of the pixels, before the end chunk
	tests := []struct {
		name   string
		data   []byte
		limits still.Limits
		code   still.Code
		text   string
	}{
		{"nothing", nil, still.Limits{}, still.Empty, "the picture is empty: send a JPEG or PNG file"},
		{"text called .jpg", []byte("Dear Sir or Madam"), still.Limits{}, still.NotAnImage, "this is not a picture: send a JPEG or PNG file"},
		{"GIF", []byte("GIF89a\x01\x00\x01\x00"), still.Limits{}, still.NotAnImage, "this is a GIF: save it as JPEG or PNG and send that"},
		{"HEIC", []byte("\x00\x00\x00\x18ftypheic\x00\x00"), still.Limits{}, still.NotAnImage, "this is a HEIC or AVIF picture, or a film: save it as JPEG or PNG and send that"},
		{"WebP", []byte("RIFF\x10\x00\x00\x00WEBPVP8 "), still.Limits{}, still.NotAnImage, "this is a WebP picture: save it as JPEG or PNG and send that"},
		{"too many bytes", photo, still.Limits{MaxBytes: 1 << 10}, still.TooLargeBytes, fmt.Sprintf("the picture is %.1f MiB, more than the 0.0 MiB allowed: send a smaller one", float64(len(photo))/(1<<20))},
		{"17 MiB", make([]byte, 17<<20), still.Limits{}, still.TooLargeBytes, "the picture is 17 MiB, more than the 16 MiB allowed: send a smaller one"},
		{"60-megapixel JPEG header", hugeJPEG(t), still.Limits{}, still.TooManyPixels, "the picture is 6000x10000 pixels, more than the 50 megapixels allowed: send a smaller one"},
		{"30-megapixel PNG header of 16 bits", deepPNG(), still.Limits{}, still.TooManyPixels, "the picture is 5000x6000 pixels, more than the 25 megapixels allowed for 16 bits a colour: send a smaller one"},
		{"60-megapixel PNG header", hugePNG(t), still.Limits{}, still.TooManyPixels, "the picture is 6000x10000 pixels, more than the 50 megapixels allowed: send a smaller one"},
		{"JPEG start marker", photo[:2], still.Limits{}, still.Truncated, "the picture is cut short: send the whole file again"},
		{"JPEG header cut", photo[:300], still.Limits{}, still.Truncated, "the picture is cut short: send the whole file again"},
		{"JPEG half", photo[:len(photo)/2], still.Limits{}, still.Truncated, "the picture is cut short: send the whole file again"},
		{"PNG signature", drawing[:8], still.Limits{}, still.Truncated, "the picture is cut short: send the whole file again"},
		{"PNG half", drawing[:len(drawing)/2], still.Limits{}, still.Truncated, "the picture is cut short: send the whole file again"},
		{"PNG with a wrong byte", badPNG, still.Limits{}, still.Corrupt, "the picture is damaged (png: invalid format: invalid checksum): open it in another program and save it again"},
		{"JPEG marker missing", []byte("\xFF\xD8\x00\x00\x00\x00"), still.Limits{}, still.Corrupt, "the picture is damaged (unexpected EOF): open it in another program and save it again"},
		{"arithmetic coding", file(t, "testdata", "arithmetic.jpg"), still.Limits{}, still.Unsupported, "the picture is of a kind that cannot be read (unsupported JPEG feature: unknown marker): save it as an ordinary JPEG or PNG"},
		{"thousand scans", manyScans(t), still.Limits{}, still.Corrupt, "the picture is damaged (invalid JPEG format: 1000 scans): open it in another program and save it again"},
		{"thousand scans behind a stray byte", stray(manyScans(t)), still.Limits{}, still.Corrupt, "the picture is damaged (invalid JPEG format: 1000 scans): open it in another program and save it again"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := still.Decode(test.data, test.limits)
			var e *still.Error
			if !errors.As(err, &e) {
				t.Fatalf("Decode = %v, want a *still.Error", err)
			}
			if e.Code != test.code || e.Error() != test.text {
				t.Errorf("Decode = %s %q,\nwant %s %q", e.Code, e, test.code, test.text)
			}
		})
	}
}

// manyScans repeats the last scan of a progressive picture.
func manyScans(t testing.TB) []byte {
	data := sample(t, "progressive")
	scan := data[bytes.LastIndex(data, []byte{0xFF, 0xDA}) : len(data)-2]
	first := bytes.Index(data, []byte{0xFF, 0xDA})
	return slices.Concat(data[:first], bytes.Repeat(scan, 1000), []byte{0xFF, 0xD9})
}

// stray puts a byte that decoders skip before the first scan.
func stray(data []byte) []byte {
	return slices.Insert(data, bytes.Index(data, []byte{0xFF, 0xDA}), 0)
}

func TestDecodeTakesEveryKindOfPicture(t *testing.T) {
	src := scene(64, 48)
	as := func(dst draw.Image) image.Image {
		draw.Draw(dst, src.Rect, src, image.Point{}, draw.Src)
		return dst
	}
	palette := color.Palette{color.Black, color.White, color.RGBA{200, 30, 30, 255}}
	clear := color.Palette{color.NRGBA{}, color.NRGBA{255, 0, 0, 128}}
	tests := []struct {
		name string
		data []byte
		want image.Image // its type
	}{
		{"JPEG", asJPEG(t, src), &image.YCbCr{}},
		{"JPEG 4:1:1", sample(t, "411"), &image.YCbCr{}},
		{"JPEG 4:1:0", sample(t, "410"), &image.YCbCr{}},
		{"progressive JPEG", sample(t, "progressive"), &image.YCbCr{}},
		{"gray JPEG", asJPEG(t, as(image.NewGray(src.Rect))), &image.Gray{}},
		{"CMYK JPEG", sample(t, "cmyk"), &image.RGBA{}},
		{"RGB JPEG", sample(t, "rgb"), &image.RGBA{}},
		{"PNG", asPNG(t, src), &image.RGBA{}},
		{"PNG with alpha", asPNG(t, &image.NRGBA{Pix: make([]byte, 4*64*48), Stride: 4 * 64, Rect: src.Rect}), &image.NRGBA{}},
		{"gray PNG", asPNG(t, as(image.NewGray(src.Rect))), &image.Gray{}},
		{"16-bit gray PNG", asPNG(t, as(image.NewGray16(src.Rect))), &image.RGBA{}},
		{"16-bit PNG", asPNG(t, as(image.NewRGBA64(src.Rect))), &image.RGBA{}},
		{"16-bit PNG with alpha", asPNG(t, image.NewNRGBA64(src.Rect)), &image.NRGBA{}},
		{"PNG with a palette", asPNG(t, as(image.NewPaletted(src.Rect, palette))), &image.RGBA{}},
		{"PNG with a clear palette", asPNG(t, image.NewPaletted(src.Rect, clear)), &image.NRGBA{}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			want, _, err := image.Decode(bytes.NewReader(test.data))
			if err != nil {
				t.Fatal(err)
			}
			got, err := still.Decode(test.data, still.Limits{})
			if err != nil {
				t.Fatal(err)
			}
			if reflect.TypeOf(got) != reflect.TypeOf(test.want) {
				t.Errorf("Decode = %T, want %T", got, test.want)
			}
			if got.Bounds() != want.Bounds() {
				t.Fatalf("bounds %v, want %v", got.Bounds(), want.Bounds())
			}
			for _, at := range []image.Point{{0, 0}, {63, 0}, {0, 40}, {31, 31}} {
				if a, b := got.At(at.X, at.Y), want.At(at.X, at.Y); !near(a, b, 4) {
					t.Errorf("pixel %v is %v, want %v", at, a, b)
				}
			}
		})
	}
}

func near(a, b color.Color, within int) bool {
	ar, ag, ab, aa := a.RGBA()
	br, bg, bb, ba := b.RGBA()
	for _, d := range []int{int(ar) - int(br), int(ag) - int(bg), int(ab) - int(bb), int(aa) - int(ba)} {
		if max(d, -d)>>8 > within {
			return false
		}
	}
	return true
}

func FuzzDecode(f *testing.F) {
	f.Fuzz(func(t *testing.T, data []byte) {
		img, err := still.Decode(data, still.Limits{MaxPixels: 1 << 20})
		var e *still.Error
		switch {
		case err == nil:
			b := img.Bounds()
			if b.Min != (image.Point{}) || b.Empty() {
				t.Errorf("bounds %v", b)
			}
			img.At(b.Max.X-1, b.Max.Y-1)
		case !errors.As(err, &e) || e.Code == "" || e.Text == "":
			t.Errorf("Decode = %#v, want a *still.Error with code and text", err)
		}
	})
}
