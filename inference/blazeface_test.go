package inference

import (
	"encoding/binary"
	"math"
	"testing"
)

func TestAnchorsAreTheDetectorsOwn(t *testing.T) {
	for _, c := range []struct {
		family      string
		size, count int
		first, last Point
	}{
		{"blazeface-full", 192, 2304, Point{2, 2}, Point{190, 190}},
		{"blazeface-short", 128, 896, Point{4, 4}, Point{120, 120}},
	} {
		b, err := newBlazeFace(c.family)
		if err != nil {
			t.Fatal(err)
		}
		n := len(b.anchors)
		if b.size != c.size || n != c.count || b.anchors[0] != c.first || b.anchors[n-1] != c.last {
			t.Errorf("%s: %d px, %d anchors from %v to %v", c.family, b.size, n, b.anchors[0], b.anchors[n-1])
		}
	}
	if _, err := newBlazeFace("yunet"); err == nil || err.Error() != `unknown detector family "yunet": use blazeface-full or blazeface-short` {
		t.Errorf("unknown family: %v", err)
	}
}

// realPort is an output that holds real numbers.
func realPort(values []float32) *port {
	p := newPort(Tensor{Shape: []int{len(values)}})
	for i, v := range values {
		binary.NativeEndian.PutUint32(p.raw[4*i:], math.Float32bits(v))
	}
	return &p
}

func TestDecodeGivesBoxesInThePictureAboveTheThreshold(t *testing.T) {
	b := blazeFace{192, []Point{{10, 20}, {30, 40}, {50, 60}}}
	boxes := make([]float32, 3*blazeValues)
	copy(boxes[blazeValues:], []float32{2, 3, 20, 10, 1, 1}) // centre, size, first keypoint
	nan := float32(math.NaN())
	copy(boxes[2*blazeValues:], []float32{nan, 0, 20, 20})
	got := b.decode(nil, realPort(boxes), realPort([]float32{-3, 2, 9}), 0.5, Transform{A: 2, C: 5, E: 2, F: -5})
	if len(got) != 1 {
		t.Fatalf("%d detections: the first is below the threshold, the last is not finite", len(got))
	}
	if want := (Box{32*2 + 5 - 20, 43*2 - 5 - 10, 40, 20}); got[0].Box != want {
		t.Errorf("box %v, want %v", got[0].Box, want)
	}
	if want := (Point{31*2 + 5, 41*2 - 5}); got[0].Keypoints[0] != want {
		t.Errorf("keypoint %v, want %v", got[0].Keypoints[0], want)
	}
	if math.Abs(float64(got[0].Score)-0.8808) > 1e-4 {
		t.Errorf("score %v", got[0].Score)
	}
}

func TestSuppressionWeighsOverlappingBoxesByScore(t *testing.T) {
	got := suppress([]Detection{
		{Box: Box{2, 0, 10, 10}, Score: 0.3},
		{Box: Box{100, 0, 10, 10}, Score: 0.6},
		{Box: Box{0, 0, 10, 10}, Score: 0.9},
	}, 0.3, 1)
	if len(got) != 2 {
		t.Fatalf("%d faces, want 2", len(got))
	}
	if got[0].Score != 0.9 || math.Abs(float64(got[0].Box.X)-0.5) > 1e-6 {
		t.Errorf("best is %+v, want score 0.9 at x 0.5", got[0])
	}
	if got[1].Box != (Box{100, 0, 10, 10}) {
		t.Errorf("the other face moved: %+v", got[1])
	}
	if suppress(nil, 0.3, 1) != nil {
		t.Error("nothing became something")
	}
}

func TestIoU(t *testing.T) {
	for _, c := range []struct {
		a, b Box
		want float32
	}{
		{Box{0, 0, 10, 10}, Box{0, 0, 10, 10}, 1},
		{Box{0, 0, 10, 10}, Box{5, 0, 10, 10}, 1.0 / 3},
		{Box{0, 0, 10, 10}, Box{10, 0, 10, 10}, 0},
		{Box{0, 0, 10, 10}, Box{40, 40, 1, 1}, 0},
	} {
		if got := c.a.IoU(c.b); math.Abs(float64(got-c.want)) > 1e-6 {
			t.Errorf("IoU(%v, %v) = %v, want %v", c.a, c.b, got, c.want)
		}
	}
}

func TestBoxIsCutToThePicture(t *testing.T) {
	if got := (Box{-5.4, 3.6, 20, 100}).Pixels(12, 50); got != [4]int{0, 4, 12, 46} {
		t.Error(got)
	}
}
