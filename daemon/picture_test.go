package daemon

import (
	"bytes"
	"encoding/binary"
	"image"
	"image/color"
	stdjpeg "image/jpeg"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/image/draw"

	"facerecd/capture"
)

func readPicture(t testing.TB, name string) image.Image {
	t.Helper()
	file, err := os.Open(photo(t, name))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	img, err := stdjpeg.Decode(file)
	if err != nil {
		t.Fatal(err)
	}
	return img
}

func encode(t testing.TB, img image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := stdjpeg.Encode(&b, img, &stdjpeg.Options{Quality: 95}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// save writes a file to be uploaded.
func save(t testing.TB, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// scaled is img with the given height. It gets there by halves, so that no
// pixel is left out.
func scaled(img image.Image, height int) image.Image {
	size := img.Bounds().Size()
	for size.Y != height {
		next := max(height, size.Y/2)
		size.X, size.Y = size.X*next/size.Y, next
		out := image.NewRGBA(image.Rectangle{Max: size})
		draw.ApproxBiLinear.Scale(out, out.Rect, img, img.Bounds(), draw.Src, nil)
		img = out
	}
	return img
}

// sideBySide puts pictures next to each other, from left to right.
func sideBySide(imgs ...image.Image) image.Image {
	var size image.Point
	for _, img := range imgs {
		size.X += img.Bounds().Dx()
		size.Y = max(size.Y, img.Bounds().Dy())
	}
	out := image.NewRGBA(image.Rectangle{Max: size})
	draw.Draw(out, out.Rect, image.NewUniform(color.Gray{128}), image.Point{}, draw.Src)
	x := 0
	for _, img := range imgs {
		draw.Draw(out, image.Rectangle{image.Pt(x, 0), size}, img, img.Bounds().Min, draw.Src)
		x += img.Bounds().Dx()
	}
	return out
}

// wall is a picture of nobody: a ramp of gray.
func wall() image.Image {
	img := image.NewGray(image.Rect(0, 0, 640, 480))
	for i := range img.Pix {
		img.Pix[i] = uint8(i % 640 / 4)
	}
	return img
}

// withSize makes a JPEG file's header speak of another size.
func withSize(t testing.TB, file []byte, width, height int) []byte {
	t.Helper()
	file = bytes.Clone(file)
	at := bytes.Index(file, []byte{0xFF, 0xC0}) // start of frame: length, precision, height, width
	if at < 0 {
		t.Fatal("no start of frame")
	}
	binary.BigEndian.PutUint16(file[at+5:], uint16(height))
	binary.BigEndian.PutUint16(file[at+7:], uint16(width))
	return file
}

// imageOf is an RGB frame as an image.
func imageOf(f *capture.Frame) image.Image {
	img := image.NewRGBA(image.Rect(0, 0, f.Width, f.Height))
	for i := range f.Width * f.Height {
		copy(img.Pix[4*i:], f.Data[3*i:3*i+3])
		img.Pix[4*i+3] = 255
	}
	return img
}

// video is an RGB frame as a camera would send it in another format, with the
// levels of ITU-R BT.601. Chroma is that of each pair's or square's first pixel.
func video(f *capture.Frame, format capture.Format) *capture.Frame {
	out := &capture.Frame{Format: format, Width: f.Width, Height: f.Height, Stride: f.Width}
	yuv := func(x, y int) (luma, cb, cr byte) {
		p := f.Data[y*f.Stride+3*x:]
		full, b, r := color.RGBToYCbCr(p[0], p[1], p[2])
		return byte(16 + int(full)*219/255), byte(128 + (int(b)-128)*224/255), byte(128 + (int(r)-128)*224/255)
	}
	var cbs, crs []byte
	for y := range f.Height {
		for x := range f.Width {
			luma, cb, cr := yuv(x, y)
			out.Data = append(out.Data, luma)
			switch {
			case format == capture.YUYV && x%2 == 0:
				out.Data = append(out.Data, cb)
			case format == capture.YUYV:
				_, _, cr := yuv(x-1, y)
				out.Data = append(out.Data, cr)
			case x%2 == 0 && y%2 == 0:
				cbs, crs = append(cbs, cb), append(crs, cr)
			}
		}
	}
	switch format {
	case capture.YUYV:
		out.Stride *= 2
	case capture.NV12:
		for i := range cbs {
			out.Data = append(out.Data, cbs[i], crs[i])
		}
	case capture.I420:
		out.Data = append(append(out.Data, cbs...), crs...)
	}
	return out
}
