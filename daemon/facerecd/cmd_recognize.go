package main

import (
	"errors"
	"fmt"

	"facerecd/daemon/api"
	"facerecd/daemon/event"
)

type recognizeCmd struct {
	remote
	Photo string `arg:"" help:"JPEG or PNG photo." type:"existingfile"`
	JSON  bool   `help:"Print the answer as JSON."`
}

func (c recognizeCmd) Run(w *world) error {
	daemon, err := c.client()
	if err != nil {
		return err
	}
	answer, err := daemon.Recognize(w.ctx, c.Photo)
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(w.stdout, answer)
	}
	printRecognition(w, answer)
	return nil
}

func printRecognition(w *world, found api.Recognition) {
	if len(found.Faces) == 0 {
		fmt.Fprintln(w.stdout, "no face")
	}
	for _, f := range found.Faces {
		fmt.Fprintln(w.stdout, describe(f))
	}
}

func describe(f api.Face) string {
	return fmt.Sprintf("%-20s score %.2f  confidence %3.0f %%  quality %.2f  at %d,%d %dx%d",
		nameOf(f.Person), f.Score, 100*f.Confidence, f.Quality, f.Box[0], f.Box[1], f.Box[2], f.Box[3])
}

func nameOf(p *event.Person) string {
	if p == nil {
		return "unknown"
	}
	return p.Name
}

type watchCmd struct {
	remote
	JSON bool `help:"Print each event as a line of JSON."`
}

func (c watchCmd) Run(w *world) error {
	daemon, err := c.client()
	if err != nil {
		return err
	}
	var trouble error
	for e, err := range daemon.Watch(w.ctx) {
		if err != nil {
			// It is tried again; the same reason is not worth a line each time.
			if trouble == nil || trouble.Error() != err.Error() {
				fmt.Fprintln(w.stderr, "facerecd:", err)
			}
			trouble = err
			continue
		}
		trouble = nil
		if c.JSON {
			if err := printLine(w.stdout, e); err != nil {
				return err
			}
			continue
		}
		fmt.Fprintf(w.stdout, "%s  %-12s %-10s %-20s", e.Time.Local().Format("15:04:05"), e.Camera, e.Type, nameOf(e.Person))
		if e.Type == event.Recognized {
			fmt.Fprintf(w.stdout, " score %.2f  confidence %3.0f %%", e.Score, 100*e.Confidence)
		}
		if e.Zone != nil {
			fmt.Fprintf(w.stdout, "  in %s", *e.Zone)
		}
		if e.Quiet != "" {
			fmt.Fprintf(w.stdout, "  not announced (%s)", e.Quiet)
		}
		fmt.Fprintln(w.stdout)
	}
	if w.ctx.Err() != nil {
		return nil
	}
	return errors.New("trying again would not help")
}
