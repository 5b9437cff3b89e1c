package match

import "slices"

// The codes of a Verdict, stable for programs that read them.
const (
	Accepted  = "accepted"
	Repeated  = "duplicate"  // adds nothing to another template of the person
	Mismatch  = "mismatch"   // seems to show somebody else than the person's others
	LooksLike = "looks_like" // would be recognised as another person
)

// Verdict is what speaks for or against enrolling a template.
type Verdict struct {
	Code  string
	Rival Candidate // whom it looks like, with LooksLike
}

// sure is the confidence from which two templates are taken to show one person.
// Of LFW's good photos one in 500 is then told apart from the others of its
// person, and one stranger in 500 is not. The threshold of recognition would
// refuse four times as many good ones: people enrol looks that differ.
const sure = 0.9

// Same tells whether a cosine says that two templates show one person.
func (p Policy) Same(score float32) bool {
	return p.Confidence(score) >= sure || score >= p.Threshold
}

// Judge says of each fresh template of a person, who has some already or none,
// whether it may be enrolled. The gallery holds everybody; own and fresh are of
// its model. Nothing is changed.
//
// A template looks like another person when the policy would name that one, or
// could not tell the two apart. It mismatches when it is not the same as any
// template of the person, be it by way of other fresh ones; of somebody who has
// no template yet, when it is not in the largest group of those that are the
// same. Where two groups are the largest, nobody can tell which is the person,
// and all mismatch.
func (p Policy) Judge(g *Gallery, person string, own, fresh []Template) []Verdict {
	known, probes := units(own), units(fresh)
	verdicts := make([]Verdict, len(fresh))
	var open []int // the fresh that repeat nothing
	for i, probe := range probes {
		verdicts[i].Code = Mismatch
		if nearest(probe, known) >= DuplicateCosine || nearest(probe, pick(probes, open)) >= DuplicateCosine {
			verdicts[i].Code = Repeated
			continue
		}
		open = append(open, i)
	}
	for _, i := range p.consistent(known, probes, open) {
		verdicts[i].Code = Accepted
	}
	for _, i := range open {
		found := g.Search(probes[i])
		rival, ahead := found.Best, float32(0)
		if rival.Person == person {
			rival, ahead = found.Second, found.Best.Score-found.Second.Score
		}
		if rival.Person != "" && rival.Score >= p.Threshold && ahead < p.Margin {
			verdicts[i] = Verdict{LooksLike, rival}
		}
	}
	return verdicts
}

// consistent returns those of the open that show one person.
func (p Policy) consistent(known, probes [][]float32, open []int) []int {
	if len(known) > 0 {
		return p.group(known, probes, open)
	}
	var largest []int
	tie, grouped := false, make(map[int]bool)
	for _, i := range open {
		if grouped[i] {
			continue
		}
		group := p.group(probes[i:i+1], probes, open)
		for _, j := range group {
			grouped[j] = true
		}
		if len(group) >= len(largest) {
			tie = len(group) == len(largest)
			largest = group
		}
	}
	if tie {
		return nil
	}
	return largest
}

// group returns those of the open that are the same as one of the seeds, or as
// one of the group, in the order of open.
func (p Policy) group(seeds, probes [][]float32, open []int) []int {
	members := slices.Clone(seeds)
	in := make(map[int]bool)
	for grown := true; grown; {
		grown = false
		for _, i := range open {
			if !in[i] && p.Same(nearest(probes[i], members)) {
				members = append(members, probes[i])
				in[i], grown = true, true
			}
		}
	}
	return slices.DeleteFunc(slices.Clone(open), func(i int) bool { return !in[i] })
}

// nearest is the highest cosine of a unit vector with others; -1, the least,
// when there are none.
func nearest(v []float32, others [][]float32) float32 {
	best := float32(-1)
	for _, o := range others {
		best = max(best, dot(v, o))
	}
	return best
}

func pick(all [][]float32, which []int) [][]float32 {
	some := make([][]float32, len(which))
	for n, i := range which {
		some[n] = all[i]
	}
	return some
}

// units are the templates' vectors with length 1. One that has no direction is
// zero, and so the same as nothing.
func units(ts []Template) [][]float32 {
	all := make([][]float32, len(ts))
	for i, t := range ts {
		u, err := unit(t.Vector)
		if err != nil {
			u = make([]float32, len(t.Vector))
		}
		all[i] = u
	}
	return all
}
