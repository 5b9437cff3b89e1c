package api

import (
	"fmt"
	"net/http"
	"strings"
	"unicode"
	"unicode/utf8"

	"facerecd/match"
)

// MaxNameLength is how long a person's name may be, in runes.
const MaxNameLength = 100

// PersonName returns raw as a person's name: valid UTF-8, without space around
// it, without control characters, at most MaxNameLength runes, and with
// something to see in it. Its error is a *Problem.
func PersonName(raw string) (string, error) {
	name := strings.TrimSpace(raw)
	switch {
	case !utf8.ValidString(name):
		return "", problem(http.StatusBadRequest, CodeNameInvalid, "The name is not valid UTF-8; send it in that encoding.")
	case strings.ContainsFunc(name, misleads):
		return "", problem(http.StatusBadRequest, CodeNameInvalid, "The name has control characters, such as a line break, in it; send it without.")
	case !strings.ContainsFunc(name, shows):
		return "", problem(http.StatusBadRequest, CodeNameEmpty, "The name is empty; send the person's name in the form field name.")
	case utf8.RuneCountInString(name) > MaxNameLength:
		return "", nameTooLong()
	}
	return name, nil
}

func nameTooLong() error {
	return problem(http.StatusBadRequest, CodeNameTooLong, fmt.Sprintf("The name is longer than %d characters; send a shorter one.", MaxNameLength))
}

// misleads finds control characters, line separators, and the marks that turn
// the direction of the text around them. The joiners that some scripts need
// are not among them.
func misleads(r rune) bool {
	return unicode.IsControl(r) || r == 0x2028 || r == 0x2029 ||
		r >= 0x202A && r <= 0x202E || r >= 0x2066 && r <= 0x2069
}

func shows(r rune) bool {
	return unicode.IsLetter(r) || unicode.IsNumber(r) || unicode.IsSymbol(r) || unicode.IsPunct(r)
}

// maxPeoplePage is how many people one answer has at most, when it is to have
// some of them.
const maxPeoplePage = 1000

func (s *service) listPeople(w http.ResponseWriter, r *http.Request) error {
	query := r.URL.Query()
	sel := Selection{Name: strings.TrimSpace(query.Get("q")), After: query.Get("after")}
	limit, err := numberOf(query, "limit", 0, maxPeoplePage)
	if err != nil {
		return err
	}
	if limit > 0 {
		sel.Limit = limit + 1 // whether there are more
	}
	if sel.After != "" && !isID(sel.After) {
		return badParameter("after must be the id of a person, as an earlier answer has it in next.")
	}
	people, err := s.People.List(r.Context(), sel)
	if err != nil {
		return fmt.Errorf("list people: %w", err)
	}
	answer := peopleAnswer{People: orEmpty(people)}
	if sel.Limit > 0 && len(people) == sel.Limit {
		answer.People = people[:sel.Limit-1]
		answer.Next = people[sel.Limit-2].ID
	}
	return s.answer(w, http.StatusOK, answer)
}

type peopleAnswer struct {
	People []match.Person `json:"people"`
	Next   string         `json:"next,omitempty"` // what after is to be for the rest; empty: there is none
}

func (s *service) getPerson(w http.ResponseWriter, r *http.Request) error {
	p, err := s.People.Get(r.Context(), r.PathValue("id"))
	if err != nil {
		return fmt.Errorf("get person: %w", err)
	}
	return s.answer(w, http.StatusOK, p)
}

func (s *service) editPerson(w http.ResponseWriter, r *http.Request) error {
	const what, example = "the new name, whether the person is announced, or both,", `{"name": "new name", "notify": false}`
	var change match.Edit
	if err := readJSON(w, r, &change, what, example); err != nil {
		return err
	}
	if change == (match.Edit{}) {
		return badJSON(what, example)
	}
	if change.Name != nil {
		name, err := PersonName(*change.Name)
		if err != nil {
			return err
		}
		change.Name = &name
	}
	p, err := s.People.Edit(r.Context(), r.PathValue("id"), change)
	if err != nil {
		return fmt.Errorf("change person: %w", err)
	}
	s.Log.Info("changed", "person", p.ID, "renamed", change.Name != nil, "notify", p.Notify)
	return s.answer(w, http.StatusOK, p)
}

func (s *service) deletePerson(w http.ResponseWriter, r *http.Request) error {
	receipt, err := s.People.Delete(r.Context(), r.PathValue("id"))
	if err != nil {
		return fmt.Errorf("delete person: %w", err)
	}
	s.Log.Info("deleted", "person", receipt.Person, "templates", receipt.Templates)
	return s.answer(w, http.StatusOK, receipt)
}
