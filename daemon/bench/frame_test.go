package bench

import (
	"image"
	"image/color"
	"image/png"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"facerecd/capture"
	"facerecd/capture/jpeg"
	"facerecd/inference"
)

func TestPhotoBecomesTheCamerasFrame(t *testing.T) {
	m := image.NewRGBA(image.Rect(0, 0, 64, 48))
	for i := range m.Pix {
		m.Pix[i] = [...]byte{200, 100, 50, 255}[i%4]
	}
	path := filepath.Join(t.TempDir(), "photo.png")
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := png.Encode(file, m); err != nil {
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	luma, cb, cr := color.RGBToYCbCr(200, 100, 50)
	y, u, v := byte(16+(int(luma)*219+127)/255), byte(128+(int(cb)-128)*224/255), byte(128+(int(cr)-128)*224/255)
	for _, c := range []struct {
		format capture.Format
		bytes  int
		starts []byte
	}{
		{capture.YUYV, 64 * 48 * 2, []byte{y, u, y, v, y, u}},
		{capture.NV12, 64 * 48 * 3 / 2, []byte{y, y, y}},
		{capture.I420, 64 * 48 * 3 / 2, []byte{y, y, y}},
		{capture.Gray, 64 * 48, []byte{y, y, y}},
		{capture.RGB, 64 * 48 * 3, []byte{200, 100, 50, 200}},
		{capture.JPEG, 0, []byte{0xFF, 0xD8}},
	} {
		frames, err := Load(t.Context(), path, 64, 48, c.format, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		if len(frames) != 1 {
			t.Fatalf("%v: %d frames, want 1", c.format, len(frames))
		}
		f := frames[0]
		if f.Format != c.format || f.Width != 64 || f.Height != 48 || c.bytes > 0 && len(f.Data) != c.bytes {
			t.Errorf("%v: %v frame of %dx%d with %d bytes, want %d", c.format, f.Format, f.Width, f.Height, len(f.Data), c.bytes)
		}
		for i, want := range c.starts {
			if got := f.Data[i]; max(got, want)-min(got, want) > 1 {
				t.Errorf("%v: byte %d is %d, want %d", c.format, i, got, want)
			}
		}
		switch f.Format {
		case capture.JPEG:
			if img, err := jpeg.NewStd().Decode(f.Data); err != nil || img.Rect.Dx() != 64 {
				t.Errorf("JPEG frame: %v", err)
			}
		case capture.NV12:
			if got := f.Data[64*48:][:2]; got[0] != u || got[1] != v {
				t.Errorf("NV12 chroma %v, want %v", got, []byte{u, v})
			}
			if _, err := inference.NV12(f.Data, f.Width, f.Height, f.Stride); err != nil {
				t.Error(err)
			}
		}
	}
}
