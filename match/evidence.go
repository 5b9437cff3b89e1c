package match

import (
	"fmt"
	"math"
)

// Evidence sums the embeddings of one face track into one probe, each weighted
// by the quality of the face it comes from, so that many sharp frames outvote a
// blurred one (feature aggregation, as in Yang et al., "Neural Aggregation
// Network for Video Face Recognition", CVPR 2017, with quality for weights).
// The zero value is ready to use. It is for one goroutine at a time.
type Evidence struct {
	sum    []float64
	weight float64 // of all that were counted
	seen   int
}

// Add counts the embedding's direction with the weight, which is above 0 and
// usually at most 1. An embedding that is zero or not finite, or has a weight
// that is not above 0 and finite, says nothing and is left out. Add panics when
// the size changes, as that is a mistake in the program.
func (e *Evidence) Add(embedding []float32, weight float32) {
	u, err := unit(embedding)
	w := float64(weight)
	if err != nil || !(w > 0) || math.IsInf(w, 0) {
		return
	}
	if e.sum == nil {
		e.sum = make([]float64, len(u))
	}
	e.check(len(u))
	for i, x := range u {
		e.sum[i] += w * float64(x)
	}
	e.weight += w
	e.seen++
}

// Seen is the number of embeddings that were counted.
func (e *Evidence) Seen() int { return e.seen }

// Probe is the direction of the sum, a new unit vector; nil as long as nothing
// was counted, or when what was cancels out.
func (e *Evidence) Probe() []float32 {
	var norm float64
	for _, x := range e.sum {
		norm += x * x
	}
	norm = math.Sqrt(norm)
	if norm <= rounding*e.weight {
		return nil
	}
	probe := make([]float32, len(e.sum))
	for i, x := range e.sum {
		probe[i] = float32(x / norm)
	}
	return probe
}

// rounding is how much of the weight may be left over from float32 arithmetic
// when unit vectors cancel out.
const rounding = 1e-6

// Agrees is the cosine of an embedding with the sum so far, -1..1. The tracker
// splits a track whose face suddenly is someone else's. It is 0, which says
// nothing either way, when there is no sum or the embedding says nothing.
func (e *Evidence) Agrees(embedding []float32) float32 {
	probe := e.Probe()
	u, err := unit(embedding)
	if err != nil || probe == nil {
		return 0
	}
	e.check(len(u))
	return min(max(dot(probe, u), -1), 1)
}

func (e *Evidence) check(size int) {
	if size != len(e.sum) {
		panic(fmt.Sprintf("match: embedding of %d elements after some of %d", size, len(e.sum)))
	}
}
