package main

import (
	"errors"
	"fmt"
	"io"

	"facerecd/daemon/exchange"
	"facerecd/match/store"
)

type exportCmd struct {
	home
	Format string `help:"json has everything but pictures and history; csv is a row for each embedding: the name, then the numbers." enum:"json,csv" default:"json"`
	Out    string `help:"File to write; - for standard output." short:"o" default:"-" placeholder:"FILE"`
	Model  string `help:"With csv: the model pack whose embeddings are written; the device's own when not given." placeholder:"ID"`
}

func (c exportCmd) Run(w *world) (err error) {
	from, err := c.open(w, false)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, from.Close()) }()
	d, err := documentOf(w, from)
	if err != nil {
		return err
	}
	left := 0
	write := func(out io.Writer) (err error) {
		if c.Format == "json" {
			return exchange.WriteJSON(out, d)
		}
		if c.Model != "" && c.Model != d.Model {
			d.Model, d.Size = c.Model, 0
			for _, t := range d.Templates {
				if t.Model == c.Model {
					d.Size = len(t.Vector)
				}
			}
		}
		left, err = exchange.WriteCSV(out, d)
		return err
	}
	if c.Out == "-" {
		err = write(w.stdout)
	} else if err = writeWhole(c.Out, write); err == nil {
		fmt.Fprintf(w.stdout, "Wrote %s: %d people, %d embeddings. Faces are biometric data: keep the file so.\n", c.Out, len(d.People), len(d.Templates)-left)
	}
	if left > 0 && err == nil {
		fmt.Fprintf(w.stderr, "facerecd: %d embeddings that other models made are not in it; --model ID chooses another, --format json has them all\n", left)
	}
	return err
}

// documentOf is what a daemon or a store has of people.
func documentOf(w *world, from keeper) (d exchange.Document, err error) {
	backup, err := from.Backup(w.ctx)
	if err != nil {
		return d, err
	}
	defer backup.Close()
	a, err := store.OpenArchive(backup)
	if err != nil {
		return d, err
	}
	d = exchange.Document{Device: a.Device, Created: a.Created, Model: a.Model, Size: a.Size}
	d.People, d.Templates, err = a.People()
	return d, err
}
