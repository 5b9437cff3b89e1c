package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"facerecd/match"
)

// maxStrangers is how many strangers one answer lists.
const maxStrangers = 1000

// Strangers keeps who was seen and is not enrolled. Its methods are called by
// several goroutines at once. All but List answer ErrStrangerNotFound (possibly
// wrapped) for an id that is nobody's.
type Strangers interface {
	// List returns at most limit of them, who was seen last first; the ignored ones
	// only when they are asked for. When there are more, next is not 0, and before
	// that is where the next page begins. Before 0 begins with the first.
	List(ctx context.Context, ignored bool, before int64, limit int) (page []Stranger, next int64, err error)
	// Picture is a JPEG of the best face, or ErrNoPortrait.
	Picture(ctx context.Context, id string) ([]byte, error)
	// Name enrols the stranger, as a new person or as one who has the name. The
	// stranger is no more then, and the history's events are the person's. It
	// answers ErrStrangerStale when that cannot be.
	Name(ctx context.Context, id, name string) (Naming, error)
	// Ignore has the stranger not be told of any more, until Forget. It answers
	// ErrTooManyIgnored when no more can be.
	Ignore(ctx context.Context, id string) error
	// Forget deletes the stranger; when it returns, no crash brings them back.
	Forget(ctx context.Context, id string) error
}

// The errors of a Strangers.
var (
	ErrStrangerNotFound = errors.New("no such stranger")
	ErrStrangerStale    = errors.New("another model pack has seen the stranger")
	ErrNoPortrait       = errors.New("there is no picture of the stranger")
	ErrTooManyIgnored   = errors.New("too many strangers are ignored")
)

// Stranger is somebody who was seen and is not enrolled.
type Stranger struct {
	ID        string    `json:"id"`
	Count     int       `json:"count"` // how often they were seen
	FirstSeen time.Time `json:"first_seen"`
	LastSeen  time.Time `json:"last_seen"`
	Cameras   []string  `json:"cameras"` // that saw them
	Ignored   bool      `json:"ignored"`
}

// Naming is the answer when a stranger was named.
type Naming struct {
	Person     match.Person `json:"person"`
	Accepted   int          `json:"accepted"`   // templates that were added
	Relabelled int          `json:"relabelled"` // events in the history that are the person's now
}

// StrangersPage is the answer of GET /api/v1/unknown.
type StrangersPage struct {
	Unknown []Stranger `json:"unknown"`
	Next    *string    `json:"next"` // the parameter before of the next page; nil: this was the last
}

func (s *service) listStrangers(w http.ResponseWriter, r *http.Request) error {
	query := r.URL.Query()
	limit, err := numberOf(query, "limit", defaultPage, maxStrangers)
	if err != nil {
		return err
	}
	var before int64
	if text := query.Get("before"); text != "" {
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil || n < 1 {
			return badParameter("before must be next of an earlier answer.")
		}
		before = n
	}
	ignored := false
	switch query.Get("ignored") {
	case "true":
		ignored = true
	case "", "false":
	default:
		return badParameter("ignored must be true or false.")
	}
	if s.Strangers == nil {
		return s.answer(w, http.StatusOK, StrangersPage{Unknown: []Stranger{}})
	}
	page, next, err := s.Strangers.List(r.Context(), ignored, before, limit)
	if err != nil {
		return fmt.Errorf("list strangers: %w", err)
	}
	answer := StrangersPage{Unknown: orEmpty(page)}
	if next != 0 {
		text := strconv.FormatInt(next, 10)
		answer.Next = &text
	}
	return s.answer(w, http.StatusOK, answer)
}

// remembered is a route to a stranger, of whom there is none when they are not
// remembered.
func (s *service) remembered(handle func(http.ResponseWriter, *http.Request) error) func(http.ResponseWriter, *http.Request) error {
	return func(w http.ResponseWriter, r *http.Request) error {
		if s.Strangers == nil {
			return problem(http.StatusNotFound, CodeStrangerNotFound, "Strangers are not remembered; set unknown.remember in the configuration for that.")
		}
		return handle(w, r)
	}
}

func (s *service) strangerPicture(w http.ResponseWriter, r *http.Request) error {
	picture, err := s.Strangers.Picture(r.Context(), r.PathValue("id"))
	if err != nil {
		return strangerProblem(fmt.Errorf("read stranger's picture: %w", err))
	}
	return s.sendPicture(w, picture)
}

func (s *service) nameStranger(w http.ResponseWriter, r *http.Request) error {
	var body struct {
		Name *string `json:"name"`
	}
	name, err := readName(w, r, &body, &body.Name)
	if err != nil {
		return err
	}
	n, err := s.Strangers.Name(r.Context(), r.PathValue("id"), name)
	if err != nil {
		return strangerProblem(fmt.Errorf("name stranger: %w", err))
	}
	s.Log.Info("named a stranger", "person", n.Person.ID, "accepted", n.Accepted, "relabelled", n.Relabelled)
	w.Header().Set("Location", "/api/v1/people/"+n.Person.ID)
	return s.answer(w, http.StatusCreated, n)
}

func (s *service) ignoreStranger(w http.ResponseWriter, r *http.Request) error {
	if err := s.Strangers.Ignore(r.Context(), r.PathValue("id")); err != nil {
		return strangerProblem(fmt.Errorf("ignore stranger: %w", err))
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (s *service) forgetStranger(w http.ResponseWriter, r *http.Request) error {
	if err := s.Strangers.Forget(r.Context(), r.PathValue("id")); err != nil {
		return strangerProblem(fmt.Errorf("forget stranger: %w", err))
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// strangerProblem puts the errors of a Strangers into words.
func strangerProblem(err error) error {
	switch {
	case errors.Is(err, ErrStrangerNotFound):
		return problem(http.StatusNotFound, CodeStrangerNotFound, "There is no stranger with this id, or not any more; GET /api/v1/unknown lists them.")
	case errors.Is(err, ErrNoPortrait):
		return problem(http.StatusNotFound, CodeNoPicture, "There is no picture of this stranger; set unknown.pictures to store those of strangers who come from then on.")
	case errors.Is(err, ErrStrangerStale):
		return problem(http.StatusConflict, CodeStrangerStale, "This stranger was seen with another model pack, whose templates are not compared; enrol the person with photos, and forget the stranger.")
	case errors.Is(err, ErrTooManyIgnored):
		return problem(http.StatusConflict, CodeTooManyIgnored, "As many strangers are ignored as can be; forget some of them first: GET /api/v1/unknown?ignored=true lists them.")
	}
	return err
}
