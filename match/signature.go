package match

import (
	"math"
	"math/bits"
	"math/rand/v2"
)

// signature has one bit for each of signatureBits random planes: the side on
// which a vector is. Two vectors differ in as many bits as planes are between
// them, each with the probability of their angle over π (Charikar, "Similarity
// Estimation Techniques from Rounding Algorithms", STOC 2002). That costs a
// twentieth of their cosine.
type signature [signatureBits / 64]uint64

const signatureBits = 512

// differs is written out because a loop takes twice as long.
func (s *signature) differs(o *signature) int {
	return bits.OnesCount64(s[0]^o[0]) + bits.OnesCount64(s[1]^o[1]) +
		bits.OnesCount64(s[2]^o[2]) + bits.OnesCount64(s[3]^o[3]) +
		bits.OnesCount64(s[4]^o[4]) + bits.OnesCount64(s[5]^o[5]) +
		bits.OnesCount64(s[6]^o[6]) + bits.OnesCount64(s[7]^o[7])
}

// furthest is the most bits in which two vectors with at least this cosine
// differ, but for one pair in 30,000 of those that just have it.
func furthest(cosine float32) int {
	const sigmas = 4
	p := math.Acos(float64(clip(cosine))) / math.Pi
	return int(signatureBits*p + sigmas*math.Sqrt(signatureBits*p*(1-p)))
}

// planes are normals, one after the other; the same ones each time.
func planes(size int) []float32 {
	r := rand.New(rand.NewPCG(1, 2))
	normals := make([]float32, signatureBits*size)
	for i := range normals {
		normals[i] = float32(r.NormFloat64())
	}
	return normals
}

func sign(row []int16, planes []float32) (s signature) {
	v := make([]float32, len(row))
	for i, x := range row {
		v[i] = float32(x)
	}
	for i := range signatureBits {
		if dot(planes[i*len(v):(i+1)*len(v)], v) > 0 {
			s[i/64] |= 1 << (i % 64)
		}
	}
	return s
}
