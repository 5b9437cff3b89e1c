package main

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestHelpListsTheCommands(t *testing.T) {
	for _, args := range [][]string{nil, {"--help"}, {"-h"}} {
		help := must(t, args...)
		for _, c := range []string{"run", "enroll", "people list", "people rename", "people notify", "people forget", "recognize", "events", "seen", "watch", "eval", "doctor", "version"} {
			if !strings.Contains(help, "\n  "+c+" ") && !strings.Contains(help, "\n  "+c+"\n") {
				t.Errorf("facerecd %v does not list %q:\n%s", args, c, help)
			}
		}
	}
	if help := must(t, "run", "--help"); !strings.Contains(help, "/etc/facerecd/facerecd.yaml") {
		t.Errorf("help of run:\n%s", help)
	}
}

func TestWrongCommandLineExitsWith64(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "missing.jpg")
	for _, c := range []struct {
		message string
		args    []string
	}{
		{`unexpected argument fly`, []string{"fly"}},
		{`unknown flag --bogus`, []string{"run", "--bogus"}},
		{`enroll: give the person's name, and photos of them: facerecd enroll NAME PHOTO…`, []string{"enroll"}},
		{`enroll: give the person's name, and photos of them: facerecd enroll NAME PHOTO…`, []string{"enroll", "--camera", "door"}},
		{`enroll: give photos of the person, or --camera CAMERA to enrol them before a camera`, []string{"enroll", "Ana"}},
		{`enroll: give photos or --camera, not both`, []string{"enroll", "Ana", os.Args[0], "--camera", "door"}},
		{`enroll: --dir enrols all who are in the folder: give no name, photos or camera with it`, []string{"enroll", "Ana", "--dir", "."}},
		{`enroll: --json is for one person, and not for --dir`, []string{"enroll", "--json", "--dir", "."}},
		{`--poses must be one of "front","left","right" but got "up"`, []string{"enroll", "Ana", "--camera", "door", "--poses", "up"}},
		{`expected "<photo>"`, []string{"recognize"}},
		{`<photo>: stat ` + missing + `: no such file or directory`, []string{"recognize", missing}},
		{`expected "<photo>"`, []string{"seen"}},
		{`--since: "now" is no time: write it as 2026-11-24, 2026-11-24T10:00 or 2026-11-24T10:00:00Z, or how long ago it was, as in 90m`, []string{"events", "--since", "now"}},
		{`--type must be one of "recognized","unknown","left","" but got "seen"`, []string{"events", "--type", "seen"}},
		{`expected "<person> <name>"`, []string{"people", "rename"}},
		{`expected "<person>"`, []string{"people", "forget"}},
		{`unexpected argument more`, []string{"version", "more"}},
	} {
		fails(t, exitUsage, c.message+"\nSee facerecd --help.", c.args...)
	}
	if code, _, stderr := try(t, nil, "eval"); code != exitUsage || !strings.Contains(stderr, "--images") || !strings.Contains(stderr, "--pairs") {
		t.Errorf("eval without folders exits with %d: %s", code, stderr)
	}
}

func TestVersionIsPrinted(t *testing.T) {
	if got := must(t, "version"); got != "facerecd "+version+"\n" {
		t.Errorf("%q", got)
	}
}

func TestBadConfigurationExitsWith78(t *testing.T) {
	dir := t.TempDir()
	file := write(t, filepath.Join(dir, "facerecd.yaml"), []byte("mqtt: {brokr: \"tcp://x\"}\nmatch: {min_seen: 0}\n"))
	fails(t, exitConfig, "bad configuration in "+file+":\n"+
		"  unknown key \"mqtt.brokr\" at line 1; did you mean \"mqtt.broker\"?\n"+
		"  match.min_seen: 0: set 1 to 100 frames", "run", "--config", file)
	missing := filepath.Join(dir, "missing.yaml")
	fails(t, exitConfig, "bad configuration in "+missing+":\n  open "+missing+
		": no such file or directory: create it, or name another with --config", "run", "--config", missing)

	for _, env := range []string{"FACERECD_CONFIG=" + missing, "FACERECD_MATCH_MIN_SEEN=0"} {
		if code, _, stderr := try(t, []string{env}, "run"); code != exitConfig || !strings.Contains(stderr, "bad configuration in ") {
			t.Errorf("with %s it exits with %d: %s", env, code, stderr)
		}
	}
	if code, _, stderr := try(t, []string{"FACERECD_HTTP_LISTEN=nowhere"}, "run", "--demo"); code != exitConfig || !strings.Contains(stderr, "http.listen: ") {
		t.Errorf("the demo exits with %d: %s", code, stderr)
	}
}

func TestWhoAsksADaemonThatDoesNotRunIsToldSo(t *testing.T) {
	server := "http://" + freeAddr(t)
	face := write(t, filepath.Join(t.TempDir(), "a.jpg"), blank(t))
	for _, args := range [][]string{
		{"enroll", "Ana", face}, {"people"}, {"people", "rename", "Ana", "Bea"}, {"people", "forget", "Ana"}, {"recognize", face},
	} {
		code, stdout, stderr := try(t, nil, append(args, "--server", server)...)
		want := `facerecd: no facerecd at ` + server + `; start it with "facerecd run" or "systemctl start facerecd": `
		if code != exitFailed || stdout != "" || !strings.HasPrefix(stderr, want) || strings.Count(stderr, "\n") != 1 {
			t.Errorf("facerecd %v exits with %d: %s%s", args, code, stdout, stderr)
		}
	}
	w := begin(t, nil, "watch", "--server", server)
	w.says(t, "no facerecd at "+server)
	w.cancel()
	if code := w.ends(t); code != exitOK || strings.Count(w.stderr.String(), "\n") != 1 {
		t.Errorf("watch exits with %d: %s", code, &w.stderr)
	}
}

func TestAPortThatIsTakenIsNamed(t *testing.T) {
	t.Parallel()
	file, server, _ := configure(t, "obama")
	addr := strings.TrimPrefix(server, "http://")
	l, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	code, _, stderr := try(t, nil, "run", "--config", file)
	if code != exitFailed || !strings.Contains(stderr, "facerecd: open http.listen "+addr+" (is another facerecd running?") {
		t.Errorf("it exits with %d: %s", code, stderr)
	}
}
