package api

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"facerecd/daemon/event"
	"facerecd/match"
)

func TestAnswers(t *testing.T) {
	person := func(name string) string {
		return fmt.Sprintf(`{"id":%q,"name":%q,"created":"2026-11-24T12:00:00Z","updated":"2026-11-24T12:00:00Z","templates":2,"stale":0,"notify":true}`, id(1), name)
	}
	seen := func(n int) string {
		data, _ := json.Marshal(event.Past{Event: sighting(n)})
		return string(data)
	}
	sick := func(s *Server) {
		s.Health = func() Health {
			return Health{
				Status: StatusDegraded, Uptime: 60,
				Cameras: []CameraHealth{{"door", "failed", "not_found", "Plug the camera in.", noon, 100, 9.5, 4, 3, 2, 1}},
				Process: ProcessHealth{Goroutines: 20, Descriptors: 30, RSS: 4096},
				MQTT:    MQTTHealth{Connected: true, Backlog: 3},
				Checks:  []Condition{{"hot", "warning", noon, "Give the board some air."}},
			}
		}
	}
	sickWithToken := func(s *Server) { sick(s); withToken(s) }
	get := func(path string) request { return request{method: "GET", path: path} }
	for name, tt := range map[string]struct {
		request
		nobody bool
		want   string
	}{
		"people":            {get("/api/v1/people"), false, `{"people":[` + person("Ana") + `]}`},
		"no people":         {get("/api/v1/people"), true, `{"people":[]}`},
		"person":            {get("/api/v1/people/" + id(1)), false, person("Ana")},
		"notify":            {patch("/api/v1/people/"+id(1), `{"notify":false}`), false, strings.Replace(person("Ana"), "true", "false", 1)},
		"rename and notify": {patch("/api/v1/people/"+id(1), `{"notify":false,"name":"Ana "}`), false, strings.Replace(person("Ana"), "true", "false", 1)},
		"rename":            {patch("/api/v1/people/"+id(1), `{"name":" Ana María "}`), false, person("Ana María")},
		"delete":            {request{method: "DELETE", path: "/api/v1/people/" + id(1)}, false, fmt.Sprintf(`{"person":%q,"templates":2,"crops":0,"history":1,"pictures":0,"alike":0,"strangers":0,"queued":0,"topics":0,"fleet":0,"purged":true}`, id(1))},
		"own page's delete": {withHeader(request{method: "DELETE", path: "/api/v1/people/" + id(1)}, "Origin", "http://127.0.0.1:4000"), false, fmt.Sprintf(`{"person":%q,"templates":2,"crops":0,"history":1,"pictures":0,"alike":0,"strangers":0,"queued":0,"topics":0,"fleet":0,"purged":true}`, id(1))},

		"people of a name": {get("/api/v1/people?q=An"), false, `{"people":[` + person("Ana") + `]}`},
		"nobody's name":    {get("/api/v1/people?q=x"), false, `{"people":[]}`},
		"a last page":      {get("/api/v1/people?limit=1"), false, `{"people":[` + person("Ana") + `]}`},
		"after the last":   {get("/api/v1/people?limit=1&after=" + id(1)), false, `{"people":[]}`},
		"a check":          {get("/api/v1/check?seconds=600"), false, `{"people":1,"templates":0,"compared":0,"threshold":0,"margin":0,"missed":[],"confusable":[],"hurts":[],"few":[],"cut":false}`},

		"events":      {get("/api/v1/events"), false, `{"events":[` + seen(3) + `,` + seen(2) + `,` + seen(1) + `]}`},
		"last events": {get("/api/v1/events?limit=2"), false, `{"events":[` + seen(3) + `,` + seen(2) + `]}`},
		"next events": {get("/api/v1/events?limit=2&before=" + id(2)), false, `{"events":[` + seen(1) + `]}`},
		"no events":   {get("/api/v1/events"), true, `{"events":[]}`},

		"health":               {get("/healthz"), false, `{"status":"ok","version":"1.0","uptime_s":60,"cameras":[],"mqtt":{"connected":false,"backlog":0,"dropped":0},"process":{"goroutines":0},"checks":[]}`},
		"no camera":            {request{method: "GET", path: "/healthz", server: sick}, false, `{"status":"degraded","version":"1.0","uptime_s":60,"cameras":[{"name":"door","state":"failed","code":"not_found","hint":"Plug the camera in.","since":"2026-11-24T12:00:00Z","frames":100,"fps":9.5,"skipped":4,"damaged":3,"lost":2,"reopened":1}],"mqtt":{"connected":true,"backlog":3,"dropped":0},"process":{"goroutines":20,"descriptors":30,"rss_bytes":4096},"checks":[{"code":"hot","severity":"warning","since":"2026-11-24T12:00:00Z","hint":"Give the board some air."}]}`},
		"a stranger's health":  {request{method: "GET", path: "/healthz", server: sickWithToken}, false, `{"status":"degraded"}`},
		"metrics":              {get("/metrics"), false, "# HELP up Always 1.\n# TYPE up gauge\nup 1"},
		"ready":                {get("/readyz"), false, `{"status":"ok"}`},
		"with the token":       {withHeader(request{method: "GET", path: "/api/v1/people", server: withToken}, "Authorization", "bearer correct-horse-battery-staple"), true, `{"people":[]}`},
		"token, any host":      {request{method: "GET", path: "/readyz", server: withToken, header: map[string]string{"Host": "pi-door.local:4000"}}, true, `{"status":"ok"}`},
		"localhost":            {withHeader(get("/readyz"), "Host", "LOCALHOST:4000"), true, `{"status":"ok"}`},
		"IPv6 loopback":        {withHeader(get("/readyz"), "Host", "[::1]:4000"), true, `{"status":"ok"}`},
		"no port":              {withHeader(get("/readyz"), "Host", "127.0.0.1"), true, `{"status":"ok"}`},
		"through a tunnel":     {withHeader(get("/readyz"), "Host", "localhost:9000"), true, `{"status":"ok"}`},
		"the configured name":  {request{method: "GET", path: "/readyz", header: map[string]string{"Host": "pi-door:4000"}, server: func(s *Server) { s.Listen = "pi-door:4000" }}, true, `{"status":"ok"}`},
		"from the address bar": {withHeader(get("/readyz"), "Sec-Fetch-Site", "none"), true, `{"status":"ok"}`},
	} {
		t.Run(name, func(t *testing.T) {
			d := &daemon{}
			if !tt.nobody {
				d.people = []match.Person{{ID: id(1), Name: "Ana", Created: noon, Updated: noon, Templates: 2, Notify: true}}
				d.history = []event.Event{sighting(1), sighting(2), sighting(3)}
			}
			status, _, body := tt.do(t, d, readDocument(t))
			if status != 200 || strings.TrimSpace(body) != tt.want {
				t.Errorf("got %d\n%swant\n%s", status, body, tt.want)
			}
		})
	}
}

func TestPeopleComeInPages(t *testing.T) {
	d := &daemon{}
	for n := range 5 {
		d.people = append(d.people, match.Person{ID: id(n + 1), Name: "Ana", Created: noon, Updated: noon})
	}
	var got []string
	after, pages := "", 0
	for {
		status, _, body := request{method: "GET", path: "/api/v1/people?limit=2&q=Ana" + after}.do(t, d, readDocument(t))
		var answer peopleAnswer
		if err := json.Unmarshal([]byte(body), &answer); err != nil || status != 200 {
			t.Fatalf("%d %s", status, body)
		}
		for _, p := range answer.People {
			got = append(got, p.ID)
		}
		if pages++; answer.Next == "" {
			break
		}
		after = "&after=" + answer.Next
	}
	if want := []string{id(1), id(2), id(3), id(4), id(5)}; pages != 3 || !slices.Equal(got, want) {
		t.Errorf("%d pages with %v", pages, got)
	}
}

func TestThePageAndTheContractAreServed(t *testing.T) {
	for path, want := range map[string]string{"/": "/openapi.yaml", "/openapi.yaml": "openapi: 3.1.0"} {
		status, header, body := request{method: "GET", path: path}.do(t, &daemon{}, readDocument(t))
		if status != 200 || !strings.Contains(body, want) {
			t.Errorf("%s: %d\n%s", path, status, body)
		}
		if header.Get("X-Content-Type-Options") != "nosniff" || !strings.Contains(header.Get("Content-Security-Policy"), "default-src 'none'") {
			t.Errorf("%s: %v", path, header)
		}
	}
}

func TestWrongMethodsAndTokensComeWithTheirHeaders(t *testing.T) {
	_, header, _ := request{method: "PUT", path: "/register"}.do(t, &daemon{}, readDocument(t))
	if got := header.Get("Allow"); got != "POST" {
		t.Errorf("Allow %q", got)
	}
	q := request{method: "GET", path: "/api/v1/people", server: withToken}
	for authorization, want := range map[string]string{"": `Bearer realm="facerecd"`, "Bearer x": `Bearer realm="facerecd", error="invalid_token"`} {
		q.header = map[string]string{"Authorization": authorization}
		_, header, _ := q.do(t, &daemon{}, readDocument(t))
		if got := header.Get("WWW-Authenticate"); got != want {
			t.Errorf("WWW-Authenticate %q, want %q", got, want)
		}
	}
}

func TestEveryRouteNeedsTheTokenUnlessItIsOpen(t *testing.T) {
	for _, rt := range newService(&Server{}, t.Context()).routes() {
		method, path, _ := strings.Cut(strings.TrimSuffix(rt.pattern, "{$}"), " ")
		path = strings.ReplaceAll(path, "{id}", id(1))
		status, _, _ := request{method: method, path: path, server: withToken}.do(t, &daemon{}, readDocument(t))
		if (status == http.StatusUnauthorized) == rt.open {
			t.Errorf("%s without a token: %d", rt.pattern, status)
		}
	}
}

func TestLogsTellNoNames(t *testing.T) {
	var log strings.Builder
	d := &daemon{}
	logged := func(s *Server) { s.Log = newTestLog(&log) }
	doc := readDocument(t)
	request{method: "POST", path: "/register?name=secret", form: images(1)[1:], server: logged}.do(t, d, doc)
	rename := patch("/api/v1/people/"+id(1), `{"name":"mystery"}`)
	rename.server = logged
	rename.do(t, d, doc)
	request{method: "DELETE", path: "/api/v1/people/" + id(1), server: logged}.do(t, d, doc)
	got := log.String()
	for _, want := range []string{"msg=enrolled person=" + id(1), "msg=changed", "msg=deleted"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in the log:\n%s", want, got)
		}
	}
	if strings.Contains(got, "secret") || strings.Contains(got, "mystery") {
		t.Errorf("a name in the log:\n%s", got)
	}
}

func TestPersonNameKeepsWhatScriptsNeed(t *testing.T) {
	for _, name := range []string{"Ana", "José Ñandú", "李小龍", "می\u200cخواهم", "👩\u200d🚀", "O'Neil-Ságh, Jr.", strings.Repeat("ñ", MaxNameLength)} {
		if got, err := PersonName("\t" + name + " \n"); err != nil || got != name {
			t.Errorf("%q became %q: %v", name, got, err)
		}
	}
}
