package bench

import (
	"math"
	"math/rand/v2"
	"testing"
)

func TestSpreadOfKnownValues(t *testing.T) {
	var values []float64
	for _, i := range rand.New(rand.NewPCG(1, 2)).Perm(101) {
		values = append(values, float64(i))
	}
	got := spread(values)
	// Half a width of 1.96 * sqrt(101) / 2 ranks.
	if want := (Spread{Min: 0, P50: 50, P95: 95, CI: [2]float64{40, 61}}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	if got := spread([]float64{3}); got != (Spread{3, 3, 3, [2]float64{3, 3}}) {
		t.Errorf("of one value: %+v", got)
	}
}

// In 95 of 100 experiments the interval holds the true median.
func TestIntervalsHoldTheTruth(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	const experiments, n = 200, 60
	median, quotient := 0, 0
	for range experiments {
		a, b := make([]float64, n), make([]float64, n)
		for i := range a {
			noise := math.Exp(random.NormFloat64()) // what slows both
			a[i], b[i] = 3*noise*(1+0.1*random.NormFloat64()), 2*noise
		}
		if r := ratio(a, b); r.CI[0] <= 1.5 && 1.5 <= r.CI[1] {
			quotient++
		}
		if s := spread(b); s.CI[0] <= 2 && 2 <= s.CI[1] {
			median++
		}
	}
	for what, held := range map[string]int{"median": median, "ratio": quotient} {
		if share := float64(held) / experiments; share < 0.88 {
			t.Errorf("the interval of the %s holds it in %.0f %% of the experiments, want 95", what, 100*share)
		}
	}
}
