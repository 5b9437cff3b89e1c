package client

import (
	"context"
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"

	"facerecd/daemon/api"
	"facerecd/match"
)

// crowd is strangers number n, n-1 … 1, and says what was done to them.
type crowd struct {
	n    int
	done []string
}

func (c *crowd) List(_ context.Context, ignored bool, before int64, limit int) (page []api.Stranger, next int64, err error) {
	if before == 0 {
		before = int64(c.n) + 1
	}
	for at := before - 1; at > 0; at-- {
		if len(page) == limit {
			return page, at + 1, nil
		}
		page = append(page, api.Stranger{ID: id(int(at)), Count: 1, FirstSeen: noon, LastSeen: noon, Cameras: []string{"door"}, Ignored: ignored})
	}
	return page, 0, nil
}

func (c *crowd) do(what ...string) error {
	c.done = append(c.done, strings.Join(what, " "))
	return nil
}

func (c *crowd) Picture(_ context.Context, id string) ([]byte, error) {
	return []byte("picture of " + id), nil
}

func (c *crowd) Name(_ context.Context, id, name string) (api.Naming, error) {
	return api.Naming{Person: match.Person{ID: id, Name: name}, Accepted: 2, Relabelled: 3}, c.do("name", id, name)
}
func (c *crowd) Ignore(_ context.Context, id string) error { return c.do("ignore", id) }
func (c *crowd) Forget(_ context.Context, id string) error { return c.do("forget", id) }

func TestStrangersComeWithAllPages(t *testing.T) {
	all := &crowd{n: 2500}
	d := &daemon{}
	s := &api.Server{
		Listen: "127.0.0.1:4000", Version: "1.0", Faces: d, People: d, Events: d, History: past{d}, Cameras: doors{}, Strangers: all,
		Log: slog.New(slog.DiscardHandler),
	}
	srv := httptest.NewServer(s.Handler())
	t.Cleanup(srv.Close)
	c, ctx := &Client{BaseURL: srv.URL, HTTP: srv.Client()}, t.Context()
	got, err := c.Strangers(ctx, true)
	if err != nil || len(got) != 2500 || got[0].ID != id(2500) || got[2499].ID != id(1) || !got[7].Ignored {
		t.Fatalf("%d strangers, %v", len(got), err)
	}
	picture, err := c.StrangerPicture(ctx, id(7))
	equal(t, "StrangerPicture", string(picture), err, "picture of "+id(7))
	n, err := c.NameStranger(ctx, id(7), "Ana")
	equal(t, "NameStranger", n.Person.Name+n.Person.ID, err, "Ana"+id(7))
	equal(t, "IgnoreStranger", "", c.IgnoreStranger(ctx, id(8)), "")
	equal(t, "ForgetStranger", "", c.ForgetStranger(ctx, id(9)), "")
	if got, want := strings.Join(all.done, ", "), "name "+id(7)+" Ana, ignore "+id(8)+", forget "+id(9); got != want {
		t.Errorf("done: %s, want %s", got, want)
	}
}
