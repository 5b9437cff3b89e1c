package match

import "math"

// The reasons of a Decision, stable for programs that read them.
const (
	Match          = "match"
	BelowThreshold = "below_threshold"
	Ambiguous      = "ambiguous"
	EmptyGallery   = "empty_gallery"
)

// Policy says when a ranking names somebody. The numbers belong to a model and
// come with its pack.
type Policy struct {
	Threshold float32 // least cosine of the best person, -1..1
	Margin    float32 // least lead over the second person, 0..2
	Slope     float32 // of the logistic fit of "same person" against cosine
	Offset    float32
}

// Decision is what a Policy makes of a Ranking. Score, Margin and Confidence
// describe the best candidate, who is named only when Reason is Match.
type Decision struct {
	Person     string  // Person.ID; "" when nobody is named
	Score      float32 // cosine, -1..1
	Margin     float32 // lead over the second person, 0..2
	Confidence float32 // probability that it is the best candidate, 0..1
	Reason     string
}

// Decide names the best candidate who is good enough and far enough before the
// second. Of two who are alike, siblings for instance, it names neither: the
// wrong name is worse than none. A single enrolled person leads over the least
// possible cosine, -1.
func (p Policy) Decide(r Ranking) Decision {
	if r.Best.Person == "" {
		return Decision{Reason: EmptyGallery}
	}
	second := r.Second.Score
	if r.Second.Person == "" {
		second = -1
	}
	d := Decision{
		Score:      r.Best.Score,
		Margin:     r.Best.Score - second,
		Confidence: p.Confidence(r.Best.Score),
	}
	// Written so that a NaN names nobody.
	switch {
	case !(d.Score >= p.Threshold):
		d.Reason = BelowThreshold
	case !(d.Margin >= p.Margin):
		d.Reason = Ambiguous
	default:
		d.Reason, d.Person = Match, r.Best.Person
	}
	return d
}

// Confidence is the probability, 0..1, that a probe with the score is of that
// person.
func (p Policy) Confidence(score float32) float32 { return logistic(p.Slope*score + p.Offset) }

func logistic(x float32) float32 { return float32(1 / (1 + math.Exp(-float64(x)))) }
