package mjpeg_test

import (
	"bytes"
	"errors"
	"image"
	stdjpeg "image/jpeg"
	"io"
	"slices"
	"testing"
	"testing/iotest"

	"facerecd/capture"
	"facerecd/capture/jpeg"
	"facerecd/capture/mjpeg"
)

// picture is a JPEG file of w x h whose bytes depend on seed.
func picture(t testing.TB, w, h, seed int) []byte {
	t.Helper()
	img := image.NewRGBA(image.Rect(0, 0, w, h))
	for i := range img.Pix {
		img.Pix[i] = byte(i * (i + seed) * 7 >> 3)
	}
	var b bytes.Buffer
	if err := stdjpeg.Encode(&b, img, nil); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// withSegment puts an APP1 segment with the payload into a picture.
func withSegment(pic, payload []byte) []byte {
	n := len(payload) + 2
	return slices.Concat(pic[:2], []byte{0xFF, 0xE1, byte(n >> 8), byte(n)}, payload, pic[2:])
}

// pictures reads the stream to its end: the whole pictures, and how many were
// damaged.
func pictures(t testing.TB, r io.Reader) (whole [][]byte, damaged int, end error) {
	t.Helper()
	in := mjpeg.NewReader(r)
	for {
		var f capture.Frame
		switch err := in.Next(&f); {
		case err == nil:
			if f.Format != capture.JPEG || f.Stride != 0 || f.Width <= 0 || f.Height <= 0 {
				t.Fatalf("frame %v %dx%d, stride %d", f.Format, f.Width, f.Height, f.Stride)
			}
			whole = append(whole, f.Data)
		case errors.Is(err, capture.ErrBadFrame):
			damaged++
		case errors.Is(err, io.EOF):
			return whole, damaged, nil
		default:
			return whole, damaged, err
		}
	}
}

func TestReaderFindsEachWholePicture(t *testing.T) {
	a, b := picture(t, 32, 16, 1), picture(t, 48, 24, 2)
	thumbnail := picture(t, 8, 8, 3)
	restarts := withRestartMarkers(t, a)
	part := []byte("\r\n--frame\r\nContent-Type: image/jpeg\r\nContent-Length: 1\r\n\r\n")
	tests := []struct {
		name    string
		stream  [][]byte
		want    [][]byte
		damaged int
	}{
		{"one after the other", [][]byte{a, b, a}, [][]byte{a, b, a}, 0},
		{"nothing", nil, nil, 0},
		{"text only", [][]byte{part, part}, nil, 0},
		{"headers with a wrong length", [][]byte{part, a, part, b, part}, [][]byte{a, b}, 0},
		{"a thumbnail in a segment", [][]byte{withSegment(a, thumbnail), b}, [][]byte{withSegment(a, thumbnail), b}, 0},
		{"end markers in a segment", [][]byte{withSegment(a, bytes.Repeat([]byte{0xFF, 0xD9}, 9)), b}, [][]byte{withSegment(a, bytes.Repeat([]byte{0xFF, 0xD9}, 9)), b}, 0},
		{"restart markers", [][]byte{restarts, b}, [][]byte{restarts, b}, 0},
		{"zeros between", [][]byte{a, make([]byte, 5000), b}, [][]byte{a, b}, 0},
		{"markers between", [][]byte{a, {0xFF, 0xD9, 0xFF, 0xD8, 0x00, 0xFF}, b}, [][]byte{a, b}, 0},
		{"started in mid-picture", [][]byte{a[200:], b}, [][]byte{b}, 0},
		{"one cut short", [][]byte{a[:len(a)-30], b}, [][]byte{b}, 1},
		{"the last cut short", [][]byte{a, b[:len(b)-1]}, [][]byte{a}, 1},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			stream := slices.Concat(test.stream...)
			for name, r := range map[string]io.Reader{
				"whole": bytes.NewReader(stream), "byte by byte": iotest.OneByteReader(bytes.NewReader(stream)),
			} {
				got, damaged, err := pictures(t, r)
				if err != nil || damaged != test.damaged || !slices.EqualFunc(got, test.want, bytes.Equal) {
					t.Errorf("%s: %d pictures, %d damaged, %v; want %d, %d", name, len(got), damaged, err, len(test.want), test.damaged)
				}
			}
		})
	}
}

// withRestartMarkers puts stuffed bytes, restart markers and fill bytes before
// the end of a picture's scan; it is not to be decoded.
func withRestartMarkers(t *testing.T, pic []byte) []byte {
	t.Helper()
	cut := len(pic) - 2
	return slices.Concat(pic[:cut], []byte{0xFF, 0xD0, 1, 0xFF, 0x00, 0xD9, 0xFF, 0xD7, 0xFF, 0xFF, 0x00}, pic[cut:])
}

func TestReaderReusesTheFramesMemory(t *testing.T) {
	a := picture(t, 32, 16, 1)
	in := mjpeg.NewReader(bytes.NewReader(slices.Concat(a, a)))
	f := capture.Frame{Data: make([]byte, 0, 1<<16)}
	want := &f.Data[:1][0]
	for range 2 {
		if err := in.Next(&f); err != nil {
			t.Fatal(err)
		}
		if &f.Data[0] != want {
			t.Error("Next allocated although the frame had room")
		}
	}
}

// endless is a picture that does not end.
type endless struct{ start []byte }

func (e *endless) Read(p []byte) (int, error) {
	n := copy(p, e.start)
	e.start = e.start[n:]
	clear(p[n:])
	return len(p), nil
}

func TestAPictureThatDoesNotEndIsAnError(t *testing.T) {
	a := picture(t, 32, 16, 1)
	got, _, err := pictures(t, &endless{start: slices.Concat(a, a[:len(a)-2])})
	if len(got) != 1 || err == nil || err.Error() != "a picture of more than 16 MiB" {
		t.Errorf("%d pictures, %v", len(got), err)
	}
}

// A large picture that arrives in small pieces is walked once, not once for
// each piece, which would take minutes here.
func TestAPictureInSmallPiecesIsWalkedOnce(t *testing.T) {
	a := picture(t, 32, 16, 1)
	for name, filling := range map[string][]byte{
		"coded data":                 bytes.Repeat([]byte{0xFF, 0x00, 0x12, 0x34}, 2<<20),
		"fill bytes before a marker": append([]byte{0xFF, 0xDC, 0, 2}, bytes.Repeat([]byte{0xFF}, 15<<20)...),
	} {
		big := slices.Concat(a[:len(a)-2], filling, a[len(a)-2:])
		got, damaged, err := pictures(t, &pieces{big})
		if len(got) != 1 || damaged != 0 || err != nil || !bytes.Equal(got[0], big) {
			t.Errorf("%s: %d pictures, %d damaged, %v", name, len(got), damaged, err)
		}
	}
}

// pieces hands out 512 bytes at a time.
type pieces struct{ rest []byte }

func (p *pieces) Read(b []byte) (int, error) {
	if len(p.rest) == 0 {
		return 0, io.EOF
	}
	n := copy(b[:min(len(b), 512)], p.rest)
	p.rest = p.rest[n:]
	return n, nil
}

// What is found does not depend on the pieces in which the stream arrives, and
// is in the stream, in order.
func FuzzReader(f *testing.F) {
	a := picture(f, 16, 8, 1)
	f.Add(slices.Concat(a, []byte("--frame\r\n\r\n"), withSegment(a, a), a[:len(a)-9], a))
	f.Fuzz(func(t *testing.T, data []byte) {
		got, _, err := pictures(t, bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		slow, _, err := pictures(t, iotest.OneByteReader(bytes.NewReader(data)))
		if err != nil || !slices.EqualFunc(got, slow, bytes.Equal) {
			t.Fatalf("%d pictures at once, %d byte by byte: %v", len(got), len(slow), err)
		}
		rest := data
		for _, pic := range got {
			at := bytes.Index(rest, pic)
			if at < 0 || !jpeg.Complete(pic) {
				t.Fatalf("%q is not a picture of the stream", pic)
			}
			rest = rest[at+len(pic):]
		}
	})
}
