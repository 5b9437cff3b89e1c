package match

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// pairOf is two vectors: alike, opposite, with few large
// elements or many small ones.
func pairOf(r *rand.Rand, size int) (probe, row []float32) {
	probe, row = gaussian(r, size), gaussian(r, size)
	alike := []float32{0, 0, 0.5, 1, 5, 1000}[r.IntN(6)]
	if r.IntN(4) == 0 {
		alike = -alike
	}
	for i := range row {
		row[i] += alike * probe[i]
	}
	switch r.IntN(4) {
	case 0: // nothing but signs
		for i := range row {
			probe[i], row[i] = float32(math.Copysign(1, float64(probe[i]))), float32(math.Copysign(1, float64(row[i])))
		}
	case 1: // almost all of it in one element
		i := r.IntN(size)
		probe[i] *= 1000
		row[(i+r.IntN(2))%size] *= -1000
	}
	return probe, row
}

func TestNoCosineIsAboveWhatTheCoarseProbeAllows(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	for _, size := range []int{1, 2, 3, 4, 15, 16, 17, 64, 192, 500, 512, 8192} {
		loosest := 0.0
		for range 200_000 / (size + 50) {
			probe, vector := pairOf(r, size)
			m := newMatrix(size)
			m.extend(1)
			row := m.row(0)
			copy(row, quantized(vector))
			p := quantized(probe)
			c := newCoarse(p)
			exact := cosine(row, p)
			near := c.nearly(row[:m.padded])
			bound := float64(near)*c.unit + c.reach
			if float64(exact) > bound {
				t.Fatalf("%d elements: cosine %v, allowed %v", size, exact, bound)
			}
			if near <= c.atMost(exact-1e-6) {
				t.Fatalf("%d elements: a row of cosine %v is skipped", size, exact)
			}
			loosest = max(loosest, bound-float64(exact))
		}
		t.Logf("%d elements: at most %.3f too high", size, loosest)
		if size <= 512 && loosest > 0.25 {
			t.Errorf("%d elements: the bound is %.3f too high", size, loosest)
		}
	}
}

func TestSearchFindsWhatComparingEverythingFinds(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 10))
	for _, size := range []int{1, 5, 16, 61, 192} {
		for round := range 40 {
			people := 1 + r.IntN(600)
			g := NewGallery("m", size)
			faces := make([][]float32, people)
			for p := range faces {
				faces[p] = gaussian(r, size)
				for range 1 + r.IntN(4) {
					look := gaussian(r, size)
					for i := range look {
						look[i] = faces[p][i] + look[i]*float32(round)/20
					}
					if err := g.Add(Template{Person: fmt.Sprint(p), Model: "m", Vector: look}); err != nil {
						t.Fatal(err)
					}
				}
			}
			probe := gaussian(r, size)
			if round%2 == 0 {
				probe = faces[r.IntN(people)]
			}
			got, want := g.Search(probe), everything(g, probe)
			if got != want {
				t.Fatalf("%d elements, %d people: %v, comparing everything finds %v", size, people, got, want)
			}
		}
	}
}

// everything is Search without the coarse probe.
func everything(g *Gallery, probe []float32) Ranking {
	q := quantized(probe)
	best := make([]Candidate, len(g.people))
	for i := range best {
		best[i] = Candidate{g.people[i], none}
	}
	for r, who := range g.rows {
		best[who].Score = max(best[who].Score, cosine(g.row(r), q))
	}
	for who, own := range g.own {
		if len(own) >= fused {
			best[who].Score = max(best[who].Score, cosine(g.means.row(who), q))
		}
	}
	slices.SortStableFunc(best, func(a, b Candidate) int { return cmp.Compare(b.Score, a.Score) })
	best = append(best, Candidate{})
	return Ranking{Candidate{best[0].Person, clip(best[0].Score)}, Candidate{best[1].Person, clip(best[1].Score)}}
}

func TestASearchComparesFewRowsInFull(t *testing.T) {
	r := rand.New(rand.NewPCG(11, 12))
	probe := quantized(gaussian(r, 192))
	s := newSearch(probe)
	s.secondScore = 0.25 // what the second of some thousand people reaches
	m := newMatrix(192)
	m.extend(1)
	full := 0
	for range 20_000 {
		copy(m.row(0), quantized(gaussian(r, 192)))
		if s.nearly(m.row(0)) > s.atMost(s.secondScore) {
			full++
		}
	}
	t.Logf("%d of 20000", full)
	if full > 1000 {
		t.Errorf("%d of 20000 rows are compared in full", full)
	}
}
