package match

import (
	"math"
	"testing"
)

// turned is a unit vector of two elements, so many degrees from (1, 0).
func turned(degrees float64) []float32 {
	sin, cos := math.Sincos(degrees * math.Pi / 180)
	return []float32{float32(cos), float32(sin)}
}

func TestAFaceThatWasRejectedIsNotTakenForThePerson(t *testing.T) {
	g := gallery(t, 2, template("ana", turned(0)...), template("bea", turned(90)...))
	best := func(degrees float64, want string) {
		t.Helper()
		if r := g.Search(turned(degrees)); r.Best.Person != want {
			t.Errorf("at %v° the best is %+v, want %s", degrees, r.Best, want)
		}
	}
	best(20, "ana")
	if err := g.Reject(template("ana", turned(20)...), template("carl", turned(0)...)); err != nil {
		t.Fatal(err)
	}
	best(5, "ana")  // nearer to her template
	best(15, "bea") // nearer to who is not Ana
	if err := g.RejectOnly(template("bea", turned(88)...)); err != nil {
		t.Fatal(err)
	}
	best(15, "ana")
	best(85, "ana") // who is not Bea
	if err := g.RejectOnly(template("bea", 1, 2, 3)); err == nil {
		t.Error("a face of another size is rejected")
	}
	best(85, "ana")
	if err := g.RejectOnly(); err != nil {
		t.Fatal(err)
	}
	best(85, "bea")
	g.RemovePerson("ana")
	if err := g.Reject(template("ana", turned(0)...)); err != nil { // who is no more
		t.Fatal(err)
	}
	best(1, "bea")
}

func TestCosineOfWhatCannotBeComparedIsZero(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	for _, tc := range []struct {
		a, b []float32
		want float64
	}{
		{turned(0), turned(60), 0.5},
		{[]float32{3, 0}, []float32{-0.1, 0}, -1},
		{turned(10), turned(10), 1},
		{turned(0), []float32{1, 0, 0}, 0},
		{turned(0), []float32{0, 0}, 0},
		{turned(0), []float32{nan, 1}, 0},
		{turned(0), []float32{inf, 1}, 0},
		{nil, nil, 0},
	} {
		if got := float64(Cosine(tc.a, tc.b)); math.Abs(got-tc.want) > 1e-6 {
			t.Errorf("cosine of %v and %v is %v, want %v", tc.a, tc.b, got, tc.want)
		}
	}
}
