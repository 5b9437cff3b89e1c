package match

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// looks are n photos of one face, and one more.
func looks(r *rand.Rand, n int) (photos [][]int16, next []float32) {
	face := gaussian(r, embeddingSize)
	look := func() []float32 {
		v := gaussian(r, embeddingSize)
		for i := range v {
			v[i] = face[i] + 0.7*v[i]
		}
		return v
	}
	for range n {
		photos = append(photos, quantized(look()))
	}
	return photos, look()
}

func TestTheMeanIsNearerToTheNextPhotoThanTheOthersAre(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for n := fused; n < 8; n++ {
		photos, next := looks(r, n)
		mean := cosine(fuse(photos), quantized(next))
		for i, p := range photos {
			if c := cosine(p, quantized(next)); c >= mean {
				t.Errorf("of %d photos, number %d has the cosine %.3f and the mean %.3f", n, i, c, mean)
			}
		}
	}
}

func TestOneStrangePhotoAmongFourDoesNotMoveTheMean(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	photos, _ := looks(r, 3)
	want := fuse(photos)
	for at := range 4 {
		with := slices.Insert(slices.Clone(photos), at, quantized(gaussian(r, embeddingSize)))
		if got := fuse(with); !slices.Equal(got, want) {
			t.Errorf("with a stranger as number %d the mean has the cosine %.4f with that without", at, cosine(got, want))
		}
	}
}

func TestThereIsNoMeanOfOnePhotoNorOfOpposites(t *testing.T) {
	v := quantized([]float32{3, 4})
	for _, vectors := range [][][]int16{nil, {v}, {v, quantized([]float32{-3, -4})}} {
		if mean := fuse(vectors); mean != nil {
			t.Errorf("%v has the mean %v", vectors, mean)
		}
	}
}

func TestWhoLosesTheirTemplatesLosesTheirMean(t *testing.T) {
	g := gallery(t, 2, template("ana", 1, 0.3), template("ana", 1, -0.3), template("bo", 0, 1))
	if got := g.Search([]float32{1, 0}); got.Best.Person != "ana" || got.Best.Score < 0.9999 {
		t.Errorf("%v, want ana by her mean", got)
	}
	g.RemovePerson("ana")
	if err := g.Add(template("cy", 1, 0.3)); err != nil { // in ana's place
		t.Fatal(err)
	}
	if got := g.Search([]float32{1, 0}); got.Best.Person != "cy" || got.Best.Score > 0.96 {
		t.Errorf("%v, want cy by the one template", got)
	}
}
