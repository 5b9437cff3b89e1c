package match

import (
	"math"
	"testing"
)

func TestDecideNamesOnlyWhoIsGoodAndClear(t *testing.T) {
	p := Policy{Threshold: 0.5, Margin: 0.125, Slope: 10, Offset: -5}
	rank := func(best, second float32) Ranking {
		return Ranking{Best: Candidate{"ana", best}, Second: Candidate{"eva", second}}
	}
	nan := float32(math.NaN())
	for _, tc := range []struct {
		name   string
		r      Ranking
		person string
		reason string
	}{
		{"good and clear", rank(0.8, 0.2), "ana", Match},
		{"exactly on both limits", rank(0.5, 0.375), "ana", Match},
		{"just below", rank(0.499, 0), "", BelowThreshold},
		{"siblings", rank(0.8, 0.75), "", Ambiguous},
		{"low and unclear: low is said", rank(0.3, 0.29), "", BelowThreshold},
		{"the only person", Ranking{Best: Candidate{"ana", 0.6}}, "ana", Match},
		{"the only person, too low", Ranking{Best: Candidate{"ana", 0.4}}, "", BelowThreshold},
		{"nobody enrolled", Ranking{}, "", EmptyGallery},
		{"NaN score", rank(nan, 0.2), "", BelowThreshold},
		{"NaN second", rank(0.8, nan), "", Ambiguous},
	} {
		t.Run(tc.name, func(t *testing.T) {
			d := p.Decide(tc.r)
			if d.Person != tc.person || d.Reason != tc.reason {
				t.Errorf("%q, %s; want %q, %s", d.Person, d.Reason, tc.person, tc.reason)
			}
		})
	}
}

func TestConfidenceIsTheLogisticOfTheScore(t *testing.T) {
	p := Policy{Slope: 10, Offset: -5}
	for _, tc := range []struct{ score, want float64 }{
		{0.5, 0.5}, {0.7, 1 / (1 + math.Exp(-2))}, {-1, 1 / (1 + math.Exp(15))},
	} {
		d := p.Decide(Ranking{Best: Candidate{"ana", float32(tc.score)}})
		if math.Abs(float64(d.Confidence)-tc.want) > 1e-6 {
			t.Errorf("score %v: confidence %v, want %v", tc.score, d.Confidence, tc.want)
		}
	}
	if d := (Policy{Slope: 1e30}).Decide(Ranking{Best: Candidate{"ana", 1}}); d.Confidence != 1 {
		t.Errorf("steep slope: confidence %v, want 1", d.Confidence)
	}
}

func TestReasonsAreStable(t *testing.T) {
	for got, want := range map[string]string{
		Match: "match", BelowThreshold: "below_threshold", Ambiguous: "ambiguous", EmptyGallery: "empty_gallery",
	} {
		if got != want {
			t.Errorf("reason %q, programs read %q", got, want)
		}
	}
}
