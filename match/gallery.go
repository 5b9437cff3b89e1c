package match

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
)

// Gallery holds the templates of one model in memory and compares a probe with
// all of them. It is safe for concurrent use: any number of searches run side
// by side, and a change waits for those under way (a few milliseconds; some tens
// during a LeaveOneOut).
//
// Templates are rows of a matrix, because a scan in memory order is what makes an
// exact search over 100,000 of them cheap enough to need no approximate index.
// Somebody with several templates is compared with their mean as well.
type Gallery struct {
	model string

	mu    sync.RWMutex
	moves int // how often vectors have changed their places
	contents
}

// NewGallery makes an empty gallery for the vectors of a model, each of which
// has size elements.
func NewGallery(model string, size int) *Gallery {
	return &Gallery{model: model, contents: newContents(size)}
}

// Add puts copies of the templates into the gallery, normalised to length 1;
// all of them or, with an error, none. Vectors of another model live in another
// space: such a template is counted (see Foreign) and never compared. Adding
// the same template twice costs memory and changes no result.
func (g *Gallery) Add(templates ...Template) error {
	units := make([][]int16, len(templates))
	for i, t := range templates {
		if t.Person == "" {
			return fmt.Errorf("template %s belongs to nobody: set its person", t.ID)
		}
		u, err := g.unit(t)
		if err != nil {
			return err
		}
		units[i] = u
	}

	g.mu.Lock()
	defer g.mu.Unlock()
	changed := make(map[int]bool)
	for i, t := range templates {
		if units[i] == nil {
			g.foreign[t.Person]++
			continue
		}
		slot := g.slot(t.Person)
		g.add(slot, t.ID, units[i])
		changed[slot] = true
	}
	for slot := range changed {
		g.fuse(slot)
	}
	return nil
}

// Check tells whether Add can take the template, whosever it is.
func (g *Gallery) Check(t Template) error {
	_, err := g.unit(t)
	return err
}

// unit is the row of a template, nil when another model made it.
func (g *Gallery) unit(t Template) ([]int16, error) {
	if t.Model != g.model {
		return nil, nil
	}
	if len(t.Vector) != g.size {
		return nil, fmt.Errorf("template %s has %d elements, model %s makes %d: enrol the person again", t.ID, len(t.Vector), g.model, g.size)
	}
	u, err := unit(t.Vector)
	if err != nil {
		return nil, fmt.Errorf("template %s: %w: enrol the person again", t.ID, err)
	}
	return quantize(u), nil
}

// Reject adds negative templates: faces that are not the person's, although
// they look like it. A probe that is nearer to one of them than to one of the
// person's own templates is not compared with that template. Those of other
// models, and of people who have no template that is compared, are left out.
func (g *Gallery) Reject(negatives ...Template) error { return g.reject(false, negatives) }

// RejectOnly is Reject, and forgets the negative templates that there were.
func (g *Gallery) RejectOnly(negatives ...Template) error { return g.reject(true, negatives) }

func (g *Gallery) reject(only bool, negatives []Template) error {
	units := make([][]int16, len(negatives))
	for i, t := range negatives {
		var err error
		if units[i], err = g.unit(t); err != nil {
			return err
		}
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if only {
		for _, all := range g.not {
			for _, v := range all {
				clear(v)
			}
		}
		clear(g.not)
	}
	for i, t := range negatives {
		if slot, ok := g.slots[t.Person]; ok && units[i] != nil {
			g.not[int32(slot)] = append(g.not[int32(slot)], units[i])
		}
	}
	return nil
}

// Grow makes room for the notes on n more templates of the gallery's model, so
// that a large gallery is filled without copying those.
func (g *Gallery) Grow(n int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.rows = slices.Grow(g.rows, n)
	g.ids = slices.Grow(g.ids, n)
}

// Become gives the gallery at once what another one of its model holds, which is
// empty then. What it held before is overwritten in memory.
func (g *Gallery) Become(other *Gallery) {
	g.mu.Lock()
	defer g.mu.Unlock()
	other.mu.Lock()
	defer other.mu.Unlock()
	g.wipe()
	g.contents, other.contents = other.contents, newContents(other.size)
	g.moves++
	other.moves++
}

// RemovePerson forgets every template of a person and says how many there were,
// those of other models included. Their numbers are overwritten in memory.
func (g *Gallery) RemovePerson(id string) int {
	g.mu.Lock()
	defer g.mu.Unlock()
	removed := g.foreign[id]
	delete(g.foreign, id)

	slot, ok := g.slots[id]
	if !ok {
		return removed
	}
	removed += g.drop(slot)
	g.moves++
	return removed
}

// Model is the id of the model whose templates are compared.
func (g *Gallery) Model() string { return g.model }

// Size is how many elements the vectors have that are compared.
func (g *Gallery) Size() int { return g.size }

// People is the number of people who have a template that can be compared.
func (g *Gallery) People() int {
	g.mu.RLock()
	defer g.mu.RUnlock()
	return len(g.slots)
}

// Len is the number of templates that are compared.
func (g *Gallery) Len() int {
	g.mu.RLock()
	defer g.mu.RUnlock()
	return len(g.rows)
}

// Foreign is the number of templates that another model made and that are
// therefore never compared. When it is not 0, those people are to be enrolled
// again.
func (g *Gallery) Foreign() int {
	g.mu.RLock()
	defer g.mu.RUnlock()
	n := 0
	for _, c := range g.foreign {
		n += c
	}
	return n
}

// LenOf is how many templates of a person there are, Foreign ones included.
func (g *Gallery) LenOf(person string) int {
	g.mu.RLock()
	defer g.mu.RUnlock()
	n := g.foreign[person]
	if slot, ok := g.slots[person]; ok {
		n += len(g.own[slot])
	}
	return n
}

// ForeignOf is Foreign of one person.
func (g *Gallery) ForeignOf(person string) int {
	g.mu.RLock()
	defer g.mu.RUnlock()
	return g.foreign[person]
}

// Renew is Add for a template that was made anew in the place of one of another
// model, which counts as foreign no more.
func (g *Gallery) Renew(t Template) error {
	if t.Model != g.model {
		return fmt.Errorf("template %s was made anew by model %s, not %s", t.ID, t.Model, g.model)
	}
	if err := g.Add(t); err != nil {
		return err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.foreign[t.Person]--; g.foreign[t.Person] <= 0 {
		delete(g.foreign, t.Person)
	}
	return nil
}

// DuplicateCosine is from where on two embeddings add nothing to each other.
// Photos of one person taken on different occasions reach about 0.4 to 0.8;
// above 0.95 are the same picture saved again and neighbouring frames of a
// film, which would fill the gallery without widening what it knows.
const DuplicateCosine = 0.95

// Duplicate says whether two embeddings of one model are so alike that the
// second need not be enrolled. Vectors that cannot be compared (of different
// size, zero, not finite) are no duplicates.
func Duplicate(a, b []float32) bool {
	if len(a) != len(b) {
		return false
	}
	ua, errA := unit(a)
	ub, errB := unit(b)
	return errA == nil && errB == nil && dot(ua, ub) >= DuplicateCosine
}

var (
	errNotFinite = errors.New("vector has an element that is not finite")
	errZero      = errors.New("vector is zero")
)

// unit returns a copy of v with length 1. The norm is summed in float64, where
// no float32 overflows when squared or is lost to 0.
func unit(v []float32) ([]float32, error) {
	var sum float64
	for _, x := range v {
		sum += float64(x) * float64(x)
	}
	switch {
	case math.IsNaN(sum) || math.IsInf(sum, 0):
		return nil, errNotFinite
	case sum == 0:
		return nil, errZero
	}
	u := slices.Clone(v)
	norm := math.Sqrt(sum)
	for i, x := range u {
		u[i] = float32(float64(x) / norm)
	}
	return u, nil
}
