package daemon

import (
	"context"
	"fmt"
	"slices"

	"facerecd/daemon/api"
	"facerecd/daemon/event"
	"facerecd/match"
)

// Checkup looks what the enrolled templates say of each other; see
// match.Gallery.LeaveOneOut. Who is deleted meanwhile is not in it.
func (r *Roster) Checkup(ctx context.Context, policy match.Policy) (api.Checkup, error) {
	found, err := r.Gallery.LeaveOneOut(ctx, policy)
	if err != nil {
		return api.Checkup{}, err
	}
	c := api.Checkup{
		People: found.People, Templates: found.Templates, Compared: found.Compared, Cut: found.Cut,
		Threshold: policy.Threshold, Margin: policy.Margin,
	}
	for _, m := range found.Missed {
		if p, ok := r.person(m.Person); ok {
			c.Missed = append(c.Missed, api.Missed{Person: p, Score: m.Score, Missed: m.Missed, Templates: m.Templates})
		}
	}
	for _, m := range found.Confusable {
		a, okA := r.person(m.A)
		b, okB := r.person(m.B)
		if okA && okB {
			c.Confusable = append(c.Confusable, api.Confusable{A: a, B: b, Score: m.Score})
		}
	}
	for _, m := range found.Few {
		if p, ok := r.person(m.Person); ok {
			c.Few = append(c.Few, api.Few{Person: p, Templates: m.Templates})
		}
	}
	c.Hurts, err = r.hurts(found.Hurts)
	return c, err
}

// hurts says when the templates were made, by which their owner may know the
// pictures.
func (r *Roster) hurts(found []match.Hurt) ([]api.Hurt, error) {
	var all []api.Hurt
	for _, m := range found {
		p, ok := r.person(m.Person)
		if !ok {
			continue
		}
		templates, err := r.stored(m.Person)
		if err != nil {
			return nil, err
		}
		i := slices.IndexFunc(templates, func(t match.Template) bool { return t.ID == m.Template })
		if i < 0 {
			continue
		}
		h := api.Hurt{Person: p, Template: m.Template, Created: templates[i].Created, Score: m.Score, BetterScore: m.BetterScore}
		if better, ok := r.person(m.Better); ok {
			h.Better = &better
		} else if m.Better != "" {
			continue
		}
		all = append(all, h)
	}
	return all, nil
}

func (r *Roster) person(id string) (event.Person, bool) {
	name, ok := r.Name(id)
	return event.Person{ID: id, Name: name}, ok
}

func (r *Roster) stored(id string) (all []match.Template, err error) {
	err = r.Store.PersonTemplates(id, func(t match.Template) error {
		all = append(all, t)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read templates: %w", err)
	}
	return all, nil
}
