package live

import (
	"bytes"
	"image"
	"image/color"
	stdjpeg "image/jpeg"
	"math"
	"testing"
	"time"

	"facerecd/capture/jpeg"
	"facerecd/inference"
)

// see encodes a frame as for one watcher, and decodes what that one gets.
func see(t testing.TB, f Frame, o Overlay) (file []byte, img image.Image) {
	t.Helper()
	p, err := newShot(f, map[Overlay]int{o: 1}).picture(o)
	if err != nil {
		t.Fatal(err)
	}
	img, err = stdjpeg.Decode(bytes.NewReader(p.JPEG))
	if err != nil {
		t.Fatal(err)
	}
	return p.JPEG, img
}

func jpegOf(t testing.TB, img image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := stdjpeg.Encode(&b, img, &stdjpeg.Options{Quality: 90}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// withoutTables is a JPEG as UVC cameras send it.
func withoutTables(file []byte) []byte {
	out := bytes.Clone(file[:2])
	at := 2
	for marker, p := range jpeg.Segments(file) {
		n := len(p) + 4
		if marker != 0xC4 {
			out = append(out, file[at:at+n]...)
		}
		at += n
	}
	return append(out, file[at:]...)
}

// must takes the View of a constructor.
func must(v inference.View, err error) inference.View {
	if err != nil {
		panic(err)
	}
	return v
}

// flat is a frame of one colour in every layout, with padded rows.
func flat(c color.RGBA, width, height int) map[string]inference.View {
	y, cb, cr := video(c)
	repeat := func(n int, b ...byte) []byte { return bytes.Repeat(b, n) }
	cw, ch := (width+1)/2, (height+1)/2
	yuyv := bytes.Repeat(append(repeat(cw, y, cb, y, cr), 1, 2, 3, 4), height)
	luma := bytes.Repeat(append(repeat(width, y), make([]byte, cw*2+2-width)...), height)
	stride := cw*2 + 2
	nv12 := append(bytes.Clone(luma), bytes.Repeat(append(repeat(cw, cb, cr), 7, 7), ch)...)
	i420 := append(bytes.Clone(luma), bytes.Repeat(append(repeat(cw, cb), 7), ch)...)
	i420 = append(i420, bytes.Repeat(append(repeat(cw, cr), 7), ch)...)
	return map[string]inference.View{
		"YUYV": must(inference.YUYV(yuyv, width, height, 4*cw+4)),
		"NV12": must(inference.NV12(nv12, width, height, stride)),
		"I420": must(inference.I420(i420, width, height, stride)),
		"RGB":  must(inference.RGB(repeat(width*height, c.R, c.G, c.B), width, height, 3*width)),
		"gray": must(inference.Gray(luma, width, height, stride)),
	}
}

// video is a colour in BT.601 with limited range, by its definition.
func video(c color.RGBA) (y, cb, cr byte) {
	r, g, b := float64(c.R)/255, float64(c.G)/255, float64(c.B)/255
	luma := 0.299*r + 0.587*g + 0.114*b
	return byte(math.Round(16 + 219*luma)), byte(math.Round(128 + 112*(b-luma)/0.886)), byte(math.Round(128 + 112*(r-luma)/0.701))
}

func TestColoursAreRightInEveryFormat(t *testing.T) {
	const tolerance = 4
	for _, c := range []color.RGBA{
		{255, 255, 255, 255}, {0, 0, 0, 255}, {128, 128, 128, 255}, // 16..235 shown as it is would be 235 and 16
		{255, 0, 0, 255}, {0, 255, 0, 255}, {0, 0, 255, 255}, {200, 120, 90, 255},
	} {
		for format, v := range flat(c, 37, 23) { // odd: the last chroma samples are for half as many pixels
			for _, degrees := range []int{0, 90} {
				turner := inference.Turner{Turn: inference.Turn{Degrees: degrees}}
				v := turner.View(v)
				_, img := see(t, Frame{View: v}, Overlay{})
				if size := img.Bounds().Size(); size != image.Pt(v.Width, v.Height) {
					t.Fatalf("%s: %v, want %dx%d", format, size, v.Width, v.Height)
				}
				want := [3]uint8{c.R, c.G, c.B}
				if format == "gray" {
					l := color.GrayModel.Convert(c).(color.Gray).Y
					want = [3]uint8{l, l, l}
				}
				for _, at := range []image.Point{{0, 0}, {11, 9}, {v.Width - 1, v.Height - 1}} {
					r, g, b, _ := img.At(at.X, at.Y).RGBA()
					for i, got := range []uint32{r >> 8, g >> 8, b >> 8} {
						if d := int(got) - int(want[i]); d < -tolerance || d > tolerance {
							t.Errorf("%s turned by %d: at %v %d %d %d, want %v", format, degrees, at, r>>8, g>>8, b>>8, want)
							break
						}
					}
				}
			}
		}
	}
}

// Pictures where every pixel is its own catch planes that are mixed up.
func TestEveryLayoutOfChromaKeepsItsPlaces(t *testing.T) {
	for _, ratio := range []image.YCbCrSubsampleRatio{
		image.YCbCrSubsampleRatio444, image.YCbCrSubsampleRatio422, image.YCbCrSubsampleRatio420,
		image.YCbCrSubsampleRatio440, image.YCbCrSubsampleRatio411, image.YCbCrSubsampleRatio410,
	} {
		src := image.NewYCbCr(image.Rect(0, 0, 32, 16), ratio)
		for i := range src.Y {
			src.Y[i] = byte(i * 7)
		}
		for i := range src.Cb {
			src.Cb[i], src.Cr[i] = byte(i*5), byte(i*11)
		}
		for _, degrees := range []int{0, 90, 180, 270} {
			turner := inference.Turner{Turn: inference.Turn{Degrees: degrees}}
			got := planar(keep(turner.View(inference.FromImage(src))))
			for y := range 16 {
				for x := range 32 {
					to := map[int]image.Point{0: {x, y}, 90: {15 - y, x}, 180: {31 - x, 15 - y}, 270: {y, 31 - x}}[degrees]
					if g, w := got.YCbCrAt(to.X, to.Y), src.YCbCrAt(x, y); g != w {
						t.Fatalf("%v turned by %d: at %d,%d %v, want %v", ratio, degrees, x, y, g, w)
					}
				}
			}
		}
	}
}

func TestACamerasJPEGIsPassedThrough(t *testing.T) {
	img := image.NewYCbCr(image.Rect(0, 0, 64, 48), image.YCbCrSubsampleRatio422)
	for i := range img.Y {
		img.Y[i] = byte(i)
	}
	whole := jpegOf(t, img)
	exif := append(append(bytes.Clone(whole[:2]), 0xFF, 0xE1, 0, 8, 'E', 'x', 'i', 'f', 0, 0), whole[2:]...)
	for _, tt := range []struct {
		name string
		file []byte
		want []byte // nil: encoded anew
	}{
		{"ordinary", whole, whole},
		{"padded", append(bytes.Clone(whole), make([]byte, 99)...), whole},
		{"without tables", withoutTables(whole), whole},
		{"with orientation", exif, nil},
		{"cut short", whole[:len(whole)-9], nil},
		{"none", nil, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := Frame{At: time.Now(), View: inference.FromImage(img), JPEG: tt.file}
			file, got := see(t, f, Overlay{})
			if got.Bounds() != img.Rect {
				t.Errorf("it shows %v", got.Bounds())
			}
			if tt.name == "without tables" { // they stand elsewhere
				if len(file) < len(whole)-50 || len(file) > len(whole)+50 {
					t.Errorf("%d bytes, want about %d", len(file), len(whole))
				}
				same(t, got, decode(t, whole), 0)
				return
			}
			if tt.want != nil && !bytes.Equal(file, tt.want) {
				t.Errorf("%d bytes, want %d", len(file), len(tt.want))
			}
			if tt.want == nil && (bytes.Equal(file, tt.file) || bytes.Contains(file, []byte("Exif"))) {
				t.Error("it was passed through")
			}
		})
	}
	f := Frame{View: inference.FromImage(img), JPEG: whole, Faces: []Face{{Box: image.Rect(9, 9, 30, 30)}}}
	if file, _ := see(t, f, Overlay{Boxes: true}); bytes.Equal(file, whole) {
		t.Error("with an overlay, it was passed through")
	}
}

func decode(t testing.TB, file []byte) image.Image {
	t.Helper()
	img, err := stdjpeg.Decode(bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	return img
}

// same compares two pictures, of which each channel may differ by tolerance.
func same(t testing.TB, got, want image.Image, tolerance int) {
	t.Helper()
	if got.Bounds().Size() != want.Bounds().Size() {
		t.Fatalf("%v, want %v", got.Bounds(), want.Bounds())
	}
	wrong := 0
	var first image.Point
	for y := range want.Bounds().Dy() {
		for x := range want.Bounds().Dx() {
			gr, gg, gb, _ := got.At(x, y).RGBA()
			wr, wg, wb, _ := want.At(x, y).RGBA()
			for _, d := range []int{int(gr>>8) - int(wr>>8), int(gg>>8) - int(wg>>8), int(gb>>8) - int(wb>>8)} {
				if d < -tolerance || d > tolerance {
					if wrong == 0 {
						first = image.Pt(x, y)
					}
					wrong++
					break
				}
			}
		}
	}
	if wrong > 0 {
		t.Errorf("%d pixels differ, the first at %v", wrong, first)
	}
}
