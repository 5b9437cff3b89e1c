// Package fleet shares people among the devices that have one key, through the
// MQTT broker that they use anyway: who is enrolled on one is known to all, and
// who is deleted on one is forgotten by all. Whoever has not the key, the
// broker among them, learns how many people there are, roughly how much is known
// of each, and when that changes; see docs/adr/0007-fleet.md.
//
// Each person is one retained message, a Record that Codec seals. Devices may
// hear of changes in any order, twice, or a month late: Merge makes the same of
// them everywhere, whatever the clocks say.
package fleet

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"

	"facerecd/match"
	"facerecd/match/store"
)

// The bounds of a record, so that a person fits into one message.
const (
	MaxTemplates = 32 // of one model; the best by quality are shared
	MaxModels    = 4  // whose templates are shared; the ids that come last count
)

// Record is what the fleet knows of a person, who is alive or has a grave.
type Record struct {
	Mark store.Mark

	// Of somebody who is alive, or else zero.
	ID        string
	Name      string
	Version   match.Version // of Name
	Created   time.Time
	Templates []match.Template // in the order of better; without Person and Crop

	// Of somebody who is no more, with the same mark, or else zero.
	Grave store.Grave
}

// Alive tells whether the person has no grave.
func (r Record) Alive() bool { return r.Grave == store.Grave{} }

// OfGrave is the record of a grave.
func OfGrave(g store.Grave) Record { return Record{Mark: g.Mark, Grave: g} }

// OfPerson is the record of a person with their templates, whose slice it takes.
func OfPerson(p match.Person, templates []match.Template) Record {
	for i := range templates {
		templates[i].Person, templates[i].Crop = "", nil
	}
	return Record{
		Mark: store.MarkOf(p.ID), ID: p.ID, Name: p.Name, Version: p.Version, Created: p.Created.UTC(), Templates: share(templates),
	}
}

// Merge is what two records of one person say together. It is commutative,
// associative and idempotent. A grave wins over everything; the name is the one
// with the higher version; templates are united and, beyond the bounds, the
// best kept. It changes neither.
func Merge(a, b Record) Record {
	if a.Mark != b.Mark {
		panic("fleet: merge of two people")
	}
	switch {
	case !a.Alive() && !b.Alive():
		return OfGrave(a.Grave.Merge(b.Grave))
	case !a.Alive():
		return OfGrave(a.Grave)
	case !b.Alive():
		return OfGrave(b.Grave)
	}
	m := a
	if cmp.Or(a.Version.Compare(b.Version), cmp.Compare(a.Name, b.Name)) < 0 {
		m.Name, m.Version = b.Name, b.Version
	}
	if b.Created.Before(a.Created) {
		m.Created = b.Created
	}
	m.Templates = share(slices.Concat(a.Templates, b.Templates))
	return m
}

// Equal tells whether two records say the same.
func Equal(a, b Record) bool {
	return a.Mark == b.Mark && a.Grave == b.Grave && a.ID == b.ID && a.Name == b.Name && a.Version == b.Version &&
		a.Created.Equal(b.Created) && slices.EqualFunc(a.Templates, b.Templates, func(s, t match.Template) bool { return better(s, t) == 0 })
}

// share sorts templates, takes out repeats and what is beyond the bounds. As
// one total order decides over both, it makes no difference in which order
// records are united.
func share(templates []match.Template) []match.Template {
	slices.SortFunc(templates, better)
	type key struct{ id, model string }
	seen := make(map[key]bool)
	models := make(map[string]int)
	all := templates[:0]
	for _, t := range templates {
		k := key{t.ID, t.Model}
		if seen[k] || models[t.Model] == MaxTemplates {
			continue
		}
		seen[k] = true
		models[t.Model]++
		all = append(all, t)
	}
	if len(models) > MaxModels {
		var ids []string
		for id := range models {
			ids = append(ids, id)
		}
		slices.Sort(ids)
		last := ids[len(ids)-MaxModels:]
		all = slices.DeleteFunc(all, func(t match.Template) bool { return !slices.Contains(last, t.Model) })
	}
	return all
}

// better compares templates, the better one first. It is 0 for equal ones only.
func better(a, b match.Template) int {
	return cmp.Or(
		cmp.Compare(b.Quality, a.Quality),
		cmp.Compare(a.ID, b.ID),
		cmp.Compare(a.Model, b.Model),
		a.Created.Compare(b.Created),
		slices.Compare(a.Vector, b.Vector),
	)
}

// maxCounter is more namings than anybody lives to make. A higher one would
// leave no room for the next.
const maxCounter = 1 << 48

// check finds what no device of the fleet writes.
func (r Record) check() error {
	if !r.Alive() {
		switch {
		case r.Grave.Mark != r.Mark || !r.Grave.Deleted && r.Grave.Into == store.Mark{} || r.Grave.Into == r.Mark:
			return errors.New("grave without a reason")
		case r.ID != "" || r.Name != "" || r.Version != match.Version{} || !r.Created.IsZero() || len(r.Templates) > 0:
			return errors.New("grave of somebody who is alive")
		}
		return nil
	}
	switch {
	case store.MarkOf(r.ID) != r.Mark:
		return errors.New("id of somebody else")
	case r.Version.Counter == 0 || r.Version.Counter > maxCounter:
		return fmt.Errorf("version %d of the name", r.Version.Counter)
	case len(r.Templates) > MaxTemplates*MaxModels:
		return fmt.Errorf("%d templates", len(r.Templates))
	}
	if err := store.CheckPerson(match.Person{ID: r.ID, Name: r.Name}, r.Templates); err != nil {
		return err
	}
	return nil
}
