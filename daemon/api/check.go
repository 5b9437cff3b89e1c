package api

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"facerecd/daemon/event"
)

// The time that a checkup may take, in seconds, of which the caller may choose
// another.
const (
	checkSeconds    = 60
	maxCheckSeconds = 600
)

// Checkup is what the enrolled templates say of each other; see
// match.Checkup. Each list has the worst first, and at most 200 entries.
type Checkup struct {
	People     int          `json:"people"`
	Templates  int          `json:"templates"`
	Compared   int          `json:"compared"` // people; below People when the time was too short
	Threshold  float32      `json:"threshold"`
	Margin     float32      `json:"margin"`
	Missed     []Missed     `json:"missed"`
	Confusable []Confusable `json:"confusable"`
	Hurts      []Hurt       `json:"hurts"`
	Few        []Few        `json:"few"`
	Cut        bool         `json:"cut"` // a list has no room for all
}

// Missed is a person who would be missed with a look that is not enrolled.
type Missed struct {
	Person    event.Person `json:"person"`
	Score     float32      `json:"score"`     // cosine, the median of what each template reaches with the others
	Missed    int          `json:"missed"`    // templates below the threshold
	Templates int          `json:"templates"` // of the person
}

// Confusable is two people of whom one may be taken for the other.
type Confusable struct {
	A     event.Person `json:"a"`
	B     event.Person `json:"b"`
	Score float32      `json:"score"` // cosine of their two most alike templates
}

// Hurt is a template that does its person harm.
type Hurt struct {
	Person      event.Person  `json:"person"`
	Template    string        `json:"template"`
	Created     time.Time     `json:"created"`
	Score       float32       `json:"score"`  // cosine with the nearest of the person's others
	Better      *event.Person `json:"better"` // whom it fits better, or null: it fits nobody
	BetterScore float32       `json:"better_score"`
}

// Few is a person with less than match.FewTemplates.
type Few struct {
	Person    event.Person `json:"person"`
	Templates int          `json:"templates"`
}

// check answers with a checkup, one at a time.
func (s *service) check(w http.ResponseWriter, r *http.Request) error {
	seconds, err := numberOf(r.URL.Query(), "seconds", checkSeconds, maxCheckSeconds)
	if err != nil {
		return err
	}
	ctx, leave, err := s.watch(r) // it may last, and ends when the daemon does
	if err != nil {
		return err
	}
	defer leave()
	select {
	case s.checks <- struct{}{}:
		defer func() { <-s.checks }()
	default:
		return problem(http.StatusServiceUnavailable, CodeBusy, "Another check is under way; ask again when it has ended.")
	}
	ctx, cancel := context.WithTimeout(ctx, time.Duration(seconds)*time.Second)
	defer cancel()
	c, err := s.Check(ctx)
	if s.closing.Err() != nil {
		return problem(http.StatusServiceUnavailable, CodeNotReady, "facerecd is stopping; ask again when it is back.")
	}
	if err != nil {
		return fmt.Errorf("check the people: %w", err)
	}
	c.Missed, c.Confusable, c.Hurts, c.Few = orEmpty(c.Missed), orEmpty(c.Confusable), orEmpty(c.Hurts), orEmpty(c.Few)
	return s.answer(w, http.StatusOK, c)
}
