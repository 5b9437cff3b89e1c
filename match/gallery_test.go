package match

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"
)

func template(person string, v ...float32) Template {
	return Template{ID: "t-" + person, Person: person, Model: "m", Vector: v}
}

func gallery(t *testing.T, size int, templates ...Template) *Gallery {
	t.Helper()
	g := NewGallery("m", size)
	if err := g.Add(templates...); err != nil {
		t.Fatal(err)
	}
	return g
}

func TestAddSaysWhatIsWrongWithATemplate(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	for _, tc := range []struct {
		name string
		bad  Template
		want string
	}{
		{"too short", template("ana", 1, 2), "template t-ana has 2 elements, model m makes 3: enrol the person again"},
		{"too long", template("ana", 1, 2, 3, 4), "template t-ana has 4 elements, model m makes 3: enrol the person again"},
		{"NaN", template("ana", 1, nan, 3), "template t-ana: vector has an element that is not finite: enrol the person again"},
		{"infinite", template("ana", 1, 2, inf), "template t-ana: vector has an element that is not finite: enrol the person again"},
		{"zero", template("ana", 0, 0, 0), "template t-ana: vector is zero: enrol the person again"},
		{"nobody's", template("", 1, 2, 3), "template t- belongs to nobody: set its person"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			g := NewGallery("m", 3)
			err := g.Add(template("bo", 1, 0, 0), tc.bad)
			if err == nil || err.Error() != tc.want {
				t.Errorf("error %v, want %q", err, tc.want)
			}
			if g.Len() != 0 || g.People() != 0 {
				t.Errorf("a refused Add left %d templates of %d people", g.Len(), g.People())
			}
		})
	}
}

func TestSearchTakesThePersonsBestTemplateAndTheBestOtherPerson(t *testing.T) {
	g := gallery(
		t, 2,
		template("ana", 0, 1), template("ana", 100, 0), template("ana", 99, 1),
		template("bo", 3, 4), template("bo", -1, 0),
		template("cy", 0, -1),
	)
	got := g.Search([]float32{2, 0})
	if got.Best != (Candidate{"ana", 1}) {
		t.Errorf("best %v, want ana with 1", got.Best)
	}
	if got.Second.Person != "bo" || math.Abs(float64(got.Second.Score)-0.6) > 1e-4 {
		t.Errorf("second %v, want bo with 0.6", got.Second)
	}
}

func TestSearchFindsNobody(t *testing.T) {
	if got := NewGallery("m", 2).Search([]float32{1, 0}); got != (Ranking{}) {
		t.Errorf("empty gallery: %v", got)
	}
	g := gallery(t, 2, template("ana", 1, 0))
	for _, probe := range [][]float32{{0, 0}, {float32(math.NaN()), 1}, {float32(math.Inf(-1)), 1}} {
		if got := g.Search(probe); got != (Ranking{}) {
			t.Errorf("probe %v: %v", probe, got)
		}
	}
	if got := g.Search([]float32{-1, 0}); got != (Ranking{Best: Candidate{"ana", -1}}) {
		t.Errorf("one person, opposite probe: %v", got)
	}
}

func TestSearchPanicsOnAProbeOfAnotherSize(t *testing.T) {
	defer func() {
		if got := recover(); got != "match: probe of 3 elements in a gallery of 2" {
			t.Errorf("panic %v", got)
		}
	}()
	NewGallery("m", 2).Search([]float32{1, 2, 3})
}

func TestTemplatesOfAnotherModelAreCountedAndNeverCompared(t *testing.T) {
	other := template("ana", 1, 0, 0, 0) // another size, even
	other.Model = "old"
	g := gallery(t, 2, other, other, template("bo", 0, 1))
	if ana, bo := g.ForeignOf("ana"), g.ForeignOf("bo"); ana != 2 || bo != 0 {
		t.Errorf("foreign: %d of ana's and %d of bo's; want 2, 0", ana, bo)
	}
	if ana, bo := g.LenOf("ana"), g.LenOf("bo"); ana != 2 || bo != 1 {
		t.Errorf("%d templates of ana's and %d of bo's; want 2, 1", ana, bo)
	}
	if g.Foreign() != 2 || g.Len() != 1 || g.People() != 1 {
		t.Errorf("foreign %d, templates %d, people %d; want 2, 1, 1", g.Foreign(), g.Len(), g.People())
	}
	if got := g.Search([]float32{1, 0}); got.Best.Person != "bo" || got.Second.Person != "" {
		t.Errorf("ranking %v", got)
	}
	if n := g.RemovePerson("ana"); n != 2 || g.Foreign() != 0 {
		t.Errorf("removed %d, foreign left %d; want 2, 0", n, g.Foreign())
	}
}

func TestTemplateMadeAnewIsComparedAndForeignNoMore(t *testing.T) {
	old := template("ana", 1, 0, 0, 0)
	old.Model = "old"
	g := gallery(t, 2, old, old)
	if err := g.Renew(old); err == nil || err.Error() != "template t-ana was made anew by model old, not m" {
		t.Error(err)
	}
	for left := range 3 { // once more than there are
		if err := g.Renew(template("ana", 1, 0)); err != nil {
			t.Fatal(err)
		}
		if want := max(1-left, 0); g.Foreign() != want || g.ForeignOf("ana") != want {
			t.Errorf("%d foreign, want %d", g.Foreign(), want)
		}
	}
	if got := g.Search([]float32{1, 0}); got.Best.Person != "ana" {
		t.Errorf("ranking %v", got)
	}
}

func TestRemovePersonLeavesNoNumberInMemory(t *testing.T) {
	g := gallery(t, 2, template("ana", 1, 0), template("bo", 0, 1), template("ana", 0.6, 0.8), template("cy", -1, 0))
	if n := g.RemovePerson("ana"); n != 2 {
		t.Errorf("removed %d, want 2", n)
	}
	for i, x := range slices.Concat(g.blocks[0][len(g.rows)*g.padded:], g.means.blocks[0]) {
		if x != 0 {
			t.Errorf("number %v left behind the matrix at %d", x, i)
		}
	}
	if g.RemovePerson("ana") != 0 {
		t.Error("removed somebody who was gone")
	}
	if got := g.Search([]float32{1, 0}); got.Best.Person != "bo" || got.Second.Person != "cy" {
		t.Errorf("ranking %v", got)
	}
}

// TestSearchAgreesWithAPlainSearch adds and removes at random and compares each
// search with one that is too simple to be wrong.
func TestSearchAgreesWithAPlainSearch(t *testing.T) {
	const size = 11 // not a multiple of what dot takes at once
	rapid.Check(t, func(t *rapid.T) {
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		g := NewGallery("m", size)
		kept := map[string][][]float32{}
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			who := fmt.Sprint(r.IntN(6))
			if r.IntN(4) == 0 {
				if n := g.RemovePerson(who); n != len(kept[who]) {
					t.Fatalf("removed %d of %d", n, len(kept[who]))
				}
				delete(kept, who)
			} else {
				v := gaussian(r, size)
				if err := g.Add(template(who, v...)); err != nil {
					t.Fatal(err)
				}
				kept[who] = append(kept[who], v)
			}
			probe := gaussian(r, size)
			want := plainSearch(kept, probe)
			got := g.Search(probe)
			if got.Best.Person != want.Best.Person || got.Second.Person != want.Second.Person ||
				math.Abs(float64(got.Best.Score-want.Best.Score)) > 1e-5 ||
				math.Abs(float64(got.Second.Score-want.Second.Score)) > 1e-5 {
				t.Fatalf("got %v, want %v", got, want)
			}
			if n := g.LenOf(who); n != len(kept[who]) {
				t.Fatalf("%d templates of %s, want %d", n, who, len(kept[who]))
			}
			if g.People() != len(kept) {
				t.Fatalf("people %d, want %d", g.People(), len(kept))
			}
		}
	})
}

func plainSearch(people map[string][][]float32, probe []float32) Ranking {
	best := map[string]float64{}
	for who, vectors := range people {
		best[who] = -2
		var rows [][]int16
		for _, v := range vectors {
			best[who] = max(best[who], plainCosine(v, probe))
			rows = append(rows, quantized(v))
		}
		if mean := fuse(rows); mean != nil {
			best[who] = max(best[who], float64(cosine(mean, quantized(probe))))
		}
	}
	var r Ranking
	for who, s := range best {
		c := Candidate{who, float32(s)}
		switch {
		case r.Best.Person == "" || c.Score > r.Best.Score:
			r.Best, r.Second = c, r.Best
		case r.Second.Person == "" || c.Score > r.Second.Score:
			r.Second = c
		}
	}
	return r
}

func plainCosine(a, b []float32) float64 {
	qa, qb := quantized(a), quantized(b)
	sum := 0
	for i := range qa {
		sum += int(qa[i]) * int(qb[i])
	}
	return float64(sum) / (one * one)
}

// quantized is a row as the gallery keeps it: what decides between scores that
// are all but the same is to decide in the tests too.
func quantized(v []float32) []int16 {
	u, err := unit(v)
	if err != nil {
		panic(err)
	}
	return quantize(u)
}

func TestGalleryIsSafeForConcurrentUse(t *testing.T) {
	g := gallery(t, 2, template("bo", 0, 1))
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			who := fmt.Sprint("p", i)
			for range 200 {
				if err := g.Add(template(who, 1, float32(i))); err != nil {
					t.Error(err)
				}
				if got := g.Search([]float32{1, 1}).Best.Person; got != "bo" && !strings.HasPrefix(got, "p") {
					t.Errorf("found %q", got)
				}
				g.RemovePerson(who)
			}
		})
	}
	wg.Wait()
	if g.Len() != 1 {
		t.Errorf("%d templates left, want 1", g.Len())
	}
}

func TestAGalleryGrowsAndShrinksInBlocks(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	g := NewGallery("m", 4)
	g.Grow(3 * blockRows)
	vectors := make([][]float32, 3*blockRows+1)
	for i := range vectors {
		vectors[i] = gaussian(r, 4)
		who := []string{"ana", "bo"}[i%2]
		if err := g.Add(Template{ID: fmt.Sprint(i), Person: who, Model: "m", Vector: vectors[i]}); err != nil {
			t.Fatal(err)
		}
	}
	if len(g.blocks) != 4 || g.Len() != len(vectors) {
		t.Errorf("%d blocks for %d templates", len(g.blocks), g.Len())
	}
	for i, v := range vectors {
		if got := g.Search(v).Best; got.Person != []string{"ana", "bo"}[i%2] || got.Score < 0.9999 {
			t.Fatalf("template %d: %v", i, got)
		}
	}
	g.RemovePerson("ana")
	if len(g.blocks) > 3 {
		t.Errorf("%d blocks for %d templates", len(g.blocks), g.Len())
	}
	for i := 1; i < len(vectors); i += 2 {
		if got := g.Search(vectors[i]).Best; got.Person != "bo" || got.Score < 0.9999 {
			t.Fatalf("template %d, when ana is gone: %v", i, got)
		}
	}
}

func TestDuplicateKnowsTheSamePictureAgain(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	a := gaussian(r, 192)
	near, far := make([]float32, 192), make([]float32, 192)
	for i, noise := range gaussian(r, 192) {
		near[i] = 5 * (a[i] + 0.2*noise) // cosine about 0.98; length does not matter
		far[i] = a[i] + 0.7*noise        // about 0.82
	}
	if !Duplicate(a, near) {
		t.Errorf("cosine %.3f is no duplicate", plainCosine(a, near))
	}
	if Duplicate(a, far) {
		t.Errorf("cosine %.3f is a duplicate", plainCosine(a, far))
	}
	if Duplicate(a, a[:10]) || Duplicate(make([]float32, 192), make([]float32, 192)) {
		t.Error("vectors that cannot be compared are duplicates")
	}
}

func TestAGalleryBecomesAnother(t *testing.T) {
	g := gallery(t, 2, template("ana", 1, 0))
	old := g.blocks[0]
	fresh := gallery(t, 2, template("bo", 0, 1), template("bo", 0.6, 0.8), template("cy", -1, 0))
	g.Become(fresh)
	if g.Len() != 3 || g.People() != 2 || g.LenOf("bo") != 2 || g.LenOf("ana") != 0 {
		t.Errorf("%d templates of %d people, %d of bo's and %d of ana's", g.Len(), g.People(), g.LenOf("bo"), g.LenOf("ana"))
	}
	if got := g.Search([]float32{1, 0}); got.Best.Person != "bo" || got.Second.Person != "cy" {
		t.Errorf("ranking %v", got)
	}
	for _, x := range old {
		if x != 0 {
			t.Fatal("what it held is still in memory")
		}
	}
	if err := fresh.Add(template("dee", 1, 0)); err != nil || fresh.Len() != 1 || fresh.Search([]float32{1, 0}).Best.Person != "dee" || g.LenOf("dee") != 0 {
		t.Errorf("the other one: %d templates, %v", fresh.Len(), err)
	}
}
