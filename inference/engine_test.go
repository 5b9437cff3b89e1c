package inference_test

import (
	"encoding/json"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/jpeg"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	xdraw "golang.org/x/image/draw"

	"facerecd/cross/testkit"
	"facerecd/inference"
	"facerecd/inference/litert"
)

func newEngine(t testing.TB) *inference.Engine {
	t.Helper()
	e, err := openPack(t, testkit.Models(t))
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// openPack opens the pack of a folder until the test ends.
func openPack(t testing.TB, dir string) (*inference.Engine, error) {
	t.Helper()
	pack, err := inference.LoadPack(dir)
	if err != nil {
		t.Fatal(err)
	}
	return open(t, pack)
}

// openMode opens the shipped pack in a mode, until the test ends.
func openMode(t testing.TB, mode inference.Mode) *inference.Engine {
	t.Helper()
	pack, err := inference.LoadPack(testkit.Models(t))
	if err != nil {
		t.Fatal(err)
	}
	if pack, err = pack.With(mode); err != nil {
		t.Fatal(err)
	}
	e, err := open(t, pack)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func open(t testing.TB, pack *inference.Pack) (*inference.Engine, error) {
	t.Helper()
	library, err := litert.Load(testkit.Runtime(t))
	if err != nil {
		t.Fatal(err)
	}
	open := func(file inference.ModelFile) inference.Network {
		model, err := pack.Read(file)
		if err != nil {
			t.Fatal(err)
		}
		m, err := library.Open(model, litert.Options{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := m.Close(); err != nil {
				t.Error(err)
			}
		})
		return m
	}
	return inference.NewEngine(pack, open(pack.Models.Detector), open(pack.Models.Landmarks), open(pack.Models.Embedding))
}

func photo(t testing.TB, name string) image.Image {
	t.Helper()
	f, err := os.Open(filepath.Join(testkit.Photos(t), name))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	m, err := jpeg.Decode(f)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// scaled is a picture drawn into a frame of the given size, at a place.
func scaled(frame *image.RGBA, m image.Image, at image.Rectangle) {
	xdraw.CatmullRom.Scale(frame, at, m, m.Bounds(), draw.Src, nil)
}

func faces(t testing.TB, e *inference.Engine, v inference.View) []inference.Face {
	t.Helper()
	f, err := e.Faces(v)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func cosine(a, b []float32) float64 {
	var sum float64
	for i := range a {
		sum += float64(a[i]) * float64(b[i])
	}
	return sum
}

// The golden file comes from models/build/golden.py, which takes the same
// photos through the numpy pipeline and LiteRT's Python interpreter. JPEG
// decoders differ in a level here and there, and arm64 fuses multiply-adds,
// so the comparison allows a hundredth of a face (two for the detector's own
// keypoints, which nothing uses and which int8 makes coarse).
func TestPhotosGiveWhatThePythonPipelineGives(t *testing.T) {
	var golden struct {
		Images map[string]struct {
			Size       [2]int
			Detections int
			Box        [4]float64
			Score      float64
			Keypoints  [6][2]float64
			Landmarks  [5][2]float64
			Prob       float64 `json:"probability"`
			Embedding  []float32
		}
	}
	text, err := os.ReadFile("testdata/golden.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &golden); err != nil {
		t.Fatal(err)
	}
	if len(golden.Images) < 3 {
		t.Fatalf("golden file has %d images", len(golden.Images))
	}
	e := newEngine(t)
	for name, want := range golden.Images {
		got := faces(t, e, inference.FromImage(photo(t, name)))
		if len(got) != want.Detections {
			t.Errorf("%s: %d faces, want %d", name, len(got), want.Detections)
			continue
		}
		f, side := got[0], max(want.Box[2], want.Box[3])
		near := func(what string, tolerance float64, x, y float32, want [2]float64) {
			t.Helper()
			if math.Hypot(float64(x)-want[0], float64(y)-want[1]) > tolerance*side {
				t.Errorf("%s: %s at (%.1f, %.1f), want (%.1f, %.1f)", name, what, x, y, want[0], want[1])
			}
		}
		near("box corner", 0.01, f.Box.X, f.Box.Y, [2]float64{want.Box[0], want.Box[1]})
		near("box size", 0.01, f.Box.Width, f.Box.Height, [2]float64{want.Box[2], want.Box[3]})
		for i, p := range want.Keypoints {
			near(fmt.Sprint("keypoint ", i), 0.02, f.Keypoints[i].X, f.Keypoints[i].Y, p)
		}
		for i, p := range want.Landmarks {
			near(fmt.Sprint("landmark ", i), 0.01, f.Landmarks[i].X, f.Landmarks[i].Y, p)
		}
		if math.Abs(float64(f.Score)-want.Score) > 0.02 || math.Abs(float64(f.Probability)-want.Prob) > 0.02 {
			t.Errorf("%s: score %.3f and probability %.3f, want %.3f and %.3f", name, f.Score, f.Probability, want.Score, want.Prob)
		}
		if c := cosine(f.Embedding, want.Embedding); c < 0.99 {
			t.Errorf("%s: cosine with the Python embedding %.4f", name, c)
		}
		if c := cosine(f.Embedding, f.Embedding); math.Abs(c-1) > 1e-5 {
			t.Errorf("%s: length of the embedding %.6f", name, c)
		}
	}
}

func TestOnePersonIsCloserThanAnother(t *testing.T) {
	e := newEngine(t)
	embed := func(name string) []float32 { return faces(t, e, inference.FromImage(photo(t, name)))[0].Embedding }
	obama, obama2, obama3, biden := embed("obama.jpg"), embed("obama2.jpg"), embed("obama3.jpg"), embed("biden.jpg")
	for _, same := range []float64{cosine(obama, obama2), cosine(obama, obama3), cosine(obama2, obama3)} {
		if same < 0.65 {
			t.Errorf("two photos of one person: cosine %.3f", same)
		}
	}
	if other := cosine(obama, biden); other > 0.25 {
		t.Errorf("two people: cosine %.3f", other)
	}
}

// street is a frame with three faces of different sizes.
func street(t testing.TB) (*image.RGBA, []image.Rectangle) {
	frame := image.NewRGBA(image.Rect(0, 0, 1280, 720))
	draw.Draw(frame, frame.Rect, image.NewUniform(color.RGBA{90, 110, 100, 255}), image.Point{}, draw.Src)
	places := []image.Rectangle{
		image.Rect(20, 60, 20+455, 60+568),
		image.Rect(560, 200, 560+228, 200+518),
		image.Rect(900, 120, 900+364, 120+455),
	}
	for i, name := range []string{"obama.jpg", "biden.jpg", "obama3.jpg"} {
		scaled(frame, photo(t, name), places[i])
	}
	return frame, places
}

func TestEveryFaceOfAFrameIsFound(t *testing.T) {
	frame, places := street(t)
	got := faces(t, newEngine(t), inference.FromImage(frame))
	if len(got) != len(places) {
		t.Fatalf("%d faces, want %d", len(got), len(places))
	}
	for _, place := range places {
		if !slices.ContainsFunc(got, func(f inference.Face) bool {
			c := f.Box.Centre()
			return image.Pt(int(c.X), int(c.Y)).In(place)
		}) {
			t.Errorf("no face in %v", place)
		}
	}
	if !slices.IsSortedFunc(got, func(a, b inference.Face) int { return int(b.Box.Width - a.Box.Width) }) {
		t.Error("the largest face is not first")
	}
}

// A camera's own layouts give the same person as the decoded photo.
func TestFaceIsTheSameInEveryLayout(t *testing.T) {
	e := newEngine(t)
	frame := image.NewRGBA(image.Rect(0, 0, 640, 480))
	scaled(frame, photo(t, "obama.jpg"), image.Rect(128, 0, 128+384, 480))
	want := faces(t, e, inference.FromImage(frame))[0]
	w, h := 640, 480
	yuyv, nv12, i420 := make([]byte, 2*w*h), make([]byte, w*h*3/2), make([]byte, w*h*3/2)
	rgb := make([]byte, 3*w*h)
	for y := range h {
		for x := range w {
			c := frame.RGBAAt(x, y)
			copy(rgb[3*(y*w+x):], []byte{c.R, c.G, c.B})
			luma, cb, cr := color.RGBToYCbCr(c.R, c.G, c.B)
			vy := byte(16 + int(luma)*219/255)
			vcb, vcr := byte(128+(int(cb)-128)*224/255), byte(128+(int(cr)-128)*224/255)
			yuyv[2*(y*w+x)], nv12[y*w+x], i420[y*w+x] = vy, vy, vy
			yuyv[4*((y*w+x)/2)+1], yuyv[4*((y*w+x)/2)+3] = vcb, vcr
			at := y/2*(w/2) + x/2
			nv12[w*h+2*at], nv12[w*h+2*at+1] = vcb, vcr
			i420[w*h+at], i420[w*h+w*h/4+at] = vcb, vcr
		}
	}
	views := map[string]func() (inference.View, error){
		"YUYV": func() (inference.View, error) { return inference.YUYV(yuyv, w, h, 2*w) },
		"NV12": func() (inference.View, error) { return inference.NV12(nv12, w, h, w) },
		"I420": func() (inference.View, error) { return inference.I420(i420, w, h, w) },
		"RGB":  func() (inference.View, error) { return inference.RGB(rgb, w, h, 3*w) },
	}
	for name, view := range views {
		v, err := view()
		if err != nil {
			t.Fatal(err)
		}
		got := faces(t, e, v)
		if len(got) != 1 {
			t.Errorf("%s: %d faces", name, len(got))
			continue
		}
		if iou := got[0].Box.IoU(want.Box); iou < 0.95 {
			t.Errorf("%s: box %v, in RGBA %v", name, got[0].Box, want.Box)
		}
		if c := cosine(got[0].Embedding, want.Embedding); c < 0.97 {
			t.Errorf("%s: cosine %.3f with the face in RGBA", name, c)
		}
	}
}

func TestNothingIsFoundWhereNobodyIs(t *testing.T) {
	e := newEngine(t)
	for name, m := range map[string]image.Image{
		"black":   image.NewGray(image.Rect(0, 0, 640, 480)),
		"uniform": image.NewUniform(color.RGBA{200, 180, 160, 255}),
		"pixel":   image.NewGray(image.Rect(0, 0, 1, 1)),
		"sliver":  image.NewGray(image.Rect(0, 0, 4000, 1)),
	} {
		if u, ok := m.(*image.Uniform); ok {
			solid := image.NewRGBA(image.Rect(0, 0, 320, 240))
			draw.Draw(solid, solid.Rect, u, image.Point{}, draw.Src)
			m = solid
		}
		if got := faces(t, e, inference.FromImage(m)); len(got) != 0 {
			t.Errorf("%s: %d faces", name, len(got))
		}
	}
}

func TestPoorFacesSayWhy(t *testing.T) {
	e := newEngine(t)
	original := photo(t, "obama.jpg")
	frame := func(m image.Image, width, height int) *image.RGBA {
		f := image.NewRGBA(image.Rect(0, 0, 640, 480))
		scaled(f, m, image.Rect(100, 0, 100+width, height))
		return f
	}
	tone := func(m *image.RGBA, gain, lift float64) *image.RGBA {
		for i := range m.Pix {
			if i%4 != 3 {
				m.Pix[i] = byte(min(max(float64(m.Pix[i])*gain+lift, 0), 255))
			}
		}
		return m
	}
	small := frame(original, 24, 30)
	blurred := image.NewRGBA(small.Rect)
	xdraw.BiLinear.Scale(blurred, blurred.Rect, frame(original, 384, 480), blurred.Rect, draw.Src, nil)
	tiny := image.NewRGBA(image.Rect(0, 0, 44, 33))
	xdraw.ApproxBiLinear.Scale(tiny, tiny.Rect, blurred, blurred.Rect, draw.Src, nil)
	xdraw.BiLinear.Scale(blurred, blurred.Rect, tiny, tiny.Rect, draw.Src, nil)
	for _, c := range []struct {
		name string
		m    image.Image
		want inference.Reason // "": none
	}{
		{"good", frame(original, 384, 480), ""},
		{"blurred", blurred, inference.Blurred},
		{"dark", tone(frame(original, 384, 480), 0.16, 0), inference.Dark},
		{"flat", tone(frame(original, 384, 480), 0.15, 110), inference.Flat},
		{"small", frame(original, 104, 130), inference.Small},
	} {
		v := inference.FromImage(c.m)
		found, err := e.Detect(v)
		if err != nil {
			t.Fatal(err)
		}
		if len(found) == 0 {
			t.Errorf("%s: not detected at all", c.name)
			continue
		}
		f, err := e.Locate(v, found[0])
		if err != nil {
			t.Fatal(err)
		}
		if c.want == "" && (len(f.Quality.Reasons) > 0 || f.Quality.Score < 0.9) || c.want != "" && !slices.Contains(f.Quality.Reasons, c.want) {
			t.Errorf("%s: %+v, want reason %q", c.name, f.Quality, c.want)
		}
	}
}

func TestEmbeddingNeedsAnAlignedFace(t *testing.T) {
	if err := newEngine(t).Embed(&inference.Face{}); err == nil || err.Error() != "embed face: it has no aligned picture" {
		t.Error(err)
	}
}

// cameraFrame is a portrait as a camera sends it: YUYV, 640x480.
func cameraFrame(t testing.TB, name string) inference.View {
	t.Helper()
	const w, h = 640, 480
	frame := image.NewRGBA(image.Rect(0, 0, w, h))
	scaled(frame, photo(t, name), image.Rect(128, 0, 128+384, h))
	pix := make([]byte, 0, 2*w*h)
	for i := 0; i < len(frame.Pix); i += 8 {
		y0, cb, cr := color.RGBToYCbCr(frame.Pix[i], frame.Pix[i+1], frame.Pix[i+2])
		y1, _, _ := color.RGBToYCbCr(frame.Pix[i+4], frame.Pix[i+5], frame.Pix[i+6])
		pix = append(pix, y0, cb, y1, cr)
	}
	v, err := inference.YUYV(pix, w, h, 2*w)
	if err != nil {
		t.Fatal(err)
	}
	v.Levels = inference.LevelsFull
	return v
}

func BenchmarkStages(b *testing.B) {
	e := newEngine(b)
	v := cameraFrame(b, "obama.jpg")
	found, err := e.Detect(v)
	if err != nil || len(found) != 1 {
		b.Fatal(len(found), err)
	}
	face := found[0]
	b.Run("detect", func(b *testing.B) {
		for b.Loop() {
			if _, err := e.Detect(v); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("locate", func(b *testing.B) {
		for b.Loop() {
			if _, err := e.Locate(v, face); err != nil {
				b.Fatal(err)
			}
		}
	})
	f, err := e.Locate(v, face)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("embed", func(b *testing.B) {
		for b.Loop() {
			if err := e.Embed(&f); err != nil {
				b.Fatal(err)
			}
		}
	})
}
