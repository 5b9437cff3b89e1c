package eval

import (
	"fmt"
	"math/rand/v2"

	"facerecd/match"
)

// Clustering is how well strangers are known again.
type Clustering struct {
	Photos    int     `json:"photos"` // each as if it were a sighting
	People    int     `json:"people"`
	Several   int     `json:"several"`   // people with several photos
	Threshold float32 `json:"threshold"` // cosine
	Purity    float64 `json:"purity"`    // photos that are with a stranger who is mostly their person
	Split     float64 `json:"split"`     // of the people with several photos, who are two strangers or more
	Strangers float64 `json:"strangers"` // how many there are in the end
}

// orders is in how many random orders Cluster tries the photos.
const orders = 5

// Cluster shows the photos whose quality is quality or more to a match.Strangers
// one after the other, with a fixed seed, and gives the mean over several orders.
func Cluster(samples []Sample, quality, threshold float32) (Clustering, error) {
	c := Clustering{Threshold: threshold}
	photos := make(map[string]int)
	var good []Sample
	for _, s := range samples {
		if s.Quality >= quality {
			good = append(good, s)
			photos[s.Person]++
		}
	}
	c.Photos, c.People = len(good), len(photos)
	for _, n := range photos {
		if n > 1 {
			c.Several++
		}
	}
	if c.Several == 0 {
		return c, fmt.Errorf("%d photos show nobody twice", len(good))
	}
	for order := range uint64(orders) {
		who := make(map[string]map[string]int) // stranger -> person -> photos
		of := make(map[string]map[string]bool) // person -> strangers
		strangers := match.NewStrangers("", len(good[0].Embedding))
		for _, i := range rand.New(rand.NewPCG(order, 1)).Perm(len(good)) {
			s := good[i]
			st, found := strangers.Find(s.Embedding, threshold)
			if !found {
				st.ID = fmt.Sprint(len(who))
				who[st.ID] = make(map[string]int)
			}
			if err := strangers.Put(st.With(s.Embedding, s.Quality)); err != nil {
				return c, fmt.Errorf("cluster: %w", err)
			}
			who[st.ID][s.Person]++
			if of[s.Person] == nil {
				of[s.Person] = make(map[string]bool)
			}
			of[s.Person][st.ID] = true
		}
		right, split := 0, 0
		for _, people := range who {
			most := 0
			for _, n := range people {
				most = max(most, n)
			}
			right += most
		}
		for _, strangers := range of {
			if len(strangers) > 1 {
				split++
			}
		}
		c.Purity += float64(right) / float64(len(good)) / orders
		c.Split += float64(split) / float64(c.Several) / orders
		c.Strangers += float64(len(who)) / orders
	}
	return c, nil
}
