package match

import (
	"math"
	"testing"
)

// arc is a template of a person, the direction at an angle on a circle: two
// have the cosine of what is between them.
func arc(person string, degrees float64) Template {
	sin, cos := math.Sincos(degrees * math.Pi / 180)
	return template(person, float32(cos), float32(sin))
}

func TestJudgeTakesWhatShowsThePersonAndNobodyElse(t *testing.T) {
	// Templates are the same up to 53 degrees (a cosine of 0.6) and repeat each
	// other up to 18; somebody else is alike up to 45 degrees (0.7).
	policy := Policy{Threshold: 0.7, Margin: 0.1, Slope: 100, Offset: -60 + 2.2}
	bo := []Template{arc("bo", 180)}
	for _, tc := range []struct {
		name   string
		own    []float64
		fresh  []float64
		others []Template
		want   []string
	}{
		{"somebody new", nil, []float64{0}, bo, []string{Accepted}},
		{"two that agree", nil, []float64{0, 50}, bo, []string{Accepted, Accepted}},
		{"two that disagree", nil, []float64{0, 90}, bo, []string{Mismatch, Mismatch}},
		{"the odd one out is the first", nil, []float64{90, 0, 30}, bo, []string{Mismatch, Accepted, Accepted}},
		{"two of each", nil, []float64{0, 90, 30, 120}, bo, []string{Mismatch, Mismatch, Mismatch, Mismatch}},
		{"three and two", nil, []float64{0, 100, 20, 130, 40}, bo, []string{Accepted, Mismatch, Accepted, Mismatch, Accepted}},
		{"two and one and one", nil, []float64{0, 90, 270, 20}, bo, []string{Accepted, Mismatch, Mismatch, Accepted}},
		{"by way of another", nil, []float64{0, 80, 40}, bo, []string{Accepted, Accepted, Accepted}},
		{"the same picture counts once", nil, []float64{0, 90, 0}, bo, []string{Mismatch, Mismatch, Repeated}},
		{"who is known", []float64{0}, []float64{30, 10, 90}, bo, []string{Accepted, Repeated, Mismatch}},
		{"who is known, by way of another", []float64{0}, []float64{80, 40}, bo, []string{Accepted, Accepted}},
		{"who is known decides, not how many disagree", []float64{0}, []float64{90, 120, 110}, bo, []string{Mismatch, Mismatch, Repeated}},
		{"somebody else's", nil, []float64{140}, bo, []string{LooksLike}},
		{"somebody else's exactly", nil, []float64{180}, bo, []string{LooksLike}},
		{"somebody else's, and one that is not", nil, []float64{0, 180}, bo, []string{Mismatch, LooksLike}},
		{"somebody else's among the person's", []float64{100}, []float64{140}, bo, []string{LooksLike}},
		{"more the person's than the other's", []float64{120}, []float64{141}, bo, []string{Accepted}},
		{"nobody else", nil, []float64{0}, nil, []string{Accepted}},
		{"nothing", []float64{0}, nil, bo, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var own, fresh []Template
			for _, a := range tc.own {
				own = append(own, arc("ana", a))
			}
			for _, a := range tc.fresh {
				fresh = append(fresh, arc("", a))
			}
			g := gallery(t, 2, append(append([]Template{}, own...), tc.others...)...)
			got := policy.Judge(g, "ana", own, fresh)
			if len(got) != len(tc.want) {
				t.Fatalf("%d verdicts", len(got))
			}
			for i, v := range got {
				if v.Code != tc.want[i] || (v.Rival.Person == "bo") != (v.Code == LooksLike) {
					t.Errorf("%d: %+v, want %s", i, v, tc.want[i])
				}
			}
		})
	}
}

func TestAThresholdSetLowIsEnoughToBeTheSame(t *testing.T) {
	// Whom the cameras would name is not refused as somebody else.
	p := Policy{Threshold: 0.3, Slope: 31, Offset: -12}
	for score, want := range map[float32]bool{0.29: false, 0.3: true, 0.9: true} {
		if p.Same(score) != want {
			t.Errorf("Same(%v) is %v", score, !want)
		}
	}
}
