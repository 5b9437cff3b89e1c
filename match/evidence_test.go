package match

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

const embeddingSize = 192

// track draws what a tracker would see of one face: embeddings scattered around
// a direction, with the quality weights of good faces.
func track(r *rand.Rand, face []float32, n int) (embeddings [][]float32, weights []float32) {
	for range n {
		e := make([]float32, len(face))
		for i, noise := range gaussian(r, len(face)) {
			e[i] = face[i] + 0.6*noise // cosine about 0.85
		}
		embeddings = append(embeddings, e)
		weights = append(weights, 0.5+0.5*r.Float32())
	}
	return embeddings, weights
}

func gather(embeddings [][]float32, weights []float32, order []int) *Evidence {
	var e Evidence
	for _, i := range order {
		e.Add(embeddings[i], weights[i])
	}
	return &e
}

func TestEvidenceDoesNotDependOnTheOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		n := rapid.IntRange(1, 40).Draw(t, "n")
		embeddings, weights := track(r, gaussian(r, embeddingSize), n)
		forward := gather(embeddings, weights, order(n)).Probe()
		shuffled := gather(embeddings, weights, r.Perm(n)).Probe()
		for i := range forward {
			if math.Abs(float64(forward[i]-shuffled[i])) > 1e-6 {
				t.Fatalf("element %d: %v or %v, by order", i, forward[i], shuffled[i])
			}
		}
	})
}

func TestOneBlurredFrameCannotFlipADecision(t *testing.T) {
	policy := Policy{Threshold: 0.45, Margin: 0.1}
	rapid.Check(t, func(t *rapid.T) {
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		known, bo, stranger := gaussian(r, embeddingSize), gaussian(r, embeddingSize), gaussian(r, embeddingSize)
		g := NewGallery("m", embeddingSize)
		for _, p := range []Template{
			{Person: "ana", Model: "m", Vector: known},
			{Person: "bo", Model: "m", Vector: bo},
			{Person: "cy", Model: "m", Vector: gaussian(r, embeddingSize)},
		} {
			if err := g.Add(p); err != nil {
				t.Fatal(err)
			}
		}
		n := rapid.IntRange(2, 10).Draw(t, "n")
		for face, want := range map[string][]float32{"ana": known, "": stranger} {
			embeddings, weights := track(r, want, n)
			e := gather(embeddings, weights, order(n))
			if got := policy.Decide(g.Search(e.Probe())).Person; got != face {
				t.Fatalf("sharp frames name %q, want %q", got, face)
			}
			// The worst blur there is looks exactly like somebody else.
			blurred := gaussian(r, embeddingSize)
			if rapid.Bool().Draw(t, "looks like bo") {
				blurred = bo
			}
			e.Add(blurred, 0.1)
			if got := policy.Decide(g.Search(e.Probe())).Person; got != face {
				t.Fatalf("a blurred frame turned %q into %q", face, got)
			}
		}
	})
}

func TestProbeIsAUnitVectorWhateverIsAdded(t *testing.T) {
	numbers := rapid.OneOf(
		rapid.Float32(),
		rapid.Float32Range(-1, 1),
		rapid.SampledFrom([]float32{0, float32(math.NaN()), float32(math.Inf(1)), math.MaxFloat32, math.SmallestNonzeroFloat32}),
	)
	rapid.Check(t, func(t *rapid.T) {
		var e Evidence
		for range rapid.IntRange(0, 8).Draw(t, "n") {
			v := rapid.SliceOfN(numbers, 4, 4).Draw(t, "embedding")
			e.Add(v, numbers.Draw(t, "weight"))
			if a := e.Agrees(v); !(a >= -1 && a <= 1) {
				t.Fatalf("agrees by %v", a)
			}
		}
		probe := e.Probe()
		if e.Seen() == 0 && probe != nil {
			t.Fatalf("probe %v of nothing", probe)
		}
		if probe == nil {
			return
		}
		if norm := plainNorm(probe); !(math.Abs(norm-1) < 1e-5) {
			t.Fatalf("probe %v has length %v", probe, norm)
		}
	})
}

func TestEvidenceLeavesOutWhatSaysNothing(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	var e Evidence
	if e.Probe() != nil || e.Seen() != 0 || e.Agrees([]float32{1, 0}) != 0 {
		t.Error("the zero value claims to have seen something")
	}
	for _, tc := range []struct {
		v []float32
		w float32
	}{{[]float32{0, 0}, 1}, {[]float32{nan, 1}, 1}, {[]float32{1, inf}, 1}, {[]float32{1, 0}, 0}, {[]float32{1, 0}, -1}, {[]float32{1, 0}, nan}, {[]float32{1, 0}, inf}} {
		e.Add(tc.v, tc.w)
	}
	if e.Seen() != 0 {
		t.Errorf("counted %d of what says nothing", e.Seen())
	}
	e.Add([]float32{3, 0}, 1)
	e.Add([]float32{0, 1}, 1)
	if got := e.Probe(); !slices.Equal(got, []float32{float32(math.Sqrt(0.5)), float32(math.Sqrt(0.5))}) {
		t.Errorf("probe %v: lengths of embeddings must not weigh", got)
	}
	e.Add([]float32{-1, -1}, float32(math.Sqrt2))
	if e.Probe() != nil {
		t.Errorf("probe %v of what cancels out", e.Probe())
	}
}

func TestAgreesDropsWhenTheFaceChanges(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	ana, bo := gaussian(r, embeddingSize), gaussian(r, embeddingSize)
	embeddings, weights := track(r, ana, 5)
	e := gather(embeddings, weights, order(5))
	if same, other := e.Agrees(ana), e.Agrees(bo); same < 0.9 || other > 0.4 {
		t.Errorf("same face agrees by %v, another by %v", same, other)
	}
}

func TestAddPanicsWhenTheSizeChanges(t *testing.T) {
	defer func() {
		if got := recover(); got != "match: embedding of 3 elements after some of 2" {
			t.Errorf("panic %v", got)
		}
	}()
	var e Evidence
	e.Add([]float32{1, 0}, 1)
	e.Add([]float32{1, 0, 0}, 1)
}

func order(n int) []int {
	o := make([]int, n)
	for i := range o {
		o[i] = i
	}
	return o
}

func plainNorm(v []float32) float64 {
	var s float64
	for _, x := range v {
		s += float64(x) * float64(x)
	}
	return math.Sqrt(s)
}
