package eval

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"

	"facerecd/match"
)

// Sample is a photo of a person.
type Sample struct {
	Person    string
	Embedding []float32 // unit vector
	Quality   float32   // 0..1
	// Template is the unit vector that enrolment makes of the photo; nil when
	// it enrols the embedding.
	Template []float32
}

// template is what is stored of somebody enrolled with the photo.
func (s Sample) template() []float32 {
	if s.Template != nil {
		return s.Template
	}
	return s.Embedding
}

// Identification is how open-set search does with so many people enrolled,
// after ISO/IEC 19795-1.
type Identification struct {
	Enrolled  int     `json:"enrolled"`   // people, one photo each
	Mated     int     `json:"mated"`      // searches for somebody who is enrolled
	NonMated  int     `json:"non_mated"`  // searches for somebody who is not
	Rank1     float64 `json:"rank1"`      // mated searches whose best candidate is right, whatever the score
	FNIR      float64 `json:"fnir"`       // mated searches that do not name the right person
	FPIR      float64 `json:"fpir"`       // non-mated searches that name somebody
	WrongName float64 `json:"wrong_name"` // mated searches that name somebody else; part of FNIR
}

// Identify enrols n people (all of them when n is 0 or too many) with their
// first photo each, searches for the others' photos, and decides by policy.
// Those with several photos are enrolled first, so that there is somebody to
// search for; who is, else, is drawn with a fixed seed.
//
// Searches for strangers are with the photos of people who are not enrolled,
// and with those of people who are, against everybody but themselves.
func Identify(samples []Sample, n int, policy match.Policy) (Identification, error) {
	photos := map[string][]Sample{}
	for _, s := range samples {
		photos[s.Person] = append(photos[s.Person], s)
	}
	people := make([]string, 0, len(photos))
	for p := range photos {
		people = append(people, p)
	}
	slices.Sort(people)
	r := rand.New(rand.NewPCG(19795, 1))
	r.Shuffle(len(people), func(i, j int) { people[i], people[j] = people[j], people[i] })
	slices.SortStableFunc(people, func(a, b string) int {
		return cmp.Compare(min(len(photos[b]), 2), min(len(photos[a]), 2))
	})
	if n <= 0 || n > len(people) {
		n = len(people)
	}
	if n < 2 {
		return Identification{}, fmt.Errorf("%d people cannot be told apart: at least two are needed", n)
	}

	gallery := match.NewGallery("", len(samples[0].Embedding))
	for _, p := range people[:n] {
		if err := gallery.Add(reference(photos[p][0])); err != nil {
			return Identification{}, fmt.Errorf("enrol: %w", err)
		}
	}
	result := Identification{Enrolled: n}
	var right, missed, wrong, named int
	for i, p := range people {
		probes := photos[p]
		if i < n {
			probes = probes[1:]
			for _, probe := range probes {
				ranking := gallery.Search(probe.Embedding)
				decision := policy.Decide(ranking)
				result.Mated++
				if ranking.Best.Person == p {
					right++
				}
				if decision.Person != p {
					missed++
					if decision.Person != "" {
						wrong++
					}
				}
			}
			gallery.RemovePerson(p)
		}
		for _, probe := range probes {
			result.NonMated++
			if policy.Decide(gallery.Search(probe.Embedding)).Person != "" {
				named++
			}
		}
		if i < n {
			if err := gallery.Add(reference(photos[p][0])); err != nil {
				return Identification{}, fmt.Errorf("enrol: %w", err)
			}
		}
	}
	result.Rank1 = share(int64(right), int64(result.Mated))
	result.FNIR = share(int64(missed), int64(result.Mated))
	result.WrongName = share(int64(wrong), int64(result.Mated))
	result.FPIR = share(int64(named), int64(result.NonMated))
	return result, nil
}

func reference(s Sample) match.Template {
	return match.Template{Person: s.Person, Vector: s.template()}
}
