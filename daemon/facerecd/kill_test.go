package main

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"facerecd/cross/testkit"
	"facerecd/daemon/api"
	"facerecd/daemon/api/client"
	"facerecd/match"
	"facerecd/match/store"
)

// kills is the variable that says how often TestKilledAtAnyMoment kills; make soak
// sets it to 200.
const kills = "FACERECD_KILLS"

// TestKilledAtAnyMomentNobodyIsLostOrHalfThere kills the program (SIGKILL) while it
// enrols, deletes, makes a backup or takes one in, at a random moment of that, and
// starts it again on what is left: it must start, everything that it had
// acknowledged must be as it was, and what it was doing be done or not begun.
func TestKilledAtAnyMomentNobodyIsLostOrHalfThere(t *testing.T) {
	n := 20
	if s := os.Getenv(kills); s != "" {
		var err error
		if n, err = strconv.Atoi(s); err != nil {
			t.Fatalf("%s: %v", kills, err)
		}
	}
	v := newVictim(t)
	began := time.Now()
	for i := range n {
		if err := v.round(t, deeds()[i%len(deeds())], false); err != nil {
			t.Fatalf("kill %d: %v\nthe program said:\n%s", i+1, err, v.log)
		}
	}
	t.Logf("%v: killed %d times; acknowledged before: %v; caught in the middle: %v, of which %v were done all the same; %d people at the end",
		time.Since(began).Round(time.Second), n, v.acknowledged, v.caught, v.done, len(v.people))
	v.control(t)
}

// victim is a program that is killed, and what is known of its people.
type victim struct {
	program, config string
	*client.Client
	transport *http.Transport
	log       *testkit.Buffer
	process   *exec.Cmd

	people  map[string]int // templates, by id
	deleted map[string]bool
	backups []saved
	photos  []string
	names   int
	usual   map[string]time.Duration // how long a deed takes

	acknowledged, caught, done map[string]int // by deed
}

// saved is a backup, and whom it has.
type saved struct {
	file   []byte
	people map[string]int
}

// deeds are what can be done to people, in an order in which each is possible.
func deeds() []string { return []string{"backup", "enrol", "delete", "restore"} }

// deed is one of them.
type deed struct {
	do func(context.Context) (after map[string]int, err error) // whom there are then
	// expected is what do would give, where that can be known without an answer:
	// nobody is a new person's id.
	expected map[string]int
}

const nobody = "?"

func newVictim(t *testing.T) *victim {
	t.Helper()
	config, server, _ := configure(t)
	transport := &http.Transport{}
	v := &victim{
		program: build(t), config: config, transport: transport,
		Client:  &client.Client{BaseURL: server, HTTP: &http.Client{Transport: transport}},
		photos:  []string{photo(t, "obama2"), photo(t, "obama3")},
		people:  make(map[string]int),
		deleted: make(map[string]bool), usual: make(map[string]time.Duration),
		acknowledged: make(map[string]int), caught: make(map[string]int), done: make(map[string]int),
	}
	t.Cleanup(func() {
		v.kill()
		transport.CloseIdleConnections()
	})
	v.start(t)
	v.crowd(t)
	return v
}

// crowd gives the program so many people that a restore takes a while.
func (v *victim) crowd(t *testing.T) {
	t.Helper()
	mine, err := v.fetch(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	a, err := store.OpenArchive(bytes.NewReader(mine.file))
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	w, err := store.NewArchive(&b, a.ArchiveHeader)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 300 {
		p := match.Person{ID: fmt.Sprintf("01M86PTPG%017d", i), Name: fmt.Sprint("one of many ", i)}
		var templates []match.Template
		for j := range 5 {
			m := match.Template{ID: fmt.Sprintf("01M86PTPG%016d%d", i, j), Model: a.Model, Vector: make([]float32, a.Size)}
			for k := range m.Vector {
				m.Vector[k] = float32(rand.NormFloat64())
			}
			templates = append(templates, m)
		}
		if err := w.AddPerson(p, templates); err != nil {
			t.Fatal(err)
		}
		v.people[p.ID] = len(templates)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := v.Restore(t.Context(), &b, api.RestoreOptions{}); err != nil {
		t.Fatal(err)
	}
	for _, name := range deeds() { // so that it is known how long each takes
		if err := v.finish(t.Context(), name); err != nil {
			t.Fatalf("%s: %v\n%s", name, err, v.log)
		}
	}
}

func (v *victim) start(t *testing.T) {
	t.Helper()
	v.log = new(testkit.Buffer)
	v.process = exec.Command(v.program, "run", "--config", v.config)
	v.process.Env = slices.DeleteFunc(os.Environ(), func(e string) bool { return strings.HasPrefix(e, "FACERECD_") })
	v.process.Stdout, v.process.Stderr = v.log, v.log
	if err := v.process.Start(); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(patience); !strings.Contains(v.log.String(), "facerecd is ready"); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("it does not start:\n%s", v.log)
		}
	}
}

// kill ends the program as a power cut would.
func (v *victim) kill() {
	if v.process != nil {
		_ = v.process.Process.Kill()
		_ = v.process.Wait()
		v.process = nil
	}
	v.transport.CloseIdleConnections()
}

// fetch gets a backup.
func (v *victim) fetch(ctx context.Context) (s saved, err error) {
	r, err := v.Client.Backup(ctx)
	if err != nil {
		return s, err
	}
	defer r.Close()
	var b bytes.Buffer
	if _, err := b.ReadFrom(r); err != nil {
		return s, err
	}
	s.file = b.Bytes()
	s.people, err = peopleIn(s.file)
	return s, err
}

// peopleIn is whom a backup has, with the number of their templates.
func peopleIn(file []byte) (map[string]int, error) {
	a, err := store.OpenArchive(bytes.NewReader(file))
	if err != nil {
		return nil, err
	}
	people, templates, err := a.People()
	all := make(map[string]int, len(people))
	for _, p := range people {
		all[p.ID] = 0
	}
	for _, t := range templates {
		if _, known := all[t.Person]; !known {
			return nil, fmt.Errorf("a template of %s, who is not there", t.Person)
		}
		all[t.Person]++
	}
	return all, err
}

// deed prepares something to be done to the people that there are now.
func (v *victim) deed(name string) deed {
	after := maps.Clone(v.people)
	switch name {
	case "enrol":
		after[nobody] = len(v.photos)
		return deed{func(ctx context.Context) (map[string]int, error) {
			v.names++
			e, err := v.ForceRegister(ctx, fmt.Sprint("person ", v.names), v.photos)
			delete(after, nobody)
			after[e.Person.ID] = e.Person.Templates
			return after, err
		}, maps.Clone(after)}
	case "delete":
		victim := ""
		for victim = range v.people { // any
			break
		}
		delete(after, victim)
		return deed{func(ctx context.Context) (map[string]int, error) {
			_, err := v.Client.Delete(ctx, victim)
			return after, err
		}, after}
	case "backup":
		return deed{func(ctx context.Context) (map[string]int, error) {
			s, err := v.fetch(ctx)
			if err == nil {
				v.backups = append(v.backups, s)
				err = compare(s.people, after)
			}
			return after, err
		}, after}
	}
	backup := v.backups[rand.N(len(v.backups))]
	after = maps.Clone(backup.people)
	maps.DeleteFunc(after, func(id string, _ int) bool { return v.deleted[id] })
	return deed{func(ctx context.Context) (map[string]int, error) {
		_, err := v.Restore(ctx, bytes.NewReader(backup.file), api.RestoreOptions{Replace: true})
		return after, err
	}, after}
}

// become notes whom there are after a deed.
func (v *victim) become(name string, after map[string]int) {
	for id := range v.people {
		if _, there := after[id]; !there && name == "delete" {
			v.deleted[id] = true
		}
	}
	v.people = after
}

// finish does something undisturbed.
func (v *victim) finish(ctx context.Context, name string) error {
	began := time.Now()
	after, err := v.deed(name).do(ctx)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	v.become(name, after)
	v.usual[name] = time.Since(began)
	v.acknowledged[name]++
	return nil
}

// round does something, kills the program in the middle of the deed of that name,
// and looks at what it finds when it is started again. With early, the deed is
// taken for acknowledged from the beginning.
func (v *victim) round(t *testing.T, name string, early bool) error {
	t.Helper()
	for n := rand.N(2); n > 0 && !early; n-- {
		if err := v.finish(t.Context(), deeds()[rand.N(len(deeds()))]); err != nil {
			return err
		}
	}
	d, before := v.deed(name), v.people
	var answer map[string]int
	var err error
	answered := make(chan struct{})
	go func() {
		defer close(answered)
		answer, err = d.do(t.Context())
	}()
	moment := time.Duration(0)
	if !early {
		moment = rand.N(v.usual[name] * 5 / 4)
	}
	select {
	case <-answered:
	case <-time.After(moment):
	}
	v.kill()
	<-answered
	v.start(t)
	is, failed := v.fetch(t.Context())
	if failed == nil {
		failed = v.inMemory(t.Context(), is.people)
	}
	if failed != nil {
		return fmt.Errorf("%s was interrupted: %w", name, failed)
	}
	v.become(name, is.people)
	if early {
		return compare(is.people, d.expected)
	}
	if err == nil {
		v.acknowledged[name]++
		if err := compare(is.people, answer); err != nil {
			return fmt.Errorf("%s was acknowledged: %w", name, err)
		}
		return nil
	}
	v.caught[name]++
	if compare(is.people, d.expected) == nil && !maps.Equal(before, d.expected) {
		v.done[name]++
		return nil
	}
	if err := compare(is.people, before); err != nil {
		return fmt.Errorf("%s was interrupted: it is neither as before nor as after: %w", name, err)
	}
	return nil
}

// inMemory compares whom the program lists with whom its store has.
func (v *victim) inMemory(ctx context.Context, stored map[string]int) error {
	people, err := v.People(ctx)
	if err != nil {
		return err
	}
	listed := make(map[string]int)
	for _, p := range people {
		listed[p.ID] = p.Templates
	}
	if err := compare(listed, stored); err != nil {
		return fmt.Errorf("the list and the backup differ: %w", err)
	}
	return nil
}

// compare says how people differ from what they should be, in which one new
// person may stand as nobody.
func compare(is, want map[string]int) error {
	open, waiting := want[nobody]
	for id, n := range is {
		w, ok := want[id]
		switch {
		case ok && w == n:
		case !ok && waiting && n == open:
			waiting = false
		case !ok:
			return fmt.Errorf("%s is there with %d templates, and should not be", id, n)
		default:
			return fmt.Errorf("%s has %d templates of %d", id, n, w)
		}
	}
	for id := range want {
		if _, ok := is[id]; !ok && (id != nobody || waiting) {
			return fmt.Errorf("%s is gone", id)
		}
	}
	return nil
}

// control has the check see what it is there to see.
func (v *victim) control(t *testing.T) {
	t.Helper()
	id := ""
	for id = range v.people {
		break
	}
	half := maps.Clone(v.people)
	half[id]--
	lost := maps.Clone(v.people)
	delete(lost, id)
	more := maps.Clone(v.people)
	more["somebody"] = 1
	for what, is := range map[string]map[string]int{"half a person": half, "a lost person": lost, "a stranger": more} {
		if compare(is, v.people) == nil {
			t.Errorf("nobody noticed %s", what)
		}
	}
	// An acknowledgement that comes before the disk has it.
	for _, name := range []string{"enrol", "delete", "restore"} {
		caught := false
		for tries := 0; !caught && tries < 5; tries++ {
			if name == "restore" { // whom no backup has, it takes away
				if err := v.finish(t.Context(), "enrol"); err != nil {
					t.Fatal(err)
				}
			}
			caught = v.round(t, name, true) != nil
		}
		if !caught {
			t.Errorf("%s was acknowledged before it was done, 5 times, and nobody noticed", name)
		}
	}
}
