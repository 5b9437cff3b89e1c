package inference_test

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"facerecd/cross/testkit"
	"facerecd/inference"
	"facerecd/inference/litert"
)

func TestPackOfOtherSizesAndTypesIsUsedAsItIs(t *testing.T) {
	ours := newEngine(t)
	other, err := openPack(t, testkit.OtherPack(t))
	if err != nil {
		t.Fatal(err)
	}
	view := inference.FromImage(photo(t, "obama.jpg"))
	want, got := faces(t, ours, view), faces(t, other, view)
	if len(want) != 1 || len(got) != 1 {
		t.Fatalf("%d and %d faces", len(want), len(got))
	}
	f := got[0]
	if n := 3 * testkit.OtherFaceSide * testkit.OtherFaceSide; len(f.Aligned) != n {
		t.Errorf("the aligned face has %d values, want %d", len(f.Aligned), n)
	}
	if n := cosine(f.Embedding, f.Embedding); len(f.Embedding) != testkit.OtherEmbedding || math.Abs(n-1) > 1e-5 {
		t.Errorf("an embedding of %d numbers and length %v", len(f.Embedding), n)
	}
	// The landmark network in float32 sees what the one in int8 sees.
	for i, p := range f.Landmarks {
		if off := math.Hypot(float64(p.X-want[0].Landmarks[i].X), float64(p.Y-want[0].Landmarks[i].Y)); off > 0.02*float64(f.Box.Width) {
			t.Errorf("landmark %d is %.1f pixels away from the shipped pack's", i, off)
		}
	}
	// And the aligned face is the same face in another frame: both eyes are
	// dark, where the template of this pack says.
	luma := func(x, y int) float32 { return f.Aligned[(y*testkit.OtherFaceSide+x)*3+1] }
	if cheek := luma(22, 36); luma(22, 26) > cheek || luma(42, 26) > cheek {
		t.Errorf("eyes of %v and %v, brighter than the cheek of %v", luma(22, 26), luma(42, 26), cheek)
	}
}

// A landmark network of another side than O-Net's cannot be had as a file, so
// this one says the same of every picture.
type fixedLandmarks struct{ side int }

func (n fixedLandmarks) Inputs() []inference.Tensor {
	return []inference.Tensor{{Name: "image", Shape: []int{1, n.side, n.side, 3}}}
}

func (fixedLandmarks) Outputs() []inference.Tensor {
	return []inference.Tensor{{Name: "landmarks", Shape: []int{1, 10}}, {Name: "probability", Shape: []int{1, 2}}}
}

func (n fixedLandmarks) Run(in, out [][]byte) error {
	if len(in[0]) != n.side*n.side*3*4 {
		return fmt.Errorf("input of %d bytes", len(in[0]))
	}
	for i, values := range [][]float32{{0.3, 0.7, 0.5, 0.35, 0.65, 0.4, 0.4, 0.55, 0.75, 0.75}, {0, 1}} {
		for j, v := range values {
			binary.NativeEndian.PutUint32(out[i][4*j:], math.Float32bits(v))
		}
	}
	return nil
}

func TestLandmarkNetworkMayTakePicturesOfAnySide(t *testing.T) {
	view := inference.FromImage(photo(t, "obama.jpg"))
	var want inference.Face
	for _, side := range []int{48, 17, 256} { // the last larger than the detector's
		e := newEngineWith(t, fixedLandmarks{side})
		f := faces(t, e, view)
		if len(f) == 0 {
			t.Fatalf("side %d: no face", side)
		}
		if side == 48 {
			want = f[0]
			continue
		}
		for i, p := range f[0].Landmarks {
			if w := want.Landmarks[i]; math.Hypot(float64(p.X-w.X), float64(p.Y-w.Y)) > 0.01 {
				t.Errorf("side %d: landmark %d at %v, want %v", side, i, p, w)
			}
		}
	}
	pack := newEngine(t).Pack()
	for side, want := range map[int]string{
		15:   "the landmarks model takes pictures of 15x15: sides of 16 to 1024 are possible",
		1025: "the landmarks model takes pictures of 1025x1025: sides of 16 to 1024 are possible",
	} {
		detector := openModel(t, pack, pack.Models.Detector)
		if _, err := inference.NewEngine(pack, detector, fixedLandmarks{side}, nil); err == nil || err.Error() != want {
			t.Errorf("%v\nwant %s", err, want)
		}
	}
}

func openModel(t testing.TB, pack *inference.Pack, file inference.ModelFile) inference.Network {
	t.Helper()
	model, err := pack.Read(file)
	if err != nil {
		t.Fatal(err)
	}
	library, err := litert.Load(testkit.Runtime(t))
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

func newEngineWith(t *testing.T, landmarks inference.Network) *inference.Engine {
	t.Helper()
	pack := newEngine(t).Pack()
	e, err := inference.NewEngine(pack, openModel(t, pack, pack.Models.Detector), landmarks, openModel(t, pack, pack.Models.Embedding))
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestPackThatDoesNotFitTogetherIsRefused(t *testing.T) {
	for _, c := range []struct {
		name string
		edit func(pipeline map[string]any)
		want string
	}{
		{
			"another number of numbers", func(p map[string]any) { p["embedding"].(map[string]any)["size"] = 192 },
			`the embedding model has no output "embedding" of 192 numbers: [{embedding [1 4 4 3] float32 0 0}]`,
		},
		{"the template of a larger face", func(p map[string]any) {
			p["embedding"].(map[string]any)["template"] = [][2]float64{{38.3, 51.7}, {73.5, 51.5}, {56, 71.7}, {41.5, 92.4}, {70.7, 92.2}}
		}, "pipeline.embedding.template[1] is [73.5 51.5], outside the face of 64x64 pixels that the embedding model takes: state the template for that size"},
		{
			"no template", func(p map[string]any) { delete(p["embedding"].(map[string]any), "template") },
			"pipeline.embedding.template [[0 0] [0 0] [0 0] [0 0] [0 0]] is no upright face: state its left eye, right eye, nose, left and right corner of the mouth, as the picture shows them",
		},
		{
			"another detector", func(p map[string]any) { p["detector"].(map[string]any)["family"] = "blazeface-short" },
			"the detector model does not take one 1x128x128x3 input",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := testkit.OtherPack(t)
			editManifest(t, dir, func(m map[string]any) { c.edit(m["pipeline"].(map[string]any)) })
			if _, err := openPack(t, dir); err == nil || !strings.HasPrefix(err.Error(), c.want) {
				t.Errorf("%v\nwant %s", err, c.want)
			}
		})
	}
	t.Run("models changed places", func(t *testing.T) {
		dir := testkit.OtherPack(t)
		editManifest(t, dir, func(m map[string]any) {
			models := m["models"].(map[string]any)
			models["landmarks"], models["embedding"] = models["embedding"], models["landmarks"]
		})
		const want = `the landmarks model has no output "landmarks" of 10 numbers`
		if _, err := openPack(t, dir); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%v\nwant %s", err, want)
		}
	})
}

func editManifest(t *testing.T, dir string, edit func(map[string]any)) {
	t.Helper()
	path := filepath.Join(dir, "manifest.json")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var m map[string]any
	if err := json.Unmarshal(text, &m); err != nil {
		t.Fatal(err)
	}
	edit(m)
	if text, err = json.Marshal(m); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestTemplateIsTheMeanOfAFaceAndItsMirrorImage(t *testing.T) {
	other, err := openPack(t, testkit.OtherPack(t))
	if err != nil {
		t.Fatal(err)
	}
	f := faces(t, other, inference.FromImage(photo(t, "obama.jpg")))[0]
	got, err := other.EmbedTemplate(&f)
	if err != nil {
		t.Fatal(err)
	}
	if n := cosine(got, got); math.Abs(n-1) > 1e-5 {
		t.Errorf("length %v", n)
	}
	// The network's numbers are colours of a 4x4 grid, so a mean with the
	// mirror image is a symmetric grid, and one face is not.
	uneven := func(v []float32) (most float64) {
		for y := range 4 {
			for x := range 2 {
				for c := range 3 {
					most = max(most, math.Abs(float64(v[(4*y+x)*3+c]-v[(4*y+3-x)*3+c])))
				}
			}
		}
		return most
	}
	if a, b := uneven(f.Embedding), uneven(got); a < 0.01 || b > 1e-4 {
		t.Errorf("left and right differ by %v in the embedding and by %v in the template", a, b)
	}
	if _, err := other.EmbedTemplate(&inference.Face{}); err == nil || err.Error() != "embed face: it has no aligned picture" {
		t.Error(err)
	}
}
