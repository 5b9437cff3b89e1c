package match

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestAStrangerKeepsTheFacesThatDifferMost(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	looks := [][]float32{gaussian(r, embeddingSize), gaussian(r, embeddingSize), gaussian(r, embeddingSize), gaussian(r, embeddingSize), gaussian(r, embeddingSize)}
	near := func(v []float32) []float32 { // cosine about 0.9
		w := slices.Clone(v)
		for i, x := range gaussian(r, len(v)) {
			w[i] += 0.45 * x
		}
		return w
	}
	var s Stranger
	for _, look := range looks {
		s = s.With(look, 0.5)
	}
	if s = s.With(looks[2], 0.9); s.Count != 6 || len(s.Exemplars) != 5 || s.Exemplars[4].Quality != 0.9 {
		t.Errorf("the same once more, and better: %d seen, %d exemplars", s.Count, len(s.Exemplars))
	}
	for range 20 {
		s = s.With(near(looks[0]), 0.4)
	}
	for _, look := range looks {
		if !slices.ContainsFunc(s.Exemplars, func(e Exemplar) bool { return Cosine(e.Vector, look) > 0.99 }) {
			t.Error("a look was lost for one that is like another")
		}
	}
	if s.Count != 26 || len(s.Exemplars) != MaxExemplars {
		t.Errorf("%d seen, %d exemplars", s.Count, len(s.Exemplars))
	}
	for _, bad := range [][]float32{make([]float32, embeddingSize), {float32(math.NaN())}} {
		if again := s.With(bad, 1); again.Count != 26 {
			t.Errorf("counted %v", bad[:1])
		}
	}
}

func TestAStrangerSeenAgainIsAnotherValue(t *testing.T) {
	before := Stranger{}.With([]float32{1, 0}, 0.5)
	before.Cameras = append(make([]string, 0, 4), "door")
	after := before.With([]float32{0, 1}, 0.5)
	after.Cameras = append(after.Cameras, "yard")
	after.Sum[0], after.Exemplars[0].Quality = 9, 9
	if before.Count != 1 || before.Sum[0] != 1 || before.Exemplars[0].Quality != 0.5 || len(before.Cameras[:2][1]) > 0 {
		t.Errorf("changed to %+v", before)
	}
}

func TestStrangersAreFoundByWhatIsNearest(t *testing.T) {
	s := NewStrangers("m", 2)
	put := func(st Stranger) {
		t.Helper()
		if err := s.Put(st); err != nil {
			t.Fatal(err)
		}
	}
	put(Stranger{ID: "a", Model: "m", Age: 1, Sum: []float32{3, 0}})
	put(Stranger{ID: "b", Model: "m", Age: 3, Sum: []float32{0, 2}})
	put(Stranger{ID: "c", Model: "other", Age: 2, Sum: []float32{1, 1, 1}})
	find := func(probe []float32, threshold float32) string {
		st, ok := s.Find(probe, threshold)
		if ok != (st.ID != "") {
			t.Fatalf("%v, %+v", ok, st)
		}
		return st.ID
	}
	for _, tc := range []struct {
		probe     []float32
		threshold float32
		want      string
	}{
		{[]float32{1, 0.1}, 0.5, "a"},
		{[]float32{0.1, 1}, 0.5, "b"},
		{[]float32{-1, 0}, 0.5, ""},
		{[]float32{4, 3}, 0.8, "a"},
		{[]float32{4, 3}, 0.81, ""},
		{[]float32{0, 0}, -1, ""},
		{[]float32{1, 0}, float32(math.NaN()), ""},
	} {
		if got := find(tc.probe, tc.threshold); got != tc.want {
			t.Errorf("%v at %v: %q, want %q", tc.probe, tc.threshold, got, tc.want)
		}
	}
	var ids string
	for _, st := range s.All() {
		ids += st.ID
	}
	if ids != "bca" {
		t.Errorf("in the order %s, want who was seen last first", ids)
	}
	put(Stranger{ID: "a", Model: "m", Age: 4, Sum: []float32{-1, 0}})
	if got := find([]float32{1, 0.1}, 0.5) + find([]float32{-1, 0}, 0.5); got != "a" || s.All()[0].ID != "a" {
		t.Errorf("after a change: %q", got)
	}
	s.Remove("a")
	s.Remove("nobody")
	if _, ok := s.Get("a"); ok || find([]float32{-1, 0}, 0.5) != "" || len(s.All()) != 2 {
		t.Error("who was removed is there")
	}
	err := s.Put(Stranger{ID: "d", Model: "m", Sum: []float32{1}, Last: time.Now()})
	if err == nil {
		t.Error("a stranger of another size was taken")
	}
}

// naive is Search, with the rule of Reject spelt out.
func naive(templates, rejected []Template, probe []float32) Ranking {
	scores, against := map[string]float32{}, map[string]float32{}
	best := func(m map[string]float32, t Template) {
		if c := float32(plainCosine(t.Vector, probe)); m[t.Person] == 0 || c > m[t.Person] {
			m[t.Person] = c
		}
	}
	rows := map[string][][]int16{}
	for _, t := range templates {
		best(scores, t)
		rows[t.Person] = append(rows[t.Person], quantized(t.Vector))
	}
	for who, own := range rows {
		if mean := fuse(own); mean != nil {
			scores[who] = max(scores[who], cosine(mean, quantized(probe)))
		}
	}
	for _, t := range rejected {
		best(against, t)
	}
	var r Ranking
	for who, score := range scores {
		if a, ok := against[who]; ok && a > score {
			continue
		}
		if r.Best.Person == "" || score > r.Best.Score {
			r.Best, r.Second = Candidate{who, score}, r.Best
		} else if r.Second.Person == "" || score > r.Second.Score {
			r.Second = Candidate{who, score}
		}
	}
	return r
}

func TestRejectedFacesTakeTheirPersonOutOfTheRanking(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		people := rapid.IntRange(1, 5).Draw(t, "people")
		draw := func(n int) (all []Template) {
			for range n {
				who := string(rune('a' + r.IntN(people)))
				all = append(all, Template{ID: "t", Person: who, Model: "m", Vector: gaussian(r, 4)})
			}
			return all
		}
		templates, rejected := draw(rapid.IntRange(1, 12).Draw(t, "templates")), draw(rapid.IntRange(0, 6).Draw(t, "rejected"))
		g := NewGallery("m", 4)
		if err := g.Add(templates...); err != nil {
			t.Fatal(err)
		}
		if err := g.Reject(rejected...); err != nil {
			t.Fatal(err)
		}
		probe := gaussian(r, 4)
		got, want := g.Search(probe), naive(templates, rejected, probe)
		same := func(a, b Candidate) bool {
			return a.Person == b.Person && math.Abs(float64(a.Score-b.Score)) < 1e-5
		}
		if !same(got.Best, want.Best) || !same(got.Second, want.Second) {
			t.Fatalf("%+v, want %+v", got, want)
		}
	})
}

func TestWhoIsRemovedHasNoRejectedFaces(t *testing.T) {
	g := gallery(t, 2, template("ana", 1, 0), template("bo", 0, 1))
	reject := func(ts ...Template) {
		t.Helper()
		if err := g.Reject(ts...); err != nil {
			t.Fatal(err)
		}
	}
	other := template("ana", 1, 0)
	other.Model = "other"
	reject(template("ana", 4, 3), template("nobody", 1, 0), other)
	if got := g.Search([]float32{4, 3}).Best.Person; got != "bo" {
		t.Errorf("a rejected face is %q's", got)
	}
	if got := g.Search([]float32{1, 0}).Best.Person; got != "ana" {
		t.Errorf("the person is %q", got)
	}
	g.RemovePerson("ana")
	if err := g.Add(template("cy", 1, 0)); err != nil { // in the same slot
		t.Fatal(err)
	}
	if got := g.Search([]float32{4, 3}).Best.Person; got != "cy" {
		t.Errorf("what was not ana is not %q", got)
	}
	err := g.Reject(template("bo", 1))
	if err == nil || err.Error() != "template t-bo has 1 elements, model m makes 2: enrol the person again" {
		t.Errorf("error %v", err)
	}
	reject(template("cy", 4, 3))
	g.Become(gallery(t, 2, template("cy", 1, 0)))
	if got := g.Search([]float32{4, 3}).Best.Person; got != "cy" {
		t.Errorf("after a restore: %q", got)
	}
}
