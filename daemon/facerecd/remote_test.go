package main

import (
	"encoding/json"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"facerecd/daemon/api"
	"facerecd/daemon/event"
	"facerecd/match"
)

func TestFromEnrolmentToForgetting(t *testing.T) {
	t.Parallel()
	config, server, _ := configure(t, "obama")
	daemon := begin(t, nil, "run", "--config", config)
	daemon.says(t, "facerecd is ready")
	ask := func(args ...string) string { t.Helper(); return must(t, append(args, "--server", server)...) }
	refused := func(message string, args ...string) {
		t.Helper()
		fails(t, exitFailed, message, append(args, "--server", server)...)
	}
	like := func(got, pattern string) {
		t.Helper()
		if !regexp.MustCompile(`^` + pattern + `$`).MatchString(got) {
			t.Errorf("it says\n%q\nwant\n%q", got, pattern)
		}
	}
	dir := t.TempDir()
	text := write(t, filepath.Join(dir, "text.jpg"), []byte("hello"))
	nobody := write(t, filepath.Join(dir, "nobody.jpg"), blank(t))

	watch, lines := begin(t, nil, "watch", "--server", server), begin(t, nil, "watch", "--json", "--server", server)
	like(ask("people"), "Nobody is enrolled. Try: facerecd enroll NAME PHOTO…\n")
	like(ask("people", "--json"), `\[\]\n`)
	like(ask("recognize", nobody), "no face\n")
	like(ask("recognize", photo(t, "obama")), `unknown +score 0\.00  confidence +0 %  quality [01]\.\d\d  at \d+,\d+ \d+x\d+\n`)

	// No usable photo: each has its reason, and nobody is enrolled.
	code, stdout, stderr := try(t, nil, "enroll", "Barack", text, nobody, "--server", server)
	like(stderr, `facerecd: [^\n]+\n  text\.jpg: [^\n]+ \([a-z_]+\)\n  nobody\.jpg: No face was found[^\n]+ \(no_face\)\n`)
	if code != exitFailed || stdout != "" {
		t.Errorf("enroll exits with %d: %s", code, stdout)
	}
	like(ask("people"), "Nobody is enrolled[^\n]+\n")

	like(ask("enroll", "Barack", photo(t, "obama2"), nobody, photo(t, "obama3")),
		`Barack is enrolled \([0-9A-Z]{26}\): 2 of 3 photos used, 2 stored in all\n  nobody\.jpg: No face was found[^\n]+ \(no_face\)\n`)
	people := unmarshal[[]match.Person](t, ask("people", "--json"))
	if len(people) != 1 || people[0].Name != "Barack" || people[0].Templates != 2 {
		t.Fatalf("people: %+v", people)
	}
	id := people[0].ID
	like(ask("people"), `ID +NAME +TEMPLATES +STALE +NOTIFY +ENROLLED\n`+id+` +Barack +2 +0 +on +\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\n`)
	again := unmarshal[api.Enrollment](t, ask("enroll", "barack", photo(t, "obama"), photo(t, "obama"), "--json"))
	if again.Person.ID != id || again.Accepted != 1 || len(again.Rejected) != 1 || again.Rejected[0].Reason != "duplicate" {
		t.Errorf("more photos: %+v", again)
	}
	watch.says(t, "recognized Barack")
	lines.says(t, id)

	like(ask("people", "notify", "barack", "off"), `Barack \(`+id+`\) is not announced any more: events are in the history alone\n`)
	like(ask("people"), `ID +NAME [^\n]+\n`+id+` +Barack +3 +0 +off +[^\n]+\n`)
	like(ask("people", "notify", id, "on"), `Barack \(`+id+`\) is announced\n`)
	refused("nobody is called \"Bo\": `facerecd people` lists who is enrolled", "people", "notify", "Bo", "off")

	like(ask("people", "rename", "BARACK", "Mr President"), id+" is now called Mr President\n")
	refused("nobody is called \"Barack\": `facerecd people` lists who is enrolled", "people", "rename", "Barack", "x")
	like(ask("recognize", photo(t, "obama")), `Mr President +score \d\.\d\d  confidence +\d+ %  quality \d\.\d\d  at \d+,\d+ \d+x\d+\n`)
	seen := unmarshal[api.Recognition](t, ask("recognize", photo(t, "obama"), "--json"))
	if len(seen.Faces) != 1 || seen.Faces[0].Person == nil || seen.Faces[0].Person.ID != id {
		t.Errorf("recognized: %+v", seen)
	}
	like(ask("events", "--person", "mr president", "--type", "recognized", "--since", "1h", "--limit", "1"),
		`[0-9A-Z]{26}  \d{4}-\d\d-\d\d \d\d:\d\d:\d\d  door +recognized +Barack\n`)
	if events := unmarshal[[]event.Past](t, ask("events", "--json", "--camera", "DOOR", "--type", "recognized")); len(events) != 1 || !events[0].HasEmbedding || events[0].HasPicture {
		t.Errorf("events: %+v", events)
	}
	like(ask("events", "--camera", "garden"), "No such event is stored.\n")
	like(ask("seen", photo(t, "obama2"), "--limit", "1"), `0\.\d\d  [0-9A-Z]{26}  [^\n]+  door +(recognized|unknown) [^\n]+\n`)
	if found := unmarshal[[]event.Past](t, ask("seen", photo(t, "obama3"), "--json")); len(found) == 0 || found[0].Similarity < 0.5 {
		t.Errorf("seen: %+v", found)
	}
	like(ask("seen", photo(t, "biden")), "This face was not seen, as far as the history goes back.\n")
	refused("No face was found. Send a photo in which the face is upright, lit from the front and not covered.", "seen", nobody)

	like(ask("recognize", photo(t, "biden")), `unknown [^\n]+\n`)
	if code, stdout, stderr := try(t, nil, "recognize", text, "--server", server); code != exitFailed || stdout != "" || !strings.HasPrefix(stderr, "facerecd: ") {
		t.Errorf("recognize text.jpg exits with %d: %s%s", code, stdout, stderr)
	}

	receipt := ask("people", "forget", id)
	like(receipt, `Mr President is forgotten: 3 templates and [1-9]\d* events deleted, \d+ waiting events made anonymous\n(\d strangers who look like this one are deleted as well\n)?(\d other events have a face like this one, and lost what was kept of it\n)?\d retained MQTT topics lose them, at the latest when the broker is back\n`)
	like(ask("people"), "Nobody is enrolled[^\n]+\n")
	refused("nobody is called \""+id+"\": `facerecd people` lists who is enrolled", "people", "forget", id)

	for _, c := range []*command{watch, lines, daemon} {
		c.cancel()
		if code := c.ends(t); code != exitOK {
			t.Errorf("facerecd %v exits with %d", c.args, code)
		}
	}
	for line := range strings.Lines(watch.stdout.String()) {
		like(line, `\d\d:\d\d:\d\d  door +(recognized +(Barack|Mr President) + score \d\.\d\d  confidence +\d+ %|unknown +unknown +|left +\S.*)\n`)
	}
	for line := range strings.Lines(lines.stdout.String()) {
		var e event.Event
		if err := json.Unmarshal([]byte(line), &e); err != nil || e.V != 1 || e.Device != "test" || e.Camera != "door" {
			t.Errorf("%v in %s", err, line)
		}
	}
	if log := daemon.stderr.String(); strings.Contains(log, "Barack") || strings.Contains(log, "President") || strings.Contains(log, "ERROR") {
		t.Errorf("the log has names or errors:\n%s", log)
	}
}

func TestADaemonWithATokenWantsIt(t *testing.T) {
	t.Parallel()
	config, server, _ := configure(t, "obama")
	file := filepath.Join(filepath.Dir(config), "token")
	env := []string{"FACERECD_HTTP_TOKEN_FILE=" + file}
	daemon := begin(t, env, "run", "--config", config)
	daemon.says(t, "facerecd is ready")
	if got := must(t, "people", "--json", "--server", server, "--token-file", file); got != "[]\n" {
		t.Errorf("people: %q", got)
	}
	other := write(t, filepath.Join(t.TempDir(), "token"), []byte("correct-horse-battery-staple\n"))
	for _, args := range [][]string{{"people"}, {"people", "--token-file", other}, {"watch"}} {
		code, stdout, stderr := try(t, nil, append(args, "--server", server)...)
		if code != exitFailed || stdout != "" || !strings.Contains(stderr, "token") {
			t.Errorf("facerecd %v exits with %d: %s%s", args, code, stdout, stderr)
		}
	}
	missing := filepath.Join(t.TempDir(), "missing")
	if code, _, stderr := try(t, nil, "people", "--server", server, "--token-file", missing); code != exitFailed || !strings.HasPrefix(stderr, "facerecd: read token: ") {
		t.Errorf("with a token file that is missing it exits with %d: %s", code, stderr)
	}
}
