package eval

import (
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

func TestRatesAreSharesOfComparisons(t *testing.T) {
	s := &Scores{}
	for _, v := range []float32{0.9, 0.8, 0.7, 0.2} {
		s.Add(v, true)
	}
	for i := range 100 {
		s.Add(float32(i)/200, false) // 0 … 0.495
	}
	for _, c := range []struct {
		far, threshold, frr float64
	}{
		{0, 0.495, 0.25},
		{0.01, 0.49, 0.25},
		{0.5, 0.245, 0.25},
		{0.9, 0.045, 0},
		{1, -1, 0},
	} {
		p := s.At(c.far)
		if p.FAR > c.far || math.Abs(p.Threshold-c.threshold) > 0.001 || p.FRR != c.frr {
			t.Errorf("At(%g) = %+v, want threshold %g and FRR %g", c.far, p, c.threshold, c.frr)
		}
	}
}

func TestCurveTradesOneErrorForTheOther(t *testing.T) {
	s := &Scores{}
	r := rand.New(rand.NewPCG(1, 1))
	for range 5000 {
		s.Add(float32(0.7+0.1*r.NormFloat64()), true)
		s.Add(float32(0.1*r.NormFloat64()), false)
	}
	curve := s.Curve()
	if first, last := curve[0], curve[Bins-1]; first.FAR != 1 || first.FRR != 0 || last.FAR != 0 || last.FRR < 0.99 {
		t.Errorf("from %+v to %+v", first, last)
	}
	for i, p := range curve[1:] {
		if p.FAR > curve[i].FAR || p.FRR < curve[i].FRR {
			t.Fatalf("not monotonic: %+v, then %+v", curve[i], p)
		}
	}
}

func TestScoresBeyondTheRangeAreCountedAtItsEnds(t *testing.T) {
	s := &Scores{}
	s.Add(1.0001, true)
	s.Add(-1.2, false)
	if s.Same[Bins-1] != 1 || s.Different[0] != 1 {
		t.Error("lost")
	}
}

// Drawn from a logistic model, the fit must find the model.
func TestConfidenceIsTheProbabilityOfOnePerson(t *testing.T) {
	const slope, offset = 20, -8
	s := &Scores{}
	r := rand.New(rand.NewPCG(2, 2))
	for range 400_000 {
		x := 2*r.Float64() - 1
		s.Add(float32(x), r.Float64() < 1/(1+math.Exp(-(slope*x+offset))))
	}
	// The fit weighs both kinds the same, which moves the offset by the log of
	// how many there are of each.
	want := offset - math.Log(float64(s.NSame)/float64(s.NDifferent))
	gotSlope, gotOffset, err := s.Confidence()
	if err != nil || math.Abs(gotSlope-slope) > 0.5 || math.Abs(gotOffset-want) > 0.3 {
		t.Errorf("slope %.2f, offset %.2f, %v; want %d and %.2f", gotSlope, gotOffset, err, slope, want)
	}
}

func TestConfidenceOfSeparatedScoresIsFinite(t *testing.T) {
	s := &Scores{}
	for range 20 {
		s.Add(0.9, true)
		s.Add(0.1, false)
	}
	slope, offset, err := s.Confidence()
	if err != nil || math.IsNaN(slope+offset) || math.IsInf(slope+offset, 0) || slope <= 0 {
		t.Errorf("slope %v, offset %v, %v", slope, offset, err)
	}
	middle := -offset / slope
	if middle < 0.3 || middle > 0.7 {
		t.Errorf("even at a cosine of %.2f", middle)
	}
}

func TestConfidenceNeedsBothKinds(t *testing.T) {
	s := &Scores{}
	for range 50 {
		s.Add(0.9, true)
	}
	if _, _, err := s.Confidence(); !errors.Is(err, ErrTooFew) {
		t.Error(err)
	}
}

func TestAllPairsComparesEachPairOnce(t *testing.T) {
	s := AllPairs([]Sample{
		{Person: "a", Embedding: []float32{1, 0}},
		{Person: "a", Embedding: []float32{0.6, 0.8}},
		{Person: "b", Embedding: []float32{0, 1}},
	})
	if s.NSame != 1 || s.NDifferent != 2 || s.Same[bin(0.6)] != 1 || s.Different[bin(0)] != 1 || s.Different[bin(0.8)] != 1 {
		t.Errorf("%d of one person, %d of two; bins %v", s.NSame, s.NDifferent, slices.Max(s.Same[:]))
	}
}

func TestDiscardDropsTheWorst(t *testing.T) {
	var samples []Sample
	for i := range 40 {
		samples = append(samples, Sample{Quality: float32((i * 7) % 40)})
	}
	kept := Discard(samples, 0.05)
	if len(kept) != 38 || len(samples) != 40 {
		t.Fatalf("%d kept of %d", len(kept), len(samples))
	}
	for _, s := range kept {
		if s.Quality < 2 {
			t.Errorf("kept quality %v", s.Quality)
		}
	}
}
