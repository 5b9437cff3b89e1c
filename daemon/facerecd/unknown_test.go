package main

import (
	"bytes"
	"os"
	"regexp"
	"testing"
	"time"

	"facerecd/daemon/api"
)

func TestStrangersAreListedNamedIgnoredAndForgotten(t *testing.T) {
	t.Parallel()
	config, server, _ := configure(t, "obama", "biden")
	text, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	// Long enough for as many looks as it takes, on a busy machine too.
	write(t, config, bytes.Replace(text, []byte("hold: 1s"), []byte("hold: 5s"), 1))
	daemon := begin(t, nil, "run", "--config", config)
	daemon.says(t, "facerecd is ready")
	ask := func(args ...string) string { t.Helper(); return must(t, append(args, "--server", server)...) }
	like := func(got, pattern string) {
		t.Helper()
		if !regexp.MustCompile(`^` + pattern + `$`).MatchString(got) {
			t.Errorf("it says\n%q\nwant\n%q", got, pattern)
		}
	}
	var two []api.Stranger
	for end := time.Now().Add(time.Minute); len(two) < 2; time.Sleep(100 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("strangers: %+v", two)
		}
		two = unmarshal[[]api.Stranger](t, ask("unknown", "--json"))
	}
	one, other := two[0].ID, two[1].ID
	const line = ` +[1-9]\d* +\d{4}-\d\d-\d\d \d\d:\d\d:\d\d +\d{4}-\d\d-\d\d \d\d:\d\d:\d\d +door +`
	like(ask("unknown", "list"), `ID +SEEN +FIRST +LAST +CAMERAS +IGNORED\n([0-9A-Z]{26}`+line+`false\n){2}`)
	like(ask("unknown", "ignore", one), one+" is ignored from now on; `facerecd unknown forget "+one+"` lifts it\n")
	like(ask("unknown"), `ID [^\n]+\n`+other+line+`false\n`)
	like(ask("unknown", "--ignored"), `ID [^\n]+\n(`+one+line+`true\n|`+other+line+`false\n){2}`)
	like(ask("unknown", "name", other, "Mr President"), `Mr President is enrolled \([0-9A-Z]{26}\) with [1-5] faces; [1-9]\d* events in the history are theirs now\n`)
	like(ask("unknown", "forget", one), one+" is forgotten\n")
	fails(t, exitFailed, "There is no stranger with this id, or not any more; GET /api/v1/unknown lists them.", "unknown", "name", other, "Bo", "--server", server)
	daemon.cancel()
	if code := daemon.ends(t); code != exitOK {
		t.Errorf("it exits with %d", code)
	}
}

func TestNobodyWasSeen(t *testing.T) {
	t.Parallel()
	config, server, _ := configure(t)
	daemon := begin(t, nil, "run", "--config", config)
	daemon.says(t, "facerecd is ready")
	if got := must(t, "unknown", "--server", server); got != "No strangers were seen, or they are not remembered (unknown.remember).\n" {
		t.Errorf("it says %q", got)
	}
	if got := must(t, "unknown", "--json", "--server", server); got != "[]\n" {
		t.Errorf("as JSON it says %q", got)
	}
	daemon.cancel()
	daemon.ends(t)
}
