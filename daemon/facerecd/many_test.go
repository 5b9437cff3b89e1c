package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"facerecd/cross/testkit"
	"facerecd/daemon/api"
	"facerecd/daemon/api/client"
	"facerecd/inference"
	"facerecd/match"
	"facerecd/match/store"
)

// What the real program promises with 10,000 people, 5 templates each.
const (
	manyStart  = 3 * time.Second
	manyEnrol  = 300 * time.Millisecond // p95, beyond what recognising the same photo takes
	manyPage   = 100 * time.Millisecond // p95 of a page, or a search for a name
	manyList   = time.Second            // p95 of everybody
	manyMemory = 120 << 20              // bytes, resident, seconds after what was done
)

// TestManyPeople measures the program with 500 people, or as many as
// FACERECD_PEOPLE says.
func TestManyPeople(t *testing.T) {
	people := 500
	if number := os.Getenv("FACERECD_PEOPLE"); number != "" {
		n, err := strconv.Atoi(number)
		if err != nil {
			t.Fatal(err)
		}
		people = n
	}
	config, server, _ := configure(t)
	text, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	text, _, _ = bytes.Cut(text, []byte("cameras:"))
	write(t, config, text)
	crowd(t, filepath.Join(filepath.Dir(config), "data", "store"), people)
	program := build(t)

	var log testkit.Buffer
	c := exec.CommandContext(t.Context(), program, "run", "--config", config)
	c.Stdout, c.Stderr = &log, &log
	c.Env = slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "FACERECD_PEOPLE=") }) // no key of the configuration
	began := time.Now()
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- c.Wait() }()
	defer func() {
		if t.Failed() && c.ProcessState != nil {
			return
		}
		_ = c.Process.Signal(syscall.SIGTERM)
		if err := <-ended; err != nil {
			t.Errorf("it ends with %v:\n%s", err, &log)
		}
	}()
	eventually(t, "the program is ready", func() bool {
		select {
		case err := <-ended:
			t.Fatalf("it ends with %v:\n%s", err, &log)
		default:
		}
		return strings.Contains(log.String(), "facerecd is ready")
	})
	most(t, "start", time.Since(began), manyStart)

	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	daemon := &client.Client{BaseURL: server, HTTP: &http.Client{Transport: transport}}
	// resident waits until the store has given back what it took to rewrite its files.
	resident := func(when string) {
		t.Helper()
		var rss int64
		began := time.Now()
		for rss = 0; rss == 0 || rss > manyMemory && time.Since(began) < 10*time.Second; time.Sleep(time.Second) {
			h, err := daemon.Health(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			rss = h.Process.RSS
		}
		t.Logf("resident memory %s: %d MiB", when, rss>>20)
		if rss > manyMemory {
			t.Errorf("that is more than %d MiB", manyMemory>>20)
		}
	}
	resident("after the start")

	const rounds = 40
	looks := measure(t, rounds, func(int) error { _, err := daemon.Recognize(t.Context(), photo(t, "obama")); return err })
	t.Logf("recognise a photo: p50 %v, p95 %v", percentile(looks, 50), percentile(looks, 95))
	var enrolled []api.Enrollment
	enrol := measure(t, rounds, func(i int) error {
		e, err := daemon.ForceRegister(t.Context(), fmt.Sprint("new ", i), []string{photo(t, "obama")})
		enrolled = append(enrolled, e)
		return err
	})
	t.Logf("enrol a photo: p50 %v, p95 %v", percentile(enrol, 50), percentile(enrol, 95))
	most(t, "enrol, p95 beyond recognising", percentile(enrol, 95)-percentile(looks, 50), manyEnrol)
	resident("after the enrolments")

	get := func(what, path string, limit time.Duration) {
		t.Helper()
		took := measure(t, rounds, func(int) error {
			resp, err := daemon.HTTP.Get(server + path)
			if err != nil {
				return err
			}
			defer resp.Body.Close()
			if resp.StatusCode != http.StatusOK {
				return errors.New(resp.Status)
			}
			_, err = io.Copy(io.Discard, resp.Body)
			return err
		})
		t.Logf("%s: p50 %v", what, percentile(took, 50))
		most(t, what+", p95", percentile(took, 95), limit)
	}
	get("everybody", "/api/v1/people", manyList)
	get("a page of 50", "/api/v1/people?limit=50", manyPage)
	get("the last page", "/api/v1/people?limit=50&after="+enrolled[0].Person.ID, manyPage)
	get("a search for a name", "/api/v1/people?limit=50&q=Person+0"+strconv.Itoa(people/2), manyPage)
	get("one person", "/api/v1/people/"+enrolled[0].Person.ID, manyPage)
	get("health", "/healthz", manyPage)
	get("metrics", "/metrics", manyPage)
	resident("after the lists")

	renamed := measure(t, 10, func(i int) error {
		_, err := daemon.Rename(t.Context(), enrolled[i].Person.ID, fmt.Sprint("renamed ", i))
		return err
	})
	t.Logf("rename: p50 %v", percentile(renamed, 50))
	deleted := measure(t, 5, func(i int) error {
		_, err := daemon.Delete(t.Context(), enrolled[i].Person.ID)
		return err
	})
	t.Logf("forget: p50 %v, longest %v", percentile(deleted, 50), percentile(deleted, 100))
	resident("after some were forgotten")

	began = time.Now()
	found, err := daemon.Check(t.Context(), 600)
	if err != nil || found.Compared != found.People {
		t.Errorf("check: compared %d of %d, %v", found.Compared, found.People, err)
	}
	t.Logf("check: %v; %d missed, %d confusable, %d hurt", time.Since(began), len(found.Missed), len(found.Confusable), len(found.Hurts))
	resident("after the check")
}

// crowd makes a store of so many people, with 5 templates each that are alike
// as photos of one face are.
func crowd(t *testing.T, dir string, people int) {
	t.Helper()
	pack, err := inference.LoadPack(testkit.Models(t))
	if err != nil {
		t.Fatal(err)
	}
	s, err := store.Open(dir, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}()
	r := rand.New(rand.NewPCG(1, 2))
	direction := func() []float32 {
		v := make([]float32, pack.Pipeline.Embedding.Size)
		for i := range v {
			v[i] = float32(r.NormFloat64())
		}
		return v
	}
	const ids = "01M86PTPG0%016d"
	for n := range people {
		p := match.Person{ID: fmt.Sprintf(ids, n), Name: fmt.Sprintf("Person %05d", n)}
		face := direction()
		var templates []match.Template
		for i := range 5 {
			v := direction()
			for j := range v {
				v[j] = face[j] + 0.6*v[j]
			}
			templates = append(templates, match.Template{
				ID: fmt.Sprintf(ids, 5*n+i), Person: p.ID, Model: pack.ID, Vector: v, Quality: 0.9, Created: time.Now(),
			})
		}
		if err := s.Enroll(p, templates); err != nil {
			t.Fatal(err)
		}
	}
}

// measure returns how long each of n calls takes, sorted.
func measure(t *testing.T, n int, call func(i int) error) []time.Duration {
	t.Helper()
	took := make([]time.Duration, n)
	for i := range took {
		began := time.Now()
		if err := call(i); err != nil {
			t.Fatal(err)
		}
		took[i] = time.Since(began)
	}
	slices.Sort(took)
	return took
}

func percentile(sorted []time.Duration, p int) time.Duration {
	return sorted[(len(sorted)-1)*p/100]
}

func most(t *testing.T, what string, got, limit time.Duration) {
	t.Helper()
	t.Logf("%s: %v", what, got)
	if got > limit {
		t.Errorf("%s: %v, want at most %v", what, got, limit)
	}
}
