package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"facerecd/daemon/api"
	"facerecd/match/store"
)

type backupCmd struct {
	home
	File           string   `arg:"" help:"File to write; - for standard output."`
	PassphraseFile string   `help:"Encrypt with the passphrase in this file." type:"path" placeholder:"FILE"`
	Recipient      []string `help:"Encrypt for this age recipient (age1…); may be repeated." placeholder:"AGE1"`
}

// Help is kong's text below the usage.
func (backupCmd) Help() string {
	return "The file has names, embeddings, stored pictures and the history, as they are at one moment; it is readable by its owner only. " +
		"Encrypt it when it leaves the device."
}

func (c backupCmd) Run(w *world) (err error) {
	lock, err := newLock(c.PassphraseFile, c.Recipient)
	if err != nil {
		return err
	}
	if c.File == "-" && lock == nil && isTerminal(w.stdout) {
		return errors.New("a backup is not for a terminal: name a file, or send the output into a program")
	}
	from, err := c.open(w, false)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, from.Close()) }()
	backup, err := from.Backup(w.ctx)
	if err != nil {
		return err
	}
	defer backup.Close()
	people, templates := 0, 0
	write := func(out io.Writer) error {
		sealed, err := lock.seal(out)
		if err != nil {
			return err
		}
		// Reading it here is what shows that all of it came.
		a, err := store.OpenArchive(io.TeeReader(backup, sealed))
		if err != nil {
			return err
		}
		if people, templates, err = a.Count(); err != nil {
			return err
		}
		return sealed.Close()
	}
	if c.File == "-" {
		return write(w.stdout)
	}
	if err := writeWhole(c.File, write); err != nil {
		return err
	}
	_, err = fmt.Fprintf(w.stdout, "Wrote %s: %d people, %d embeddings. Faces are biometric data: keep the file so.\n", c.File, people, templates)
	return err
}

// writeWhole has a file appear with all its content, or not at all, readable by
// this user only. It replaces one that is there.
func writeWhole(path string, write func(io.Writer) error) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*") // with mode 0600
	if err != nil {
		return fmt.Errorf("make file: %w", err)
	}
	defer func() {
		if err != nil {
			_ = os.Remove(f.Name()) // what is wrong is told already
		}
	}()
	if err := errors.Join(write(f), f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return fmt.Errorf("name file: %w", err)
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return fmt.Errorf("sync folder: %w", err)
	}
	return errors.Join(dir.Sync(), dir.Close())
}

type restoreCmd struct {
	home
	File           string `arg:"" help:"The backup; - for standard input."`
	Replace        bool   `help:"Make people and history those of the backup: who is not in it is taken away."`
	WithDeleted    bool   `help:"Bring back, as new people, who was deleted on this device since."`
	PassphraseFile string `help:"File with the passphrase that the backup was encrypted with." type:"path" placeholder:"FILE"`
	Identity       string `help:"File with the age identity that the backup was encrypted for." type:"path" placeholder:"FILE"`
	JSON           bool   `help:"Print what was done as JSON."`
}

// Help is kong's text below the usage.
func (restoreCmd) Help() string {
	return "People of the backup are added to those who are here; whoever was deleted here since stays deleted. " +
		"The whole file is checked before anything changes, and then all of it is taken in, or nothing."
}

func (c restoreCmd) Run(w *world) (err error) {
	key, err := newKey(c.PassphraseFile, c.Identity)
	if err != nil {
		return err
	}
	in := io.Reader(os.Stdin)
	if c.File != "-" {
		f, err := os.Open(c.File)
		if err != nil {
			return fmt.Errorf("open backup: %w", err)
		}
		defer f.Close()
		in = f
	}
	backup, err := key.open(in)
	if err != nil {
		return err
	}
	// What is no backup at all is told without asking anybody.
	var head bytes.Buffer
	if _, err := store.OpenArchive(io.TeeReader(backup, &head)); err != nil {
		return err
	}
	to, err := c.open(w, true)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, to.Close()) }()
	done, err := to.Restore(w.ctx, io.MultiReader(&head, backup), api.RestoreOptions{Replace: c.Replace, WithDeleted: c.WithDeleted})
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(w.stdout, done)
	}
	_, err = io.WriteString(w.stdout, describeRestored(done, c.Replace))
	return err
}

func describeRestored(r api.Restored, replaced bool) string {
	var s strings.Builder
	fmt.Fprintf(&s, "Restored the backup that %s made on %s: %d people, %d new embeddings", r.Device, r.Created.Local().Format(time.DateTime), r.People, r.Templates)
	if r.Crops > 0 {
		fmt.Fprintf(&s, ", %d pictures", r.Crops)
	}
	if r.History > 0 {
		fmt.Fprintf(&s, ", %d events", r.History)
	}
	s.WriteString(".\n")
	if replaced {
		fmt.Fprintf(&s, "%d people who are not in it were taken away.\n", r.Removed)
	}
	if r.Deleted > 0 {
		fmt.Fprintf(&s, "%d people of the backup were deleted here since, and stay so; --with-deleted brings them back.\n", r.Deleted)
	}
	return s.String()
}
