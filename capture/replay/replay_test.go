package replay_test

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	stdjpeg "image/jpeg"
	"image/png"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"facerecd/capture"
	"facerecd/capture/capturetest"
	"facerecd/capture/replay"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// plain is a picture of one gray.
func plain(w, h int, gray uint8) image.Image {
	img := image.NewRGBA(image.Rect(0, 0, w, h))
	draw.Draw(img, img.Rect, image.NewUniform(color.Gray{gray}), image.Point{}, draw.Src)
	return img
}

func asJPEG(t testing.TB, img image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := stdjpeg.Encode(&b, img, nil); err != nil {
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

// folder writes files into a new folder.
func folder(t testing.TB, files map[string][]byte) string {
	t.Helper()
	dir := t.TempDir()
	for name, data := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func open(t *testing.T, path string, o replay.Options) capture.Source {
	t.Helper()
	src, err := replay.Open(path, o)
	return capturetest.Opened(t, src, err)
}

func read(t *testing.T, src capture.Source) *capture.Frame {
	t.Helper()
	var f capture.Frame
	if err := src.Read(t.Context(), &f); err != nil {
		t.Fatal(err)
	}
	return &f
}

func threePhotos(t testing.TB) string {
	return folder(t, map[string][]byte{
		"b.png":         asPNG(t, plain(8, 4, 120)),
		"a.jpg":         asJPEG(t, plain(8, 4, 60)),
		"c.JPEG":        asJPEG(t, plain(8, 4, 200)),
		"notes.txt":     []byte("not a photo"),
		"more/0.png":    asPNG(t, plain(8, 4, 1)),
		"named.png/x.y": nil,
	})
}

func film(t testing.TB, pictures ...[]byte) string {
	return filepath.Join(folder(t, map[string][]byte{"film.mjpeg": slices.Concat(pictures...)}), "film.mjpeg")
}

func TestPhotosKeepTheSourceContract(t *testing.T) {
	capturetest.Suite(t, func(t *testing.T) capture.Source {
		return open(t, threePhotos(t), replay.Options{})
	})
}

func TestFilmsKeepTheSourceContract(t *testing.T) {
	capturetest.Suite(t, func(t *testing.T) capture.Source {
		return open(t, film(t, asJPEG(t, plain(16, 8, 50)), asJPEG(t, plain(16, 8, 90))), replay.Options{Loop: true})
	})
}

func TestPhotosAreShownByNameEachForItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := open(t, threePhotos(t), replay.Options{FPS: 4, Hold: 500 * time.Millisecond})
		start := time.Now()
		var grays []byte
		for i := range 6 {
			f := read(t, src)
			if f.Format != capture.RGB || f.Width != 8 || f.Height != 4 || f.Stride != 24 || len(f.Data) != 96 {
				t.Fatalf("frame %v %dx%d, stride %d, %d bytes", f.Format, f.Width, f.Height, f.Stride, len(f.Data))
			}
			if at := time.Since(start); at != time.Duration(i)*250*time.Millisecond {
				t.Errorf("frame %d at %v", i, at)
			}
			grays = append(grays, f.Data[0])
		}
		if want := []byte{60, 60, 120, 120, 200, 200}; !slices.Equal(grays, want) {
			t.Errorf("grays %v, want %v", grays, want)
		}
		if err := src.Read(t.Context(), new(capture.Frame)); !errors.Is(err, capture.ErrEnd) || err.Error() != "play photos: end of recording" {
			t.Errorf("after the last photo: %v", err)
		}
	})
}

func TestPhotosLoop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := open(t, threePhotos(t), replay.Options{Hold: 100 * time.Millisecond, Loop: true})
		var grays []byte
		for range 7 {
			grays = append(grays, read(t, src).Data[0])
		}
		if want := []byte{60, 120, 200, 60, 120, 200, 60}; !slices.Equal(grays, want) {
			t.Errorf("grays %v, want %v", grays, want)
		}
	})
}

func TestOnePhotoLoops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := open(t, filepath.Join(threePhotos(t), "b.png"), replay.Options{Hold: 100 * time.Millisecond, Loop: true})
		for range 3 {
			if g := read(t, src).Data[0]; g != 120 {
				t.Errorf("gray %d, want 120", g)
			}
		}
	})
}

func TestPhotosAreFittedIntoTheFrame(t *testing.T) {
	tests := []struct {
		name          string
		w, h          int // of the photo
		width, height int // of the frame
		inside        image.Rectangle
	}{
		{"same size", 40, 20, 40, 20, image.Rect(0, 0, 40, 20)},
		{"wide", 80, 20, 40, 30, image.Rect(0, 10, 40, 20)},
		{"tall", 20, 80, 40, 40, image.Rect(15, 0, 25, 40)},
		{"smaller", 10, 10, 40, 20, image.Rect(10, 0, 30, 20)},
		{"a line", 4000, 1, 40, 20, image.Rect(0, 9, 40, 10)},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			dir := folder(t, map[string][]byte{"a.png": asPNG(t, plain(test.w, test.h, 255))})
			f := read(t, open(t, dir, replay.Options{Width: test.width, Height: test.height}))
			if f.Width != test.width || f.Height != test.height {
				t.Fatalf("frame %dx%d", f.Width, f.Height)
			}
			for y := range f.Height {
				for x := range f.Width {
					want := byte(128)
					if (image.Point{x, y}).In(test.inside) {
						want = 255
					}
					if got := f.Data[y*f.Stride+3*x]; got != want {
						t.Fatalf("pixel (%d,%d) is %d, want %d", x, y, got, want)
					}
				}
			}
		})
	}
}

func TestUnreadablePhotosAreSkippedWithOneWarning(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		good := asJPEG(t, plain(8, 4, 60))
		dir := folder(t, map[string][]byte{
			"a.jpg": []byte("text"), "b.jpg": good, "c.jpg": good[:len(good)/2], "d.png": asPNG(t, plain(8, 4, 90)), "e.png": nil,
		})
		var log bytes.Buffer
		src := open(t, dir, replay.Options{
			Hold: 100 * time.Millisecond, Loop: true, Log: slog.New(slog.NewTextHandler(&log, nil)),
		})
		var grays []byte
		for range 6 {
			grays = append(grays, read(t, src).Data[0])
		}
		if want := []byte{60, 90, 60, 90, 60, 90}; !slices.Equal(grays, want) {
			t.Errorf("grays %v, want %v", grays, want)
		}
		if n := strings.Count(log.String(), "photo skipped"); n != 3 {
			t.Errorf("%d warnings, want 3:\n%s", n, log.String())
		}
		if !strings.Contains(log.String(), "this is not a picture: send a JPEG or PNG file") {
			t.Errorf("log without the reason:\n%s", log.String())
		}
	})
}

func TestFilmYieldsItsPicturesWithTheirThumbnails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		thumbnail := asJPEG(t, plain(8, 8, 10))
		a, c := asJPEG(t, plain(32, 16, 50)), asJPEG(t, plain(64, 16, 90))
		n := len(thumbnail) + 2
		b := slices.Concat(a[:2], []byte{0xFF, 0xE1, byte(n >> 8), byte(n)}, thumbnail, a[2:])
		path := film(t, a, []byte("\x00\x00 --boundary\xFF\xD8\x00"), b, make([]byte, 5000), c)
		src := open(t, path, replay.Options{FPS: 20})
		start := time.Now()
		for i, want := range [][]byte{a, b, c} {
			f := read(t, src)
			if f.Format != capture.JPEG || !bytes.Equal(f.Data, want) {
				t.Fatalf("frame %d: %v, %d bytes, want %d", i, f.Format, len(f.Data), len(want))
			}
			if w := []int{32, 32, 64}[i]; f.Width != w || f.Height != 16 {
				t.Errorf("frame %d: %dx%d", i, f.Width, f.Height)
			}
			if at := time.Since(start); at != time.Duration(i)*50*time.Millisecond {
				t.Errorf("frame %d at %v", i, at)
			}
		}
		if err := src.Read(t.Context(), new(capture.Frame)); !errors.Is(err, capture.ErrEnd) {
			t.Errorf("after the last picture: %v", err)
		}
	})
}

func TestFilmGoesOnAfterADamagedPicture(t *testing.T) {
	a, b := asJPEG(t, noise(32, 16)), asJPEG(t, plain(32, 16, 90))
	tests := []struct {
		name  string
		parts [][]byte
		want  string // g for a good frame, b for a damaged one
	}{
		{"cut in its scan", [][]byte{a, a[:len(a)-20], b}, "gbg"},
		{"cut in its header", [][]byte{a[:100], b}, "bg"},
		{"the last is cut", [][]byte{a, b[:len(b)-1]}, "gb"},
		{"first and last", [][]byte{a[:200], b, a[:len(a)/2]}, "bgb"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				src := open(t, film(t, test.parts...), replay.Options{})
				got := ""
				for !strings.HasSuffix(got, "e") {
					switch err := src.Read(t.Context(), new(capture.Frame)); {
					case err == nil:
						got += "g"
					case errors.Is(err, capture.ErrBadFrame):
						got += "b"
					case errors.Is(err, capture.ErrEnd):
						got += "e"
					default:
						t.Fatal(err)
					}
				}
				if got != test.want+"e" {
					t.Errorf("frames %q, want %q", got, test.want+"e")
				}
			})
		})
	}
}

// noise is a picture that compresses badly.
func noise(w, h int) image.Image {
	img := image.NewRGBA(image.Rect(0, 0, w, h))
	for i := range img.Pix {
		img.Pix[i] = byte(i * i * 7 >> 3)
	}
	return img
}

// The film is longer than the memory that one picture may take.
func TestFilmIsStreamed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pic := asJPEG(t, noise(256, 256))
		n := 40<<20/len(pic) + 1
		src := open(t, film(t, bytes.Repeat(pic, n)), replay.Options{FPS: 1000})
		f := new(capture.Frame)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for i := range n {
			if err := src.Read(t.Context(), f); err != nil {
				t.Fatalf("frame %d of %d: %v", i, n, err)
			}
		}
		runtime.ReadMemStats(&after)
		if used := after.TotalAlloc - before.TotalAlloc; used > 1<<20 {
			t.Errorf("%d bytes were allocated for a film of %d pictures of %d bytes", used, n, len(pic))
		}
	})
}

func TestALateReaderDoesNotShiftTheBeat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := open(t, threePhotos(t), replay.Options{FPS: 10, Loop: true})
		start := time.Now()
		var at []time.Duration
		for _, busy := range []int{0, 30, 90, 10, 350, 0, 0} { // ms that the reader takes
			read(t, src)
			at = append(at, time.Since(start).Round(time.Millisecond))
			time.Sleep(time.Duration(busy) * time.Millisecond)
		}
		ms := func(n int) time.Duration { return time.Duration(n) * time.Millisecond }
		if want := []time.Duration{0, ms(100), ms(200), ms(300), ms(400), ms(750), ms(850)}; !slices.Equal(at, want) {
			t.Errorf("frames at %v, want %v", at, want)
		}
	})
}

func TestOpenSaysWhatIsWrong(t *testing.T) {
	dir := folder(t, map[string][]byte{
		"text.jpg": []byte("text"), "empty.mjpeg": nil, "noise.mjpeg": bytes.Repeat([]byte("noise"), 5000),
		"film.mp4": []byte("x"), "bad/a.jpg": []byte("text"), "bad/b.png": nil, "none/readme.txt": nil, "a.png": asPNG(t, plain(2, 2, 0)),
	})
	if err := syscall.Mkfifo(filepath.Join(dir, "pipe.mjpeg"), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		path string
		o    replay.Options
		want string // DIR stands for the folder
	}{
		{"text.jpg", replay.Options{}, "play DIR/text.jpg: read photo: this is not a picture: send a JPEG or PNG file"},
		{"empty.mjpeg", replay.Options{}, "play DIR/empty.mjpeg: the file holds no JPEG picture"},
		{"noise.mjpeg", replay.Options{}, "play DIR/noise.mjpeg: the file holds no JPEG picture"},
		{"film.mp4", replay.Options{}, "play DIR/film.mp4: .mp4 films cannot be played: convert it with `ffmpeg -i FILM.mp4 -c:v mjpeg -q:v 3 film.mjpeg`"},
		{"bad", replay.Options{}, "play DIR/bad: none of the folder's photos can be read: the log says why"},
		{"none", replay.Options{}, "play DIR/none: the folder holds no photo: put .jpg or .png files into it"},
		{"pipe.mjpeg", replay.Options{}, "play DIR/pipe.mjpeg: it is neither a file nor a folder"},
		{"gone.jpg", replay.Options{}, "camera not found: stat DIR/gone.jpg: no such file or directory"},
		{"a.png", replay.Options{FPS: -1}, "play DIR/a.png: -1 frames a second: set more than 0 and at most 1000"},
		{"a.png", replay.Options{Width: 640}, "play DIR/a.png: size 640x0: set both width and height, or neither"},
	}
	for _, test := range tests {
		t.Run(fmt.Sprint(test.path, test.o.FPS, test.o.Width), func(t *testing.T) {
			_, err := replay.Open(filepath.Join(dir, test.path), test.o)
			if err == nil {
				t.Fatal("no error")
			}
			if got := strings.ReplaceAll(err.Error(), dir, "DIR"); got != test.want {
				t.Errorf("Open:  %s\nwant: %s", got, test.want)
			}
		})
	}
}
