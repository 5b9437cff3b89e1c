package inference_test

import (
	"encoding/binary"
	"image"
	"image/color"
	"image/draw"
	"math"
	"testing"

	"facerecd/cross/testkit"
	"facerecd/inference"
)

// A face whose box is 32 pixels wide, in a corner of a large frame.
func TestTiledFindsASmallFaceThatFullMisses(t *testing.T) {
	portrait := photo(t, "obama.jpg")
	full := openMode(t, inference.Full)
	whole := faces(t, full, inference.FromImage(portrait))[0]
	frame := image.NewRGBA(image.Rect(0, 0, 1280, 720))
	draw.Draw(frame, frame.Rect, image.NewUniform(color.RGBA{90, 110, 100, 255}), image.Point{}, draw.Src)
	scale := 32 / float64(whole.Box.Width)
	size := portrait.Bounds().Size()
	at := image.Rect(1100, 560, 1100+int(float64(size.X)*scale), 560+int(float64(size.Y)*scale))
	scaled(frame, portrait, at)
	s := float32(scale)
	want := inference.Box{X: 1100 + whole.Box.X*s, Y: 560 + whole.Box.Y*s, Width: whole.Box.Width * s, Height: whole.Box.Height * s}

	view := inference.FromImage(frame)
	for _, mode := range []inference.Mode{inference.Short, inference.Full} {
		if found, err := openMode(t, mode).Detect(view); err != nil || len(found) != 0 {
			t.Errorf("%s: %d faces, %v", mode, len(found), err)
		}
	}
	found := faces(t, openMode(t, inference.Tiled), view)
	if len(found) != 1 || found[0].Box.IoU(want) < 0.6 {
		t.Fatalf("%d faces, want one at %v: %v", len(found), want, found)
	}
	if c := cosine(found[0].Embedding, whole.Embedding); c < 0.3 {
		t.Errorf("the small face is %.2f like the large one", c)
	}
}

func TestEveryModeFindsALargeFaceOnce(t *testing.T) {
	frame, _ := street(t)
	view := inference.FromImage(frame)
	want := faces(t, openMode(t, inference.Full), view)
	got := faces(t, openMode(t, inference.Tiled), view)
	if len(got) != len(want) {
		t.Fatalf("tiled: %d faces, full: %d", len(got), len(want))
	}
	for i := range want {
		if got[i].Box.IoU(want[i].Box) < 0.7 {
			t.Errorf("tiled sees %v where full sees %v", got[i].Box, want[i].Box)
		}
	}
	portrait := inference.FromImage(photo(t, "obama.jpg"))
	one, same := faces(t, openMode(t, inference.Short), portrait), faces(t, openMode(t, inference.Full), portrait)
	if len(one) != 1 || len(same) != 1 || one[0].Box.IoU(same[0].Box) < 0.7 {
		t.Errorf("short sees %v where full sees %v", one, same)
	}
}

func TestModeIsCheckedAndLeavesThePackAsItWas(t *testing.T) {
	pack, err := inference.LoadPack(testkit.Models(t))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := pack.With("long"); err == nil || err.Error() != `unknown detector mode "long": use short, full or tiled` {
		t.Error(err)
	}
	short, err := pack.With(inference.Short)
	if err != nil {
		t.Fatal(err)
	}
	if short.ID != pack.ID || short.Pipeline.Detector.Family != "blazeface-short" || pack.Pipeline.Detector.Family != "blazeface-full" {
		t.Errorf("short: %s, the pack itself: %s", short.Pipeline.Detector.Family, pack.Pipeline.Detector.Family)
	}
}

// oneFace is a network that sees one thing, whatever it looks at.
type oneFace struct {
	side    int
	outputs []inference.Tensor
	values  map[string]map[int]float32
}

func (n oneFace) Inputs() []inference.Tensor {
	return []inference.Tensor{{Name: "image", Shape: []int{1, n.side, n.side, 3}}}
}

func (n oneFace) Outputs() []inference.Tensor { return n.outputs }

func (n oneFace) Run(_, out [][]byte) error {
	for i, t := range n.outputs {
		clear(out[i])
		for at := range t.Elements() {
			v := n.values[t.Name][at]
			if t.Name == "scores" && v == 0 {
				v = -20
			}
			binary.NativeEndian.PutUint32(out[i][4*at:], math.Float32bits(v))
		}
	}
	return nil
}

// What these networks claim is checked with the real ones in
// TestNothingIsFoundWhereNobodyIs, and measured by facerecd eval-detection.
func TestDoubtfulDetectionCountsWhenTheLandmarkNetworkIsSure(t *testing.T) {
	for _, c := range []struct {
		name               string
		score, probability float32
		want               int
	}{
		{"certain", 0.6, 0.1, 1}, // Face.Real is asked later
		{"doubtful, and sure", 0.35, 0.99, 1},
		{"doubtful, and likely", 0.35, 0.9, 0},
		{"weak, and sure", 0.1, 0.99, 1},
		{"weak, and likely", 0.1, 0.9, 0},
		{"too weak", 0.03, 1, 0},
	} {
		pack, err := inference.LoadPack(testkit.Models(t))
		if err != nil {
			t.Fatal(err)
		}
		logit := float32(math.Log(float64(c.score / (1 - c.score))))
		const anchor = 24*48 + 24 // in the middle
		detector := oneFace{192, []inference.Tensor{
			{Name: "boxes", Shape: []int{1, 2304, 16}}, {Name: "scores", Shape: []int{1, 2304, 1}},
		}, map[string]map[int]float32{
			"boxes": {anchor*16 + 2: 40, anchor*16 + 3: 40}, "scores": {anchor: logit},
		}}
		landmarks := oneFace{48, []inference.Tensor{
			{Name: "landmarks", Shape: []int{1, 10}}, {Name: "probability", Shape: []int{1, 2}},
		}, map[string]map[int]float32{"probability": {1: c.probability}}}
		embedding := oneFace{112, []inference.Tensor{{Name: "embedding", Shape: []int{1, 192}}}, nil}
		e, err := inference.NewEngine(pack, detector, landmarks, embedding)
		if err != nil {
			t.Fatal(err)
		}
		found, err := e.Detect(inference.FromImage(image.NewGray(image.Rect(0, 0, 192, 192))))
		if err != nil || len(found) != c.want {
			t.Errorf("%s: %d faces, want %d (%v)", c.name, len(found), c.want, err)
		}
	}
}
