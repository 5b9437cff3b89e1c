package client

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"mime"
	"net/http"
	"net/url"
	"time"

	"facerecd/daemon/api"
	"facerecd/daemon/event"
)

const (
	// The daemon says something every 15 s: after three times that the
	// connection is dead, whatever TCP thinks.
	silence    = 45 * time.Second
	firstPause = 500 * time.Millisecond
	longPause  = 10 * time.Second

	maxLine = 1 << 20 // of a stream
)

// Watch yields events as they happen, until ctx ends or the loop is left. When
// the stream breaks it yields the error once, and whoever goes on ranging gets
// the next events, those missed meanwhile first, after a pause that grows up
// to ten seconds. An error that no retry mends, such as a wrong token, is the
// last thing it yields.
func (c *Client) Watch(ctx context.Context) iter.Seq2[event.Event, error] {
	return func(yield func(event.Event, error) bool) {
		last, pause := "", firstPause
		for {
			more := true
			ask := func(ctx context.Context) (*http.Request, error) { return c.askForEvents(ctx, last) }
			err := c.stream(ctx, silence, ask, func() { pause = firstPause }, func(_ string, data []byte) (bool, error) {
				var e event.Event // has the id and the type, too
				if err := json.Unmarshal(data, &e); err != nil {
					return false, err
				}
				last = e.ID
				more = yield(e, nil)
				return more, nil
			})
			if !more || ctx.Err() != nil {
				return
			}
			if !yield(event.Event{}, err) || permanent(err) {
				return
			}
			select {
			case <-ctx.Done():
				return
			case <-time.After(pause):
			}
			pause = min(2*pause, longPause)
		}
	}
}

func permanent(err error) bool {
	if u, ok := errors.AsType[*url.Error](err); ok && u.Op == "parse" {
		return true
	}
	p, ok := errors.AsType[*api.Problem](err)
	return ok && p.Status < 500 && p.Status != http.StatusRequestTimeout
}

func (c *Client) askForEvents(ctx context.Context, last string) (*http.Request, error) {
	req, err := c.request(ctx, http.MethodGet, "/api/v1/events/stream", nil)
	if err == nil && last != "" {
		req.Header.Set("Last-Event-ID", last)
	}
	return req, err
}

var errStreamEnd = errors.New("the daemon ended the event stream")

// stream reads one stream until it breaks, or take has enough of its events'
// types and data. It breaks when nothing comes for as long as silence; opened is
// called when it begins.
func (c *Client) stream(ctx context.Context, silence time.Duration, ask func(context.Context) (*http.Request, error),
	opened func(), take func(kind string, data []byte) (more bool, err error),
) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	dead := time.AfterFunc(silence, func() { cancel(fmt.Errorf("no sign of life from %s in %v", c.BaseURL, silence)) })
	defer dead.Stop()

	req, err := ask(ctx)
	if err != nil {
		return err
	}
	req.Header.Set("Accept", "text/event-stream")
	resp, err := c.do(req)
	if err != nil {
		return errors.Join(context.Cause(ctx), err)
	}
	defer resp.Body.Close()
	if kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type")); kind != "text/event-stream" {
		return fmt.Errorf("%s answered with no event stream: is that a facerecd?", c.BaseURL)
	}
	opened()
	err = readStream(resp.Body, func() { dead.Reset(silence) }, take)
	if cause := context.Cause(ctx); err != nil && cause != nil {
		return cause
	}
	return err
}

// readStream reads server-sent events (WHATWG HTML, section 9.2), of which it
// leaves the ids aside. alive is called for every line.
func readStream(r io.Reader, alive func(), take func(kind string, data []byte) (more bool, err error)) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxLine)
	kind, data := "", []byte(nil)
	for lines.Scan() {
		alive()
		line := lines.Bytes()
		if len(line) > 0 {
			name, value, ok := bytes.Cut(line, []byte(":"))
			value = bytes.TrimPrefix(value, []byte(" "))
			if !ok {
				continue
			}
			switch string(name) {
			case "event":
				kind = string(value)
			case "data":
				if len(data)+len(value) > maxLine {
					return errors.New("read event stream: event too long")
				}
				data = append(append(data, value...), '\n')
			}
			continue
		}
		if len(data) > 0 {
			more, err := take(kind, data)
			if err != nil {
				return fmt.Errorf("read event stream: %w", err)
			}
			if !more {
				return nil
			}
		}
		kind, data = "", data[:0]
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("read event stream: %w", err)
	}
	return errStreamEnd
}
