package main

import (
	"errors"
	"fmt"
	"time"

	"facerecd/daemon/api"
	"facerecd/daemon/event"
)

type checkCmd struct {
	remote
	Seconds int  `help:"How long it may take, 1 to 600: 10,000 people need 20 on a PC, some minutes on a board." default:"60"`
	JSON    bool `help:"Print the answer as JSON."`
}

// Help is kong's text below the usage.
func (checkCmd) Help() string {
	return "Each enrolled picture is taken out in turn and compared with all others. Exits with 1 when somebody would be missed or confused, or a picture does harm."
}

// errDoubtful is returned when something is to be seen to: the exit code says
// so, too.
var errDoubtful = errors.New("some people are not enrolled well; see above")

func (c checkCmd) Run(w *world) error {
	daemon, err := c.client()
	if err != nil {
		return err
	}
	found, err := daemon.Check(w.ctx, c.Seconds)
	if err != nil {
		return err
	}
	if c.JSON {
		err = printJSON(w.stdout, found)
	} else {
		printCheckup(w, found)
	}
	if err == nil && len(found.Missed)+len(found.Confusable)+len(found.Hurts) > 0 {
		err = errDoubtful
	}
	return err
}

func printCheckup(w *world, found api.Checkup) {
	print := func(format string, args ...any) { fmt.Fprintf(w.stdout, format+"\n", args...) }
	list := func(n int, title, advice string) bool {
		if n > 0 {
			print("\n%s\n  %s", title, advice)
		}
		return n > 0
	}
	print("%d people with %d templates; who scores %.2f is named.", found.People, found.Templates, found.Threshold)
	if found.Compared < found.People {
		print("There was time for %d of them, those who were enrolled last: give it more with --seconds.", found.Compared)
	}
	if list(len(found.Missed), "Would be missed", "Add pictures of them as the camera sees them.") {
		for _, m := range found.Missed {
			print("  %-20s %d of %d pictures are not recognised by the others, median score %.2f", who(m.Person), m.Missed, m.Templates, m.Score)
		}
	}
	if list(len(found.Confusable), "May be confused", "Add pictures of both; check that none is of the other, and that they are not one person enrolled twice.") {
		for _, m := range found.Confusable {
			print("  %-20s %-20s score %.2f", who(m.A), who(m.B), m.Score)
		}
	}
	if list(len(found.Hurts), "Pictures that do harm", "Forget the person and enrol them again without that picture.") {
		for _, m := range found.Hurts {
			at := m.Created.Local().Format(time.DateTime)
			if m.Better != nil {
				print("  %-20s enrolled %s: score %.2f, but %.2f with %s", who(m.Person), at, m.Score, m.BetterScore, who(*m.Better))
				continue
			}
			print("  %-20s enrolled %s: score %.2f, unlike the others", who(m.Person), at, m.Score)
		}
	}
	if list(len(found.Few), "Few pictures", "Three or more, taken on different days and from different sides, are found more often.") {
		for _, m := range found.Few {
			print("  %-20s %d", who(m.Person), m.Templates)
		}
	}
	if found.Cut {
		print("\nThere is more than these lists hold.")
	}
	if len(found.Missed)+len(found.Confusable)+len(found.Hurts) == 0 {
		print("\nNobody would be missed or confused.")
	}
}

func who(p event.Person) string { return nameOf(&p) }
