package match

import "math"

const (
	// lanes is how many elements of a row one word of a coarse probe meets.
	lanes = 4
	// stride is what rows are padded to with zeros: a turn of nearly's loop.
	stride = 16

	eachLane = 0x0001000100010001
	signs    = 0x8000 * eachLane
	upper    = 0x00ff * eachLane
)

// coarse is a probe that finds the rows that are worth a cosine: it compares
// their upper 8 bits, four elements in one multiplication, and knows how much
// the others can add at most. A search is as exact as without it.
//
// With X = 1<<16, a word of a row is a0 + a1*X + a2*X² + a3*X³ and a word of the
// probe c3 + c2*X + c1*X² + c0*X³. Of their product, X³'s coefficient is
// a0*c0 + a1*c1 + a2*c2 + a3*c3; what is above it falls out of the 64 bits. The
// coefficients of all words' sum are scalar products of vectors of known lengths
// (Cauchy-Schwarz), so that scale can keep them within 16 bits.
type coarse struct {
	words  []uint64
	centre uint64  // undoes that a is 0..255 where -128..127 is meant
	unit   float64 // what 1 in nearly's result is in a cosine
	reach  float64 // what a cosine can be above nearly's result at most
}

// padded is the size that rows of a size have with their zeros.
func padded(size int) int { return (size + stride - 1) / stride * stride }

// newCoarse is that of a quantised unit vector.
func newCoarse(probe []int16) coarse {
	root := math.Sqrt(float64(len(probe)))
	scale := math.Floor(math.MaxInt16/(128+root) - root/2) // the lengths are below 128+root and scale+root/2
	c := coarse{
		words: make([]uint64, padded(len(probe))/lanes),
		unit:  256 / (one * scale),
	}
	var sum, lost, cut float64
	for i, x := range probe {
		exact := float64(x) / one * scale
		rounded := math.Round(exact)
		c.words[i/lanes] += uint64(int64(rounded)) << (16 * (lanes - 1 - i%lanes))
		sum += rounded
		cut += math.Abs(rounded)
		lost += (exact - rounded) * (exact - rounded)
	}
	for _, w := range c.words {
		c.centre -= 128 * eachLane * w
	}
	// A row's lower 8 bits are 0..255, which is 127.5 give or take as much. What
	// was rounded off the probe meets a row of length 1. A carry out of X² makes
	// the result 1 less, and the rest is for the rounding of the sums here.
	c.reach = 127.5*(sum+cut)/(one*scale) + 1.01*math.Sqrt(lost)/scale + c.unit + 1e-5
	return c
}

// atMost is the highest result of nearly that a row can have whose cosine is not
// above score.
func (c *coarse) atMost(score float32) int {
	return int(math.Floor((float64(score) - c.reach) / c.unit))
}

// nearly compares a row, padded to the stride, with the probe: its cosine is at
// most the result times unit, and reach.
func (c *coarse) nearly(row []int16) int {
	s0, s1 := c.centre, uint64(0)
	for words := c.words; len(row) >= stride && len(words) >= stride/lanes; row, words = row[stride:], words[stride/lanes:] {
		x, y := (*[stride]int16)(row), (*[stride / lanes]uint64)(words)
		s0 += (word(x[0], x[1], x[2], x[3]) ^ signs) >> 8 & upper * y[0]
		s1 += (word(x[4], x[5], x[6], x[7]) ^ signs) >> 8 & upper * y[1]
		s0 += (word(x[8], x[9], x[10], x[11]) ^ signs) >> 8 & upper * y[2]
		s1 += (word(x[12], x[13], x[14], x[15]) ^ signs) >> 8 & upper * y[3]
	}
	return int(int16((s0 + s1) >> (16 * (lanes - 1))))
}

// word is four elements as they lie in memory; the compiler makes it one load.
func word(a, b, c, d int16) uint64 {
	return uint64(uint16(a)) | uint64(uint16(b))<<16 | uint64(uint16(c))<<32 | uint64(uint16(d))<<48
}
