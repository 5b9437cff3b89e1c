package main

import (
	"fmt"
	"io"
	"slices"
	"time"

	"facerecd/daemon/event"
)

// pageOfEvents is how many events one request asks for.
const pageOfEvents = 500

type eventsCmd struct {
	remote
	Person string `help:"Only of this person: name or id."`
	Camera string `help:"Only of this camera: name or slug."`
	Type   string `help:"Only of this type: recognized, unknown or left." enum:"recognized,unknown,left," default:""`
	Since  moment `help:"Only from then on: a time as in 2026-11-24, 2026-11-24T10:00 or 2026-11-24T10:00:00Z, or how long ago, as in 90m." placeholder:"WHEN"`
	Until  moment `help:"Only before then." placeholder:"WHEN"`
	Limit  int    `help:"How many, the newest." default:"50"`
	JSON   bool   `help:"Print JSON, the newest first."`
}

func (c eventsCmd) Run(w *world) error {
	daemon, err := c.client()
	if err != nil {
		return err
	}
	filter := event.Filter{Camera: c.Camera, Type: event.Type(c.Type), Since: c.Since.Time, Until: c.Until.Time}
	if c.Person != "" {
		p, err := find(w.ctx, daemon, c.Person)
		if err != nil {
			return err
		}
		filter.Person = p.ID
	}
	all := []event.Past{}
	for before := ""; len(all) < c.Limit; {
		n := min(pageOfEvents, c.Limit-len(all))
		page, err := daemon.Events(w.ctx, filter, before, n)
		if err != nil {
			return err
		}
		if all = append(all, page...); len(page) < n {
			break
		}
		before = page[n-1].ID
	}
	if c.JSON {
		return printJSON(w.stdout, all)
	}
	if len(all) == 0 {
		fmt.Fprintln(w.stdout, "No such event is stored.")
	}
	for _, e := range slices.Backward(all) {
		printEvent(w.stdout, e)
	}
	return nil
}

type seenCmd struct {
	remote
	Photo string `arg:"" help:"JPEG or PNG photo that shows one face." type:"existingfile"`
	Limit int    `help:"How many, the most alike." default:"20"`
	JSON  bool   `help:"Print JSON, the most alike first."`
}

func (c seenCmd) Run(w *world) error {
	daemon, err := c.client()
	if err != nil {
		return err
	}
	found, err := daemon.Seen(w.ctx, c.Photo, c.Limit)
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(w.stdout, found)
	}
	if len(found) == 0 {
		fmt.Fprintln(w.stdout, "This face was not seen, as far as the history goes back.")
	}
	for _, e := range found {
		fmt.Fprintf(w.stdout, "%.2f  ", e.Similarity)
		printEvent(w.stdout, e)
	}
	return nil
}

func printEvent(w io.Writer, e event.Past) {
	fmt.Fprintf(w, "%s  %s  %-12s %-10s %s\n", e.ID, e.Time.Local().Format(time.DateTime), e.Camera, e.Type, nameOf(e.Person))
}

// moment is a time of the command line; zero when there is none.
type moment struct{ time.Time }

// UnmarshalText reads a time, of this machine's zone if it has none, or how long ago
// that was.
func (m *moment) UnmarshalText(text []byte) error {
	if ago, err := time.ParseDuration(string(text)); err == nil && ago >= 0 {
		m.Time = time.Now().Add(-ago)
		return nil
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05", "2006-01-02T15:04", time.DateTime, "2006-01-02 15:04", time.DateOnly} {
		if t, err := time.ParseInLocation(layout, string(text), time.Local); err == nil {
			m.Time = t
			return nil
		}
	}
	return fmt.Errorf("%q is no time: write it as 2026-11-24, 2026-11-24T10:00 or 2026-11-24T10:00:00Z, or how long ago it was, as in 90m", text)
}
