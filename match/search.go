package match

import (
	"fmt"
	"math"
)

// Candidate is a person and how well the probe fits: the cosine of the best of
// the person's templates and their mean, -1..1. The zero value is nobody.
type Candidate struct {
	Person string // Person.ID
	Score  float32
}

// Ranking is what a search finds: the best person and the best other person,
// nobody (the zero Candidate) where there is none.
type Ranking struct {
	Best, Second Candidate
}

// Search compares the probe, of any length but zero, with every template, and
// with the mean of each person's: fuse says how that is made. A person scores as
// the best of these does: templates are different looks of a face (glasses, side
// light), and a mean alone would punish the person who was enrolled with more
// variety. Whoever the probe is less like than like a face that was rejected for
// them (see Reject) is left out.
//
// A probe that is zero or not finite resembles nobody. Search panics when the
// probe's size is not the gallery's, as that is a mistake in the program.
func (g *Gallery) Search(probe []float32) Ranking {
	if len(probe) != g.size {
		panic(fmt.Sprintf("match: probe of %d elements in a gallery of %d", len(probe), g.size))
	}
	u, err := unit(probe)
	if err != nil {
		return Ranking{}
	}
	s := newSearch(quantize(u))

	g.mu.RLock()
	defer g.mu.RUnlock()
	s.g = g
	for from := 0; from < len(g.rows); from += blockRows { // row would divide for each
		vectors := g.blocks[from/blockRows]
		for _, who := range g.rows[from:min(from+blockRows, len(g.rows))] {
			if s.nearly(vectors[:g.padded]) > s.skipped {
				s.consider(who, vectors[:g.size])
			}
			vectors = vectors[g.padded:]
		}
	}
	for from := 0; from < len(g.own); from += blockRows {
		vectors := g.means.blocks[from/blockRows]
		for i, own := range g.own[from:min(from+blockRows, len(g.own))] {
			if len(own) >= fused && s.nearly(vectors[:g.padded]) > s.skipped {
				s.consider(int32(from+i), vectors[:g.size])
			}
			vectors = vectors[g.padded:]
		}
	}
	return Ranking{Best: g.candidate(s.best, s.bestScore), Second: g.candidate(s.second, s.secondScore)}
}

// none is below every cosine.
const none = -2

// search is one under way, by slots.
type search struct {
	g     *Gallery
	probe []int16
	coarse
	skipped                int   // up to this result of nearly, a row changes nothing
	best, second           int32 // -1: nobody
	bestScore, secondScore float32
}

func newSearch(probe []int16) search {
	c := newCoarse(probe)
	return search{probe: probe, coarse: c, skipped: c.atMost(none), best: -1, second: -1, bestScore: none, secondScore: none}
}

func (s *search) consider(who int32, vector []int16) {
	score := cosine(vector, s.probe)
	switch {
	case score <= s.secondScore:
		return
	case len(s.g.not) > 0 && score < s.g.against(who, s.probe):
		return
	case who == s.best:
		s.bestScore = max(s.bestScore, score)
		return
	case score > s.bestScore:
		s.second, s.secondScore = s.best, s.bestScore
		s.best, s.bestScore = who, score
	default:
		s.second, s.secondScore = who, score
	}
	s.skipped = s.atMost(s.secondScore)
}

// against is how near the probe comes to what is not the person.
func (g *Gallery) against(slot int32, probe []int16) float32 {
	worst := float32(math.Inf(-1))
	for _, v := range g.not[slot] {
		worst = max(worst, cosine(v, probe))
	}
	return worst
}

func (g *Gallery) candidate(slot int32, score float32) Candidate {
	if slot < 0 {
		return Candidate{}
	}
	return Candidate{Person: g.people[slot], Score: clip(score)}
}

// clip undoes what rounding may carry past the range of a cosine.
func clip(score float32) float32 { return min(max(score, -1), 1) }
