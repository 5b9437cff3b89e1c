package api

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/oklog/ulid/v2"

	"facerecd/daemon/event"
)

const (
	defaultPage = 50
	maxPage     = 500

	heartbeat = 15 * time.Second // so that both ends notice a dead connection
	maxReplay = 1000             // events told again to a client that was away
)

func isID(text string) bool {
	_, err := ulid.ParseStrict(text)
	return err == nil
}

// streamEvents sends events as server-sent events, whose ids are the events'.
// A client that comes back with Last-Event-ID is told first what it missed.
func (s *service) streamEvents(w http.ResponseWriter, r *http.Request) error {
	last := r.Header.Get("Last-Event-ID")
	if last != "" && !isID(last) {
		return badParameter("Last-Event-ID must be the id of an event; leave it out to begin with the next one.")
	}
	ctx, leave, err := s.watch(r)
	if err != nil {
		return err
	}
	defer leave()

	// Subscribed before history is read, so that no event falls in between;
	// one may come both ways.
	live := s.Events.Subscribe(ctx)
	missed, err := s.missed(ctx, last)
	if err != nil {
		return fmt.Errorf("read missed events: %w", err)
	}
	out := newEventStream(w)
	if !out.write([]byte("retry: 2000\n\n")) || r.Method == http.MethodHead {
		return nil
	}
	told := make(map[string]bool, len(missed))
	for _, e := range missed {
		told[e.ID] = true
		if !s.tell(out, e) {
			return nil
		}
	}
	tick := time.NewTicker(heartbeat)
	defer tick.Stop()
	for ok := true; ok; {
		select {
		case e, open := <-live:
			// A buffer that was full may have lost an event before this one.
			lost := cap(live) > 1 && len(live) >= cap(live)-1
			ok = open && !lost && (told[e.ID] || s.tell(out, e))
		case <-tick.C:
			ok = out.write([]byte(": still here\n\n"))
		case <-ctx.Done():
			ok = false
		}
	}
	return nil
}

// missed returns the events since last, oldest first; at most maxReplay of
// them, also when last is no longer in the history.
func (s *service) missed(ctx context.Context, last string) ([]event.Event, error) {
	if last == "" {
		return nil, nil
	}
	var since []event.Event
	for before := ""; len(since) < maxReplay; {
		page, err := s.Events.History(ctx, before, maxPage)
		if err != nil {
			return nil, err
		}
		i := slices.IndexFunc(page, func(e event.Event) bool { return e.ID == last })
		if i >= 0 {
			since = append(since, page[:i]...)
			break
		}
		since = append(since, page...)
		if len(page) < maxPage {
			break
		}
		before = page[len(page)-1].ID
	}
	slices.Reverse(since)
	return since, nil
}

// tell sends an event, and tells whether the client still takes it.
func (s *service) tell(out stream, e event.Event) bool {
	data, err := json.Marshal(e)
	if err != nil {
		// A score that is no number. To end the stream would be no help: the
		// client comes back and asks for this event again.
		s.Log.Error("encode event", "event", e.ID, "error", err)
		return true
	}
	return out.write(fmt.Appendf(nil, "id: %s\nevent: %s\ndata: %s\n\n", e.ID, e.Type, data))
}
