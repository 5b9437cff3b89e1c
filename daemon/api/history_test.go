package api

import (
	"context"
	"encoding/json"
	"fmt"
	"image"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"facerecd/daemon/event"
	"facerecd/match"
)

// past is what has happened to a daemon. Its second event has a face; pictures that
// are wider than high show that one.
type past struct{ d *daemon }

func (p past) Find(ctx context.Context, f event.Filter, before string, limit int) ([]event.Past, error) {
	p.d.asked = f
	events, err := p.d.History(ctx, before, limit)
	all := make([]event.Past, len(events))
	for i, e := range events {
		all[i].Event = e
	}
	return all, err
}

func (p past) Get(_ context.Context, id string) (event.Past, error) {
	i := slices.IndexFunc(p.d.history, func(e event.Event) bool { return e.ID == id })
	if i < 0 {
		return event.Past{}, fmt.Errorf("find: %w", ErrEventNotFound)
	}
	e := event.Past{Event: p.d.history[i]}
	if i == 1 {
		e.HasEmbedding, e.HasPicture, e.Picture = true, true, []byte("jpeg")
	}
	return e, nil
}

func (p past) Search(_ context.Context, img image.Image, limit int) ([]event.Past, *Rejection, error) {
	if img.Bounds().Dx() < img.Bounds().Dy() {
		return nil, &Rejection{"", "no_face", "There is no face in it; send a photo that shows one."}, nil
	}
	var hits []event.Past
	for _, i := range []int{1, 2, 0} {
		if i < len(p.d.history) && len(hits) < limit {
			hits = append(hits, event.Past{Event: p.d.history[i], HasEmbedding: true, Similarity: [...]float32{0.9, 0.8, 0.7}[len(hits)]})
		}
	}
	return hits, nil, nil
}

func (p past) Enroll(ctx context.Context, id, name string, force bool) (e Enrollment, err error) {
	was, err := p.Get(ctx, id)
	switch {
	case err != nil:
		return e, err
	case !was.HasEmbedding:
		return e, ErrNoEmbedding
	case name == "Bea" && !force:
		e.Add(Verdict{Image: id, Verdict: "duplicate", Detail: "It is enrolled already."})
		return e, nil
	}
	e.Person = match.Person{ID: id, Name: name, Created: noon, Updated: noon, Templates: 1, Notify: true}
	e.Add(Verdict{Image: id, Verdict: match.Accepted, Quality: 0.5})
	return e, nil
}

func (p past) Reject(ctx context.Context, id string) (event.Past, error) {
	e, err := p.Get(ctx, id)
	if err == nil && !e.HasEmbedding {
		return e, ErrNobody
	}
	e.Name(nil)
	return e, err
}

func post(path, body string) request {
	q := request{method: "POST", path: path, body: strings.NewReader(body)}
	jsonType(&q)
	return q
}

// threeEvents are those that the tests below ask for.
func threeEvents() *daemon {
	return &daemon{history: []event.Event{sighting(1), sighting(2), sighting(3)}}
}

func TestHistoryAnswers(t *testing.T) {
	text := func(v any) string {
		data, _ := json.Marshal(v)
		return string(data)
	}
	hit := func(n int, similarity float32) string {
		return text(event.Past{Event: sighting(n), HasEmbedding: true, Similarity: similarity})
	}
	second := event.Past{Event: sighting(2), HasEmbedding: true, HasPicture: true}
	unnamed := second
	unnamed.Name(nil)
	search := func(query, picture string) request {
		return request{method: "POST", path: "/api/v1/events/search" + query, body: strings.NewReader(picture)}
	}
	inForm := request{method: "POST", path: "/api/v1/events/search?limit=1", form: []field{{"image", "a.jpg", photo(8, 4)}}}
	for name, tt := range map[string]struct {
		request
		status int
		want   string
	}{
		"one event":            {request{method: "GET", path: "/api/v1/events/" + id(2)}, 200, text(second)},
		"its picture":          {request{method: "GET", path: "/api/v1/events/" + id(2) + "/picture.jpg"}, 200, "jpeg"},
		"a search":             {search("", photo(8, 4)), 200, `{"events":[` + hit(2, 0.9) + `,` + hit(3, 0.8) + `,` + hit(1, 0.7) + `]}`},
		"the best, as a form":  {inForm, 200, `{"events":[` + hit(2, 0.9) + `]}`},
		"the best two by time": {search("?limit=2&order=newest", photo(8, 4)), 200, `{"events":[` + hit(3, 0.8) + `,` + hit(2, 0.9) + `]}`},
		"enrolment":            {post("/api/v1/events/"+id(2)+"/enrol", `{"name":" Ana "}`), 201, `{"person":{"id":"` + id(2) + `","name":"Ana","created":"2026-11-24T12:00:00Z","updated":"2026-11-24T12:00:00Z","templates":1,"stale":0,"notify":true},"accepted":1,"rejected":[],"images":[{"image":"` + id(2) + `","verdict":"accepted","detail":"","quality":0.5}],"suggestions":[]}`},
		"it was somebody else": {post("/api/v1/events/"+id(2)+"/not", `{}`), 200, text(unnamed)},
	} {
		t.Run(name, func(t *testing.T) {
			status, _, body := tt.do(t, threeEvents(), readDocument(t))
			if status != tt.status || strings.TrimSpace(body) != tt.want {
				t.Errorf("got %d\n%swant\n%s", status, body, tt.want)
			}
		})
	}
	status, _, body := search("", photo(8, 4)).do(t, &daemon{}, readDocument(t))
	if status != 200 || body != `{"events":[]}`+"\n" {
		t.Errorf("a face that was never seen: %d %s", status, body)
	}
}

func TestAFilterIsReadAsItIsWritten(t *testing.T) {
	for query, want := range map[string]event.Filter{
		"":                            {},
		"?limit=7":                    {},
		"?person=" + id(7):            {Person: id(7)},
		"?stranger=" + id(7):          {Stranger: id(7)},
		"?type=unknown&camera=garden": {Type: event.Unknown, Camera: "garden"},
		"?camera=Stra%C3%9Fe":         {Camera: "Straße"},
		"?since=2026-11-24T12:00:00Z": {Since: noon},
		"?until=2026-11-24T13:00:00.5%2B01:00&since=2026-11-24T12:00:00Z": {Since: noon, Until: noon.Add(time.Second / 2)},
	} {
		d := threeEvents()
		status, _, body := request{method: "GET", path: "/api/v1/events" + query}.do(t, d, readDocument(t))
		d.asked.Since, d.asked.Until = d.asked.Since.UTC(), d.asked.Until.UTC()
		if status != 200 || !reflect.DeepEqual(d.asked, want) {
			t.Errorf("%s asks for %+v, want %+v\n%s", query, d.asked, want, body)
		}
	}
}

func TestACameraIsFoundByItsSlugToo(t *testing.T) {
	d := threeEvents()
	d.screens = newScreens(1)
	c := d.screens.List()[0]
	for _, name := range []string{c.Name, c.Slug, strings.ToUpper(c.Slug)} {
		request{method: "GET", path: "/api/v1/events?camera=" + strings.ReplaceAll(name, " ", "%20")}.do(t, d, readDocument(t))
		if d.asked.Camera != c.Name {
			t.Errorf("%s asks for camera %q, want %q", name, d.asked.Camera, c.Name)
		}
	}
}

func TestEveryErrorOfTheHistorySaysWhatToDo(t *testing.T) {
	const (
		noEvent  = "There is no event with this id, or no longer; GET /api/v1/events lists what there is."
		badBody  = `The body must be one JSON object with the person's name and nothing else: {\"name\": \"Ana\"}.`
		badEmpty = "The body must be one JSON object with nothing in it and nothing else: {}."
		onePhoto = "Send one JPEG or PNG file in the form field image, or as the body itself."
	)
	list := func(query string) request { return request{method: "GET", path: "/api/v1/events?" + query} }
	get := func(path string) request { return request{method: "GET", path: "/api/v1/events/" + path} }
	search := func(query, body string) request {
		return request{method: "POST", path: "/api/v1/events/search" + query, body: strings.NewReader(body)}
	}
	for name, tt := range map[string]struct {
		request
		status int
		code   string
		detail string
		more   string
	}{
		"a person by name":    {list("person=ana"), 400, CodeBadParameter, "person must be the id of a person, as GET /api/v1/people lists them.", ""},
		"a stranger by name":  {list("stranger=x"), 400, CodeBadParameter, "stranger must be the id of a stranger, as in an event.", ""},
		"a type of its own":   {list("type=seen"), 400, CodeBadParameter, "type must be recognized, unknown or left.", ""},
		"a long camera":       {list("camera=" + strings.Repeat("x", 65)), 400, CodeBadParameter, "camera must be the name of a camera, as GET /api/v1/cameras lists them.", ""},
		"a Latin-1 camera":    {list("camera=caf%E9"), 400, CodeBadParameter, "camera must be the name of a camera, as GET /api/v1/cameras lists them.", ""},
		"since yesterday":     {list("since=yesterday"), 400, CodeBadParameter, "since must be a time such as 2026-11-24T10:00:00Z; write + as %2B.", ""},
		"a plus that was one": {list("until=2026-11-24T10:00:00+01:00"), 400, CodeBadParameter, "until must be a time such as 2026-11-24T10:00:00Z; write + as %2B.", ""},
		"backwards":           {list("since=2026-11-24T10:00:00Z&until=2026-11-24T10:00:00Z"), 400, CodeBadParameter, "until must be after since.", ""},
		"a typing mistake":    {list("persn=" + id(1)), 400, CodeBadParameter, "There is no parameter 'persn'; there are person, stranger, camera, type, since, until, before, limit.", ""},

		"no event":                 {get(id(9)), 404, CodeEventNotFound, noEvent, ""},
		"no id":                    {get("x"), 404, CodeEventNotFound, noEvent, ""},
		"a picture of no event":    {get(id(9) + "/picture.jpg"), 404, CodeEventNotFound, noEvent, ""},
		"an event without picture": {get(id(1) + "/picture.jpg"), 404, CodeNoPicture, "No picture is stored of this event. They are with history.pictures: true, for recognitions and unknown faces.", ""},
		"search for nothing":       {search("", ""), 400, CodeNoImages, onePhoto, ""},
		"search for text":          {search("", "hello"), 415, "not_an_image", "This is not a picture: send a JPEG or PNG file.", ""},
		"search for no face":       {search("", photo(4, 8)), 422, "no_face", "There is no face in it; send a photo that shows one.", ""},
		"search without limit":     {search("?limit=0", photo(8, 4)), 400, CodeBadParameter, "limit must be a number from 1 to 500.", ""},
		"search in disorder":       {search("?order=x", photo(8, 4)), 400, CodeBadParameter, "order must be best or newest.", ""},
		"search for 17 MiB":        {search("", strings.Repeat("x", MaxImageBytes+1)), 413, "too_large_bytes", "The picture is over 16 MiB: send a smaller one.", ""},
		"enrol from no event":      {post("/api/v1/events/"+id(9)+"/enrol", `{"name":"x"}`), 404, CodeEventNotFound, noEvent, ""},
		"enrol nobody":             {post("/api/v1/events/"+id(2)+"/enrol", `{}`), 400, CodeBodyMalformed, badBody, ""},
		"enrol a line break":       {post("/api/v1/events/"+id(2)+"/enrol", `{"name":"a\nb"}`), 400, CodeNameInvalid, "The name has control characters, such as a line break, in it; send it without.", ""},
		"enrol at length":          {post("/api/v1/events/"+id(2)+"/enrol", `{"name":"`+strings.Repeat("x", 5000)+`"}`), 413, CodeBodyTooLarge, "The request is over 64 MiB; send fewer images at a time: another request for the same name adds to that person.", ""},
		"enrol as a form":          {request{method: "POST", path: "/api/v1/events/" + id(2) + "/enrol", body: strings.NewReader("name=x")}, 415, CodeMediaType, `Send JSON, with Content-Type: application/json: {\"name\": \"Ana\"}.`, ""},
		"enrol without a face":     {post("/api/v1/events/"+id(1)+"/enrol", `{"name":"x"}`), 409, CodeNoEmbedding, "Nothing is stored of this event's face that could be compared: it is not kept of every event, or another model pack made it. Take another event, or enrol with photos.", ""},
		"enrol who is":             {post("/api/v1/events/"+id(2)+"/enrol", `{"name":"Bea"}`), 422, CodeNoUsableImage, "None of the images could be used, so nobody was enrolled; rejected says why for each of them.", `,"rejected":[{"image":"` + id(2) + `","reason":"duplicate","detail":"It is enrolled already."}],"images":[{"image":"` + id(2) + `","verdict":"duplicate","detail":"It is enrolled already.","quality":0}]`},
		"not in no event":          {post("/api/v1/events/"+id(9)+"/not", `{}`), 404, CodeEventNotFound, noEvent, ""},
		"not nobody":               {post("/api/v1/events/"+id(1)+"/not", `{}`), 409, CodeNoPerson, "The event names nobody, so there is nobody to take out of it.", ""},
		"not, with a reason":       {post("/api/v1/events/"+id(2)+"/not", `{"name":"x"}`), 400, CodeBodyMalformed, badEmpty, ""},
		"not, from another's page": {withHeader(post("/api/v1/events/"+id(2)+"/not", `{}`), "Origin", "https://evil.example"), 403, CodeCrossOrigin, "A web page of another origin may not change anything here; send the request from a program, or from this server's own page.", ""},
	} {
		t.Run(name, func(t *testing.T) {
			status, _, body := tt.do(t, threeEvents(), readDocument(t))
			title := map[int]string{400: "Bad Request", 403: "Forbidden", 404: "Not Found", 409: "Conflict", 413: "Request Entity Too Large", 415: "Unsupported Media Type", 422: "Unprocessable Entity"}[tt.status]
			want := fmt.Sprintf(`{"type":"about:blank","title":%q,"status":%d,"detail":"%s","code":%q%s}`+"\n", title, tt.status, tt.detail, tt.code, tt.more)
			if status != tt.status || body != want {
				t.Errorf("got %d\n%swant\n%s", status, body, want)
			}
		})
	}
}
