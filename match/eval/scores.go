package eval

import (
	"cmp"
	"errors"
	"math"
	"slices"
)

// Bins is the resolution of Scores: a cosine is known to 1/10,000.
const Bins = 20_000

// Scores holds the cosines of very many comparisons as two histograms, which
// is all that rates, curves and fits need: every pair of 13,000 photos fits
// into the same memory as of ten. The zero value is empty.
type Scores struct {
	Same, Different [Bins]int64
	NSame           int64
	NDifferent      int64
}

// bin is where a cosine is counted.
func bin(score float32) int {
	return min(max(int((score+1)*(Bins/2)), 0), Bins-1)
}

// centre is the cosine in the middle of a bin.
func centre(bin int) float64 { return (float64(bin)+0.5)/(Bins/2) - 1 }

// Add counts one comparison.
func (s *Scores) Add(score float32, same bool) {
	if same {
		s.Same[bin(score)]++
		s.NSame++
	} else {
		s.Different[bin(score)]++
		s.NDifferent++
	}
}

// AllPairs compares each photo with each other one; where enrolment makes
// templates of its own, each photo's template with each other photo.
func AllPairs(samples []Sample) *Scores {
	s := &Scores{}
	for i, a := range samples {
		for _, b := range samples[:i] {
			s.Add(dot(a.template(), b.Embedding), a.Person == b.Person)
			if a.Template != nil {
				s.Add(dot(b.template(), a.Embedding), a.Person == b.Person)
			}
		}
	}
	return s
}

// Discard returns the samples without the given share of them, those of the
// lowest quality: if quality predicts who is recognisable, errors fall.
func Discard(samples []Sample, worst float64) []Sample {
	kept := slices.SortedStableFunc(slices.Values(samples), func(a, b Sample) int { return cmp.Compare(a.Quality, b.Quality) })
	return kept[int(worst*float64(len(kept))):]
}

// Point is how a threshold does.
type Point struct {
	Threshold float64 `json:"threshold"`
	FAR       float64 `json:"far"` // share of different people's comparisons that pass
	FRR       float64 `json:"frr"` // share of the same person's that do not
}

// Curve gives the rates at each bin's lower edge, from the lowest threshold to
// the highest: the detection error trade-off.
func (s *Scores) Curve() []Point {
	points := make([]Point, Bins)
	var passing, failing int64 = s.NDifferent, 0
	for i := range Bins {
		points[i] = Point{
			Threshold: float64(i)/(Bins/2) - 1,
			FAR:       share(passing, s.NDifferent),
			FRR:       share(failing, s.NSame),
		}
		passing -= s.Different[i]
		failing += s.Same[i]
	}
	return points
}

// At is the lowest threshold with a false-accept rate of at most far.
func (s *Scores) At(far float64) Point {
	points := s.Curve()
	for _, p := range points {
		if p.FAR <= far {
			return p
		}
	}
	return Point{Threshold: 1, FAR: 0, FRR: 1}
}

// ErrTooFew says that a rate or a fit was asked for that so few comparisons
// cannot give.
var ErrTooFew = errors.New("too few comparisons: at least ten of the same person and ten of different people are needed")

// Confidence fits the probability that a comparison is of one person,
// 1/(1+exp(-(slope*cosine+offset))), by logistic regression with both kinds of
// comparison weighing the same: whoever stands at the door is as likely known
// as not.
func (s *Scores) Confidence() (slope, offset float64, err error) {
	if s.NSame < 10 || s.NDifferent < 10 {
		return 0, 0, ErrTooFew
	}
	// Newton's method on two parameters. A little ridge keeps the slope finite
	// where the two kinds do not overlap at all.
	const ridge = 1e-6
	for range 100 {
		var g0, g1, h00, h01, h11 float64
		for i := range Bins {
			same := float64(s.Same[i]) / float64(s.NSame)
			different := float64(s.Different[i]) / float64(s.NDifferent)
			if same == 0 && different == 0 {
				continue
			}
			x := centre(i)
			p := 1 / (1 + math.Exp(-(slope*x + offset)))
			g := same*(1-p) - different*p
			h := (same + different) * p * (1 - p)
			g0, g1 = g0+g*x, g1+g
			h00, h01, h11 = h00+h*x*x, h01+h*x, h11+h
		}
		g0 -= ridge * slope
		h00 += ridge
		h11 += ridge
		det := h00*h11 - h01*h01
		stepSlope, stepOffset := (h11*g0-h01*g1)/det, (h00*g1-h01*g0)/det
		// Full Newton steps overshoot while p saturates.
		limit := max(1, math.Abs(stepSlope)/5, math.Abs(stepOffset)/5)
		slope += stepSlope / limit
		offset += stepOffset / limit
		if math.Abs(stepSlope) < 1e-6 && math.Abs(stepOffset) < 1e-6 {
			break
		}
	}
	return slope, offset, nil
}

func share(part, all int64) float64 {
	if all == 0 {
		return 0
	}
	return float64(part) / float64(all)
}

// dot is the cosine of unit vectors.
func dot(a, b []float32) float32 {
	var sum float32
	for i, x := range a {
		sum += x * b[i]
	}
	return sum
}
