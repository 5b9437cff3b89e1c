package api

import (
	"errors"
	"net/http"
	"strings"
	"testing"
)

func TestSettingsAreListed(t *testing.T) {
	q := request{method: "GET", path: "/api/v1/settings"}
	want := `{"settings":[{"key":"match.threshold","value":0.36},{"key":"keep_crops","value":false},{"key":"device","value":"pi"}]}` + "\n"
	if status, _, body := q.do(t, &daemon{}, readDocument(t)); status != 200 || body != want {
		t.Errorf("got %d %s", status, body)
	}
	q.server = withToken
	if status, _, _ := q.do(t, &daemon{}, readDocument(t)); status != 401 {
		t.Errorf("without the token: %d", status)
	}
}

func TestACameraIsSwitched(t *testing.T) {
	const bad = `The body must be one JSON object with the one thing that can be changed and nothing else: {\"enabled\": false}.`
	for name, tt := range map[string]struct {
		camera, kind, body string
		err                error
		status             int
		want               string // in the answer
	}{
		"off":        {"yard", "application/json", `{"enabled":false}`, nil, 200, `"state":"off"`},
		"on":         {"Front%20Door%2F%C3%BC", "application/json", `{"enabled":true}`, nil, 200, `"state":"starting"`},
		"nowhere":    {"attic", "application/json", `{"enabled":true}`, nil, 404, "There is no camera with this name; these there are: yard, front-door-u."},
		"a form":     {"yard", "application/x-www-form-urlencoded", `enabled=false`, nil, 415, `Send JSON, with Content-Type: application/json: {\"enabled\": false}.`},
		"nothing":    {"yard", "application/json", `{}`, nil, 400, bad},
		"more":       {"yard", "application/json", `{"enabled":true,"name":"x"}`, nil, 400, bad},
		"a word":     {"yard", "application/json", `{"enabled":"yes"}`, nil, 400, bad},
		"two bodies": {"yard", "application/json", `{"enabled":true}{}`, nil, 400, bad},
		"too large":  {"yard", "application/json", `{"enabled":` + strings.Repeat(" ", 5<<10) + `true}`, nil, 413, "The request is over 64 MiB"},
		"it fails":   {"yard", "application/json", `{"enabled":true}`, errors.New("disk full"), 500, "Something failed inside facerecd"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScreens(0)
			s.err = tt.err
			q := request{
				method: "PATCH", path: "/api/v1/cameras/" + tt.camera, header: map[string]string{"Content-Type": tt.kind},
				body: strings.NewReader(tt.body), server: showing(s),
			}
			status, _, body := q.do(t, &daemon{}, readDocument(t))
			if status != tt.status || !strings.Contains(body, tt.want) {
				t.Errorf("got %d %s", status, body)
			}
			if touched := s.name != ""; touched != (status == 200 || status == 500) {
				t.Errorf("it was switched: %v", touched)
			}
		})
	}
}

func TestAPageElsewhereSwitchesNothing(t *testing.T) {
	s := newScreens(0)
	q := request{
		method: "PATCH", path: "/api/v1/cameras/yard", body: strings.NewReader(`{"enabled":false}`), server: showing(s),
		header: map[string]string{"Content-Type": "application/json", "Sec-Fetch-Site": "cross-site", "Origin": "https://example.com"},
	}
	if status, _, body := q.do(t, &daemon{}, readDocument(t)); status != 403 || s.name != "" {
		t.Errorf("got %d %s", status, body)
	}
}

func TestThePageIsServedToBeAskedForAgain(t *testing.T) {
	for path, kind := range map[string]string{
		"/": "text/html; charset=utf-8", "/web/app.js": "text/javascript; charset=utf-8",
		"/web/style.css": "text/css; charset=utf-8", "/web/icon.svg": "image/svg+xml",
	} {
		// It tells nothing of anybody: it asks for the token itself.
		q := request{method: "GET", path: path, server: withToken}
		status, header, body := q.do(t, &daemon{}, readDocument(t))
		if status != 200 || body == "" || header.Get("Content-Type") != kind || header.Get("Cache-Control") != "no-cache" || header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: %d %v", path, status, header)
		}
		policy := header.Get("Content-Security-Policy")
		if strings.Contains(policy, "unsafe") || strings.Contains(policy, "*") || strings.Contains(policy, "data:") ||
			!strings.HasPrefix(policy, "default-src 'none'; script-src 'self'; ") || !strings.Contains(policy, "frame-ancestors 'none'; base-uri 'none'; form-action 'none'") {
			t.Errorf("%s: %s", path, policy)
		}
		q = request{method: "GET", path: path, header: map[string]string{"If-None-Match": header.Get("ETag")}}
		if status, _, body := q.raw(); status != http.StatusNotModified || body != "" {
			t.Errorf("%s again: %d, %d bytes", path, status, len(body))
		}
	}
	for _, path := range []string{"/web/", "/web/nothing.js", "/web/web.go", "/web/..%2fopenapi.yaml", "/web/%2e%2e%2f%2e%2e%2fetc%2fpasswd"} {
		q := request{method: "GET", path: path}
		if status, _, body := q.raw(); status != 404 || !strings.Contains(body, `"not_found"`) {
			t.Errorf("%s: %d %s", path, status, body)
		}
	}
}

// TestOnlyThePageMayRunScripts: what is uploaded and sent back must not be
// taken for one.
func TestOnlyThePageMayRunScripts(t *testing.T) {
	for _, path := range []string{"/api/v1/people", "/openapi.yaml", "/healthz", "/nothing"} {
		q := request{method: "GET", path: path}
		_, header, _ := q.raw()
		if got, want := header.Get("Content-Security-Policy"), "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"; got != want {
			t.Errorf("%s: %s", path, got)
		}
	}
}
