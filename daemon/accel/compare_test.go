package accel

import (
	"errors"
	"math"
	"reflect"
	"slices"
	"testing"
	"time"

	"facerecd/cross/testkit"
	"facerecd/inference"
	"facerecd/inference/litert"
)

// two anchors, of which the second sees a face.
func boxes(shift float64) []float64 {
	all := slices.Repeat([]float64{10, -3}, boxValues)
	all[boxValues] += shift
	return all
}

func TestDifferencesAreOfWhatTheOutputsMean(t *testing.T) {
	direction := func(sine float64) []float64 { return []float64{10 * math.Sqrt(1-sine*sine), 10 * sine} }
	for _, tt := range []struct {
		what, model string
		cpu, gpu    outputs
		over        []string // what is above its limit
	}{
		{"the same", "detector", outputs{"scores": {-9, 3}, "boxes": boxes(0)}, outputs{"scores": {-9, 3}, "boxes": boxes(0)}, nil},
		{"logits where there is no face", "detector", outputs{"scores": {-9, 3}, "boxes": boxes(0)}, outputs{"scores": {-6, 3}, "boxes": boxes(0)}, nil},
		{"a face is lost", "detector", outputs{"scores": {-9, 3}, "boxes": boxes(0)}, outputs{"scores": {-9, -3}, "boxes": boxes(0)}, []string{"score"}},
		{"a face appears", "detector", outputs{"scores": {-9, -9}, "boxes": boxes(0)}, outputs{"scores": {-9, 0}, "boxes": boxes(0)}, []string{"score"}},
		{"a box is off", "detector", outputs{"scores": {-9, 3}, "boxes": boxes(0)}, outputs{"scores": {-9, 3}, "boxes": boxes(5)}, []string{"box"}},
		{"nobody's box is off", "detector", outputs{"scores": {-9, -9}, "boxes": boxes(0)}, outputs{"scores": {-9, -9}, "boxes": boxes(5)}, nil},
		{
			"nobody's boxes are others", "detector",
			outputs{"scores": {-9, -9}, "boxes": boxes(0)},
			outputs{"scores": {-9, -9}, "boxes": boxes(60)},
			[]string{"pattern of boxes"},
		},
		{"an eye is off", "landmarks", outputs{"landmarks": {.3, .7}, "probability": {0, 1}}, outputs{"landmarks": {.3, .73}, "probability": {0, 1}}, []string{"landmark"}},
		{"no face", "landmarks", outputs{"landmarks": {.3}, "probability": {0, 1}}, outputs{"landmarks": {.3}, "probability": {.2, .8}}, []string{"probability"}},
		{"nearly somebody", "embedding", outputs{"embedding": direction(0)}, outputs{"embedding": direction(.1)}, nil},
		{"somebody else", "embedding", outputs{"embedding": direction(0)}, outputs{"embedding": direction(.2)}, []string{"direction"}},
		{"of better quality", "embedding", outputs{"embedding": {10, 0}}, outputs{"embedding": {11, 0}}, []string{"length"}},
	} {
		t.Run(tt.what, func(t *testing.T) {
			var w worst
			if err := w.compare(tt.model, tt.cpu, tt.gpu, 192); err != nil {
				t.Fatal(err)
			}
			var over []string
			for _, d := range w.all {
				if d.Value > d.Limit {
					over = append(over, d.What)
				}
			}
			if !slices.Equal(over, tt.over) {
				t.Errorf("too far off: %v, want %v in %+v", over, tt.over, w.all)
			}
		})
	}
}

func TestWhatIsNoNumberIsNotCompared(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	for _, tt := range []struct {
		model string
		gpu   outputs
	}{
		{"detector", outputs{"scores": {0, nan}, "boxes": boxes(0)}},
		{"detector", outputs{"scores": {0, 0}, "boxes": boxes(nan)}},
		{"landmarks", outputs{"landmarks": {inf}, "probability": {0, 1}}},
		{"embedding", outputs{"embedding": {0, 0}}},
	} {
		cpu := outputs{"scores": {0, 0}, "boxes": boxes(0), "landmarks": {.3}, "probability": {0, 1}, "embedding": {1, 0}}
		if err := new(worst).compare(tt.model, cpu, tt.gpu, 192); !errors.Is(err, errNotFinite) {
			t.Errorf("%s %v: %v", tt.model, tt.gpu, err)
		}
	}
}

// What is shown to the models has to make them say what they say in use.
func TestTheDrawnFacesAreFacesToTheShippedPack(t *testing.T) {
	pack, err := inference.LoadPack(testkit.Models(t))
	if err != nil {
		t.Fatal(err)
	}
	library, err := litert.Load(testkit.Runtime(t))
	if err != nil {
		t.Fatal(err)
	}
	p := pack.Pipeline
	for _, m := range []model{
		{"detector", pack.Models.Detector, p.Detector.Normalisation, false},
		{"detector", *pack.Models.DetectorShort, p.DetectorShort.Normalisation, false},
		{"landmarks", pack.Models.Landmarks, p.Landmarks.Normalisation, p.Landmarks.Transposed},
		{"embedding", pack.Models.Embedding, p.Embedding.Normalisation, false},
	} {
		data, err := pack.Read(m.file)
		if err != nil {
			t.Fatal(err)
		}
		n, err := library.Open(data, litert.Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer n.Close()
		in := m.inputs(n.Inputs()[0])
		all, _, err := run(n, in, 0)
		if err != nil || !reflect.DeepEqual(in, m.inputs(n.Inputs()[0])) {
			t.Fatalf("the inputs are others the second time, or %v", err)
		}
		likely := 0
		for _, o := range all[noises:] {
			switch {
			case m.role == "detector" && slices.Max(scores(o["scores"])) > 0.5,
				m.role == "landmarks" && o["probability"][1] > 0.5,
				m.role == "embedding" && length(o["embedding"]) > float64(p.Embedding.Norm[0]+p.Embedding.Norm[1])/2:
				likely++
			}
		}
		if likely != faces {
			t.Errorf("%s: only %d of %d", m.role, likely, faces)
		}
	}
}

// twice is a network that gives what it is given.
type twice struct{ runs int }

func (*twice) Inputs() []inference.Tensor {
	return []inference.Tensor{{Name: "image", Shape: []int{1}, Type: inference.Uint8, Scale: 1}}
}
func (n *twice) Outputs() []inference.Tensor { return n.Inputs() }
func (n *twice) Run(in, out [][]byte) error  { n.runs++; copy(out[0], in[0]); return nil }

func TestEachPictureIsShownAndTheFirstRunCountsForNothing(t *testing.T) {
	n := &twice{}
	all, _, err := run(n, [][]byte{{1}, {2}, {3}}, time.Nanosecond)
	if err != nil || len(all) != 3 || all[1]["image"][0] != 2 || n.runs < 4 {
		t.Errorf("%v, %d runs, %v", all, n.runs, err)
	}
}
