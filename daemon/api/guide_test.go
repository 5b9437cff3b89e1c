package api

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

const guidePath = "/api/v1/cameras/yard/enrol"

// before asks for an enrolment before a camera.
func before(body string) request {
	q := request{method: "POST", path: guidePath, body: strings.NewReader(body)}
	jsonType(&q)
	return q
}

// yard is a camera that shows somebody as often as it is asked.
func yard(t *testing.T) *screens {
	s := newScreens(0)
	s.pictures = make(chan Picture)
	shows := Picture{JPEG: []byte(photo(8, 4)), At: noon}
	go func() {
		for {
			select {
			case s.pictures <- shows:
			case <-t.Context().Done():
				return
			}
		}
	}()
	return s
}

// message is an event of a guide, and when it came.
type message struct {
	kind, data string
	at         time.Duration
}

// talk is a guide as its client sees it.
type talk struct {
	net.Conn
	lines *bufio.Reader
	began time.Time
}

func openGuide(t *testing.T, ln *pipes, body string) *talk {
	t.Helper()
	g := &talk{Conn: ln.dial(), began: time.Now()}
	_ = g.SetReadDeadline(time.Now().Add(time.Hour))
	q := fmt.Sprintf("POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", guidePath, len(body), body)
	if _, err := io.WriteString(g, q); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(g), nil)
	if err != nil {
		t.Fatal(err)
	}
	if kind := resp.Header.Get("Content-Type"); kind != "text/event-stream" || resp.StatusCode != 200 {
		t.Fatalf("%d, %s", resp.StatusCode, kind)
	}
	g.lines = bufio.NewReader(resp.Body)
	return g
}

// next returns what the guide says next; at the end, that is of no kind.
func (g *talk) next(t *testing.T) message {
	t.Helper()
	var m message
	for {
		line, err := g.lines.ReadString('\n')
		switch text := strings.TrimSpace(line); {
		case err == io.EOF && line == "" && m.kind == "":
			return m
		case err != nil:
			t.Fatalf("it broke off after %v: %v", time.Since(g.began), err)
		case text == "":
			m.at = time.Since(g.began)
			return m
		default:
			name, value, _ := strings.Cut(text, ": ")
			*map[string]*string{"event": &m.kind, "data": &m.data}[name] = value
		}
	}
}

// rest returns all that the guide says, checked against the contract.
func (g *talk) rest(t *testing.T) (all []message) {
	t.Helper()
	doc := readDocument(t)
	of := map[string]string{"guidance": "Guidance", "result": "Enrollment", "problem": "Problem"}
	for {
		m := g.next(t)
		if m.kind == "" {
			return all
		}
		var v any
		if err := json.Unmarshal([]byte(m.data), &v); err != nil {
			t.Fatal(err)
		}
		if err := doc.match("$", map[string]any{"$ref": "#/components/schemas/" + of[m.kind]}, v); err != nil {
			t.Errorf("%s: %v", m.kind, err)
		}
		all = append(all, m)
	}
}

func holding(taken int) Guidance {
	return Guidance{Step: Front, Taken: taken, Of: 3, Code: GuideStill, Detail: "Hold still.", Box: [4]int{1, 2, 3, 4}, Frame: [2]int{8, 4}}
}

func taken(n int) Guidance {
	return Guidance{Step: Front, Taken: n, Of: 3, Code: GuideTaken, Detail: "Good."}
}

func TestAGuideSaysWhatToDoAndThenWhoWasEnrolled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &daemon{screens: yard(t), guidance: []Guidance{holding(0), holding(0), taken(1), holding(1), taken(2), taken(3)}}
		ln, stop := serve(t, d)
		g := openGuide(t, ln, `{"name": " Ana "}`)
		defer g.Close()
		var got []string
		for _, m := range g.rest(t) {
			got = append(got, fmt.Sprint(m.at, " ", m.kind, " ", m.data))
		}
		const one = `"step":"front","taken":%d,"of":3,"code":"%s","detail":"%s"`
		const face = `,"box":[1,2,3,4],"frame":[8,4]`
		accepted := `{"image":"front","verdict":"accepted","detail":"","quality":0.5,"looking":"left"}`
		want := []string{
			"0s guidance {" + fmt.Sprintf(one, 0, "hold_still", "Hold still.") + face + "}",
			"400ms guidance {" + fmt.Sprintf(one, 1, "taken", "Good.") + "}", // nothing was new meanwhile
			"600ms guidance {" + fmt.Sprintf(one, 1, "hold_still", "Hold still.") + face + "}",
			"800ms guidance {" + fmt.Sprintf(one, 2, "taken", "Good.") + "}",
			"1s guidance {" + fmt.Sprintf(one, 3, "taken", "Good.") + "}",
			`1s result {"person":{"id":"` + id(1) + `","name":"Ana","created":"2026-11-24T12:00:00Z","updated":"2026-11-24T12:00:00Z","templates":3,"stale":0,"notify":false},` +
				`"accepted":3,"rejected":[],"images":[` + strings.Join([]string{accepted, accepted, accepted}, ",") + `],"suggestions":[]}`,
		}
		if strings.Join(got, "\n") != strings.Join(want, "\n") {
			t.Errorf("it said\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
		_ = g.Close()
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
}

func TestAGuideEndsAfterAMinute(t *testing.T) {
	dark := Guidance{Step: Front, Of: 3, Code: "dark", Detail: "Turn to the light."}
	for name, tt := range map[string]struct {
		said Guidance
		want string
	}{
		"with what it has": {taken(1), `"accepted":1,`},
		"with nothing": {dark, `{"type":"about:blank","title":"Unprocessable Entity","status":422,` +
			`"detail":"No look could be taken in 60 seconds, so nobody was enrolled. Turn to the light.","code":"no_usable_image",` +
			`"rejected":[{"image":"front","reason":"dark","detail":"Turn to the light."}],` +
			`"images":[{"image":"front","verdict":"dark","detail":"Turn to the light.","quality":0}]}`},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := &daemon{screens: yard(t), guidance: []Guidance{tt.said}}
				ln, stop := serve(t, d)
				g := openGuide(t, ln, `{"name": "Ana"}`)
				defer g.Close()
				all := g.rest(t)
				last := all[len(all)-1]
				if !strings.Contains(last.data, tt.want) || last.at != guideTime {
					t.Errorf("after %v it said %s %s", last.at, last.kind, last.data)
				}
				for i := range all[1:] {
					if pause := all[i+1].at - all[i].at; pause > 2*time.Second {
						t.Errorf("nothing was said for %v", pause)
					}
				}
				if (len(d.enrolled) > 0) != (last.kind == "result") {
					t.Errorf("%s, and enrolled were %v", last.kind, d.enrolled)
				}
				_ = g.Close()
				if err := stop(); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

func TestAGuideGivesUpWhenNoPictureComes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScreens(0)
		s.pictures <- Picture{JPEG: []byte(photo(8, 4))}
		d := &daemon{screens: s, guidance: []Guidance{taken(1)}}
		ln, stop := serve(t, d)
		g := openGuide(t, ln, `{"name": "Ana"}`)
		defer g.Close()
		all := g.rest(t)
		last := all[len(all)-1]
		if last.kind != "problem" || !strings.Contains(last.data, `"code":"no_picture"`) || last.at < silence || last.at > silence+2*time.Second || len(all) < 4 {
			t.Errorf("it said %+v", all)
		}
		if len(d.enrolled) > 0 {
			t.Errorf("enrolled were %v", d.enrolled)
		}
		_ = g.Close()
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
}

func TestAGuideThatIsLeftStoresNothing(t *testing.T) {
	for name, leave := range map[string]func(*talk, func() error) error{
		"its client goes":  func(g *talk, stop func() error) error { return g.Close() },
		"the daemon stops": func(g *talk, stop func() error) error { return stop() },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := &daemon{screens: yard(t), guidance: []Guidance{holding(0), taken(1), holding(1)}}
				ln, stop := serve(t, d)
				g := openGuide(t, ln, `{"name": "Ana"}`)
				defer g.Close()
				for g.next(t).data[:24] != `{"step":"front","taken":` {
				}
				said := make(chan message, 1)
				go func() {
					var m message
					for line, err := g.lines.ReadString('\n'); err == nil; line, err = g.lines.ReadString('\n') {
						if data, ok := strings.CutPrefix(line, "data: "); ok {
							m.data = data
						}
					}
					said <- m
				}()
				time.Sleep(time.Second)
				began := time.Now()
				if err := leave(g, stop); err != nil {
					t.Error(err)
				}
				if took := time.Since(began); took > 100*time.Millisecond {
					t.Errorf("it took %v", took)
				}
				if m := <-said; name == "the daemon stops" && !strings.Contains(m.data, `"code":"not_ready"`) {
					t.Errorf("at last it said %s", m.data)
				}
				if name != "the daemon stops" {
					time.Sleep(guideTime)
					if err := stop(); err != nil {
						t.Error(err)
					}
				}
				if len(d.enrolled) > 0 {
					t.Errorf("enrolled were %v", d.enrolled)
				}
			})
		})
	}
}

func TestAGuideWaitsWhileOthersWork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &daemon{screens: yard(t), guidance: []Guidance{taken(3)}}
		svc := newService(d.server(), t.Context())
		svc.work <- struct{}{}
		svc.work <- struct{}{}
		time.AfterFunc(2*time.Second, func() { <-svc.work })
		w := httptest.NewRecorder()
		svc.ServeHTTP(w, before(`{"name": "Ana", "poses": ["left"]}`).http())
		got := w.Body.String()
		if !strings.HasPrefix(got, "event: guidance\ndata: {\"step\":\"left\",\"taken\":0,\"of\":1,\"code\":\"busy\",") || !strings.Contains(got, "event: result\n") {
			t.Errorf("it said\n%s", got)
		}
		if len(svc.work) != 1 || len(svc.streams) != 0 || len(svc.guides.busy) != 0 {
			t.Errorf("%d slots, %d streams, %d guides are held", len(svc.work), len(svc.streams), len(svc.guides.busy))
		}
	})
}

func TestWhatIsWrongBeforeAGuideIsAProblem(t *testing.T) {
	const noJSON = `The body must be one JSON object with the person's name and nothing else: {"name": "Ana"}.`
	const poses = `poses must be some of front, left and right, each once: ["front"].`
	for name, tt := range map[string]struct {
		request
		with   func(*daemon, *service)
		status int
		code   string
		detail string
	}{
		"no JSON":      {before(`name=Ana`), nil, 400, CodeBodyMalformed, noJSON},
		"no name":      {before(`{}`), nil, 400, CodeBodyMalformed, noJSON},
		"more":         {before(`{"name": "Ana", "age": 7}`), nil, 400, CodeBodyMalformed, noJSON},
		"empty name":   {before(`{"name": " "}`), nil, 400, CodeNameEmpty, "The name is empty; send the person's name in the form field name."},
		"other pose":   {before(`{"name": "Ana", "poses": ["up"]}`), nil, 400, CodeBadParameter, poses},
		"a pose twice": {before(`{"name": "Ana", "poses": ["left", "left"]}`), nil, 400, CodeBadParameter, poses},
		"no such camera": {
			func() request { q := before(`{"name": "Ana"}`); q.path = "/api/v1/cameras/attic/enrol"; return q }(),
			nil, 404, CodeCameraNotFound, "There is no camera with this name; these there are: yard, front-door-u.",
		},
		"a form": {
			withHeader(before(`{"name": "Ana"}`), "Content-Type", "multipart/form-data"), nil, 415, CodeMediaType,
			`Send JSON, with Content-Type: application/json: {"name": "Ana"}.`,
		},
		"no picture": {
			before(`{"name": "Ana"}`), nil, 503, CodeNoPicture,
			"There is no picture of the camera now. It sends pictures, but they cannot be looked at; GET /healthz says what is wrong.",
		},
		"switched off": {
			before(`{"name": "Ana"}`), func(d *daemon, _ *service) { d.screens.err = ErrCameraOff; d.screens.pictures <- Picture{} }, 503, CodeNoPicture,
			"The camera is switched off; switch it on under Settings on the page at /, over MQTT or in Home Assistant.",
		},
		"somebody else is there": {
			before(`{"name": "Ana"}`), func(_ *daemon, s *service) { _, _ = s.guides.begin("yard") }, 503, CodeBusy,
			"Somebody is being enrolled before this camera; try again when that has ended.",
		},
		"no place": {before(`{"name": "Ana"}`), func(_ *daemon, s *service) {
			for range maxStreams {
				s.streams <- struct{}{}
			}
		}, 503, CodeBusy, "There are 32 streams open already; close one of them."},
		"no token": {
			before(`{"name": "Ana"}`), func(_ *daemon, s *service) { withToken(s.Server) }, 401, CodeUnauthorized,
			"Send the token: Authorization: Bearer <what the file http.token_file holds>.",
		},
		"too often": {
			before(`{"name": "Ana"}`), func(_ *daemon, s *service) { s.uploads.Rate = Rate{PerSecond: 1} }, 429, CodeTooMany,
			"There were too many pictures from this address; wait 1 s and try again.",
		},
		"another page": {
			withHeader(before(`{"name": "Ana"}`), "Sec-Fetch-Site", "cross-site"), nil, 403, CodeCrossOrigin,
			"A web page of another origin may not change anything here; send the request from a program, or from this server's own page.",
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := &daemon{screens: newScreens(0)}
				svc := newService(d.server(), t.Context())
				if tt.with != nil {
					tt.with(d, svc)
				}
				w := httptest.NewRecorder()
				svc.ServeHTTP(w, tt.http())
				var p Problem
				if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil {
					t.Fatalf("%v: %s", err, w.Body)
				}
				if w.Code != tt.status || p.Code != tt.code || p.Detail != tt.detail {
					t.Errorf("got %d %s %s", w.Code, p.Code, p.Detail)
				}
				if err := readDocument(t).check("POST /api/v1/cameras/{name}/enrol", w.Result(), w.Body.Bytes()); err != nil {
					t.Error(err)
				}
				if len(d.enrolled) > 0 {
					t.Errorf("enrolled were %v", d.enrolled)
				}
			})
		})
	}
}
