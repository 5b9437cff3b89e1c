package match

import "math"

// dot is the scalar product of two vectors of the same length. Four sums
// instead of one let the processor start an addition before the last has
// ended; the array pointers spare the bounds checks.
func dot(a, b []float32) float32 {
	b = b[:len(a)]
	var s0, s1, s2, s3 float32
	for len(a) >= 8 {
		x, y := (*[8]float32)(a), (*[8]float32)(b)
		s0 += x[0] * y[0]
		s1 += x[1] * y[1]
		s2 += x[2] * y[2]
		s3 += x[3] * y[3]
		s0 += x[4] * y[4]
		s1 += x[5] * y[5]
		s2 += x[6] * y[6]
		s3 += x[7] * y[7]
		a, b = a[8:], b[8:]
	}
	for i, x := range a {
		s0 += x * b[i]
	}
	return (s0 + s1) + (s2 + s3)
}

// Cosine compares two embeddings of one model, of any length but zero: -1..1, or
// 0 when they cannot be compared, being of different size, zero or not finite.
func Cosine(a, b []float32) float32 {
	if len(a) != len(b) {
		return 0
	}
	c := float64(dot(a, b)) / math.Sqrt(float64(dot(a, a))*float64(dot(b, b)))
	if math.IsNaN(c) {
		return 0
	}
	return float32(min(max(c, -1), 1))
}
