package match

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

func BenchmarkSearch(b *testing.B) {
	for _, n := range []int{10_000, 100_000} {
		b.Run(fmt.Sprintf("%dx192", n), func(b *testing.B) {
			r := rand.New(rand.NewPCG(1, 2))
			g := NewGallery("m", 192)
			for i := range n {
				if err := g.Add(Template{Person: fmt.Sprint(i / 3), Model: "m", Vector: gaussian(r, 192)}); err != nil {
					b.Fatal(err)
				}
			}
			probe := gaussian(r, 192)
			b.ReportAllocs()
			for b.Loop() {
				g.Search(probe)
			}
		})
	}
}

// gaussian is a random direction, uniform over the sphere.
func gaussian(r *rand.Rand, size int) []float32 {
	v := make([]float32, size)
	for i := range v {
		v[i] = float32(r.NormFloat64())
	}
	return v
}
