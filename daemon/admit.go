package daemon

import (
	"errors"
	"fmt"
	"slices"

	"facerecd/match"
	"facerecd/match/store"
)

// Applicant is somebody who is to be enrolled with templates that were made
// already, by the model pack of the gallery: from uploads, from the live view
// or from what was seen of a stranger.
type Applicant struct {
	Name      string // of somebody who is known, or new
	NewID     string // the person's, when they are new
	Templates []match.Template
	Policy    match.Policy
	// Force takes templates also that mismatch or look like somebody else,
	// because somebody has looked at the pictures.
	Force bool
}

// Admit judges the templates and enrols those that are accepted, in one
// transaction; with no accepted one, nobody, and the Person is the zero value.
// The verdicts are in the order of the templates; one that Force overruled is
// accepted and keeps its Rival. Between judgement and enrolment nobody else is
// enrolled: one face cannot get two names at once.
func (r *Roster) Admit(a Applicant) (match.Person, []match.Verdict, error) {
	r.change.Lock()
	defer r.change.Unlock()
	p, err := r.Store.FindByName(a.Name)
	if errors.Is(err, store.ErrNotFound) {
		p = match.Person{ID: a.NewID, Name: a.Name}
	} else if err != nil {
		return match.Person{}, nil, fmt.Errorf("find person: %w", err)
	}
	for _, t := range a.Templates {
		if err := r.Gallery.Check(t); err != nil {
			return match.Person{}, nil, err
		}
		if t.Model != r.Gallery.Model() {
			return match.Person{}, nil, fmt.Errorf("template %s was made by model %s, and %s is in use: make it anew", t.ID, t.Model, r.Gallery.Model())
		}
	}
	own, err := r.stored(p.ID)
	if err != nil {
		return match.Person{}, nil, err
	}
	own = slices.DeleteFunc(own, func(t match.Template) bool { return t.Model != r.Gallery.Model() })
	verdicts := a.Policy.Judge(r.Gallery, p.ID, own, a.Templates)
	var admitted []match.Template
	for i := range verdicts {
		if v := &verdicts[i]; a.Force && v.Code != match.Repeated {
			v.Code = match.Accepted
		}
		if verdicts[i].Code == match.Accepted {
			admitted = append(admitted, a.Templates[i])
		}
	}
	if len(admitted) == 0 {
		return match.Person{}, verdicts, nil
	}
	p, err = r.enroll(p, admitted)
	return p, verdicts, err
}
