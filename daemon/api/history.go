package api

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"facerecd/daemon/event"
)

// maxCamera is how long the name of a camera may be, in runes.
const maxCamera = 64

type eventsAnswer struct {
	Events []event.Past `json:"events"`
}

func (s *service) listEvents(w http.ResponseWriter, r *http.Request) error {
	query := r.URL.Query()
	limit, err := numberOf(query, "limit", defaultPage, maxPage)
	if err != nil {
		return err
	}
	before := query.Get("before")
	if before != "" && !isID(before) {
		return badParameter("before must be the id of an event, as in an earlier answer.")
	}
	filter, err := filterOf(query)
	if err != nil {
		return err
	}
	if name, err := s.findCamera(filter.Camera); err == nil {
		filter.Camera = name // else it is one that there was
	}
	events, err := s.History.Find(r.Context(), filter, before, limit)
	if err != nil {
		return fmt.Errorf("read event history: %w", err)
	}
	return s.answer(w, http.StatusOK, eventsAnswer{orEmpty(events)})
}

// filterOf reads the parameters that choose events. One that it does not know is an
// error: left aside, it would answer with everything.
func filterOf(query url.Values) (f event.Filter, err error) {
	f.Person, f.Stranger, f.Camera, f.Type = query.Get("person"), query.Get("stranger"), query.Get("camera"), event.Type(query.Get("type"))
	known := []string{"person", "stranger", "camera", "type", "since", "until", "before", "limit"}
	for name := range query {
		if !slices.Contains(known, name) {
			return f, badParameter(fmt.Sprintf("There is no parameter '%s'; there are %s.", clip(name), strings.Join(known, ", ")))
		}
	}
	types := event.Types()
	switch {
	case f.Person != "" && !isID(f.Person):
		return f, badParameter("person must be the id of a person, as GET /api/v1/people lists them.")
	case f.Stranger != "" && !isID(f.Stranger):
		return f, badParameter("stranger must be the id of a stranger, as in an event.")
	case f.Type != "" && !slices.Contains(types, f.Type):
		return f, badParameter("type must be recognized, unknown or left.")
	case !utf8.ValidString(f.Camera) || utf8.RuneCountInString(f.Camera) > maxCamera:
		return f, badParameter("camera must be the name of a camera, as GET /api/v1/cameras lists them.")
	}
	if f.Since, err = timeOf(query, "since"); err != nil {
		return f, err
	}
	if f.Until, err = timeOf(query, "until"); err != nil {
		return f, err
	}
	if !f.Until.IsZero() && !f.Until.After(f.Since) {
		return f, badParameter("until must be after since.")
	}
	return f, nil
}

func timeOf(query url.Values, name string) (time.Time, error) {
	text := query.Get(name)
	if text == "" {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return t, badParameter(name + " must be a time such as 2026-11-24T10:00:00Z; write + as %2B.")
	}
	return t, nil
}

// eventID is the id in an address. What is none is that of no event.
func eventID(r *http.Request) (string, error) {
	id := r.PathValue("id")
	if !isID(id) {
		return "", ErrEventNotFound
	}
	return id, nil
}

func (s *service) getEvent(w http.ResponseWriter, r *http.Request) error {
	e, err := s.event(r)
	if err != nil {
		return err
	}
	return s.answer(w, http.StatusOK, e)
}

func (s *service) event(r *http.Request) (e event.Past, err error) {
	id, err := eventID(r)
	if err != nil {
		return e, err
	}
	if e, err = s.History.Get(r.Context(), id); err != nil {
		return e, fmt.Errorf("get event: %w", err)
	}
	return e, nil
}

func (s *service) eventPicture(w http.ResponseWriter, r *http.Request) error {
	e, err := s.event(r)
	if err != nil {
		return err
	}
	if len(e.Picture) == 0 {
		return problem(http.StatusNotFound, CodeNoPicture, "No picture is stored of this event. They are with history.pictures: true, for recognitions and unknown faces.")
	}
	return s.sendPicture(w, e.Picture)
}

// searchEvents answers when a face was seen.
func (s *service) searchEvents(w http.ResponseWriter, r *http.Request) error {
	query := r.URL.Query()
	limit, err := numberOf(query, "limit", defaultPage, maxPage)
	if err != nil {
		return err
	}
	order := query.Get("order")
	if order != "" && order != "best" && order != "newest" {
		return badParameter("order must be best or newest.")
	}
	if err := s.throttle(w, r); err != nil {
		return err
	}
	img, done, err := s.picture(w, r)
	if err != nil {
		return err
	}
	defer done()
	hits, rejection, err := s.History.Search(r.Context(), img, limit)
	if err != nil {
		return fmt.Errorf("search event history: %w", err)
	}
	if rejection != nil {
		return problem(http.StatusUnprocessableEntity, rejection.Reason, rejection.Detail)
	}
	if order == "newest" {
		slices.SortFunc(hits, func(a, b event.Past) int { return strings.Compare(b.ID, a.ID) })
	}
	return s.answer(w, http.StatusOK, eventsAnswer{orEmpty(hits)})
}

func (s *service) enrolEvent(w http.ResponseWriter, r *http.Request) error {
	id, err := eventID(r)
	if err != nil {
		return err
	}
	var body struct {
		Name  *string `json:"name"`
		Force bool    `json:"force"`
	}
	name, err := readName(w, r, &body, &body.Name)
	if err != nil {
		return err
	}
	e, err := s.History.Enroll(r.Context(), id, name, body.Force)
	if err != nil {
		return fmt.Errorf("enrol from event: %w", err)
	}
	if e.Accepted == 0 {
		return refused(e)
	}
	e.complete()
	s.Log.Info("enrolled from an event", "person", e.Person.ID)
	w.Header().Set("Location", "/api/v1/people/"+e.Person.ID)
	return s.answer(w, http.StatusCreated, e)
}

func (s *service) rejectEvent(w http.ResponseWriter, r *http.Request) error {
	id, err := eventID(r)
	if err != nil {
		return err
	}
	if err := readJSON(w, r, &struct{}{}, "nothing in it", "{}"); err != nil {
		return err
	}
	e, err := s.History.Reject(r.Context(), id)
	if err != nil {
		return fmt.Errorf("take the person out of an event: %w", err)
	}
	return s.answer(w, http.StatusOK, e)
}
