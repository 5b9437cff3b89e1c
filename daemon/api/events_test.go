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

	"facerecd/daemon/event"
)

// readEvents returns the first n events' ids, or fewer when the stream ends.
func readEvents(r *bufio.Reader, n int) (ids []string, err error) {
	for len(ids) < n {
		line, err := r.ReadString('\n')
		if err != nil {
			return ids, err
		}
		if value, ok := strings.CutPrefix(line, "id: "); ok {
			ids = append(ids, strings.TrimSpace(value))
		}
	}
	return ids, nil
}

func openStream(t *testing.T, ln *pipes, header string) (net.Conn, *bufio.Reader) {
	t.Helper()
	c := ln.dial()
	_ = c.SetReadDeadline(time.Now().Add(time.Hour)) // a stream that should have ended
	if _, err := io.WriteString(c, "GET /api/v1/events/stream HTTP/1.1\r\nHost: localhost\r\n"+header+"\r\n"); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := resp.Header.Get("Content-Type"); got != "text/event-stream" {
		t.Fatalf("Content-Type %q", got)
	}
	return c, bufio.NewReader(resp.Body)
}

func TestStreamDeliversEventsAsTheyHappen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &daemon{live: make(chan event.Event)}
		ln, stop := serve(t, d)
		c, body := openStream(t, ln, "")
		defer c.Close()
		go func() { d.live <- sighting(1) }()
		var got strings.Builder
		for range 6 {
			line, err := body.ReadString('\n')
			if err != nil {
				t.Fatal(err)
			}
			got.WriteString(line)
		}
		wire, _ := json.Marshal(sighting(1)) // as on MQTT
		want := "retry: 2000\n\nid: " + id(1) + "\nevent: recognized\ndata: " +
			string(wire) + "\n\n"
		if got.String() != want {
			t.Errorf("got\n%swant\n%s", got.String(), want)
		}

		before := time.Now()
		if line, err := body.ReadString('\n'); line != ": still here\n" || time.Since(before) > heartbeat {
			t.Errorf("after %v came %q (%v)", time.Since(before), line, err)
		}
		go func() { _, _ = io.Copy(io.Discard, body) }()
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
}

func TestStreamTellsWhatWasMissedOnceAndInOrder(t *testing.T) {
	for name, tt := range map[string]struct {
		history int // events 1..n
		last    int
		live    []int
		want    []string
	}{
		"nothing missed":      {3, 3, []int{4}, []string{id(4)}},
		"two missed":          {3, 1, []int{4}, []string{id(2), id(3), id(4)}},
		"one comes both ways": {3, 2, []int{3, 4}, []string{id(3), id(4)}},
		"last is forgotten":   {3, 99, []int{4}, []string{id(1), id(2), id(3), id(4)}},
		"more than a page is missed": {maxPage + 100, 1, nil, func() (ids []string) {
			for n := range maxPage + 99 {
				ids = append(ids, id(n+2))
			}
			return ids
		}()},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := &daemon{live: make(chan event.Event, 8)}
				for n := range tt.history {
					d.history = append(d.history, sighting(n+1))
				}
				for _, n := range tt.live {
					d.live <- sighting(n)
				}
				ln, stop := serve(t, d)
				c, body := openStream(t, ln, "Last-Event-ID: "+id(tt.last)+"\r\n")
				defer c.Close()
				got, err := readEvents(body, len(tt.want))
				if err != nil || fmt.Sprint(got) != fmt.Sprint(tt.want) {
					t.Errorf("got %v (%v)\nwant %v", got, err, tt.want)
				}
				go func() { _, _ = io.Copy(io.Discard, body) }()
				if err := stop(); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

func TestStreamEndsWhenItsReaderFallsBehind(t *testing.T) {
	for name, live := range map[string]func() chan event.Event{
		"channel closed": func() chan event.Event {
			live := make(chan event.Event)
			close(live)
			return live
		},
		"buffer full": func() chan event.Event {
			live := make(chan event.Event, 3)
			for n := range 3 {
				live <- sighting(n + 5) // who knows what was before them
			}
			return live
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ln, stop := serve(t, &daemon{live: live()})
				c, body := openStream(t, ln, "")
				defer c.Close()
				if rest, err := io.ReadAll(body); err != nil || string(rest) != "retry: 2000\n\n" {
					t.Errorf("got %q, %v", rest, err)
				}
				if err := stop(); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

func TestStreamsHaveABound(t *testing.T) {
	d := &daemon{}
	svc := newService(d.server(), t.Context())
	for range maxStreams {
		svc.streams <- struct{}{}
	}
	w := httptest.NewRecorder()
	svc.ServeHTTP(w, request{method: "GET", path: "/api/v1/events/stream"}.http())
	want := `{"type":"about:blank","title":"Service Unavailable","status":503,"detail":"There are 32 streams open already; close one of them.","code":"busy"}` + "\n"
	if w.Code != 503 || w.Body.String() != want {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
}

func TestStreamsEndAtOnceWhenTheDaemonStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &daemon{live: make(chan event.Event)}
		ln, stop := serve(t, d)
		c, body := openStream(t, ln, "")
		defer c.Close()
		whole := make(chan error, 1)
		go func() { _, err := io.Copy(io.Discard, body); whole <- err }()
		synctest.Wait()
		before := time.Now()
		if err := stop(); err != nil {
			t.Error(err)
		}
		if took := time.Since(before); took > 100*time.Millisecond {
			t.Errorf("it took %v", took)
		}
		if err := <-whole; err != nil {
			t.Errorf("the stream broke off: %v", err)
		}
	})
}
