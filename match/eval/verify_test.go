package eval

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// trials are scores of the same person and of different people in a fold.
func trials(fold int, same, different []float32) []Trial {
	var all []Trial
	for _, s := range same {
		all = append(all, Trial{s, true, fold})
	}
	for _, s := range different {
		all = append(all, Trial{s, false, fold})
	}
	return all
}

func near(a, b float64) bool { return math.Abs(a-b) < 1e-6 }

func TestVerifyByHand(t *testing.T) {
	for _, c := range []struct {
		what   string
		trials []Trial
		want   Verification
	}{
		{"nothing", nil, Verification{}},
		{
			"one fold is judged at its own best threshold",
			trials(0, []float32{0.9, 0.7, 0.2}, []float32{0.1, 0.3, 0.0}),
			// 0.5, in the middle between 0.3 and 0.7, gets five of six right.
			Verification{Pairs: 6, Accuracy: 5.0 / 6, Threshold: 0.5, TAR: 2.0 / 3},
		},
		{
			"two folds are judged at each other's",
			slices.Concat(
				trials(0, []float32{0.8}, []float32{0.4}), // best at 0.6: both of fold 7 right
				trials(7, []float32{0.9}, []float32{0.5}), // best at 0.7: both of fold 0 right
			),
			Verification{Pairs: 4, Accuracy: 1, Threshold: 0.65, TAR: 1},
		},
		{
			"the error is that of the mean",
			slices.Concat(
				trials(0, []float32{0.8}, []float32{0.6}), // best at 0.7: one of fold 1 right
				trials(1, []float32{0.4}, []float32{0.2}), // best at 0.3: one of fold 0 right
				trials(2, []float32{0.8}, []float32{0.2}),
			),
			// On the others: fold 0 {.8,.4 | .2,.2} 0.3, half right; fold 1
			// {.8,.8 | .6,.2} 0.7, half right; fold 2 {.8,.4 | .6,.2}: 0.3, 0.5
			// and 0.7 tie with three right, the first of equal gaps is 0.3.
			Verification{Pairs: 6, Accuracy: 2.0 / 3, Std: math.Sqrt(1.0/12) / math.Sqrt(3), Threshold: (0.3 + 0.7 + 0.3) / 3, TAR: 2.0 / 3},
		},
	} {
		got := Verify(c.trials)
		if got.Pairs != c.want.Pairs || !near(got.Accuracy, c.want.Accuracy) || !near(got.Std, c.want.Std) ||
			!near(float64(got.Threshold), float64(c.want.Threshold)) || !near(got.TAR, c.want.TAR) {
			t.Errorf("%s:\n got %+v\nwant %+v", c.what, got, c.want)
		}
	}
}

// lfw is as many trials as LFW has, their scores drawn by chance.
func lfw(seed uint64, same, different float64) []Trial {
	r := rand.New(rand.NewPCG(seed, 0))
	all := make([]Trial, 6000)
	for i := range all {
		all[i] = Trial{Same: i%600 < 300, Fold: i / 600}
		mean := different
		if all[i].Same {
			mean = same
		}
		all[i].Score = float32(min(max(mean+0.1*r.NormFloat64(), -1), 1))
	}
	return all
}

func TestVerifyOfScoresThatAreWellApartIsPerfect(t *testing.T) {
	v := Verify(lfw(1, 0.9, -0.5))
	if v.Accuracy != 1 || v.Std != 0 || v.TAR != 1 || v.Threshold < 0 || v.Threshold > 0.5 {
		t.Errorf("%+v", v)
	}
}

func TestVerifyOfScoresThatSayNothingIsAGuess(t *testing.T) {
	v := Verify(lfw(1, 0.2, 0.2))
	if v.Accuracy < 0.47 || v.Accuracy > 0.53 || v.Std > 0.02 || v.TAR > 0.01 {
		t.Errorf("%+v", v)
	}
}

func TestVerifyFindsTheErrorThatTheScoresHave(t *testing.T) {
	// Two normal distributions four deviations apart: the best threshold is in
	// the middle, and each side errs with a chance of Φ(-2) = 2.28 %.
	v := Verify(lfw(1, 0.4, 0))
	if math.Abs(v.Accuracy-0.9772) > 0.005 || math.Abs(float64(v.Threshold)-0.2) > 0.02 || v.Std > 0.005 {
		t.Errorf("%+v", v)
	}
}

func TestVerifyIsTheSameEachTimeAndFast(t *testing.T) {
	all := lfw(1, 0.4, 0)
	began, want := time.Now(), Verify(all)
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("6000 pairs took %v", took)
	}
	for range 20 {
		if got := Verify(all); got != want {
			t.Fatalf("%+v, then %+v", want, got)
		}
	}
}

func TestTARAtEdges(t *testing.T) {
	ten := make([]float32, 10)
	for i := range ten {
		ten[i] = float32(i) / 10 // 0.0 … 0.9
	}
	hundred := make([]float32, 100)
	for i := range hundred {
		hundred[i] = float32(i) / 100
	}
	for _, c := range []struct {
		what      string
		same      []float32
		different []float32
		far, want float64
	}{
		{"nobody", nil, nil, 0.1, 0},
		{"no same", nil, ten, 0.1, 0},
		{"no different", ten, nil, 0.1, 0},
		{"none may pass", []float32{0.95, 0.9, 0.5}, ten, 0, 1.0 / 3}, // 0.9 is an impostor's, too
		{"less than one may pass", []float32{0.95, 0.85}, ten, 0.099, 0.5},
		{"one may pass", []float32{0.95, 0.85, 0.8}, ten, 0.1, 2.0 / 3},
		{"all may pass", []float32{-1}, ten, 1, 1},
		{"more than all may pass", []float32{-1}, ten, 2, 1},
		{"ties pass together or not at all", []float32{0.6, 0.5}, []float32{0.5, 0.5, 0.5, 0.1}, 0.5, 0.5},
		{"far times n is rounded as a person would", []float32{0.705, 0.71}, hundred, 0.29, 1},
	} {
		if got := TARAt(trials(0, c.same, c.different), c.far); !near(got, c.want) {
			t.Errorf("%s: %v, want %v", c.what, got, c.want)
		}
	}
}

func TestBestThresholdIsBestOfAll(t *testing.T) {
	trial := rapid.Custom(func(r *rapid.T) Trial {
		// Few values, so that ties are many.
		return Trial{Score: float32(rapid.IntRange(-8, 8).Draw(r, "score")) / 8, Same: rapid.Bool().Draw(r, "same")}
	})
	rapid.Check(t, func(r *rapid.T) {
		all := rapid.SliceOfN(trial, 1, 30).Draw(r, "trials")
		got := bestThreshold(all)
		best := 0.0
		for i := -17; i <= 19; i++ { // below all, between every two, above all
			best = max(best, accuracy(all, float32(i)/16))
		}
		if a := accuracy(all, got); a != best {
			r.Fatalf("threshold %v gets %v right, another one %v", got, a, best)
		}
		shuffled := slices.Clone(all)
		slices.Reverse(shuffled)
		if again := bestThreshold(shuffled); again != got {
			r.Fatalf("threshold %v, of the same trials in another order %v", got, again)
		}
	})
}

func TestBestThresholdTellsNeighboursApart(t *testing.T) {
	for _, low := range []float32{0, 0.5, 0.9, -0.7} {
		high := math.Nextafter32(low, 1)
		all := trials(0, []float32{high}, []float32{low})
		if got := bestThreshold(all); accuracy(all, got) != 1 {
			t.Errorf("of %v and %v: %v", low, high, got)
		}
	}
}
