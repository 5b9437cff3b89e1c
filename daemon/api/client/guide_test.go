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

	"facerecd/daemon/api"
)

func TestTheClientIsGuided(t *testing.T) {
	d := &daemon{}
	c, _ := start(t, d, "correct-horse-battery-staple")
	var said []string
	tell := func(g api.Guidance) { said = append(said, fmt.Sprintf("%s %d/%d %s", g.Step, g.Taken, g.Of, g.Detail)) }
	e, err := c.Guide(t.Context(), "Front Door/1", api.GuideRequest{Name: "Ana", Force: true, Poses: []api.Direction{api.Right, api.Left}}, tell)
	if err != nil || e.Person.Name != "Ana" || e.Accepted != 1 || e.Images[0].Image != "right" || e.Images[0].Detail != "by force" {
		t.Errorf("%+v, %v", e, err)
	}
	if got := strings.Join(said, "; "); got != "right 0/2 Hold still.; right 2/2 Good." {
		t.Errorf("it said %s", got)
	}
	for name, code := range map[string]string{"": api.CodeNameEmpty, "Nobody": api.CodeNoUsableImage} {
		_, err := c.Guide(t.Context(), "front-door-1", api.GuideRequest{Name: name}, tell)
		if p, ok := errors.AsType[*api.Problem](err); !ok || p.Code != code || p.Error() != err.Error() {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func TestTheClientIsLeftAloneByItsGuide(t *testing.T) {
	const said = "event: guidance\ndata: {\"step\":\"front\",\"of\":3}\n\n"
	for name, tt := range map[string]struct {
		answer func(*http.Request) *http.Response
		want   string
		after  time.Duration
	}{
		"it ends":     {told(said), "http://pi ended the enrolment before it was over, and nobody may have been enrolled: look with facerecd people, and try again", 0},
		"it is wrong": {told("event: result\ndata: [\n\n"), "read event stream: unexpected end of JSON input", 0},
		"it is silent": {func(r *http.Request) *http.Response {
			body, daemon := io.Pipe()
			go func() {
				_, _ = io.WriteString(daemon, said)
				<-r.Context().Done() // as the transport does
				_ = daemon.CloseWithError(r.Context().Err())
			}()
			return answer(200, "text/event-stream", body)
		}, "no sign of life from http://pi in 15s", guideSilence},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := &Client{BaseURL: "http://pi", HTTP: &http.Client{Transport: &script{streams: []func(*http.Request) *http.Response{tt.answer}}}}
				began := time.Now()
				_, err := c.Guide(context.Background(), "door", api.GuideRequest{Name: "Ana"}, func(api.Guidance) {})
				if err == nil || err.Error() != tt.want || time.Since(began) != tt.after {
					t.Errorf("after %v: %v", time.Since(began), err)
				}
			})
		})
	}
}
