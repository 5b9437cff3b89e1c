package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"facerecd/daemon/api"
	"facerecd/daemon/api/client"
	"facerecd/match"
)

type peopleCmd struct {
	List   peopleListCmd   `cmd:"" default:"withargs" help:"List everybody who is enrolled."`
	Rename peopleRenameCmd `cmd:"" help:"Give a person another name."`
	Notify peopleNotifyCmd `cmd:"" help:"Set whether a person's coming and going is announced."`
	Forget peopleForgetCmd `cmd:"" help:"Delete a person, and everything made from their face."`
}

type peopleListCmd struct {
	remote
	JSON bool `help:"Print JSON."`
}

func (c peopleListCmd) Run(w *world) error {
	daemon, err := c.client()
	if err != nil {
		return err
	}
	people, err := daemon.People(w.ctx)
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(w.stdout, people)
	}
	if len(people) == 0 {
		fmt.Fprintln(w.stdout, "Nobody is enrolled. Try: facerecd enroll NAME PHOTO…")
		return nil
	}
	table := tabwriter.NewWriter(w.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "ID\tNAME\tTEMPLATES\tSTALE\tNOTIFY\tENROLLED")
	stale := 0
	for _, p := range people {
		stale += p.Stale
		fmt.Fprintf(table, "%s\t%s\t%d\t%d\t%s\t%s\n", p.ID, p.Name, p.Templates, p.Stale, onOff(p.Notify), p.Created.Local().Format(time.DateTime))
	}
	if err := table.Flush(); err != nil {
		return err
	}
	if stale > 0 {
		fmt.Fprintf(w.stdout, "%d templates are stale: another model pack made them, and they are not compared. Enrol these people again.\n", stale)
	}
	return nil
}

// somebody is who a command is about, and the daemon that knows them.
type somebody struct {
	remote
	Person string `arg:"" help:"Name or id."`
}

func (s somebody) find(w *world) (*client.Client, match.Person, error) {
	daemon, err := s.client()
	if err != nil {
		return nil, match.Person{}, err
	}
	p, err := find(w.ctx, daemon, s.Person)
	return daemon, p, err
}

type peopleRenameCmd struct {
	somebody
	Name string `arg:"" help:"New name."`
}

func (c peopleRenameCmd) Run(w *world) error {
	daemon, p, err := c.find(w)
	if err != nil {
		return err
	}
	if p, err = daemon.Rename(w.ctx, p.ID, c.Name); err != nil {
		return err
	}
	_, err = fmt.Fprintf(w.stdout, "%s is now called %s\n", p.ID, p.Name)
	return err
}

type peopleNotifyCmd struct {
	somebody
	Notify string `arg:"" enum:"on,off" help:"on, or off: their events are in the history alone, and not published."`
}

func (c peopleNotifyCmd) Run(w *world) error {
	daemon, p, err := c.find(w)
	if err != nil {
		return err
	}
	if p, err = daemon.SetNotify(w.ctx, p.ID, c.Notify == "on"); err != nil {
		return err
	}
	text := "%s (%s) is announced\n"
	if !p.Notify {
		text = "%s (%s) is not announced any more: events are in the history alone\n"
	}
	_, err = fmt.Fprintf(w.stdout, text, p.Name, p.ID)
	return err
}

func onOff(on bool) string {
	if on {
		return "on"
	}
	return "off"
}

type peopleForgetCmd struct {
	somebody
	JSON bool `help:"Print the receipt as JSON."`
}

func (c peopleForgetCmd) Run(w *world) error {
	daemon, p, err := c.find(w)
	if err != nil {
		return err
	}
	receipt, err := daemon.Delete(w.ctx, p.ID)
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(w.stdout, receipt)
	}
	fmt.Fprintf(w.stdout, "%s is forgotten: %d templates and %d events deleted, %d waiting events made anonymous\n",
		p.Name, receipt.Templates, receipt.History, receipt.Queued)
	if receipt.Crops > 0 {
		fmt.Fprintf(w.stdout, "%d stored pictures of the face are deleted as well\n", receipt.Crops)
	}
	if receipt.Pictures > 0 {
		fmt.Fprintf(w.stdout, "%d pictures of the face are deleted from the history\n", receipt.Pictures)
	}
	if receipt.Strangers > 0 {
		fmt.Fprintf(w.stdout, "%d strangers who look like this one are deleted as well\n", receipt.Strangers)
	}
	if receipt.Alike > 0 {
		fmt.Fprintf(w.stdout, "%d other events have a face like this one, and lost what was kept of it\n", receipt.Alike)
	}
	if receipt.Topics > 0 {
		fmt.Fprintf(w.stdout, "%d retained MQTT topics lose them, at the latest when the broker is back\n", receipt.Topics)
	}
	if receipt.Fleet > 0 {
		fmt.Fprintln(w.stdout, "The other devices of the fleet forget them, at the latest when they are back")
	}
	if !receipt.Purged {
		fmt.Fprintln(w.stdout, "The store's files could not be rewritten yet; the daemon tries again, see its log.")
	}
	return nil
}

// find returns the person with an id or, whatever its case, a name.
func find(ctx context.Context, daemon *client.Client, person string) (match.Person, error) {
	people, err := daemon.Named(ctx, person)
	if err != nil {
		return match.Person{}, err
	}
	for _, p := range people {
		if strings.EqualFold(p.Name, strings.TrimSpace(person)) {
			return p, nil
		}
	}
	p, err := daemon.Person(ctx, strings.TrimSpace(person))
	if problem, ok := errors.AsType[*api.Problem](err); ok && problem.Code == api.CodePersonNotFound {
		err = fmt.Errorf("nobody is called %q: `facerecd people` lists who is enrolled", person)
	}
	return p, err
}
