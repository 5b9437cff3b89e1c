package match

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"
)

// With -bench 'Search/1000000x' it takes 800 MB.
func BenchmarkSearch(b *testing.B) {
	for _, n := range []int{1_000, 10_000, 100_000, 1_000_000} {
		b.Run(fmt.Sprintf("%dx192", n), func(b *testing.B) {
			if n > 100_000 && testing.Short() {
				b.Skip("long")
			}
			r := rand.New(rand.NewPCG(1, 2))
			g := NewGallery("m", 192)
			before := heap()
			for i := range n {
				if err := g.Add(Template{Person: fmt.Sprint(i / 3), Model: "m", Vector: gaussian(r, 192)}); err != nil {
					b.Fatal(err)
				}
			}
			used := heap() - before
			probe := gaussian(r, 192)
			b.ReportAllocs()
			for b.Loop() {
				g.Search(probe)
			}
			b.ReportMetric(float64(used)/(1<<20), "MiB")
		})
	}
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// gaussian is a random direction, uniform over the sphere.
func gaussian(r *rand.Rand, size int) []float32 {
	v := make([]float32, size)
	for i := range v {
		v[i] = float32(r.NormFloat64())
	}
	return v
}
