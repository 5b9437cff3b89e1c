package api

import (
	"strings"
	"testing"

	"facerecd/daemon/event"
)

func TestTheHistorySaysWhatWasNotPublished(t *testing.T) {
	for _, quiet := range []event.Quiet{event.QuietHours, event.QuietPerson} {
		e := sighting(1)
		e.Quiet = quiet
		_, _, body := request{method: "GET", path: "/api/v1/events"}.do(t, &daemon{history: []event.Event{e}}, readDocument(t))
		if want := `"quiet":"` + string(quiet) + `"`; !strings.Contains(body, want) {
			t.Errorf("no %s in %s", want, body)
		}
	}
}
