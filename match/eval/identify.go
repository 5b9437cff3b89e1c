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
	Enrolled  int     `json:"enrolled"`   // people
	Photos    int     `json:"photos"`     // of each, where there are as many
	Mated     int     `json:"mated"`      // searches for somebody who is enrolled
	NonMated  int     `json:"non_mated"`  // searches for somebody who is not
	Rank1     float64 `json:"rank1"`      // mated searches whose best candidate is right, whatever the score
	FNIR      float64 `json:"fnir"`       // mated searches that do not name the right person
	FPIR      float64 `json:"fpir"`       // non-mated searches that name somebody
	WrongName float64 `json:"wrong_name"` // mated searches that name somebody else; part of FNIR
}

// Identify enrols n people (all of them when n is 0 or too many) with their
// first so many photos each, or with those that they have, searches for their
// others, and decides by policy. Those of whom photos are left over are enrolled
// first, so that there is somebody to search for; who is, else, is drawn with a
// fixed seed. It does so as often as it enrols photos, each time beginning with
// the next photo of everybody.
//
// Searches for strangers are with the photos of people who are not enrolled,
// and with those of people who are, against everybody but themselves.
func Identify(samples []Sample, n, photos int, policy match.Policy) (Identification, error) {
	albums := map[string][]Sample{}
	for _, s := range samples {
		albums[s.Person] = append(albums[s.Person], s)
	}
	people := make([]string, 0, len(albums))
	for p := range albums {
		people = append(people, p)
	}
	slices.Sort(people)
	r := rand.New(rand.NewPCG(19795, 1))
	r.Shuffle(len(people), func(i, j int) { people[i], people[j] = people[j], people[i] })
	slices.SortStableFunc(people, func(a, b string) int {
		return cmp.Compare(min(len(albums[b]), photos+1), min(len(albums[a]), photos+1))
	})
	if n <= 0 || n > len(people) {
		n = len(people)
	}
	if n < 2 {
		return Identification{}, fmt.Errorf("%d people cannot be told apart: at least two are needed", n)
	}
	var c counts
	for range photos {
		if err := c.identify(people[:n], people[n:], albums, photos, policy); err != nil {
			return Identification{}, err
		}
		for p, a := range albums {
			albums[p] = append(a[1:len(a):len(a)], a[0])
		}
	}
	return Identification{
		Enrolled: n, Photos: photos, Mated: c.mated, NonMated: c.strange,
		Rank1:     share(int64(c.right), int64(c.mated)),
		FNIR:      share(int64(c.missed), int64(c.mated)),
		WrongName: share(int64(c.wrong), int64(c.mated)),
		FPIR:      share(int64(c.named), int64(c.strange)),
	}, nil
}

// counts is of searches.
type counts struct {
	mated, right, missed, wrong int
	strange, named              int
}

func (c *counts) identify(enrolled, others []string, albums map[string][]Sample, photos int, policy match.Policy) error {
	gallery := match.NewGallery("", len(albums[enrolled[0]][0].Embedding))
	enrol := func(p string) error {
		for _, s := range albums[p][:min(photos, len(albums[p]))] {
			if err := gallery.Add(match.Template{Person: s.Person, Vector: s.template()}); err != nil {
				return fmt.Errorf("enrol: %w", err)
			}
		}
		return nil
	}
	for _, p := range enrolled {
		if err := enrol(p); err != nil {
			return err
		}
	}
	for _, p := range others {
		c.strangers(gallery, albums[p], policy)
	}
	for _, p := range enrolled {
		probes := albums[p][min(photos, len(albums[p])):]
		for _, probe := range probes {
			ranking := gallery.Search(probe.Embedding)
			named := policy.Decide(ranking).Person
			c.mated++
			if ranking.Best.Person == p {
				c.right++
			}
			if named != p {
				c.missed++
				if named != "" {
					c.wrong++
				}
			}
		}
		gallery.RemovePerson(p)
		c.strangers(gallery, probes, policy)
		if err := enrol(p); err != nil {
			return err
		}
	}
	return nil
}

func (c *counts) strangers(gallery *match.Gallery, probes []Sample, policy match.Policy) {
	for _, probe := range probes {
		c.strange++
		if policy.Decide(gallery.Search(probe.Embedding)).Person != "" {
			c.named++
		}
	}
}
