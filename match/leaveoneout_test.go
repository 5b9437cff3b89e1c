package match

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// at is a unit vector in the plane, at so many degrees: the cosine of two is
// that of the angle between them.
func at(person, id string, degrees float64) Template {
	s, c := math.Sincos(degrees * math.Pi / 180)
	return Template{ID: id, Person: person, Model: "m", Vector: []float32{float32(c), float32(s)}}
}

// The threshold is 60 degrees, and what is more likely somebody else's than not
// begins at 72.5.
var plane = Policy{Threshold: 0.5, Margin: 0.1, Slope: 10, Offset: -3}

func leaveOut(t *testing.T, templates ...Template) Checkup {
	t.Helper()
	g := gallery(t, 2, templates...)
	c, err := g.LeaveOneOut(t.Context(), plane)
	if err != nil {
		t.Fatal(err)
	}
	if c.Templates != len(templates) || c.Compared != c.People || c.Cut {
		t.Errorf("%d templates, %d of %d people, cut %v", c.Templates, c.Compared, c.People, c.Cut)
	}
	// Three digits are enough to tell.
	round := func(score *float32) { *score = float32(math.Round(float64(*score)*1000) / 1000) }
	for i := range c.Missed {
		round(&c.Missed[i].Score)
	}
	for i := range c.Confusable {
		round(&c.Confusable[i].Score)
	}
	for i := range c.Hurts {
		round(&c.Hurts[i].Score)
		round(&c.Hurts[i].BetterScore)
	}
	return c
}

func TestLeaveOneOutSaysWhatIsWrong(t *testing.T) {
	for _, tc := range []struct {
		name      string
		templates []Template
		want      Checkup
	}{
		{
			"nobody", nil,
			Checkup{},
		},
		{
			"two people who are well enrolled",
			[]Template{at("ana", "a1", 0), at("ana", "a2", 20), at("ana", "a3", 40), at("bo", "b1", 180), at("bo", "b2", 190), at("bo", "b3", 210)},
			Checkup{},
		},
		{
			"one template, and two that agree, are few",
			[]Template{at("ana", "a1", 0), at("bo", "b1", 180), at("bo", "b2", 190)},
			Checkup{Few: []Few{{"ana", 1}, {"bo", 2}}},
		},
		{
			"two looks that have nothing to do with each other are missed",
			[]Template{at("ana", "a1", 0), at("ana", "a2", 90)},
			Checkup{Missed: []Missed{{"ana", 0, 2, 2}}, Few: []Few{{"ana", 2}}},
		},
		{
			"half of the looks are missed",
			[]Template{at("ana", "a1", 0), at("ana", "a2", 10), at("ana", "a3", 75), at("ana", "a4", 145)},
			Checkup{Missed: []Missed{{"ana", 0.423, 2, 4}}},
		},
		{
			"one look of four is an outlier, and the person is found",
			[]Template{at("ana", "a1", 0), at("ana", "a2", 10), at("ana", "a3", 20), at("ana", "a4", 180)},
			Checkup{Hurts: []Hurt{{Person: "ana", Template: "a4", Score: -0.94}}},
		},
		{
			"a look below the threshold that is more likely theirs is none",
			[]Template{at("ana", "a1", 0), at("ana", "a2", 10), at("ana", "a3", 20), at("ana", "a4", 85)},
			Checkup{},
		},
		{
			"the picture of somebody else",
			[]Template{at("ana", "a1", 0), at("ana", "a2", 10), at("ana", "a3", 182), at("bo", "b1", 180), at("bo", "b2", 190), at("bo", "b3", 210)},
			Checkup{
				Confusable: []Confusable{{"ana", "bo", 0.999}},
				Hurts:      []Hurt{{"ana", "a3", -0.99, "bo", 0.999}},
			},
		},
		{
			"twins",
			[]Template{at("ana", "a1", 0), at("ana", "a2", 10), at("ana", "a3", 5), at("bo", "b1", 50), at("bo", "b2", 55), at("bo", "b3", 58)},
			Checkup{Confusable: []Confusable{{"ana", "bo", 0.766}}},
		},
		{
			"a lead below the margin, although under the threshold",
			[]Template{at("ana", "a1", 0), at("ana", "a2", 58), at("ana", "a3", -30), at("bo", "b1", 119), at("bo", "b2", 130), at("bo", "b3", 140)},
			Checkup{Confusable: []Confusable{{"ana", "bo", 0.485}}},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := leaveOut(t, tc.templates...)
			if !slices.Equal(got.Missed, tc.want.Missed) || !slices.Equal(got.Confusable, tc.want.Confusable) ||
				!slices.Equal(got.Hurts, tc.want.Hurts) || !slices.Equal(got.Few, tc.want.Few) {
				t.Errorf("got  %+v\nwant %+v", got, tc.want)
			}
		})
	}
}

// TestLeaveOneOutAgreesWithAPlainOne compares with loops that are too simple to
// be wrong, for galleries in which templates came and went.
func TestLeaveOneOutAgreesWithAPlainOne(t *testing.T) {
	const size = 5
	rapid.Check(t, func(t *rapid.T) {
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		g := NewGallery("m", size)
		kept := map[string][]Template{}
		for i := range rapid.IntRange(1, 150).Draw(t, "templates") {
			who := fmt.Sprintf("p%02d", r.IntN(20)) // fewer pairs than a list holds
			if r.IntN(12) == 0 {
				g.RemovePerson(who)
				delete(kept, who)
				continue
			}
			n := Template{ID: fmt.Sprint(i), Person: who, Model: "m", Vector: gaussian(r, size)}
			if err := g.Add(n); err != nil {
				t.Fatal(err)
			}
			kept[who] = append(kept[who], n)
		}
		policy := Policy{Threshold: 0.6, Margin: 0.1, Slope: 10, Offset: -4}
		got, err := g.LeaveOneOut(context.Background(), policy)
		if err != nil || got.Compared != len(kept) || got.People != len(kept) {
			t.Fatalf("compared %d of %d, %v", got.Compared, len(kept), err)
		}

		pairs, hurts, missed := map[[2]string]float64{}, map[string]string{}, map[string]int{}
		for who, templates := range kept {
			below, agree := 0, false
			better, owns := map[string]string{}, map[string]float64{}
			for i, x := range templates {
				own := -1.0
				for j, y := range templates {
					if i != j {
						own = max(own, plainCosine(x.Vector, y.Vector))
					}
				}
				owns[x.ID] = own
				if own < 0.6 {
					below++
				} else {
					agree = true
				}
				best := own
				for other, theirs := range kept {
					for _, y := range theirs {
						score := plainCosine(x.Vector, y.Vector)
						if other == who || score < 0.6 && (own < 0.6 || score < own-0.1) {
							continue
						}
						pair := [2]string{min(who, other), max(who, other)}
						pairs[pair] = max(pairs[pair], score)
						if score > best && own < 0.6 {
							best = score
							better[x.ID] = other
						}
					}
				}
			}
			if len(templates) < 2 {
				continue
			}
			if 2*below >= len(templates) {
				missed[who] = below
			}
			for id, own := range owns {
				if better[id] != "" || agree && own < 0.4 {
					hurts[id] = better[id]
				}
			}
		}
		if len(got.Confusable) != len(pairs) || len(got.Hurts) != len(hurts) || len(got.Missed) != len(missed) {
			t.Fatalf("%d pairs, %d hurts, %d missed; want %d, %d, %d", len(got.Confusable), len(got.Hurts), len(got.Missed), len(pairs), len(hurts), len(missed))
		}
		for _, c := range got.Confusable {
			if math.Abs(float64(c.Score)-pairs[[2]string{c.A, c.B}]) > 1e-5 {
				t.Fatalf("%v, want %v", c, pairs[[2]string{c.A, c.B}])
			}
		}
		for _, h := range got.Hurts {
			if want, ok := hurts[h.Template]; !ok || want != h.Better {
				t.Fatalf("%v, want better %q", h, want)
			}
		}
		for _, m := range got.Missed {
			if missed[m.Person] != m.Missed {
				t.Fatalf("%v, want %d", m, missed[m.Person])
			}
		}
	})
}

func TestLeaveOneOutHeedsWhatWasRejected(t *testing.T) {
	g := gallery(t, 2, at("ana", "a1", 0), at("ana", "a2", 10), at("ana", "a3", 5), at("bo", "b1", 50), at("bo", "b2", 55), at("bo", "b3", 58))
	if err := g.Reject(at("bo", "n1", 5)); err != nil { // that is not bo
		t.Fatal(err)
	}
	if err := g.Reject(at("ana", "n2", 52)); err != nil { // nor this ana
		t.Fatal(err)
	}
	c, err := g.LeaveOneOut(t.Context(), plane)
	if err != nil || len(c.Confusable) != 0 || len(c.Missed) != 0 {
		t.Errorf("%+v, %v", c, err)
	}
	if err := g.Reject(at("ana", "n3", 1), at("ana", "n4", 5), at("ana", "n5", 9)); err != nil { // which is ana
		t.Fatal(err)
	}
	c, err = g.LeaveOneOut(t.Context(), plane)
	if err != nil || len(c.Missed) != 1 || c.Missed[0].Person != "ana" {
		t.Errorf("%+v, %v", c, err)
	}
}

func TestLeaveOneOutEndsInTime(t *testing.T) {
	g := gallery(t, 2, at("ana", "a1", 0), at("bo", "b1", 90))
	done, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := g.LeaveOneOut(done, plane); !errors.Is(err, context.Canceled) {
		t.Errorf("after a cancel: %v", err)
	}
	late, cancel := context.WithDeadline(t.Context(), time.Now())
	defer cancel()
	c, err := g.LeaveOneOut(late, plane)
	if err != nil || c.Compared != 0 || c.People != 2 {
		t.Errorf("after the deadline: compared %d of %d, %v", c.Compared, c.People, err)
	}
}

func TestLeaveOneOutListsTheWorst(t *testing.T) {
	var templates []Template
	for i := range MaxListed + 1 { // 20,000 pairs
		templates = append(templates, at(fmt.Sprintf("p%03d", i), fmt.Sprint(i), float64(i)/10))
	}
	g := gallery(t, 2, templates...)
	c, err := g.LeaveOneOut(t.Context(), plane)
	if err != nil || !c.Cut || len(c.Confusable) != MaxListed || len(c.Few) != MaxListed {
		t.Fatalf("cut %v, %d confusable, %d few, %v", c.Cut, len(c.Confusable), len(c.Few), err)
	}
	for _, pair := range c.Confusable {
		if pair.Score < float32(math.Cos(0.2*math.Pi/180)) { // two neighbours away
			t.Errorf("%v is listed, and worse ones are not", pair)
		}
	}
}

// TestLeaveOneOutFindsThemInALargeGallery has 1000 people who are like the one
// before them, just above the threshold or far above, and no others.
func TestLeaveOneOutFindsThemInALargeGallery(t *testing.T) {
	const size, people = 64, 2 * exact
	r := rand.New(rand.NewPCG(3, 4))
	g := NewGallery("m", size)
	want := map[[2]string]float64{}
	var before []float32
	for i := range people {
		v := gaussian(r, size)
		if n := i / 2; i%2 == 1 && n < MaxListed-1 {
			share := 0.8 + 2*float32(r.Float64())
			for j := range v {
				v[j] += share * before[j]
			}
			if score := plainCosine(v, before); score >= 0.72 {
				want[[2]string{fmt.Sprintf("p%05d", i-1), fmt.Sprintf("p%05d", i)}] = score
			}
		}
		if err := g.Add(Template{ID: fmt.Sprint(i), Person: fmt.Sprintf("p%05d", i), Model: "m", Vector: v}); err != nil {
			t.Fatal(err)
		}
		before = v
	}
	c, err := g.LeaveOneOut(t.Context(), Policy{Threshold: 0.72})
	if err != nil || c.Compared != people || len(c.Confusable) != len(want) || len(want) < 100 {
		t.Fatalf("compared %d of %d, %d pairs of %d, %v", c.Compared, people, len(c.Confusable), len(want), err)
	}
	for _, pair := range c.Confusable {
		if math.Abs(float64(pair.Score)-want[[2]string{pair.A, pair.B}]) > 1e-5 {
			t.Errorf("%v, want %v", pair, want[[2]string{pair.A, pair.B}])
		}
	}
}

func TestLeaveOneOutLetsTheGalleryChange(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	g := NewGallery("m", 8)
	for i := range exact + 100 { // with signatures first, and then without
		if err := g.Add(Template{ID: fmt.Sprint(i), Person: fmt.Sprint("p", i%100), Model: "m", Vector: gaussian(r, 8)}); err != nil {
			t.Fatal(err)
		}
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := range 100 {
			g.RemovePerson(fmt.Sprint("p", i))
			_ = g.Add(Template{ID: "new", Person: fmt.Sprint("q", i), Model: "m", Vector: gaussian(r, 8)})
		}
	}()
	c, err := g.LeaveOneOut(t.Context(), plane)
	<-done
	if err != nil || c.Compared != c.People {
		t.Errorf("compared %d of %d, %v", c.Compared, c.People, err)
	}
}

func BenchmarkLeaveOneOut(b *testing.B) {
	for _, people := range []int{400, 2000, 10_000} {
		b.Run(fmt.Sprintf("%dx5", people), func(b *testing.B) {
			r := rand.New(rand.NewPCG(1, 2))
			g := NewGallery("m", 192)
			for p := range people {
				for i := range 5 {
					if err := g.Add(Template{ID: fmt.Sprint(p, i), Person: fmt.Sprint(p), Model: "m", Vector: gaussian(r, 192)}); err != nil {
						b.Fatal(err)
					}
				}
			}
			for b.Loop() {
				if _, err := g.LeaveOneOut(b.Context(), plane); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
