package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"facerecd/daemon/api"
)

func TestSomebodyIsEnrolledBeforeACamera(t *testing.T) {
	t.Parallel()
	config, server, _ := configure(t, "obama")
	begin(t, nil, "run", "--config", config).says(t, "facerecd is ready")
	code, out, said := try(t, nil, "enroll", "Barack", "--camera", "door", "--poses", "front", "--server", server)
	if code != exitOK || !regexp.MustCompile(`^Barack is enrolled \([0-9A-Z]{26}\): 1 of 1 photos used, 1 stored in all\n$`).MatchString(out) {
		t.Errorf("exits with %d: %s", code, out)
	}
	if !strings.HasSuffix(said, "0 of 1: Hold still.\n1 of 1: That look was taken.\n") {
		t.Errorf("it said %s", said)
	}
	if out := must(t, "recognize", photo(t, "obama2"), "--server", server); !strings.HasPrefix(out, "Barack ") {
		t.Errorf("recognised: %s", out)
	}
	code, out, said = try(t, nil, "enroll", "Twin", "--camera", "Door", "--poses", "front", "--server", server)
	if code != exitFailed || out != "" || !strings.Contains(said, "\n  front: The face looks like Barack, who is enrolled already") {
		t.Errorf("exits with %d: %s%s", code, out, said)
	}
	code, out, _ = try(t, nil, "enroll", "Twin", "--camera", "door", "--poses", "front", "--force", "--json", "--server", server)
	if e := unmarshal[api.Enrollment](t, out); code != exitOK || e.Person.Name != "Twin" || e.Accepted != 1 {
		t.Errorf("by force: %d, %+v", code, e)
	}
	fails(t, exitFailed, "There is no camera with this name; these there are: door.", "enroll", "Ana", "--camera", "attic", "--server", server)
}

func TestAFolderOfPeopleIsEnrolled(t *testing.T) {
	t.Parallel()
	config, server, _ := configure(t)
	begin(t, nil, "run", "--config", config).says(t, "facerecd is ready")
	dir := t.TempDir()
	for name, from := range map[string]string{"Barack/1.jpg": "obama", "Barack/2.jpg": "obama2", "Joe/1.jpg": "biden"} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(photo(t, from), filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	want := dir + " holds photos, a folder for each person: 2 people, 3 photos.\nBarack: 2 of 2 photos used\nJoe: 1 of 1 photos used\n"
	if out := must(t, "enroll", "--dir", dir, "--server", server); out != want {
		t.Errorf("it says\n%swant\n%s", out, want)
	}
	if out := must(t, "recognize", photo(t, "obama3"), "--server", server); !strings.HasPrefix(out, "Barack ") {
		t.Errorf("recognised: %s", out)
	}
}
