package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

	"facerecd/daemon/api"
	"facerecd/daemon/api/client"
	"facerecd/daemon/exchange"
	"facerecd/match"
	"facerecd/match/store"
)

type importCmd struct {
	home
	From        string `arg:"" help:"A JSON or CSV file, or a folder: of folders of photos, one for each person; of Frigate (clips/faces); of Double Take (.storage/train)." type:"existingpath"`
	Model       string `help:"The model pack that made the embeddings of a CSV which does not say so." placeholder:"ID"`
	WithDeleted bool   `help:"Bring back, as new people, who was deleted on this device since the export."`
	Force       bool   `help:"Use also photos that do not match the others, or look like somebody else who is enrolled."`
	DryRun      bool   `help:"Only say what would be imported."`
}

// Help is kong's text below the usage.
func (importCmd) Help() string {
	return "Embeddings of another model mean nothing to this device's: they are refused, and the photos that they were made of can be imported instead."
}

func (c importCmd) Run(w *world) error {
	info, err := os.Stat(c.From)
	if err != nil {
		return fmt.Errorf("look at what is to be imported: %w", err)
	}
	if info.IsDir() {
		return photoFolder{dir: c.From, force: c.Force, dryRun: c.DryRun}.enrol(w, func() (*client.Client, error) { return c.running(w) })
	}
	return c.embeddings(w)
}

// embeddings imports a JSON or CSV file, all of it or nothing.
func (c importCmd) embeddings(w *world) (err error) {
	d, err := readDocument(c.From)
	if err != nil {
		return err
	}
	to, err := c.open(w, true)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, to.Close()) }()
	have, err := documentOf(w, to)
	if err != nil {
		return err
	}
	if d.Model == "" && c.Model != "" {
		for i := range d.Templates {
			d.Templates[i].Model = c.Model
		}
	}
	foreign, err := ours(&d, have)
	if err != nil {
		return err
	}
	known := dropKnown(&d, have)
	fmt.Fprintf(w.stdout, "%s: %d people, %d embeddings; %d more are here already.\n", c.From, len(d.People), len(d.Templates), known)
	if foreign > 0 {
		fmt.Fprintf(w.stdout, "%d embeddings that other models made are left out: they mean nothing to %s.\n", foreign, have.Model)
	}
	if c.DryRun {
		return nil
	}
	archive, err := archiveOf(d)
	if err != nil {
		return err
	}
	done, err := to.Restore(w.ctx, archive, api.RestoreOptions{Model: have.Model, WithDeleted: c.WithDeleted})
	if err != nil {
		return err
	}
	fmt.Fprintf(w.stdout, "Imported %d people, %d new embeddings.\n", done.People, done.Templates)
	if done.Deleted > 0 {
		fmt.Fprintf(w.stdout, "%d people were deleted here since, and stay so; --with-deleted brings them back.\n", done.Deleted)
	}
	return nil
}

// readDocument reads a file of people, whichever kind it is.
func readDocument(path string) (exchange.Document, error) {
	f, err := os.Open(path)
	if err != nil {
		return exchange.Document{}, fmt.Errorf("open file: %w", err)
	}
	defer f.Close()
	r := bufio.NewReader(f)
	head, err := r.Peek(512)
	if err != nil && !errors.Is(err, io.EOF) {
		return exchange.Document{}, fmt.Errorf("read file: %w", err)
	}
	text := bytes.TrimLeft(head, " \t\r\n\ufeff")
	switch {
	case bytes.HasPrefix(head, []byte("facerecd backup ")) || bytes.HasPrefix(head, []byte("age-encryption.org/")):
		return exchange.Document{}, fmt.Errorf("%s is a backup: facerecd restore takes it in", path)
	case bytes.HasPrefix(text, []byte("{")):
		return exchange.ReadJSON(r)
	case bytes.ContainsRune(head, 0):
		return exchange.Document{}, fmt.Errorf("%s is neither JSON nor CSV; photos are imported as a folder, or with facerecd enroll NAME PHOTO", path)
	}
	return exchange.ReadCSV(r)
}

// ours leaves in d the embeddings that this device's model made, and says how
// many others there were. When there is nothing but others, it says why not.
func ours(d *exchange.Document, here exchange.Document) (foreign int, err error) {
	const instead = "embeddings of one model mean nothing to another. Import the photos that they were made of instead: " +
		"facerecd import FOLDER, with one sub-folder for each person"
	if here.Model == "" {
		return 0, errors.New("the model pack of this device cannot be read, so nobody knows which embeddings it can use: see facerecd doctor")
	}
	var kept []match.Template
	var other match.Template
	for _, t := range d.Templates {
		switch {
		case len(t.Vector) != here.Size && (t.Model == "" || t.Model == here.Model):
			return 0, fmt.Errorf("these embeddings have %d numbers, and those of this device's model (%s) have %d: %s", len(t.Vector), here.Model, here.Size, instead)
		case t.Model == "":
			return 0, fmt.Errorf("the file does not say which model made its embeddings: if it was %s, which this device uses, add --model %[1]s; else %s", here.Model, instead)
		case t.Model != here.Model:
			foreign++
			other = t
		default:
			kept = append(kept, t)
		}
	}
	if foreign > 0 && len(kept) == 0 {
		return 0, fmt.Errorf("these embeddings were made by the model %q, and this device uses %q: %s", other.Model, here.Model, instead)
	}
	d.Templates = kept
	return foreign, nil
}

// dropKnown takes out of d the embeddings that somebody of the same name, or the
// same person, has here, and says how many there were.
func dropKnown(d *exchange.Document, here exchange.Document) (known int) {
	holders := make(map[string]string) // ids of people here, by folded name and id
	for _, p := range here.People {
		holders[store.FoldName(p.Name)], holders[p.ID] = p.ID, p.ID
	}
	has := make(map[string]bool) // the person's id here and the vector's
	for _, t := range here.Templates {
		has[t.Person+" "+exchange.VectorID(t.Vector)] = true
	}
	to := make(map[string]string)
	for _, p := range d.People {
		if to[p.ID] = holders[p.ID]; to[p.ID] == "" {
			to[p.ID] = holders[store.FoldName(p.Name)]
		}
	}
	var left []match.Template
	for _, t := range d.Templates {
		if has[to[t.Person]+" "+exchange.VectorID(t.Vector)] {
			known++
			continue
		}
		left = append(left, t)
	}
	d.Templates = left
	return known
}

// archiveOf makes a backup of a document.
func archiveOf(d exchange.Document) (io.Reader, error) {
	var b bytes.Buffer
	a, err := store.NewArchive(&b, store.ArchiveHeader{Device: d.Device, Created: d.Created, Model: d.Model, Size: d.Size})
	if err != nil {
		return nil, err
	}
	of := make(map[string][]match.Template)
	for _, t := range d.Templates {
		of[t.Person] = append(of[t.Person], t)
	}
	for _, p := range d.People {
		if p.Name, err = api.PersonName(p.Name); err != nil {
			return nil, fmt.Errorf("person %q: %w", p.ID, err)
		}
		if err := a.AddPerson(p, of[p.ID]); err != nil {
			return nil, fmt.Errorf("person %q: %w", p.Name, err)
		}
	}
	return &b, a.Close()
}
