package match

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
)

const (
	// FewTemplates is the least number of templates that a person should have:
	// with two, each is judged by one other.
	FewTemplates = 3
	// MaxListed is how long each list of a Checkup is at most.
	MaxListed = 200
)

// Checkup is what the templates of a gallery say of each other. Its lists have
// at most MaxListed entries, the worst first.
type Checkup struct {
	People    int // in the gallery when it began
	Templates int // likewise
	Compared  int // people who were compared with everybody: below People when there was no time for more
	Cut       bool

	Missed     []Missed
	Confusable []Confusable
	Hurts      []Hurt
	Few        []Few
}

// Missed is a person of whose templates at least half are below the threshold
// with each of the person's others: a look that is not enrolled would be missed.
type Missed struct {
	Person    string
	Score     float32 // cosine, the median of what each template reaches with the others
	Missed    int     // how many are below the threshold
	Templates int
}

// Confusable is two people of whom one could be named as the other, or neither
// because of the other: a template of one reaches the threshold with one of the
// other's, or leaves its own person less than the margin.
type Confusable struct {
	A, B  string  // A is the lesser id
	Score float32 // cosine of the two most alike templates
}

// Hurt is a template below the threshold with each of its person's others, that
// does the person harm.
type Hurt struct {
	Person   string
	Template string
	Score    float32 // cosine with the nearest of the person's others
	// Better is somebody else with whom the template reaches the threshold, and
	// BetterScore how well. Where there is none the template is an outlier: it is
	// more likely somebody else's than not, while the person's others agree.
	Better      string
	BetterScore float32
}

// Few is a person with less than FewTemplates.
type Few struct {
	Person    string
	Templates int
}

// LeaveOneOut takes each template out of the gallery in turn and looks whom the
// rest would name. The people who were enrolled last are looked at first. The
// time grows with the square of the gallery: 50,000 templates take some 20
// seconds. When ctx has a deadline, what was found until then is the answer, and
// Compared says of how many people; its other end is an error. Searches go on
// meanwhile, and the gallery may change: each person is compared with those who
// are there at that moment.
//
// In a gallery of more than 2048 templates, a pair of two people that just
// reaches the threshold is overlooked with a chance of 1 in 30,000.
func (g *Gallery) LeaveOneOut(ctx context.Context, policy Policy) (Checkup, error) {
	l := leaveOneOut{g: g, policy: policy, pairs: make(map[[2]string]float32)}
	g.mu.RLock()
	l.People, l.Templates = len(g.slots), len(g.rows)
	l.todo = slices.Sorted(maps.Keys(g.slots)) // ULIDs: by the time of the enrolment
	g.mu.RUnlock()
	slices.Reverse(l.todo)

	for len(l.todo) > 0 {
		if err := ctx.Err(); errors.Is(err, context.DeadlineExceeded) {
			break
		} else if err != nil {
			return Checkup{}, err
		}
		l.step()
	}
	l.Compared = l.People - len(l.todo)
	return l.checkup(), nil
}

// leaveOneOut is one under way.
type leaveOneOut struct {
	g      *Gallery
	policy Policy
	Checkup
	todo  []string // people
	pairs map[[2]string]float32

	// Of a large gallery, the signatures of its rows, as they were after so
	// many moves.
	planes     []float32
	signatures []signature
	moves      int
}

const (
	// exact is up to how many templates are all compared by their cosines.
	exact = 2048
	// One step makes so many signatures, or compares so many templates with all
	// others: who wants to change the gallery waits for it, some 20 ms.
	signedAtOnce   = 300
	comparedAtOnce = 64
)

// left is a template that was left out.
type left struct {
	row     int
	slot    int32
	own     float32 // cosine with the nearest of the person's others, -1 without one
	floor   float32 // from here on, another person's template is of interest
	differs int     // in how many bits its signature may differ, then
	near    int32   // slot of the best of those, -1 without one
	nearer  float32 // its cosine
}

func (l *leaveOneOut) step() {
	l.g.mu.RLock()
	defer l.g.mu.RUnlock()
	if len(l.g.rows) > exact && !l.sign() {
		return
	}
	all := l.leave()
	for i := range all {
		l.others(&all[i], all)
	}
	for r, slot := range l.g.rows {
		for i := range all {
			t := &all[i]
			if len(l.g.rows) > exact && l.signatures[r].differs(&l.signatures[t.row]) > t.differs {
				continue
			}
			score := cosine(l.g.row(r), l.g.row(t.row))
			if score < t.floor || slot == t.slot || len(l.g.not) > 0 && score < l.g.against(slot, l.g.row(t.row)) {
				continue
			}
			l.pair(t.slot, slot, score)
			if score > t.nearer {
				t.near, t.nearer = slot, score
			}
		}
	}
	for rest := all; len(rest) > 0; {
		size := 1
		for size < len(rest) && rest[size].slot == rest[0].slot {
			size++
		}
		l.judge(rest[:size])
		rest = rest[size:]
	}
}

// sign makes some of the signatures, and tells whether it has all.
func (l *leaveOneOut) sign() bool {
	if l.planes == nil {
		l.planes = planes(l.g.size)
	}
	if l.moves != l.g.moves {
		l.signatures, l.moves = l.signatures[:0], l.g.moves
	}
	l.signatures = slices.Grow(l.signatures, len(l.g.rows)-len(l.signatures))
	for range signedAtOnce {
		n := len(l.signatures)
		if n == len(l.g.rows) {
			break
		}
		l.signatures = append(l.signatures, sign(l.g.row(n), l.planes))
	}
	return len(l.signatures) == len(l.g.rows)
}

// leave collects the templates of the next people, each person's side by side:
// at least one person's, and of as many more as fit.
func (l *leaveOneOut) leave() (all []left) {
	order := make(map[int32]int, comparedAtOnce)
	next := l.todo[:min(len(l.todo), comparedAtOnce)]
	for i, id := range next {
		if slot, ok := l.g.slots[id]; ok { // else deleted meanwhile
			order[int32(slot)] = i
		}
	}
	for r, slot := range l.g.rows {
		if _, ok := order[slot]; ok {
			all = append(all, left{row: r, slot: slot, own: -1, near: -1, nearer: -1})
		}
	}
	slices.SortStableFunc(all, func(a, b left) int { return cmp.Compare(order[a.slot], order[b.slot]) })
	taken := len(next)
	for len(all) > comparedAtOnce && all[len(all)-1].slot != all[0].slot {
		last := all[len(all)-1].slot
		all = all[:slices.IndexFunc(all, func(t left) bool { return t.slot == last })]
		taken = order[last]
	}
	l.todo = l.todo[taken:]
	return all
}

// others compares a template with its person's others.
func (l *leaveOneOut) others(t *left, all []left) {
	rejected := l.g.against(t.slot, l.g.row(t.row))
	for _, o := range all {
		if o.slot != t.slot || o.row == t.row {
			continue
		}
		if score := cosine(l.g.row(t.row), l.g.row(o.row)); score >= rejected {
			t.own = max(t.own, clip(score))
		}
	}
	t.floor = l.policy.Threshold
	if t.own >= l.policy.Threshold {
		t.floor = min(t.floor, t.own-l.policy.Margin)
	}
	t.differs = furthest(t.floor)
}

// pair notes how alike two people are. Of a gallery in which everybody is like
// everybody it keeps the worst.
func (l *leaveOneOut) pair(a, b int32, score float32) {
	key := [2]string{l.g.people[a], l.g.people[b]}
	if key[0] > key[1] {
		key[0], key[1] = key[1], key[0]
	}
	if before, ok := l.pairs[key]; ok && before >= score {
		return
	}
	l.pairs[key] = clip(score)
	if len(l.pairs) < 20*MaxListed {
		return
	}
	l.Cut = true
	kept := make(map[[2]string]float32, len(l.pairs))
	for _, c := range l.confusable()[:MaxListed] {
		kept[[2]string{c.A, c.B}] = c.Score
	}
	l.pairs = kept
}

func (l *leaveOneOut) confusable() []Confusable {
	all := make([]Confusable, 0, len(l.pairs))
	for key, score := range l.pairs {
		all = append(all, Confusable{key[0], key[1], score})
	}
	slices.SortFunc(all, func(a, b Confusable) int {
		return cmp.Or(cmp.Compare(b.Score, a.Score), cmp.Compare(a.A, b.A), cmp.Compare(a.B, b.B))
	})
	return all
}

// judge says what is to be said of one person's templates.
func (l *leaveOneOut) judge(templates []left) {
	person, n := l.g.people[templates[0].slot], len(templates)
	if n < FewTemplates {
		l.Few = append(l.Few, Few{person, n})
	}
	if n < 2 {
		return
	}
	scores := make([]float32, n)
	missed, agree := 0, false
	for i, t := range templates {
		scores[i] = t.own
		if t.own < l.policy.Threshold {
			missed++
		} else {
			agree = true
		}
	}
	slices.Sort(scores)
	if 2*missed >= n {
		l.Missed = append(l.Missed, Missed{person, scores[(n-1)/2], missed, n})
	}
	for _, t := range templates {
		h := Hurt{Person: person, Template: l.g.ids[t.row], Score: t.own}
		switch {
		case t.own >= l.policy.Threshold: // what is nearer may be the one that is wrong
			continue
		case t.near >= 0:
			h.Better, h.BetterScore = l.g.people[t.near], clip(t.nearer)
		case agree && l.policy.Confidence(t.own) < 0.5:
		default:
			continue
		}
		l.Hurts = append(l.Hurts, h)
	}
}

// checkup sorts what was found.
func (l *leaveOneOut) checkup() Checkup {
	l.Confusable = l.confusable()
	slices.SortFunc(l.Missed, func(a, b Missed) int { return cmp.Or(cmp.Compare(a.Score, b.Score), cmp.Compare(a.Person, b.Person)) })
	slices.SortFunc(l.Hurts, func(a, b Hurt) int {
		return cmp.Or(cmp.Compare(a.Score-a.BetterScore, b.Score-b.BetterScore), cmp.Compare(a.Template, b.Template))
	})
	slices.SortFunc(l.Few, func(a, b Few) int {
		return cmp.Or(cmp.Compare(a.Templates, b.Templates), cmp.Compare(a.Person, b.Person))
	})
	for _, cut := range []bool{shorten(&l.Missed), shorten(&l.Confusable), shorten(&l.Hurts), shorten(&l.Few)} {
		l.Cut = l.Cut || cut
	}
	return l.Checkup
}

func shorten[T any](list *[]T) bool {
	if len(*list) <= MaxListed {
		return false
	}
	*list = slices.Clone((*list)[:MaxListed])
	return true
}
