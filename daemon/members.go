package daemon

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"

	"facerecd/daemon/fleet"
	"facerecd/match"
	"facerecd/match/store"
)

// members is the roster as the fleet sees it. Changes that come from the fleet
// are not told to Roster.OnChange.
type members struct {
	*Roster
	Log *slog.Logger

	// Guarded by Roster.change: people who are here, and were taken into somebody
	// of whom nothing has come yet.
	waiting map[store.Mark]fleet.Record
}

var _ fleet.People = (*members)(nil)

// id is a person by the mark, "" for nobody.
func (r *Roster) id(m store.Mark) string {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.ids[m]
}

// Record implements fleet.People.
func (m *members) Record(mark store.Mark) (fleet.Record, bool, error) {
	if id := m.id(mark); id != "" {
		p, err := m.Store.Person(id)
		if err == nil {
			templates, err := m.stored(id)
			return fleet.OfPerson(p, templates), true, err
		} else if !errors.Is(err, store.ErrNotFound) {
			return fleet.Record{}, false, fmt.Errorf("read person: %w", err)
		}
	}
	g, ok := m.Store.Grave(mark)
	return fleet.OfGrave(g), ok, nil
}

// Marks implements fleet.People.
func (m *members) Marks() ([]store.Mark, error) {
	m.mu.RLock()
	marks := slices.Collect(maps.Keys(m.ids))
	m.mu.RUnlock()
	for _, g := range m.Store.Graves() {
		marks = append(marks, g.Mark)
	}
	return marks, nil
}

// Apply implements fleet.People. The order of the records makes no difference:
// who is no more goes first, and names are compared when all that came is
// known, so that a name which passed from one person to another unites nobody.
// An error leaves some of it undone; the same records may be applied again.
func (m *members) Apply(records []fleet.Record) ([]store.Mark, error) {
	m.change.Lock()
	defer m.change.Unlock()
	records = append(slices.Collect(maps.Values(m.waiting)), records...)
	a := application{
		members: m, touched: make(map[store.Mark]bool), coming: make(map[store.Mark]string),
		fresh: make(map[string]match.Person), templates: make(map[string][]match.Template),
	}
	for _, step := range []func([]fleet.Record) error{a.bury, a.plan, a.enrol, a.unite, a.name, a.add} {
		if err := step(records); err != nil {
			return nil, err
		}
	}
	return slices.Collect(maps.Keys(a.touched)), nil
}

// application is one Apply under way.
type application struct {
	*members
	touched map[store.Mark]bool
	coming  map[store.Mark]string // ids of those who are alive in the records

	fresh     map[string]match.Person     // by id: people who are new, or have another name or version
	templates map[string][]match.Template // by id: to be added
	pairs     []pair
}

// pair is a person who is taken into another.
type pair struct{ from, into string }

// bury deletes whom the fleet has deleted, and stores the graves of people who
// are not here.
func (a *application) bury(records []fleet.Record) error {
	graves := make(map[store.Mark]store.Grave)
	var doomed []string
	var doom func(store.Grave) (news bool)
	doom = func(g store.Grave) bool {
		before, known := graves[g.Mark]
		if !known {
			before, known = a.Store.Grave(g.Mark)
		}
		if known && before.Merge(g) == before {
			return false
		}
		if known {
			g = g.Merge(before)
		}
		graves[g.Mark] = g
		if id := a.id(g.Mark); id != "" && g.Deleted {
			doomed = append(doomed, id)
		}
		if g.Deleted && g.Into != (store.Mark{}) { // what was united is deleted together
			if doom(store.Grave{Mark: g.Into, Deleted: true}) {
				a.touched[g.Into] = true
			}
		}
		return true
	}
	for _, r := range records {
		if !r.Alive() && (r.Grave.Deleted || a.id(r.Mark) == "") {
			doom(r.Grave)
		}
	}
	for _, r := range records { // whom to take them into is deleted
		if into, gone := a.resolve(r.Grave.Into, graves); !r.Alive() && a.id(r.Mark) != "" && into == "" && gone {
			g := r.Grave
			g.Deleted = true
			a.touched[r.Mark] = true
			doom(g)
		}
	}
	slices.Sort(doomed)
	if doomed = slices.Compact(doomed); len(doomed) > 0 {
		receipts, err := a.erase(doomed...)
		for _, receipt := range receipts {
			a.remove(receipt.Person)
			a.Log.Info("deleted with the fleet", "person", receipt.Person, "templates", receipt.Templates)
		}
		if err != nil {
			return err
		}
	}
	return a.Store.Bury(slices.Collect(maps.Values(graves))...)
}

// resolve follows graves to somebody who is here or among those who come, or to
// somebody deleted.
func (a *application) resolve(m store.Mark, more map[store.Mark]store.Grave) (id string, gone bool) {
	for range 100 { // a chain leads to ever lower ids, if nobody made it up
		g, ok := more[m]
		if !ok {
			g, ok = a.Store.Grave(m)
		}
		if !ok || g.Deleted || g.Into == (store.Mark{}) {
			return cmp.Or(a.id(m), a.coming[m]), g.Deleted
		}
		m = g.Into
	}
	return "", false
}

// plan decides who is to have which name and who becomes one with whom.
func (a *application) plan(records []fleet.Record) error {
	a.waiting = make(map[store.Mark]fleet.Record)
	a.mu.RLock()
	names := maps.Clone(a.names)
	a.mu.RUnlock()
	for _, r := range records {
		if _, buried := a.Store.Grave(r.Mark); !r.Alive() || buried {
			continue
		}
		names[r.ID], a.coming[r.Mark] = r.Name, r.ID
		a.fresh[r.ID] = match.Person{ID: r.ID, Name: r.Name, Version: r.Version, Created: r.Created}
		a.templates[r.ID] = append(a.templates[r.ID], r.Templates...)
	}
	for _, r := range records {
		id := a.id(r.Mark)
		if r.Alive() || id == "" {
			continue
		}
		into, _ := a.resolve(r.Grave.Into, nil)
		if into == "" || into == id {
			a.waiting[r.Mark] = r
			continue
		}
		a.pairs = append(a.pairs, pair{id, into})
		a.touched[store.MarkOf(into)] = true
		delete(names, id)
	}
	same := make(map[string][]string)
	for id, name := range names {
		folded := store.FoldName(name)
		same[folded] = append(same[folded], id)
	}
	for _, ids := range same {
		slices.Sort(ids)
		for _, id := range ids[1:] { // the lowest was enrolled first
			a.pairs = append(a.pairs, pair{id, ids[0]})
			a.touched[store.MarkOf(id)], a.touched[store.MarkOf(ids[0])] = true, true
			delete(a.fresh, id)
		}
	}
	// The later ones first: nobody is taken into somebody who is gone by then.
	slices.SortFunc(a.pairs, func(p, q pair) int { return cmp.Compare(q.from, p.from) })
	return nil
}

// enrol makes the people who are new. Whose name somebody else has until name
// gets to it is called by the id.
func (a *application) enrol([]fleet.Record) error {
	for id, p := range a.fresh {
		old, err := a.Store.Person(id)
		switch {
		case err == nil:
			if old.Name == p.Name && old.Version == p.Version {
				delete(a.fresh, id)
			}
			continue
		case !errors.Is(err, store.ErrNotFound):
			return fmt.Errorf("find person: %w", err)
		}
		if _, err := a.Store.FindByName(p.Name); err == nil {
			p.Name, p.Version = id, match.Version{}
		} else if errors.Is(err, store.ErrNotFound) {
			delete(a.fresh, id)
		} else {
			return fmt.Errorf("find person by name: %w", err)
		}
		if err := a.Store.Enroll(p, nil); err != nil {
			return fmt.Errorf("store person: %w", err)
		}
		a.rename(p)
	}
	return nil
}

// unite takes people into others.
func (a *application) unite([]fleet.Record) error {
	for _, p := range a.pairs {
		a.templates[p.into] = append(a.templates[p.into], a.templates[p.from]...)
		delete(a.templates, p.from)
		if a.id(store.MarkOf(p.from)) == "" {
			if err := a.Store.Bury(store.Grave{Mark: store.MarkOf(p.from), Into: store.MarkOf(p.into)}); err != nil {
				return err
			}
			continue
		}
		moved, err := a.stored(p.from)
		if err != nil {
			return err
		}
		rejected, err := a.Store.Rejections(p.from)
		if err != nil {
			return err
		}
		if err := a.Store.Absorb(p.from, p.into); err != nil {
			return err
		}
		heir, err := a.Store.Person(p.into)
		if err != nil {
			return fmt.Errorf("read person: %w", err)
		}
		a.rename(heir) // who may have ceased to be announced
		for _, all := range [][]match.Template{moved, rejected} {
			for i := range all {
				all[i].Person = p.into
			}
		}
		if err := errors.Join(a.Gallery.Add(moved...), a.Gallery.Reject(rejected...)); err != nil {
			return fmt.Errorf("add templates to the gallery: %w", err)
		}
		a.remove(p.from)
		a.Log.Info("two people of one name are one person now", "person", p.into, "was", p.from)
	}
	return nil
}

// name gives all others their names at once.
func (a *application) name([]fleet.Record) error {
	if len(a.fresh) == 0 {
		return nil
	}
	if err := a.Store.SetNames(slices.Collect(maps.Values(a.fresh))...); err != nil {
		return err
	}
	for id := range a.fresh {
		p, err := a.Store.Person(id)
		if err != nil {
			return fmt.Errorf("read person: %w", err)
		}
		a.rename(p)
	}
	return nil
}

// add stores the templates that are new here. Of one template that several model
// packs have made, one is stored: that of this device's, or else the first.
func (a *application) add([]fleet.Record) error {
	for id, templates := range a.templates {
		p, err := a.Store.Person(id)
		if err != nil {
			return fmt.Errorf("find person: %w", err)
		}
		stored, err := a.stored(id)
		if err != nil {
			return err
		}
		model := make(map[string]string) // of each template that is stored, or will be
		for _, t := range stored {
			model[t.ID] = t.Model
		}
		slices.SortStableFunc(templates, func(s, t match.Template) int {
			return cmp.Compare(rank(s, a.Gallery), rank(t, a.Gallery))
		})
		var added, renewed []match.Template
		for _, t := range templates {
			if err := a.Gallery.Check(t); err != nil {
				a.Log.Warn("a template of the fleet cannot be used", "person", id, "err", err)
				continue
			}
			t.Person = id
			was, known := model[t.ID]
			switch {
			case !known:
				added = append(added, t)
			case was != a.Gallery.Model() && t.Model == a.Gallery.Model():
				renewed = append(renewed, t)
			default:
				continue
			}
			model[t.ID] = t.Model
		}
		if len(added)+len(renewed) == 0 {
			continue
		}
		if err := a.Store.Enroll(p, slices.Concat(added, renewed)); err != nil {
			return fmt.Errorf("store templates: %w", err)
		}
		if err := a.Gallery.Add(added...); err != nil {
			return fmt.Errorf("add templates to the gallery: %w", err)
		}
		for _, t := range renewed {
			if err := a.Gallery.Renew(t); err != nil {
				return fmt.Errorf("add template to the gallery: %w", err)
			}
		}
	}
	return nil
}

// rank puts the templates first that the gallery compares.
func rank(t match.Template, g *match.Gallery) int {
	if t.Model == g.Model() {
		return 0
	}
	return 1
}
