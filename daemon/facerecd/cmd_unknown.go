package main

import (
	"fmt"
	"strings"
	"text/tabwriter"
	"time"
)

type unknownCmd struct {
	List   unknownListCmd   `cmd:"" default:"withargs" help:"List who was seen and is not enrolled, who was seen last first."`
	Name   unknownNameCmd   `cmd:"" help:"Say who somebody is: enrols them from what the cameras saw."`
	Ignore unknownIgnoreCmd `cmd:"" help:"Do not tell of somebody, or of what is no person, any more."`
	Forget unknownForgetCmd `cmd:"" help:"Delete somebody, with the picture; who was ignored is told of again."`
}

type unknownListCmd struct {
	remote
	Ignored bool `help:"List those who are ignored, too."`
	JSON    bool `help:"Print JSON."`
}

func (c unknownListCmd) Run(w *world) error {
	daemon, err := c.client()
	if err != nil {
		return err
	}
	strangers, err := daemon.Strangers(w.ctx, c.Ignored)
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(w.stdout, strangers)
	}
	if len(strangers) == 0 {
		fmt.Fprintln(w.stdout, "No strangers were seen, or they are not remembered (unknown.remember).")
		return nil
	}
	table := tabwriter.NewWriter(w.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "ID\tSEEN\tFIRST\tLAST\tCAMERAS\tIGNORED")
	for _, s := range strangers {
		fmt.Fprintf(table, "%s\t%d\t%s\t%s\t%s\t%t\n", s.ID, s.Count,
			s.FirstSeen.Local().Format(time.DateTime), s.LastSeen.Local().Format(time.DateTime), strings.Join(s.Cameras, ", "), s.Ignored)
	}
	return table.Flush()
}

type unknownNameCmd struct {
	remote
	ID   string `arg:"" help:"Id of the stranger, as list prints it."`
	Name string `arg:"" help:"Name of the person; one who is known is known better from then on."`
	JSON bool   `help:"Print the answer as JSON."`
}

func (c unknownNameCmd) Run(w *world) error {
	daemon, err := c.client()
	if err != nil {
		return err
	}
	answer, err := daemon.NameStranger(w.ctx, c.ID, c.Name)
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(w.stdout, answer)
	}
	fmt.Fprintf(w.stdout, "%s is enrolled (%s) with %d faces; %d events in the history are theirs now\n",
		answer.Person.Name, answer.Person.ID, answer.Accepted, answer.Relabelled)
	return nil
}

type unknownIgnoreCmd struct {
	remote
	ID string `arg:"" help:"Id of the stranger, as list prints it."`
}

func (c unknownIgnoreCmd) Run(w *world) error {
	daemon, err := c.client()
	if err != nil {
		return err
	}
	if err := daemon.IgnoreStranger(w.ctx, c.ID); err != nil {
		return err
	}
	fmt.Fprintf(w.stdout, "%s is ignored from now on; `facerecd unknown forget %[1]s` lifts it\n", c.ID)
	return nil
}

type unknownForgetCmd struct {
	remote
	ID string `arg:"" help:"Id of the stranger, as list prints it."`
}

func (c unknownForgetCmd) Run(w *world) error {
	daemon, err := c.client()
	if err != nil {
		return err
	}
	if err := daemon.ForgetStranger(w.ctx, c.ID); err != nil {
		return err
	}
	fmt.Fprintf(w.stdout, "%s is forgotten\n", c.ID)
	return nil
}
