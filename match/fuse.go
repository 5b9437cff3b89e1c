package match

import "math"

const (
	// fused is from how many templates on a person has a mean.
	fused = 2
	// trimmed is from how many on the mean leaves one out.
	trimmed = 4
)

// fuse returns the mean of a person's quantised unit vectors, as one more of
// them; nil of fewer than two. Of four and more, the one that is least like the
// others is left out: a photo of somebody else, or a bad one.
//
// A mean has less of what is one photo's only, such as its light, so that it is
// nearer to the next photo than most of them. It does not replace them: the mean
// of somebody with and without glasses looks like neither.
func fuse(vectors [][]int16) []int16 {
	if len(vectors) < fused {
		return nil
	}
	sum := make([]float32, len(vectors[0]))
	add := func(v []int16, times float32) {
		for i, x := range v {
			sum[i] += times * float32(x)
		}
	}
	for _, v := range vectors {
		add(v, 1)
	}
	if len(vectors) >= trimmed {
		worst, lowest := 0, math.Inf(1)
		for n, v := range vectors {
			if c := fit(v, sum); c < lowest {
				worst, lowest = n, c
			}
		}
		add(vectors[worst], -1)
	}
	u, err := unit(sum)
	if err != nil { // they are opposite to each other
		return nil
	}
	return quantize(u)
}

// fit is the cosine of one of the vectors with the sum of the others.
func fit(v []int16, sum []float32) float64 {
	var product, square float64
	for i, x := range v {
		rest := float64(sum[i]) - float64(x)
		product += float64(x) * rest
		square += rest * rest
	}
	return product / math.Sqrt(max(square, 1))
}
