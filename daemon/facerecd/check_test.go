package main

import (
	"regexp"
	"testing"

	"facerecd/daemon/api"
)

func TestCheckSaysWhoIsNotEnrolledWell(t *testing.T) {
	t.Parallel()
	config, server, _ := configure(t, "biden")
	daemon := begin(t, nil, "run", "--config", config)
	daemon.says(t, "facerecd is ready")
	check := func(code int, stderr, pattern string, args ...string) {
		t.Helper()
		got, stdout, errors := try(t, nil, append([]string{"check", "--url", server}, args...)...)
		if got != code || errors != stderr || !regexp.MustCompile(`^`+pattern+`$`).MatchString(stdout) {
			t.Errorf("check exits with %d, want %d: %s\n got %q\nwant %q", got, code, errors, stdout, pattern)
		}
	}
	check(exitOK, "", `0 people with 0 templates; who scores 0\.\d\d is named\.\n\nNobody would be missed or confused\.\n`)

	must(t, "enroll", "Barack", photo(t, "obama"), photo(t, "obama2"), photo(t, "obama3"), "--server", server)
	must(t, "enroll", "Joe", photo(t, "biden"), "--server", server)
	check(exitOK, "", `2 people with 4 templates; [^\n]*\n\nFew pictures\n  Three or more[^\n]*\n  Joe +1\n\nNobody would be missed or confused\.\n`)

	// Joe's picture among Barack's: it does harm, and they may be confused.
	must(t, "people", "forget", "Joe", "--server", server)
	must(t, "enroll", "Barack", photo(t, "biden"), "--force", "--server", server)
	check(exitFailed, "facerecd: "+errDoubtful.Error()+"\n",
		`1 people with 4 templates; [^\n]*\n\nPictures that do harm\n  Forget[^\n]*\n  Barack +enrolled \d{4}-\d\d-\d\d \d\d:\d\d:\d\d: score -?0\.\d\d, unlike the others\n`)

	must(t, "enroll", "Joe", photo(t, "biden"), "--force", "--server", server)
	code, stdout, _ := try(t, nil, "check", "--json", "--server", server)
	found := unmarshal[api.Checkup](t, stdout)
	if code != exitFailed || found.People != 2 || found.Compared != 2 || len(found.Hurts) != 1 || len(found.Confusable) != 1 {
		t.Fatalf("it exits with %d: %s", code, stdout)
	}
	h := found.Hurts[0]
	if h.Person.Name != "Barack" || h.Better == nil || h.Better.Name != "Joe" || h.BetterScore < 0.99 || h.Template == "" || h.Created.IsZero() {
		t.Errorf("hurts: %s", stdout)
	}
	// Who is forgotten is in no answer.
	must(t, "people", "forget", "Joe", "--server", server)
	if _, stdout, _ := try(t, nil, "check", "--json", "--server", server); regexp.MustCompile(`Joe|` + found.Confusable[0].B.ID).MatchString(stdout) {
		t.Errorf("Joe is in it: %s", stdout)
	}

	fails(t, exitFailed, "seconds must be a number from 1 to 600.", "check", "--seconds", "0", "--server", server)
}
