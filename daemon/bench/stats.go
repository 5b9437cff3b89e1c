package bench

import (
	"math"
	"math/rand/v2"
	"slices"
	"time"
)

// Spread is how a duration is distributed, in milliseconds.
type Spread struct {
	Min float64    `json:"min"`
	P50 float64    `json:"p50"`
	P95 float64    `json:"p95"`
	CI  [2]float64 `json:"p50_ci95"` // between these the median lies, with 95 % confidence
}

// Ratio is the quotient of two medians.
type Ratio struct {
	Value float64
	CI    [2]float64 // 95 %
}

// Result sums samples up.
type Result struct {
	Stages map[string]Spread // by StageNames, and "total"
	Models map[string]Spread // by Probe.Role
	Raw    Spread            // of the models' sum
	Total  Spread
	Ratio  Ratio // Total to Raw
	// Means for each frame.
	Faces       float64 // found
	Allocations float64 // on the Go heap
}

// Summarise sums up what Run has measured.
func (b *Bench) Summarise(samples []Sample) Result {
	r := Result{Stages: map[string]Spread{}, Models: map[string]Spread{}}
	of := func(value func(*Sample) time.Duration) []float64 {
		ms := make([]float64, len(samples))
		for i := range samples {
			ms[i] = float64(value(&samples[i])) / float64(time.Millisecond)
		}
		return ms
	}
	for stage, name := range StageNames() {
		r.Stages[name] = spread(of(func(s *Sample) time.Duration { return s.Stages[stage] }))
	}
	for i, m := range b.Models {
		r.Models[m.Role] = spread(of(func(s *Sample) time.Duration { return s.Models[i] }))
	}
	total, raw := of(func(s *Sample) time.Duration { return s.Total }), of((*Sample).Raw)
	r.Ratio = ratio(total, raw)
	r.Total, r.Raw = spread(total), spread(raw)
	r.Stages["total"] = r.Total
	faces := 0
	for _, s := range samples {
		faces += s.Faces
	}
	r.Faces = float64(faces) / float64(len(samples))
	r.Allocations = float64(b.allocations) / float64(len(samples))
	return r
}

// spread sorts the values. The interval is the usual one of order statistics:
// the number of values below the median is binomial, here by its normal
// approximation, so nothing is assumed of the distribution.
func spread(values []float64) Spread {
	slices.Sort(values)
	n := float64(len(values))
	half := 1.96 * math.Sqrt(n) / 2
	at := func(rank float64) float64 {
		return values[min(max(int(rank), 0), len(values)-1)]
	}
	return Spread{
		Min: values[0], P50: quantile(values, 0.5), P95: quantile(values, 0.95),
		CI: [2]float64{at(n/2 - half), at(math.Ceil(n/2 + half))},
	}
}

// quantile of sorted values, interpolated.
func quantile(sorted []float64, q float64) float64 {
	at := q * float64(len(sorted)-1)
	i := int(at)
	if i+1 == len(sorted) {
		return sorted[i]
	}
	return sorted[i] + (at-float64(i))*(sorted[i+1]-sorted[i])
}

// ratio of the medians of two series of pairs, with an interval from drawing
// the pairs again and again (bootstrap).
func ratio(above, below []float64) Ratio {
	const draws = 1000
	n := len(above)
	a, b := slices.Clone(above), slices.Clone(below)
	median := func(v []float64) float64 { slices.Sort(v); return quantile(v, 0.5) }
	r := Ratio{Value: median(a) / median(b)}
	random := rand.New(rand.NewPCG(1, 2))
	drawn := make([]float64, draws)
	for i := range drawn {
		for j := range n {
			from := random.IntN(n)
			a[j], b[j] = above[from], below[from]
		}
		drawn[i] = median(a) / median(b)
	}
	slices.Sort(drawn)
	r.CI = [2]float64{quantile(drawn, 0.025), quantile(drawn, 0.975)}
	return r
}
