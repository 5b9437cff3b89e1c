package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestWatchLosesNothingWhenTheConnectionBreaks(t *testing.T) {
	d := &daemon{}
	c, srv := start(t, d, "")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() { // the first event is for whoever watches by then
		for {
			d.mu.Lock()
			n := len(d.live)
			d.mu.Unlock()
			if n > 0 || ctx.Err() != nil {
				break
			}
			time.Sleep(time.Millisecond)
		}
		d.happen(1)
	}()
	var got []string
	for e, err := range c.Watch(ctx) {
		switch {
		case err != nil:
			got = append(got, "broken")
			d.happen(2) // while nobody watches
			d.happen(3)
		case e.ID == id(1):
			got = append(got, e.ID)
			srv.CloseClientConnections()
		default:
			got = append(got, e.ID)
		}
		if e.ID == id(3) {
			break
		}
	}
	if want := fmt.Sprint([]string{id(1), "broken", id(2), id(3)}); fmt.Sprint(got) != want {
		t.Errorf("got %v\nwant %v", got, want)
	}
}

// script answers each request with the next of its streams.
type script struct {
	streams  []func(*http.Request) *http.Response
	requests []*http.Request
	at       []time.Time
}

func (s *script) RoundTrip(r *http.Request) (*http.Response, error) {
	s.requests, s.at = append(s.requests, r), append(s.at, time.Now())
	if len(s.requests) > len(s.streams) {
		return nil, errors.New("connection refused")
	}
	return s.streams[len(s.requests)-1](r), nil
}

func answer(status int, mediaType string, body io.Reader) *http.Response {
	return &http.Response{StatusCode: status, Status: fmt.Sprint(status), Header: http.Header{"Content-Type": {mediaType}}, Body: io.NopCloser(body)}
}

func told(text string) func(*http.Request) *http.Response {
	return func(*http.Request) *http.Response { return answer(200, "text/event-stream", strings.NewReader(text)) }
}

func TestWatchTriesAgainMoreAndMoreSeldom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{streams: []func(*http.Request) *http.Response{told("retry: 2000\n\ndata: {\"id\":\"" + id(1) + "\"}\n\n")}}
		c := &Client{BaseURL: "http://pi", HTTP: &http.Client{Transport: s}}
		broken := 0
		for _, err := range c.Watch(t.Context()) {
			if err != nil {
				broken++
			}
			if broken == 8 {
				break
			}
		}
		if got := s.requests[1].Header.Get("Last-Event-ID"); got != id(1) {
			t.Errorf("Last-Event-ID %q", got)
		}
		var pauses []time.Duration
		for i := range s.at[1:] {
			pauses = append(pauses, s.at[i+1].Sub(s.at[i]))
		}
		if got := fmt.Sprint(pauses); got != "[500ms 1s 2s 4s 8s 10s 10s]" {
			t.Errorf("pauses %v", got)
		}
	})
}

func TestWatchNoticesADeadConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{streams: []func(*http.Request) *http.Response{func(r *http.Request) *http.Response {
			body, daemon := io.Pipe()
			go func() {
				_, _ = io.WriteString(daemon, ": still here\n\n")
				time.Sleep(30 * time.Second)
				_, _ = io.WriteString(daemon, ": still here\n\n")
				<-r.Context().Done() // as the transport does
				_ = daemon.CloseWithError(r.Context().Err())
			}()
			return answer(200, "text/event-stream", body)
		}}}
		c := &Client{BaseURL: "http://pi", HTTP: &http.Client{Transport: s}}
		before := time.Now()
		for _, err := range c.Watch(t.Context()) {
			if want := "no sign of life from http://pi in 45s"; err == nil || err.Error() != want {
				t.Errorf("got %v", err)
			}
			break
		}
		if took := time.Since(before); took != 75*time.Second {
			t.Errorf("it took %v", took)
		}
	})
}

func TestWatchGivesUpWhenNoRetryHelps(t *testing.T) {
	c, _ := start(t, &daemon{}, "correct-horse-battery-staple")
	c.Token = "wrong"
	broken := &Client{BaseURL: "http://[::1"}
	for _, c := range []*Client{c, broken} {
		var errs []error
		for _, err := range c.Watch(t.Context()) {
			errs = append(errs, err)
		}
		if len(errs) != 1 || errs[0] == nil {
			t.Errorf("got %v", errs)
		}
	}
}

func TestWatchEndsWithItsContext(t *testing.T) {
	c, _ := start(t, &daemon{}, "")
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	for e, err := range c.Watch(ctx) {
		t.Errorf("got %v, %v", e, err)
	}
}

func TestWatchKnowsAStreamFromAPage(t *testing.T) {
	s := &script{streams: []func(*http.Request) *http.Response{func(*http.Request) *http.Response {
		return answer(200, "text/html", strings.NewReader("<p>"))
	}}}
	c := &Client{BaseURL: "http://pi", HTTP: &http.Client{Transport: s}}
	for _, err := range c.Watch(t.Context()) {
		if want := "http://pi answered with no event stream: is that a facerecd?"; err == nil || err.Error() != want {
			t.Errorf("got %v", err)
		}
		break
	}
}

func FuzzReadStream(f *testing.F) {
	f.Add("retry: 2000\n\nid: 1\nevent: left\ndata: {\"id\":\"1\"}\n\n: still here\n\n")
	f.Add("data: {\r\ndata:  \"v\":1}\r\n\r\n")
	f.Add("data\ndata:\n\ndata: null\n\n")
	f.Fuzz(func(t *testing.T, text string) {
		alive, events := 0, 0
		err := readStream(strings.NewReader(text), func() { alive++ }, func(string, []byte) (bool, error) { events++; return true, nil })
		if err == nil {
			t.Error("the end of a stream is an error: whoever watches wants to know")
		}
		if alive > strings.Count(text, "\n")+1 || events > strings.Count(text, "data:") {
			t.Errorf("%d lines, %d events", alive, events)
		}
	})
}
