package api

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"facerecd/match"
)

// strangers are two who were seen, and one who is ignored. id(3) has no picture,
// id(4) is of another model pack, and id(5) is one too many to ignore.
type strangers struct{ named, ignored, forgotten string }

func (*strangers) List(_ context.Context, ignored bool, before int64, limit int) (page []Stranger, next int64, err error) {
	for i, s := range []Stranger{
		{ID: id(3), Count: 7, FirstSeen: noon, LastSeen: noon.Add(time.Hour), Cameras: []string{"Door", "Yard"}},
		{ID: id(2), Count: 1, FirstSeen: noon, LastSeen: noon, Cameras: []string{"Door"}},
		{ID: id(1), Count: 2, FirstSeen: noon, LastSeen: noon, Cameras: []string{"Door"}, Ignored: true},
	} {
		at := int64(100 - i)
		if s.Ignored && !ignored || before > 0 && at >= before {
			continue
		}
		if len(page) == limit {
			return page, next, nil
		}
		page, next = append(page, s), at
	}
	return page, 0, nil
}

func (*strangers) known(stranger string) error {
	if stranger > id(5) {
		return fmt.Errorf("somewhere: %w", ErrStrangerNotFound)
	}
	return nil
}

func (s *strangers) Picture(_ context.Context, stranger string) ([]byte, error) {
	if stranger == id(3) {
		return nil, ErrNoPortrait
	}
	return []byte("a picture"), s.known(stranger)
}

func (s *strangers) Name(_ context.Context, stranger, name string) (Naming, error) {
	if stranger == id(4) {
		return Naming{}, ErrStrangerStale
	}
	s.named = stranger + " " + name
	return Naming{Person: match.Person{ID: id(9), Name: name, Created: noon, Updated: noon, Templates: 2}, Accepted: 2, Relabelled: 7}, s.known(stranger)
}

func (s *strangers) Ignore(_ context.Context, stranger string) error {
	if stranger == id(5) {
		return ErrTooManyIgnored
	}
	s.ignored = stranger
	return s.known(stranger)
}

func (s *strangers) Forget(_ context.Context, stranger string) error {
	s.forgotten = stranger
	return s.known(stranger)
}

func name(stranger, body string) request {
	q := request{method: "POST", path: "/api/v1/unknown/" + stranger + "/name", body: strings.NewReader(body)}
	jsonType(&q)
	return q
}

func TestStrangersAreListedShownNamedIgnoredAndForgotten(t *testing.T) {
	one := func(n, count int, last, cameras string, ignored bool) string {
		return fmt.Sprintf(`{"id":%q,"count":%d,"first_seen":"2026-11-24T12:00:00Z","last_seen":"2026-11-24T%s:00:00Z","cameras":[%s],"ignored":%t}`,
			id(n), count, last, cameras, ignored)
	}
	third, second, first := one(3, 7, "13", `"Door","Yard"`, false), one(2, 1, "12", `"Door"`, false), one(1, 2, "12", `"Door"`, true)
	get := func(path string) request { return request{method: "GET", path: path} }
	unknown := "/api/v1/unknown/" + id(2)
	off := func(s *Server) { s.Strangers = nil }
	for what, tt := range map[string]struct {
		request
		status int
		want   string
	}{
		"all":           {get("/api/v1/unknown"), 200, `{"unknown":[` + third + `,` + second + `],"next":null}`},
		"the first":     {get("/api/v1/unknown?limit=1&ignored=false"), 200, `{"unknown":[` + third + `],"next":"100"}`},
		"the next":      {get("/api/v1/unknown?limit=1&before=100"), 200, `{"unknown":[` + second + `],"next":null}`},
		"ignored too":   {get("/api/v1/unknown?ignored=true"), 200, `{"unknown":[` + third + `,` + second + `,` + first + `],"next":null}`},
		"none any more": {get("/api/v1/unknown?before=1"), 200, `{"unknown":[],"next":null}`},
		"turned off":    {request{method: "GET", path: "/api/v1/unknown", server: off}, 200, `{"unknown":[],"next":null}`},
		"picture":       {get(unknown + "/picture.jpg"), 200, "a picture"},
		"named": {name(id(2), `{"name":" Ana "}`), 201, `{"person":{"id":"` + id(9) +
			`","name":"Ana","created":"2026-11-24T12:00:00Z","updated":"2026-11-24T12:00:00Z","templates":2,"stale":0,"notify":false},"accepted":2,"relabelled":7}`},
		"ignored":   {request{method: "POST", path: unknown + "/ignore"}, 204, ""},
		"forgotten": {request{method: "DELETE", path: unknown}, 204, ""},
	} {
		t.Run(what, func(t *testing.T) {
			d := &daemon{}
			status, header, body := tt.do(t, d, readDocument(t))
			if status != tt.status || strings.TrimSpace(body) != tt.want {
				t.Errorf("got %d\n%swant %d\n%s", status, body, tt.status, tt.want)
			}
			did := strangers{}
			switch what {
			case "named":
				did.named = id(2) + " Ana"
				if got := header.Get("Location"); got != "/api/v1/people/"+id(9) {
					t.Errorf("Location %q", got)
				}
			case "ignored":
				did.ignored = id(2)
			case "forgotten":
				did.forgotten = id(2)
			}
			if d.strangers != did {
				t.Errorf("done: %+v, want %+v", d.strangers, did)
			}
		})
	}
}

func TestWhatIsWrongWithAStrangerIsSaid(t *testing.T) {
	const (
		nobody  = "There is no stranger with this id, or not any more; GET /api/v1/unknown lists them."
		badName = `The body must be one JSON object with the person's name and nothing else: {\"name\": \"Ana\"}.`
		off     = "Strangers are not remembered; set unknown.remember in the configuration for that."
	)
	turnedOff := func(s *Server) { s.Strangers = nil }
	get := func(path string) request { return request{method: "GET", path: path} }
	for what, tt := range map[string]struct {
		request
		status       int
		code, detail string
	}{
		"limit of 0":        {get("/api/v1/unknown?limit=0"), 400, CodeBadParameter, "limit must be a number from 1 to 1000."},
		"limit too high":    {get("/api/v1/unknown?limit=1001"), 400, CodeBadParameter, "limit must be a number from 1 to 1000."},
		"limit of a word":   {get("/api/v1/unknown?limit=all"), 400, CodeBadParameter, "limit must be a number from 1 to 1000."},
		"before an id":      {get("/api/v1/unknown?before=" + id(1)), 400, CodeBadParameter, "before must be next of an earlier answer."},
		"before nothing":    {get("/api/v1/unknown?before=-1"), 400, CodeBadParameter, "before must be next of an earlier answer."},
		"ignored maybe":     {get("/api/v1/unknown?ignored=maybe"), 400, CodeBadParameter, "ignored must be true or false."},
		"picture of nobody": {get("/api/v1/unknown/" + id(9) + "/picture.jpg"), 404, CodeStrangerNotFound, nobody},
		"no picture":        {get("/api/v1/unknown/" + id(3) + "/picture.jpg"), 404, CodeNoPicture, "There is no picture of this stranger; set unknown.pictures to store those of strangers who come from then on."},
		"name nobody":       {name(id(9), `{"name":"Ana"}`), 404, CodeStrangerNotFound, nobody},
		"name with nothing": {name(id(2), `{"name":"  "}`), 400, CodeNameEmpty, "The name is empty; send the person's name in the form field name."},
		"name without":      {name(id(2), `{}`), 400, CodeBodyMalformed, badName},
		"name and more":     {name(id(2), `{"name":"Ana","age":3}`), 400, CodeBodyMalformed, badName},
		"name of old packs": {name(id(4), `{"name":"Ana"}`), 409, CodeStrangerStale, "This stranger was seen with another model pack, whose templates are not compared; enrol the person with photos, and forget the stranger."},
		"ignore nobody":     {request{method: "POST", path: "/api/v1/unknown/" + id(9) + "/ignore"}, 404, CodeStrangerNotFound, nobody},
		"ignore too many":   {request{method: "POST", path: "/api/v1/unknown/" + id(5) + "/ignore"}, 409, CodeTooManyIgnored, "As many strangers are ignored as can be; forget some of them first: GET /api/v1/unknown?ignored=true lists them."},
		"forget nobody":     {request{method: "DELETE", path: "/api/v1/unknown/" + id(9)}, 404, CodeStrangerNotFound, nobody},
		"turned off":        {request{method: "DELETE", path: "/api/v1/unknown/" + id(2), server: turnedOff}, 404, CodeStrangerNotFound, off},
	} {
		t.Run(what, func(t *testing.T) {
			status, _, body := tt.do(t, &daemon{}, readDocument(t))
			if status != tt.status || !strings.Contains(body, `"code":"`+tt.code+`"`) || !strings.Contains(body, `"detail":"`+tt.detail+`"`) {
				t.Errorf("got %d\n%swant %d %s\n%s", status, body, tt.status, tt.code, tt.detail)
			}
		})
	}
}
