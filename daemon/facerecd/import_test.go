package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"facerecd/daemon/exchange"
	"facerecd/match"
)

func TestFoldersOfPeopleAreFound(t *testing.T) {
	dir := t.TempDir()
	for _, path := range []string{
		"plain/Ana/1.JPG", "plain/Ana/2.png", "plain/Ana/notes.txt", "plain/Bob/x.jpeg", "plain/.git/x.jpg", "plain/nobody/readme.md", "plain/loose.jpg",
		"frigate/clips/faces/Ana/1.webp", "frigate/clips/faces/train/2.webp",
		"doubletake/.storage/train/Ana/1.jpg", "doubletake/.storage/matches/x.jpg",
		"loose/1.jpg", "empty/x/readme",
	} {
		write(t, filepath.Join(dir, path), []byte("x"))
	}
	const double, frigate = "Double Take's photos", "Frigate's faces"
	for path, want := range map[string]string{
		"plain":                     "photos, a folder for each person: Ana 2, Bob 1; 2 others",
		"frigate":                   frigate + ": Ana 1; 0 others",
		"frigate/clips":             frigate + ": Ana 1; 0 others",
		"frigate/clips/faces":       frigate + ": Ana 1; 0 others",
		"doubletake":                double + ": Ana 1; 0 others",
		"doubletake/.storage":       double + ": Ana 1; 0 others",
		"doubletake/.storage/train": double + ": Ana 1; 0 others",
		"loose":                     "loose holds photos, and no folder for each person: facerecd enroll NAME PHOTO… enrols one person",
		"empty":                     "empty holds no folders with photos (JPEG, PNG or WebP), one for each person",
	} {
		f, err := findAlbums(filepath.Join(dir, path))
		var is []string
		for _, a := range f.people {
			is = append(is, fmt.Sprintf("%s %d", a.name, len(a.files)))
		}
		got := fmt.Sprintf("%s: %s; %d others", f.kind, strings.Join(is, ", "), f.others)
		if err != nil {
			got = strings.TrimPrefix(err.Error(), dir+"/")
		}
		if got != want {
			t.Errorf("%s: %s\nwant %s", path, got, want)
		}
		if f.cropped != (f.kind == frigate) {
			t.Errorf("%s: cropped is %v", path, f.cropped)
		}
	}
}

func TestPeopleMoveFromOtherPrograms(t *testing.T) {
	t.Parallel()
	config, server, _ := configure(t)
	dir := t.TempDir()
	link := func(from, to string) {
		t.Helper()
		data, err := os.ReadFile(from)
		if err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, to), data)
	}
	link("testdata/obama2-face.webp", "frigate/clips/faces/Barack/1.webp")
	link("testdata/biden-face.webp", "frigate/clips/faces/train/unnamed.webp")
	write(t, filepath.Join(dir, "frigate/clips/faces/Barack/2.webp"), []byte("RIFF"))
	link(photo(t, "biden"), "doubletake/.storage/train/Joe/1.jpg")
	write(t, filepath.Join(dir, "doubletake/.storage/train/Nobody/1.jpg"), blank(t))

	frigate := filepath.Join(dir, "frigate")
	code, _, stderr := try(t, nil, "import", frigate, "--config", config)
	if code != exitFailed || !strings.Contains(stderr, "no daemon answers, and there is no store") {
		t.Errorf("without a daemon: %d, %s", code, stderr)
	}
	if out := must(t, "import", frigate, "--dry-run", "--config", config); out != frigate+"/clips/faces holds Frigate's faces: 1 people, 2 photos.\n  Barack: 2 photos\n" {
		t.Errorf("it says %q", out)
	}
	daemon := begin(t, nil, "run", "--config", config)
	daemon.says(t, "facerecd is ready")
	if out := must(t, "import", frigate, "--config", config); !regexp.MustCompile(
		`\nBarack: 1 of 2 photos used\n  2\.webp: it is no WebP that can be read \([^\n]+\)\n$`).MatchString(out) {
		t.Errorf("it says %q", out)
	}
	code, out, stderr := try(t, nil, "import", filepath.Join(dir, "doubletake"), "--server", server)
	if code != exitFailed || !strings.Contains(out, "Joe: 1 of 1 photos used\nNobody: 0 of 1 photos used\n  1.jpg: No face was found") ||
		stderr != "facerecd: of 1 people no photo was used; see above\n" {
		t.Errorf("exits with %d: %s%s", code, out, stderr)
	}
	if out := must(t, "recognize", photo(t, "obama"), "--server", server); !strings.HasPrefix(out, "Barack ") {
		t.Errorf("recognised: %s", out)
	}
	if left, _ := filepath.Glob(filepath.Join(os.TempDir(), "facerecd-import-*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestEmbeddingsGoOutAndComeBack(t *testing.T) {
	t.Parallel()
	config, server, _ := configure(t)
	daemon := begin(t, nil, "run", "--config", config)
	daemon.says(t, "facerecd is ready")
	enrolTwo(t, server)
	dir := t.TempDir()
	file := func(name string) string { return filepath.Join(dir, name) }
	must(t, "export", "--out", file("people.json"), "--server", server)
	wrote := must(t, "export", "--format", "csv", "-o", file("people.csv"), "--server", server)
	if wrote != "Wrote "+file("people.csv")+": 2 people, 3 embeddings. Faces are biometric data: keep the file so.\n" {
		t.Errorf("it says %q", wrote)
	}
	if info, err := os.Stat(file("people.csv")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	text := string(mustRead(t, file("people.csv")))
	head, rows, _ := strings.Cut(text, "\n")
	model := head[strings.Index(head, "model=")+len("model="):]
	if !strings.HasPrefix(head, "# facerecd embeddings 1 size=192 model=") || strings.Count(rows, "\n") != 3 {
		t.Errorf("the CSV begins with %q", head)
	}
	if out := must(t, "export", "--server", server); out != string(mustRead(t, file("people.json"))) && !strings.Contains(out, `"format":"facerecd people"`) {
		t.Errorf("standard output has %.80q", out)
	}

	// Back into the device that has them, nothing changes.
	for _, name := range []string{"people.json", "people.csv"} {
		if out := must(t, "import", file(name), "--server", server); out != file(name)+": 2 people, 0 embeddings; 3 more are here already.\nImported 2 people, 0 new embeddings.\n" {
			t.Errorf("it says %q", out)
		}
	}
	if people := unmarshal[[]match.Person](t, must(t, "people", "--json", "--server", server)); len(people) != 2 || people[0].Templates != 2 {
		t.Errorf("people: %+v", people)
	}

	// Into others: one whose daemon runs, one whose does not; exactly.
	for i, name := range []string{"people.json", "people.csv"} {
		other, otherServer, _ := configure(t)
		if i == 0 {
			begin(t, nil, "run", "--config", other).says(t, "facerecd is ready")
		}
		if out := must(t, "import", file(name), "--config", other); out != file(name)+": 2 people, 3 embeddings; 0 more are here already.\nImported 2 people, 3 new embeddings.\n" {
			t.Errorf("%s: it says %q", name, out)
		}
		if i == 0 {
			if out := must(t, "recognize", photo(t, "obama"), "--server", otherServer); !strings.HasPrefix(out, "Barack ") {
				t.Errorf("recognised: %s", out)
			}
		}
		again := must(t, "export", "--format", "csv", "--config", other)
		if sorted(again) != sorted(text) {
			t.Errorf("%s: it comes out as\n%.200s\nwas\n%.200s", name, again, text)
		}
	}

	// What is of no use is refused, and says why.
	row := func(n int) string { return "old" + strings.Repeat(",0.044", n) + "\n" }
	const instead = "embeddings of one model mean nothing to another. Import the photos that they were made of instead: facerecd import FOLDER, with one sub-folder for each person"
	for text, want := range map[string]string{
		row(512): fmt.Sprintf("these embeddings have 512 numbers, and those of this device's model (%s) have 192: %s", model, instead),
		row(192): fmt.Sprintf("the file does not say which model made its embeddings: if it was %s, which this device uses, add --model %[1]s; else %s", model, instead),
		"# facerecd embeddings 1 size=192 model=other\n" + row(192): fmt.Sprintf("these embeddings were made by the model %q, and this device uses %q: %s", "other", model, instead),
		"facerecd backup 1\n": file("bad") + " is a backup: facerecd restore takes it in",
		"\xff\xd8\x00":        file("bad") + " is neither JSON nor CSV; photos are imported as a folder, or with facerecd enroll NAME PHOTO",
	} {
		fails(t, exitFailed, want, "import", write(t, file("bad"), []byte(text)), "--server", server)
	}
	must(t, "import", write(t, file("known"), []byte(row(192))), "--model", model, "--server", server)
	d, err := exchange.ReadJSON(strings.NewReader(must(t, "export", "--server", server)))
	if err != nil || len(d.People) != 3 || len(d.Templates) != 4 || d.Templates[3].Vector[191] != 0.044 {
		t.Errorf("%v, %+v", err, d.People)
	}
}

func sorted(text string) string {
	lines := strings.Split(text, "\n")
	// Rows come in the order of their ids, which a CSV does not have.
	for i := range lines {
		for j := range i {
			if lines[i] < lines[j] {
				lines[i], lines[j] = lines[j], lines[i]
			}
		}
	}
	return strings.Join(lines, "\n")
}
