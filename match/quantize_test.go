package match

import (
	"math"
	"math/rand/v2"
	"testing"
)

func TestQuantizedVectorsKeepTheirCosine(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, size := range []int{1, 2, 7, 8, 11, 192, 512} {
		worst := 0.0
		for range 2000 {
			a, b := gaussian(r, size), gaussian(r, size)
			if r.IntN(2) == 0 { // two looks of one face
				for i := range b {
					b[i] = a[i] + b[i]/2
				}
			}
			worst = max(worst, math.Abs(float64(cosine(quantized(a), quantized(b))-Cosine(a, b))))
		}
		t.Logf("%d elements: off by at most %.6f", size, worst)
		if worst > 1e-4 {
			t.Errorf("%d elements: a cosine is off by %v", size, worst)
		}
	}
}

func TestQuantizedVectorsDoNotOverflow(t *testing.T) {
	for _, size := range []int{1, 3, 192, 4096} {
		v := make([]float32, size)
		for i := range v {
			v[i] = float32(1 - 2*(i%2))
		}
		q := quantized(v)
		if got := cosine(q, q); math.Abs(float64(got)-1) > 0.02 {
			t.Errorf("%d elements: a vector and itself have the cosine %v", size, got)
		}
	}
}
