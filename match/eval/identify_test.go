package eval

import (
	"fmt"
	"strings"
	"testing"

	"facerecd/match"
)

// crowd is n people who look like nobody else, with the given photos each; the
// last photo of the first `odd` people looks like the next person.
func crowd(n, photos, odd int) []Sample {
	var all []Sample
	for p := range n {
		for i := range photos {
			v := make([]float32, n)
			if p < odd && i == photos-1 {
				v[(p+1)%n] = 1
			} else {
				v[p] = 1
			}
			all = append(all, Sample{Person: fmt.Sprint("person ", p), Embedding: v})
		}
	}
	return all
}

func TestIdentificationCountsWhatTheSearchGives(t *testing.T) {
	policy := match.Policy{Threshold: 0.5, Margin: 0.05, Slope: 10, Offset: -5}
	for _, c := range []struct {
		name    string
		samples []Sample
		n       int
		want    Identification
	}{
		{
			"everybody is found", crowd(10, 3, 0), 0,
			Identification{Enrolled: 10, Photos: 1, Mated: 20, NonMated: 20, Rank1: 1},
		},
		{
			"strangers are nobody", crowd(10, 2, 0), 4,
			Identification{Enrolled: 4, Photos: 1, Mated: 4, NonMated: 16, Rank1: 1},
		},
		{
			"a photo of somebody else is a wrong name", crowd(10, 3, 2), 0,
			// Each odd photo names the next person, as a mated search and as a
			// stranger's.
			Identification{Enrolled: 10, Photos: 1, Mated: 20, NonMated: 20, Rank1: 0.9, FNIR: 0.1, WrongName: 0.1, FPIR: 0.1},
		},
		{
			"more people than there are", crowd(3, 2, 0), 1000,
			Identification{Enrolled: 3, Photos: 1, Mated: 3, NonMated: 3, Rank1: 1},
		},
		{
			"several photos each, every one of which is searched for in turn", crowd(10, 3, 2), 0,
			// As a probe, each odd photo names the next person; as a template, it
			// makes the next person's photo look like two people. One of these two
			// ties puts the wrong one first.
			Identification{Enrolled: 10, Photos: 2, Mated: 20, NonMated: 20, Rank1: 0.85, FNIR: 0.2, WrongName: 0.1, FPIR: 0.2},
		},
	} {
		got, err := Identify(c.samples, c.n, max(c.want.Photos, 1), policy)
		if err != nil || got != c.want {
			t.Errorf("%s: %+v, %v\nwant %+v", c.name, got, err, c.want)
		}
	}
}

func TestThresholdRefusesWhoIsTooFar(t *testing.T) {
	near := []Sample{
		{Person: "a", Embedding: []float32{1, 0, 0}},
		{Person: "a", Embedding: []float32{0.6, 0.8, 0}}, // cosine 0.6
		{Person: "b", Embedding: []float32{0, 0, 1}},
		{Person: "b", Embedding: []float32{0, 0, 1}},
	}
	got, err := Identify(near, 0, 1, match.Policy{Threshold: 0.7})
	if err != nil || got.Rank1 != 1 || got.FNIR != 0.5 || got.WrongName != 0 {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestIdentificationNeedsTwoPeople(t *testing.T) {
	_, err := Identify(crowd(1, 3, 0), 0, 1, match.Policy{})
	if err == nil || err.Error() != "1 people cannot be told apart: at least two are needed" {
		t.Error(err)
	}
}

func TestIdentificationIsTheSameEachTime(t *testing.T) {
	policy := match.Policy{Threshold: 0.5}
	first, err := Identify(crowd(50, 2, 9), 20, 1, policy)
	if err != nil {
		t.Fatal(err)
	}
	for range 5 {
		if again, err := Identify(crowd(50, 2, 9), 20, 1, policy); err != nil || again != first {
			t.Fatalf("%+v, then %+v, %v", first, again, err)
		}
	}
}

func TestPageStandsAlone(t *testing.T) {
	samples := crowd(20, 2, 3)
	id, err := Identify(samples, 0, 1, match.Policy{Threshold: 0.5})
	if err != nil {
		t.Fatal(err)
	}
	r := Report{
		Pack: "<pack>", Photos: 40, Verification: Verification{Pairs: 10, Accuracy: 0.995},
		Identifications: []Identification{id}, Scores: AllPairs(samples), Shipped: 0.56,
	}
	var page strings.Builder
	if err := WriteHTML(&page, "photos & <co>", []Report{r, r}); err != nil {
		t.Fatal(err)
	}
	text := page.String()
	for _, want := range []string{"99.50 %", "&lt;pack&gt;", "photos &amp; &lt;co&gt;", "threshold 0.56", "<svg", "20"} {
		if !strings.Contains(text, want) {
			t.Errorf("the page has no %q", want)
		}
	}
	for _, bad := range []string{"http:", "https:", "<script", "NaN", "Inf", "ZgotmplZ"} {
		if strings.Contains(text, bad) {
			t.Errorf("the page has %q", bad)
		}
	}
}
