package api

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"
	"testing/synctest"
	"time"
)

// screens is a fake Cameras. Its pictures come from a channel.
type screens struct {
	cameras  []Camera
	pictures chan Picture
	err      error

	name    string // what Next was asked for, or Switch
	overlay Overlay
}

func (s *screens) List() []Camera { return s.cameras }

func (s *screens) Next(ctx context.Context, name string, o Overlay) (Picture, error) {
	s.name, s.overlay = name, o
	select {
	case p := <-s.pictures:
		return p, s.err
	case <-ctx.Done():
		return Picture{}, ctx.Err()
	}
}

func (s *screens) Switch(name string, on bool) error {
	s.name = name
	for i := range s.cameras {
		if c := &s.cameras[i]; c.Name == name && s.err == nil {
			c.State = map[bool]string{true: "starting", false: "off"}[on]
		}
	}
	return s.err
}

func camera(name, slug string) Camera {
	return Camera{CameraHealth: CameraHealth{Name: name, State: "streaming", Since: noon, Frames: 9, FPS: 10}, Slug: slug, Width: 640, Height: 480}
}

// newScreens is a yard and a front door with n pictures to show.
func newScreens(n int) *screens {
	s := &screens{cameras: []Camera{camera("yard", "yard"), camera("Front Door/ü", "front-door-u")}, pictures: make(chan Picture, n+1)}
	for i := range n {
		s.pictures <- picture(i)
	}
	return s
}

func picture(i int) Picture {
	return Picture{fmt.Appendf(nil, "\xff\xd8picture %d", i), noon.Add(time.Duration(i) * time.Second)}
}

func showing(s *screens) func(*Server) { return func(v *Server) { v.Cameras = s } }

func TestCamerasAreListed(t *testing.T) {
	for name, tt := range map[string]struct {
		cameras []Camera
		want    string
	}{
		"none": {nil, `{"cameras":[]}`},
		"one": {
			[]Camera{camera("Front Door", "front-door")},
			`{"cameras":[{"name":"Front Door","state":"streaming","code":"","hint":"","since":"2026-11-24T12:00:00Z","frames":9,"fps":10,` +
				`"skipped":0,"damaged":0,"lost":0,"reopened":0,"slug":"front-door","width":640,"height":480}]}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			q := request{method: "GET", path: "/api/v1/cameras", server: showing(&screens{cameras: tt.cameras})}
			if status, _, body := q.do(t, &daemon{}, readDocument(t)); status != 200 || body != tt.want+"\n" {
				t.Errorf("got %d %s", status, body)
			}
		})
	}
}

func TestASnapshotIsTheNextPicture(t *testing.T) {
	for path, want := range map[string]struct {
		camera  string
		overlay Overlay
	}{
		"yard/snapshot.jpg":                                   {"yard", Overlay{}},
		"YARD/snapshot.jpg?overlay=":                          {"yard", Overlay{}},
		"front-door-u/snapshot.jpg?overlay=boxes":             {"Front Door/ü", Overlay{Boxes: true}},
		"Front%20Door%2F%C3%BC/snapshot.jpg?overlay=names":    {"Front Door/ü", Overlay{Names: true}},
		"yard/snapshot.jpg?overlay=boxes,names":               {"yard", Overlay{Boxes: true, Names: true}},
		"yard/snapshot.jpg?overlay=boxes&overlay=names,boxes": {"yard", Overlay{Boxes: true, Names: true}},
	} {
		for _, method := range []string{"GET", "HEAD"} {
			s := newScreens(1)
			q := request{method: method, path: "/api/v1/cameras/" + path, server: showing(s)}
			status, header, body := q.do(t, &daemon{}, readDocument(t))
			if status != 200 || body != string(picture(0).JPEG) || s.name != want.camera || s.overlay != want.overlay {
				t.Errorf("%s %s: got %d %q, of %q with %+v", method, path, status, body, s.name, s.overlay)
			}
			if header.Get("X-Timestamp") != "2026-11-24T12:00:00Z" || header.Get("Content-Length") != strconv.Itoa(len(body)) || header.Get("Cache-Control") != "no-store" ||
				header.Get("Cross-Origin-Resource-Policy") != "same-origin" {
				t.Errorf("%s: %v", path, header)
			}
		}
	}
}

func TestWhyThereIsNoPicture(t *testing.T) {
	const none = "There is no picture of the camera now. "
	away := func(s *screens) {
		s.cameras[0].State, s.cameras[0].Code, s.cameras[0].Hint = "failed", "unplugged", "check the camera's cable"
	}
	starting := func(s *screens) { s.cameras[0].State = "starting" }
	broken := func(s *screens) {
		s.err = errors.New("the encoder is out of ink")
		s.pictures <- Picture{}
	}
	changed := func(s *screens) {
		s.err = fmt.Errorf("look: %w", ErrCameraChanged)
		s.pictures <- Picture{}
	}
	well := func(*screens) {}
	const missing = "There is no camera with this name; these there are: yard, front-door-u."
	const overlay = "overlay must be boxes, names, or both: overlay=boxes,names."
	const internal = "Something failed inside facerecd; its log says what (journalctl -u facerecd)."
	for name, tt := range map[string]struct {
		camera  string
		screens func(*screens)
		status  int
		code    string
		detail  string
	}{
		"no such camera":     {"attic", well, 404, CodeCameraNotFound, missing},
		"no camera":          {"attic", func(s *screens) { s.cameras = nil }, 404, CodeCameraNotFound, "There is no camera; add one to cameras in the configuration."},
		"unplugged":          {"yard", away, 503, CodeNoPicture, none + "It is failed (unplugged): check the camera's cable."},
		"starting":           {"yard", starting, 503, CodeNoPicture, none + "It is starting; try again in a few seconds."},
		"recognition is ill": {"yard", well, 503, CodeNoPicture, none + "It sends pictures, but they cannot be looked at; GET /healthz says what is wrong."},
		"changed":            {"yard", changed, 503, CodeNoPicture, "The camera was changed, or taken out, this moment; GET /api/v1/cameras lists those that there are now."},
		"encoder fails":      {"yard", broken, 500, CodeInternal, internal},
	} {
		for what, patience := range map[string]time.Duration{"snapshot.jpg": snapshotPatience, "stream.mjpg": silence} {
			t.Run(name+" "+what, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					s := newScreens(0) // in the bubble
					tt.screens(s)
					q := request{method: "GET", path: "/api/v1/cameras/" + tt.camera + "/" + what, server: showing(s)}
					began := time.Now()
					status, _, body := q.do(t, &daemon{}, readDocument(t))
					want := fmt.Sprintf(`{"type":"about:blank","title":%q,"status":%d,"detail":"%s","code":%q}`+"\n", http.StatusText(tt.status), tt.status, tt.detail, tt.code)
					if status != tt.status || body != want {
						t.Errorf("got %d\n%swant\n%s", status, body, want)
					}
					if took := time.Since(began); name != "changed" && tt.code == CodeNoPicture && took != patience || tt.code != CodeNoPicture && took != 0 {
						t.Errorf("after %v", took)
					}
				})
			})
		}
	}
	q := request{method: "GET", path: "/api/v1/cameras/yard/stream.mjpg?overlay=hats", server: showing(newScreens(1))}
	want := fmt.Sprintf(`{"type":"about:blank","title":"Bad Request","status":400,"detail":"%s","code":"bad_parameter"}`+"\n", overlay)
	if status, _, body := q.do(t, &daemon{}, readDocument(t)); status != 400 || body != want {
		t.Errorf("got %d %s", status, body)
	}
	for _, path := range []string{"", "/yard/snapshot.jpg", "/yard/stream.mjpg"} {
		q := request{method: "GET", path: "/api/v1/cameras" + path, server: func(s *Server) { s.Cameras = newScreens(1); withToken(s) }}
		if status, _, _ := q.do(t, &daemon{}, readDocument(t)); status != 401 {
			t.Errorf("%q without a token: %d", path, status)
		}
	}
}

// openPictures asks for a stream of the yard.
func openPictures(t *testing.T, ln *pipes) (net.Conn, *multipart.Reader) {
	t.Helper()
	c := ln.dial()
	_ = c.SetReadDeadline(time.Now().Add(time.Hour))
	if _, err := io.WriteString(c, "GET /api/v1/cameras/yard/stream.mjpg HTTP/1.1\r\nHost: localhost\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	kind, parameters, err := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/x-mixed-replace" || resp.StatusCode != 200 {
		t.Fatalf("%d %q, %v", resp.StatusCode, resp.Header.Get("Content-Type"), err)
	}
	return c, multipart.NewReader(resp.Body, parameters["boundary"])
}

func TestAStreamIsOnePictureAfterTheOtherUntilNoneComes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScreens(0)
		ln, stop := serve(t, &daemon{screens: s})
		began := time.Now()
		go func() {
			for i := range 3 {
				time.Sleep(silence - time.Second)
				s.pictures <- picture(i)
			}
		}()
		c, parts := openPictures(t, ln)
		defer c.Close()
		for i := range 3 {
			part, err := parts.NextRawPart()
			if err != nil {
				t.Fatal(err)
			}
			data, err := io.ReadAll(part)
			if want := picture(i); err != nil || string(data) != string(want.JPEG) || part.Header.Get("X-Timestamp") != timestamp(want) ||
				part.Header.Get("Content-Type") != "image/jpeg" || part.Header.Get("Content-Length") != strconv.Itoa(len(data)) {
				t.Errorf("part %d: %q %v, %v", i, data, part.Header, err)
			}
		}
		if _, err := parts.NextRawPart(); err != io.EOF {
			t.Errorf("a picture was shown again, or the stream broke off: %v", err)
		}
		if took := time.Since(began) - 3*(silence-time.Second); took != silence {
			t.Errorf("the stream ended %v after the last picture", took)
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
}

// A browser shows a picture when it has seen the boundary after it.
func TestAPictureIsCompleteBeforeTheNextOneIsThere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScreens(1)
		ln, stop := serve(t, &daemon{screens: s})
		c := ln.dial()
		defer c.Close()
		go func() {
			_, _ = io.WriteString(c, "GET /api/v1/cameras/yard/stream.mjpg HTTP/1.1\r\nHost: localhost\r\n\r\n")
		}()
		resp, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			t.Fatal(err)
		}
		want := "--facerecd-picture\r\nContent-Type: image/jpeg\r\nContent-Length: 11\r\nX-Timestamp: 2026-11-24T12:00:00Z\r\n\r\n\xff\xd8picture 0\r\n--facerecd-picture"
		got := make([]byte, len(want))
		began := time.Now()
		if _, err := io.ReadFull(resp.Body, got); err != nil || string(got) != want || time.Since(began) > 0 {
			t.Errorf("after %v: %q, %v", time.Since(began), got, err)
		}
		_ = c.Close()
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
}

func TestWatchingEndsAtOnceWhenTheDaemonStops(t *testing.T) {
	for _, what := range []string{"stream.mjpg", "snapshot.jpg"} {
		for name, pictures := range map[string]int{"and there are pictures": 1, "and there are none": 0} {
			if what == "snapshot.jpg" && pictures == 1 {
				continue
			}
			t.Run(what+" "+name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					ln, stop := serve(t, &daemon{screens: newScreens(pictures)})
					c := ln.dial()
					defer c.Close()
					var answer []byte
					done := make(chan struct{})
					go func() {
						defer close(done)
						_, _ = fmt.Fprintf(c, "GET /api/v1/cameras/yard/%s HTTP/1.1\r\nHost: localhost\r\n\r\n", what)
						answer, _ = io.ReadAll(c)
					}()
					synctest.Wait()
					before := time.Now()
					if err := stop(); err != nil {
						t.Error(err)
					}
					if took := time.Since(before); took > 100*time.Millisecond {
						t.Errorf("it took %v", took)
					}
					<-done
					resp, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(answer)), nil)
					if err != nil {
						t.Fatal(err)
					}
					if _, err := io.ReadAll(resp.Body); err != nil {
						t.Errorf("it broke off: %v", err)
					}
					if want := map[int]int{0: 503, 1: 200}[pictures]; resp.StatusCode != want {
						t.Errorf("status %d, want %d", resp.StatusCode, want)
					}
				})
			})
		}
	}
}

func TestWatchersHaveABoundAndGiveTheirPlacesBack(t *testing.T) {
	s := (&daemon{screens: newScreens(1)}).server()
	svc := newService(s, t.Context())
	for range maxStreams {
		svc.streams <- struct{}{}
	}
	for _, what := range []string{"stream.mjpg", "snapshot.jpg"} {
		w := httptest.NewRecorder()
		svc.ServeHTTP(w, request{method: "GET", path: "/api/v1/cameras/yard/" + what}.http())
		want := `{"type":"about:blank","title":"Service Unavailable","status":503,"detail":"There are 32 streams open already; close one of them.","code":"busy"}` + "\n"
		if w.Code != 503 || w.Body.String() != want {
			t.Errorf("%s: got %d %s", what, w.Code, w.Body)
		}
	}
	<-svc.streams
	w := httptest.NewRecorder()
	svc.ServeHTTP(w, request{method: "GET", path: "/api/v1/cameras/yard/snapshot.jpg"}.http())
	if w.Code != 200 || len(svc.streams) != maxStreams-1 {
		t.Errorf("got %d, %d places are taken", w.Code, len(svc.streams))
	}
}

func TestWatchingEndsWithItsClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScreens(1)
		ln, stop := serve(t, &daemon{screens: s})
		c, _ := openPictures(t, ln)
		_ = c.Close()
		synctest.Wait()
		select {
		case s.pictures <- picture(1):
		default:
			t.Fatal("no room")
		}
		synctest.Wait()
		if len(s.pictures) != 1 {
			t.Error("somebody waits for a picture when the client has gone")
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
}
