package eval

import (
	"testing"

	"facerecd/match"
)

func TestTemplatesAreEnrolledAndEmbeddingsAreSearchedFor(t *testing.T) {
	// Ana's and Bo's embeddings are nobody's templates, and each template is
	// the other photos' embedding.
	north, east, south, west := []float32{0, 1}, []float32{1, 0}, []float32{0, -1}, []float32{-1, 0}
	samples := []Sample{
		{Person: "ana", Embedding: north, Template: east},
		{Person: "ana", Embedding: east, Template: east},
		{Person: "bo", Embedding: south, Template: west},
		{Person: "bo", Embedding: west, Template: west},
	}
	scores := AllPairs(samples)
	if scores.NSame != 4 || scores.NDifferent != 8 {
		t.Errorf("%d and %d comparisons, want each template with each other photo: 4 and 8", scores.NSame, scores.NDifferent)
	}
	if n := scores.Same[Bins-1]; n != 2 {
		t.Errorf("%d comparisons of one person with a cosine of 1, want 2", n)
	}
	got, err := Identify(samples, 0, 1, match.Policy{Threshold: 0.9})
	if err != nil || got.Rank1 != 1 || got.FNIR != 0 || got.FPIR != 0 {
		t.Errorf("%+v, %v", got, err)
	}
	for i := range samples {
		samples[i].Template = nil // now the first photos' embeddings are enrolled
	}
	if got, err = Identify(samples, 0, 1, match.Policy{Threshold: 0.9}); err != nil || got.FNIR != 1 {
		t.Errorf("without templates %+v, %v", got, err)
	}
}
