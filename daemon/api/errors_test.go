package api

import (
	"context"
	"errors"
	"fmt"
	"image"
	"io"
	"math"
	"net/http"
	"strings"
	"syscall"
	"testing"

	"facerecd/match"
)

func jsonType(r *request) { r.header = map[string]string{"Content-Type": "application/json"} }

func patch(path, body string) request {
	q := request{method: "PATCH", path: path, body: strings.NewReader(body)}
	jsonType(&q)
	return q
}

func register(fields ...field) request {
	return request{method: "POST", path: "/register", form: fields}
}

func withHeader(q request, name, value string) request {
	q.header = map[string]string{name: value}
	return q
}

func withToken(s *Server) { s.Token = "correct-horse-battery-staple" }

func images(n int) []field {
	fields := []field{{name: "name", content: "ana"}}
	for range n {
		fields = append(fields, field{"images", "a.jpg", photo(8, 4)})
	}
	return fields
}

func TestEveryErrorIsAProblemThatSaysWhatToDo(t *testing.T) {
	const (
		badName  = "The name has control characters, such as a line break, in it; send it without."
		noName   = "The name is empty; send the person's name in the form field name."
		noImage  = "Send one or more JPEG or PNG files in the form field images, as in curl -F name=ana -F images=@a.jpg."
		onePhoto = "Send one JPEG or PNG file in the form field image, or as the body itself."
		nobody   = "There is no person with this id; GET /api/v1/people lists them."
		badPatch = `The body must be one JSON object with the new name, whether the person is announced, or both, and nothing else: {\"name\": \"new name\", \"notify\": false}.`
		tooMany  = "At most 50 images fit in one request; send the others in another one for the same name."
		tooBig   = "The request is over 64 MiB; send fewer images at a time: another request for the same name adds to that person."
		broken   = "The body ends or breaks in the middle; send it again as multipart/form-data, as curl -F does."
		internal = "Something failed inside facerecd; its log says what (journalctl -u facerecd)."
		foreign  = "A web page of another origin may not change anything here; send the request from a program, or from this server's own page."
		elsewise = "This port answers to localhost only; use http://127.0.0.1 in the address, or set http.token_file to use another name."
		nothing  = "There is nothing at this address; /openapi.yaml lists what there is."
		notImage = "This is not a picture: send a JPEG or PNG file."
		cutShort = "The picture is cut short: send the whole file again."
		unusable = "None of the images could be used, so nobody was enrolled; rejected says why for each of them."
		oneAtA   = "Recognition takes one image a request; send the others one by one."
	)
	photoField := field{"images", "a.jpg", photo(8, 4)}
	rejected := func(image, reason, detail string) string {
		return fmt.Sprintf(`,"rejected":[{"image":%[1]q,"reason":%[2]q,"detail":%[3]q}],"images":[{"image":%[1]q,"verdict":%[2]q,"detail":%[3]q,"quality":0}]`, image, reason, detail)
	}
	raw := func(body string) request {
		return request{method: "POST", path: "/recognize", body: strings.NewReader(body)}
	}
	failing := func(err error) func(*Server) {
		return func(s *Server) { s.Faces.(*daemon).during = func(context.Context) error { return err } }
	}
	full := register(photoField)
	full.form = images(1)
	full.server = failing(fmt.Errorf("store templates: %w", syscall.ENOSPC))
	fails := register(photoField)
	fails.form = images(1)
	fails.server = failing(errors.New("something at /var/lib"))
	choosing := register(photoField)
	choosing.form = images(1)
	choosing.server = failing(fmt.Errorf("enrol: %w", problem(503, CodeNotReady, "The models are being loaded; try again in a minute.")))
	panics := register(photoField)
	panics.form = images(1)
	panics.server = func(s *Server) { s.Faces = nil }
	notReady := request{method: "GET", path: "/readyz", server: func(s *Server) {
		s.Health = func() Health { return Health{Status: StatusDegraded} }
	}}
	oversize := request{method: "POST", path: "/register", header: map[string]string{"Content-Type": "multipart/form-data; boundary=b"}}
	oversize.body = io.MultiReader(
		strings.NewReader("--b\r\nContent-Disposition: form-data; name=x\r\n\r\n"),
		io.LimitReader(zeros{}, MaxBodyBytes+1))
	nan := raw(photo(8, 4))
	nan.server = func(s *Server) { s.Faces = notANumber{s.Faces} }

	for name, tt := range map[string]struct {
		request
		status int
		code   string
		detail string
		more   string // the rest of the JSON
	}{
		// names
		"no name":            {register(photoField), 400, CodeNameEmpty, noName, ""},
		"empty name":         {register(field{"name", "", " \t "}, photoField), 400, CodeNameEmpty, noName, ""},
		"invisible name":     {register(field{"name", "", "\u200b\u200d"}, photoField), 400, CodeNameEmpty, noName, ""},
		"line break in name": {register(field{"name", "", "a\nb"}, photoField), 400, CodeNameInvalid, badName, ""},
		"reversed name":      {register(field{"name", "", "a\u202eb"}, photoField), 400, CodeNameInvalid, badName, ""},
		"Latin-1 name":       {register(field{"name", "", "Jos\xe9"}, photoField), 400, CodeNameInvalid, "The name is not valid UTF-8; send it in that encoding.", ""},
		"long name":          {register(field{"name", "", strings.Repeat("ñ", 101)}, photoField), 400, CodeNameTooLong, "The name is longer than 100 characters; send a shorter one.", ""},
		"endless name":       {register(field{"name", "", strings.Repeat("n", 5000)}, photoField), 400, CodeNameTooLong, "The name is longer than 100 characters; send a shorter one.", ""},
		"two names":          {register(field{"name", "", "a"}, field{"name", "", "b"}), 400, CodeNameInvalid, "The form has two different names; send one request per person.", ""},

		// enrolment
		"no images":              {register(field{"name", "", "ana"}), 400, CodeNoImages, noImage, ""},
		"51 images":              {request{method: "POST", path: "/register", form: images(51)}, 413, CodeTooManyImages, tooMany, ""},
		"101 fields":             {request{method: "POST", path: "/register", form: make([]field, 101)}, 413, CodeTooManyImages, tooMany, ""},
		"oversize body":          {oversize, 413, CodeBodyTooLarge, tooBig, ""},
		"no form":                {request{method: "POST", path: "/register", body: strings.NewReader("{}")}, 415, CodeMediaType, "Send multipart/form-data with a field name and one or more files as images, as curl -F does.", ""},
		"no boundary":            {withHeader(request{method: "POST", path: "/register", body: strings.NewReader("x")}, "Content-Type", "multipart/form-data"), 415, CodeMediaType, "Send multipart/form-data with a field name and one or more files as images, as curl -F does.", ""},
		"body cut short":         {withHeader(request{method: "POST", path: "/register", body: strings.NewReader("--b\r\nContent-Disposition: form-data; name=images; filename=a.jpg\r\n\r\nxx")}, "Content-Type", "multipart/form-data; boundary=b"), 400, CodeBodyMalformed, broken, ""},
		"text named .jpg":        {register(field{"name", "", "ana"}, field{"images", "a.jpg", "hello"}), 422, CodeNoUsableImage, unusable, rejected("a.jpg", "not_an_image", notImage)},
		"empty file":             {register(field{"name", "", "ana"}, field{"images", "a.jpg", ""}), 422, CodeNoUsableImage, unusable, rejected("a.jpg", "empty", "The picture is empty: send a JPEG or PNG file.")},
		"truncated JPEG":         {register(field{"name", "", "ana"}, field{"images", "a.jpg", photo(800, 400)[:700]}), 422, CodeNoUsableImage, unusable, rejected("a.jpg", "truncated", cutShort)},
		"60 megapixels":          {register(field{"name", "", "ana"}, field{"images", "a.png", hugeHeader(10000, 6000)}), 422, CodeNoUsableImage, unusable, rejected("a.png", "too_many_pixels", "The picture is 10000x6000 pixels, more than the 50 megapixels allowed: send a smaller one.")},
		"17 MiB":                 {register(field{"name", "", "ana"}, field{"images", "a.jpg", photo(8, 4) + strings.Repeat("x", MaxImageBytes)}), 422, CodeNoUsableImage, unusable, rejected("a.jpg", "too_large_bytes", "The picture is over 16 MiB: send a smaller one.")},
		"no face":                {register(field{"name", "", "ana"}, field{"images", "a.jpg", photo(4, 8)}), 422, CodeNoUsableImage, unusable, rejected("a.jpg", "no_face", "There is no face in it; send a photo that shows one.")},
		"image in a wrong field": {register(field{"name", "", "ana"}, field{"photo", "a.jpg", photo(8, 4)}), 422, CodeNoUsableImage, unusable, rejected("a.jpg", "unknown_field", "It was sent in the form field 'photo': send images in the field images.")},
		"disk full":              {full, 507, CodeDiskFull, "The disk of this device is full, and nothing was stored. Free some space on it, for instance with journalctl --vacuum-size=50M, and try again.", ""},
		"enrolment fails":        {fails, 500, CodeInternal, internal, ""},
		"enrolment panics":       {panics, 500, CodeInternal, internal, ""},
		"daemon's own problem":   {choosing, 503, CodeNotReady, "The models are being loaded; try again in a minute.", ""},

		// recognition
		"recognise nothing":          {raw(""), 400, CodeNoImages, onePhoto, ""},
		"recognise an empty form":    {request{method: "POST", path: "/recognize", form: []field{{"name", "", "x"}}}, 400, CodeNoImages, onePhoto, ""},
		"recognise two":              {request{method: "POST", path: "/recognize", form: []field{photoField, photoField}}, 400, CodeTooManyImages, oneAtA, ""},
		"recognise text":             {raw("hello"), 415, "not_an_image", notImage, ""},
		"recognise text in a form":   {request{method: "POST", path: "/recognize", form: []field{{"image", "a.jpg", "hello"}}}, 415, "not_an_image", notImage, ""},
		"recognise an empty file":    {request{method: "POST", path: "/recognize", form: []field{{"image", "a.jpg", ""}}}, 422, "empty", "The picture is empty: send a JPEG or PNG file.", ""},
		"recognise a truncated JPEG": {raw(photo(800, 400)[:700]), 422, "truncated", cutShort, ""},
		"recognise a damaged PNG":    {raw(strings.Replace(pngPhoto(8, 4), "IDAT", "IDAX", 1)), 422, "corrupt", "The picture is damaged (png: invalid format: invalid checksum): open it in another program and save it again.", ""},
		"recognise 60 megapixels":    {raw(hugeHeader(10000, 6000)), 413, "too_many_pixels", "The picture is 10000x6000 pixels, more than the 50 megapixels allowed: send a smaller one.", ""},
		"recognise 17 MiB":           {request{method: "POST", path: "/recognize", body: io.MultiReader(strings.NewReader("\xff\xd8"), io.LimitReader(zeros{}, MaxImageBytes))}, 413, "too_large_bytes", "The picture is over 16 MiB: send a smaller one.", ""},
		"recognise 17 MiB announced": {raw(strings.Repeat("x", MaxImageBytes+1)), 413, "too_large_bytes", "The picture is over 16 MiB: send a smaller one.", ""},
		"recognise a wrong field":    {request{method: "POST", path: "/recognize", form: []field{{"photo", "a.jpg", photo(8, 4)}}}, 400, "unknown_field", "It was sent in the form field 'photo': send images in the field images.", ""},
		"a score that is no number":  {nan, 500, CodeInternal, internal, ""},

		// people
		"get nobody":            {request{method: "GET", path: "/api/v1/people/" + id(9)}, 404, CodePersonNotFound, nobody, ""},
		"delete nobody":         {request{method: "DELETE", path: "/api/v1/people/" + id(9)}, 404, CodePersonNotFound, nobody, ""},
		"rename nobody":         {patch("/api/v1/people/"+id(9), `{"name":"x"}`), 404, CodePersonNotFound, nobody, ""},
		"rename to taken":       {patch("/api/v1/people/"+id(1), `{"name":"Bea"}`), 409, CodeNameTaken, "Another person has this name; choose a different one, or delete that person first.", ""},
		"rename to nothing":     {patch("/api/v1/people/"+id(1), `{"name":" "}`), 400, CodeNameEmpty, noName, ""},
		"rename without a name": {patch("/api/v1/people/"+id(1), `{}`), 400, CodeBodyMalformed, badPatch, ""},
		"rename and more":       {patch("/api/v1/people/"+id(1), `{"name":"x","id":"y"}`), 400, CodeBodyMalformed, badPatch, ""},
		"notify a word":         {patch("/api/v1/people/"+id(1), `{"notify":"off"}`), 400, CodeBodyMalformed, badPatch, ""},
		"notify nothing":        {patch("/api/v1/people/"+id(1), `{"notify":null}`), 400, CodeBodyMalformed, badPatch, ""},
		"notify nobody":         {patch("/api/v1/people/"+id(9), `{"notify":false}`), 404, CodePersonNotFound, nobody, ""},
		"notify and a bad name": {patch("/api/v1/people/"+id(1), `{"name":" ","notify":false}`), 400, CodeNameEmpty, noName, ""},
		"rename twice":          {patch("/api/v1/people/"+id(1), `{"name":"x"}{}`), 400, CodeBodyMalformed, badPatch, ""},
		"rename with no JSON":   {patch("/api/v1/people/"+id(1), `name=x`), 400, CodeBodyMalformed, badPatch, ""},
		"rename with no body":   {patch("/api/v1/people/"+id(1), ``), 400, CodeBodyMalformed, badPatch, ""},
		"rename at length":      {patch("/api/v1/people/"+id(1), `{"name":"`+strings.Repeat("x", 5000)+`"}`), 413, CodeBodyTooLarge, tooBig, ""},
		"rename as a form":      {request{method: "PATCH", path: "/api/v1/people/" + id(1), body: strings.NewReader("name=x")}, 415, CodeMediaType, `Send JSON, with Content-Type: application/json: {\"name\": \"new name\", \"notify\": false}.`, ""},

		"0 people":      {request{method: "GET", path: "/api/v1/people?limit=0"}, 400, CodeBadParameter, "limit must be a number from 1 to 1000.", ""},
		"1001 people":   {request{method: "GET", path: "/api/v1/people?limit=1001"}, 400, CodeBadParameter, "limit must be a number from 1 to 1000.", ""},
		"after nobody":  {request{method: "GET", path: "/api/v1/people?after=ana"}, 400, CodeBadParameter, "after must be the id of a person, as an earlier answer has it in next.", ""},
		"no check":      {request{method: "GET", path: "/api/v1/check?seconds=0"}, 400, CodeBadParameter, "seconds must be a number from 1 to 600.", ""},
		"endless check": {request{method: "GET", path: "/api/v1/check?seconds=601"}, 400, CodeBadParameter, "seconds must be a number from 1 to 600.", ""},
		"a check fails": {request{method: "GET", path: "/api/v1/check", server: func(s *Server) {
			s.Check = func(context.Context) (Checkup, error) { return Checkup{}, errors.New("disk") }
		}}, 500, CodeInternal, internal, ""},

		// events
		"limit 0":          {request{method: "GET", path: "/api/v1/events?limit=0"}, 400, CodeBadParameter, "limit must be a number from 1 to 500.", ""},
		"limit 501":        {request{method: "GET", path: "/api/v1/events?limit=501"}, 400, CodeBadParameter, "limit must be a number from 1 to 500.", ""},
		"limit ten":        {request{method: "GET", path: "/api/v1/events?limit=ten"}, 400, CodeBadParameter, "limit must be a number from 1 to 500.", ""},
		"before yesterday": {request{method: "GET", path: "/api/v1/events?before=yesterday"}, 400, CodeBadParameter, "before must be the id of an event, as in an earlier answer.", ""},
		"after yesterday":  {withHeader(request{method: "GET", path: "/api/v1/events/stream"}, "Last-Event-ID", "yesterday"), 400, CodeBadParameter, "Last-Event-ID must be the id of an event; leave it out to begin with the next one.", ""},

		// routes
		"no such address": {request{method: "GET", path: "/faces"}, 404, CodeNotFound, nothing, ""},
		"no listing":      {request{method: "GET", path: "/api/v1/"}, 404, CodeNotFound, nothing, ""},
		"wrong method":    {request{method: "GET", path: "/register"}, 405, CodeMethod, "This address takes POST only; /openapi.yaml describes it.", ""},
		"wrong method 2":  {request{method: "POST", path: "/api/v1/people/" + id(1)}, 405, CodeMethod, "This address takes DELETE, GET, HEAD, PATCH only; /openapi.yaml describes it.", ""},
		"not ready":       {notReady, 503, CodeNotReady, "Something that is configured does not work yet; GET /healthz says what, and what to do.", ""},

		// who asks
		"no token":       {request{method: "GET", path: "/api/v1/people", server: withToken}, 401, CodeUnauthorized, "Send the token: Authorization: Bearer <what the file http.token_file holds>.", ""},
		"wrong token":    {withHeader(request{method: "GET", path: "/api/v1/people", server: withToken}, "Authorization", "Bearer correct-horse"), 401, CodeUnauthorized, "This is not the token; the file http.token_file on the device holds it.", ""},
		"wrong scheme":   {withHeader(request{method: "GET", path: "/api/v1/people", server: withToken}, "Authorization", "Basic correct-horse-battery-staple"), 401, CodeUnauthorized, "This is not the token; the file http.token_file on the device holds it.", ""},
		"rebound name":   {withHeader(request{method: "GET", path: "/api/v1/people"}, "Host", "evil.example:4000"), 421, CodeWrongHost, elsewise, ""},
		"localhost.evil": {withHeader(request{method: "GET", path: "/"}, "Host", "localhost.evil.example"), 421, CodeWrongHost, elsewise, ""},
		"no host":        {withHeader(request{method: "GET", path: "/"}, "Host", ""), 421, CodeWrongHost, elsewise, ""},
		"LAN address":    {withHeader(request{method: "GET", path: "/healthz"}, "Host", "192.168.1.7:4000"), 421, CodeWrongHost, elsewise, ""},
		"other origin":   {withHeader(request{method: "DELETE", path: "/api/v1/people/" + id(1)}, "Origin", "https://evil.example"), 403, CodeCrossOrigin, foreign, ""},
		"null origin":    {withHeader(request{method: "POST", path: "/recognize"}, "Origin", "null"), 403, CodeCrossOrigin, foreign, ""},
		"other port":     {withHeader(request{method: "POST", path: "/register"}, "Origin", "http://127.0.0.1:8080"), 403, CodeCrossOrigin, foreign, ""},
		"cross-site":     {withHeader(request{method: "POST", path: "/register"}, "Sec-Fetch-Site", "cross-site"), 403, CodeCrossOrigin, foreign, ""},
		"same-site":      {withHeader(request{method: "POST", path: "/register"}, "Sec-Fetch-Site", "same-site"), 403, CodeCrossOrigin, foreign, ""},
	} {
		t.Run(name, func(t *testing.T) {
			d := &daemon{people: []match.Person{{ID: id(1), Name: "Ana", Created: noon, Updated: noon}, {ID: id(2), Name: "Bea", Created: noon, Updated: noon}}}
			status, header, body := tt.do(t, d, readDocument(t))
			want := fmt.Sprintf(`{"type":"about:blank","title":%q,"status":%d,"detail":"%s","code":%q%s}`+"\n", http.StatusText(tt.status), tt.status, tt.detail, tt.code, tt.more)
			if status != tt.status || body != want {
				t.Errorf("got %d\n%swant\n%s", status, body, want)
			}
			if got := header.Get("Content-Type"); got != "application/problem+json" {
				t.Errorf("Content-Type %q", got)
			}
			if status == 503 && header.Get("Retry-After") != "5" {
				t.Errorf("Retry-After %q", header.Get("Retry-After"))
			}
			if len(d.people) != 2 || d.people[0].Name != "Ana" || d.people[0].Templates != 0 {
				t.Errorf("a refused request changed the people: %v", d.people)
			}
		})
	}
}

// zeros is an endless reader.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// notANumber spoils a score.
type notANumber struct{ Faces }

func (n notANumber) Recognize(context.Context, image.Image) (Recognition, error) {
	return Recognition{Faces: []Face{{Score: float32(math.NaN())}}}, nil
}
