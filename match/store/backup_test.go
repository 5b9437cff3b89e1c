package store

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/dgraph-io/badger/v4"

	"facerecd/match"
)

// dump is all that a store has of people, as text.
func dump(t testing.TB, s *Store) string {
	t.Helper()
	var b strings.Builder
	must(t, s.view(func(txn *badger.Txn) error {
		for item := range values(txn, "", nil) {
			if prefix, _ := cutPrefix(item.Key()); slices.Contains(kept(), prefix) || prefix == namePrefix {
				fmt.Fprintf(&b, "%q %x\n", item.Key(), sha256.Sum256(got[[]byte](t)(item.ValueCopy(nil))))
			}
		}
		return nil
	}))
	return b.String()
}

// archive is a backup of a store.
func archive(t testing.TB, s *Store) []byte {
	t.Helper()
	var b bytes.Buffer
	must(t, s.Backup(&b, ArchiveHeader{Model: "mobilefacenet-int8-1", Size: 192}))
	return b.Bytes()
}

// restoring are options under which new people are called N1, N2, …
func restoring() RestoreOptions {
	n := 0
	return RestoreOptions{Crops: true, NewID: func() string { n++; return fmt.Sprint("N", n) }}
}

func restore(t testing.TB, s *Store, data []byte, o RestoreOptions) Restored {
	t.Helper()
	return got[Restored](t)(got[*Staged](t)(s.Stage(bytes.NewReader(data), o)).Commit())
}

// filled is a store with two people, one of them with crops, events of both, a
// grave, and an event that waits.
func filled(t testing.TB) *Store {
	t.Helper()
	s := open(t, t.TempDir(), Options{Device: "pi"})
	for _, name := range []string{"Ana", "Bob", "Eve"} {
		must(t, s.Enroll(match.Person{ID: name, Name: name + " X"}, templates(name, 3)))
	}
	must(t, s.Enroll(match.Person{ID: "Ana", Name: "Ana X"}, cropped("Ana", 2, 5000)))
	appendRows(t, s, 0, 4, "Ana")
	appendRows(t, s, 4, 8, "Bob")
	got[Receipt](t)(s.Delete("Eve", redactAll))
	return s
}

func TestABackupHasEverythingOfPeople(t *testing.T) {
	s := filled(t)
	want, data := dump(t, s), archive(t, s)
	must(t, s.Ack(1, 2, 3))
	to := open(t, t.TempDir(), Options{Device: "new"})
	done := restore(t, to, data, restoring())
	if !slices.Equal(done.IDs, []string{"Ana", "Bob"}) || done.People != 2 || done.Crops != 2 || done.History != 8 || done.Removed != 0 || done.Deleted != 0 {
		t.Errorf("restored %+v", done)
	}
	for range 2 {
		if have := dump(t, to); have != want {
			t.Errorf("it has\n%s\nwant\n%s", have, want)
		}
		if n, _ := to.Backlog(); n != 0 {
			t.Errorf("%d events wait: they would be published once more", n)
		}
		to = reopen(t, to)
	}
	// Numbers of events go on where they were.
	if seq := got[uint64](t)(to.Append(row(9, "Ana"))); seq != 9 {
		t.Errorf("the next event has the number %d", seq)
	}
	if err := to.Enroll(match.Person{ID: "Eve", Name: "Eve"}, nil); !errors.Is(err, ErrForgotten) {
		t.Errorf("who was deleted comes back: %v", err)
	}
	// Again, it changes nothing.
	before := dump(t, to)
	if done := restore(t, to, data, restoring()); done.Templates != 0 || done.Crops != 0 || done.History != 0 || dump(t, to) != before {
		t.Errorf("a second time: %+v", done)
	}
}

// TestWhoWasDeletedSinceStaysDeleted holds for both ways to restore.
func TestWhoWasDeletedSinceStaysDeleted(t *testing.T) {
	for _, replace := range []bool{false, true} {
		s := filled(t)
		data := archive(t, s)
		got[Receipt](t)(s.Delete("Bob", redactAll))
		o := restoring()
		o.Replace = replace
		done := restore(t, s, data, o)
		if !slices.Equal(done.IDs, []string{"Ana"}) || done.Deleted != 1 {
			t.Errorf("restored %+v", done)
		}
		if have := dump(t, s); strings.Contains(have, "Bob") {
			t.Errorf("Bob is back:\n%s", have)
		}
		if files := filesWith(t, s.dir, "Bob"); len(files) > 0 {
			t.Errorf("Bob is in %v", files)
		}
		for _, r := range got[[]Row](t)(s.History("", 100)) {
			if r.Person == "Bob" {
				t.Error("an event of Bob is back")
			}
		}

		o.WithDeleted = true
		done = restore(t, s, data, o)
		if !slices.Equal(done.IDs, []string{"Ana", "N1"}) || done.Deleted != 0 {
			t.Errorf("with those who were deleted: %+v", done)
		}
		if p := got[match.Person](t)(s.FindByName("bob x")); p.ID != "N1" || p.Templates != 3 {
			t.Errorf("Bob is %+v", p)
		}
	}
}

func TestARestoreAddsOrReplaces(t *testing.T) {
	s := filled(t)
	data := archive(t, s)
	change := func() {
		must(t, s.Enroll(match.Person{ID: "Carl", Name: "Carl X"}, templates("Carl", 2)))
		got[match.Person](t)(s.Rename("Ana", "Bob"))
		got[match.Person](t)(s.Rename("Bob", "Ana X")) // whom the backup calls Bob X
		must(t, s.Enroll(match.Person{ID: "Bob", Name: "Ana X"}, templates("Bob-2", 1)[:0]))
		appendRows(t, s, 20, 23, "Carl")
	}
	change()
	done := restore(t, s, data, restoring())
	if !slices.Equal(done.IDs, []string{"Ana", "Bob"}) || done.Templates != 0 || done.History != 0 {
		t.Errorf("restored %+v", done)
	}
	names := func() string {
		var all []string
		for _, p := range got[[]match.Person](t)(s.People()) {
			all = append(all, fmt.Sprintf("%s: %s, %d", p.ID, p.Name, p.Templates))
			if q, err := s.FindByName(p.Name); err != nil || q.ID != p.ID {
				t.Errorf("%s is found as %v, %v", p.Name, q.ID, err)
			}
		}
		return strings.Join(all, "; ")
	}
	if have := names(); have != "Ana: Bob, 3; Bob: Ana X, 3; Carl: Carl X, 2" {
		t.Errorf("added: %s", have)
	}
	waiting := pendingIDs(t, s)
	o := restoring()
	o.Replace = true
	done = restore(t, s, data, o)
	if !slices.Equal(done.IDs, []string{"Ana", "Bob"}) || done.Removed != 1 || done.History != 8 {
		t.Errorf("replaced %+v", done)
	}
	if have := names(); have != "Ana: Ana X, 3; Bob: Bob X, 3" {
		t.Errorf("replaced: %s", have)
	}
	if pendingIDs(t, s) != waiting {
		t.Errorf("events that waited are gone: %s, was %s", pendingIDs(t, s), waiting)
	}
	if seq := got[uint64](t)(s.Append(row(30, ""))); seq != 12 {
		t.Errorf("the next event has the number %d, which was used", seq)
	}
}

func TestWhoHasTheNameNowGetsTheTemplates(t *testing.T) {
	s := filled(t)
	data := archive(t, s)
	to := open(t, t.TempDir(), Options{})
	must(t, to.Enroll(match.Person{ID: "Other", Name: "ANA  x"}, templates("Other", 1)))
	done := restore(t, to, data, restoring())
	if p := got[match.Person](t)(to.FindByName("Ana X")); p.ID != "Other" || p.Templates != 4 || !slices.Equal(done.IDs, []string{"Bob", "Other"}) {
		t.Errorf("%+v; %+v", p, done)
	}
	if rows := got[[]Row](t)(to.History("", 100)); len(rows) != 8 || rows[7].Person != "Other" {
		t.Errorf("history %+v", rows)
	}
}

func TestWhoWasTakenIntoSomebodyIsNotTwo(t *testing.T) {
	s := filled(t)
	data := archive(t, s)
	must(t, s.Absorb("Bob", "Ana"))
	before := dump(t, s)
	if done := restore(t, s, data, restoring()); !slices.Equal(done.IDs, []string{"Ana"}) || dump(t, s) != before {
		t.Errorf("%+v\n%s\nwas\n%s", done, dump(t, s), before)
	}
	// Whoever took them in is not in the backup.
	must(t, s.Enroll(match.Person{ID: "New", Name: "New"}, nil))
	must(t, s.Absorb("Ana", "New"))
	o := restoring()
	o.Replace = true
	if done := restore(t, s, data, o); done.People != 2 || done.Removed != 1 {
		t.Errorf("%+v", done)
	}
	if p := got[match.Person](t)(s.FindByName("Ana X")); p.Templates != 3 {
		t.Errorf("Ana is %+v", p)
	}
}

func TestABackupThatIsNotWholeChangesNothing(t *testing.T) {
	s := filled(t)
	data := archive(t, s)
	to := open(t, t.TempDir(), Options{})
	must(t, to.Enroll(ana(), templates("P1", 1)))
	before := dump(t, to)
	refused := func(what string, data []byte, want string) {
		t.Helper()
		_, err := to.Stage(bytes.NewReader(data), restoring())
		if err == nil || !errors.Is(err, ErrArchive) || want != "" && err.Error() != "this backup cannot be used: "+want {
			t.Errorf("%s: %v\nwant %s", what, err, want)
		}
	}
	step := max(1, len(data)/60)
	for n := 0; n < len(data); n += step {
		refused(fmt.Sprintf("the first %d of %d bytes", n, len(data)), data[:n], "")
		other := slices.Clone(data)
		other[n] ^= 0x10
		refused(fmt.Sprintf("with byte %d changed", n), other, "")
	}
	for n := len(data) - 40; n < len(data); n++ {
		refused(fmt.Sprintf("the first %d of %d bytes", n, len(data)), data[:n], "it is cut off after 19 records; fetch it again, or use another")
	}
	refused("more", append(slices.Clone(data), 0), "something follows its end")
	refused("a photo", []byte("\xff\xd8\xff"), "it is not a backup that facerecd made")
	refused("nothing", nil, "it is not a backup that facerecd made")
	refused("encrypted", []byte("age-encryption.org/v1\n-> scrypt"), "it is encrypted with age; say with which passphrase or identity to open it")
	refused("another format", []byte("facerecd backup 2\n{}\n"), `it has format "2", and this facerecd knows 1; use the version that made it, or a later one`)
	refused("a newer schema", []byte("facerecd backup 1\n{\"schema\":9}\n"), "a newer facerecd made it (schema 9, this one knows 1); update this one first")

	made := func(records ...string) []byte {
		var b bytes.Buffer
		a := got[*ArchiveWriter](t)(NewArchive(&b, ArchiveHeader{Schema: schema}))
		for i := 0; i < len(records); i += 2 {
			must(t, a.add([]byte(records[i]), []byte(records[i+1])))
		}
		must(t, a.Close())
		return b.Bytes()
	}
	template := string(encodeTemplate(templates("P1", 1)[0]))
	for what, tt := range map[string]struct {
		records []string
		want    string
	}{
		"a setting":          {[]string{"setting/x", "1"}, `record 1: it is of a kind that this facerecd does not know ("setting/"); update this one first`},
		"two of one name":    {[]string{"person/A", `{"name":"Ana"}`, "person/B", `{"name":"ana"}`}, "record 2: two people have one name"},
		"nobody's template":  {[]string{"template/A/T", template}, "record 1: it is of nobody who is in it"},
		"an id with a slash": {[]string{"person/A", `{"name":"Ana"}`, "template/A/../B", template}, `record 2: invalid template id "../B": use a ULID`},
		"half a template":    {[]string{"person/A", `{"name":"Ana"}`, "template/A/T", template[:99]}, "record 2: record is damaged"},
		"a name of blanks":   {[]string{"person/A", `{"name":"  "}`}, "record 1: invalid name: it is empty"},
		"an event":           {[]string{"history/1", ""}, "record 1: record is damaged"},
		"a grave":            {[]string{"grave/1", ""}, "record 1: record is damaged"},
		"no key":             {[]string{"x", ""}, `record 1: it is of a kind that this facerecd does not know ("x/"); update this one first`},
	} {
		refused(what, made(tt.records...), tt.want)
	}
	if _, err := to.Stage(io.MultiReader(bytes.NewReader(data[:5000]), failing{}), restoring()); err == nil || err.Error() != "read backup: the network is down" {
		t.Errorf("when it cannot be read: %v", err)
	}
	if dump(t, to) != before {
		t.Error("something has changed")
	}
	if files := filesWith(t, to.dir, "Bob X"); len(files) > 0 {
		t.Errorf("%v have what was not restored", files)
	}
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errors.New("the network is down") }

// TestARestoreIsWholeOrNot ends the process, as it were, between the steps.
func TestARestoreIsWholeOrNot(t *testing.T) {
	s := filled(t)
	data, want := archive(t, s), dump(t, s)
	for decided := range 2 {
		to := open(t, t.TempDir(), Options{})
		must(t, to.Enroll(match.Person{ID: "Carl", Name: "Carl"}, cropped("Carl", 1, 1000)))
		before := dump(t, to)
		o := restoring()
		o.Replace = true
		st := got[*Staged](t)(to.Stage(bytes.NewReader(data), o))
		if _, err := to.Stage(bytes.NewReader(data), o); !errors.Is(err, ErrRestoring) {
			t.Errorf("two at once: %v", err)
		}
		if dump(t, to) != before {
			t.Error("what is staged can be seen")
		}
		if decided == 1 {
			to.mu.Lock()
			must(t, st.decide())
			to.mu.Unlock()
			before = want
		}
		to = reopen(t, to)
		if have := dump(t, to); have != before {
			t.Errorf("decided %d: it has\n%s\nwant\n%s", decided, have, before)
		}
		must(t, to.view(func(txn *badger.Txn) error {
			for item := range keys(txn, "") {
				if prefix, _ := cutPrefix(item.Key()); prefix == restorePrefix || prefix == planPrefix || string(item.Key()) == restoreKey {
					t.Errorf("%q is left", item.Key())
				}
			}
			return nil
		}))
	}
}

func TestASnapshotHasNoName(t *testing.T) {
	s := filled(t)
	before := len(got[[]os.DirEntry](t)(os.ReadDir(s.dir)))
	f := got[*os.File](t)(s.Snapshot(ArchiveHeader{}))
	defer f.Close()
	if after := len(got[[]os.DirEntry](t)(os.ReadDir(s.dir))); after != before {
		t.Errorf("%d files, were %d", after, before)
	}
	a := got[*ArchiveReader](t)(OpenArchive(f))
	people, templates, err := a.People()
	if err != nil || len(people) != 2 || len(templates) != 6 || a.Device != "pi" || a.Sequence != 8 || time.Since(a.Created) > time.Minute {
		t.Errorf("%+v, %d people, %d templates, %v", a.ArchiveHeader, len(people), len(templates), err)
	}
}

// TestEachKindOfRecordIsKeptOrNot has whoever adds one decide.
func TestEachKindOfRecordIsKeptOrNot(t *testing.T) {
	file := got[*ast.File](t)(parser.ParseFile(token.NewFileSet(), "keys.go", nil, 0))
	known := append(kept(), notKept()...)
	n := 0
	for _, decl := range file.Decls {
		list, ok := decl.(*ast.GenDecl)
		if !ok || list.Tok != token.CONST {
			continue
		}
		for _, spec := range list.Specs {
			for i, name := range spec.(*ast.ValueSpec).Names {
				if !strings.HasSuffix(name.Name, "Prefix") {
					continue
				}
				n++
				value := got[string](t)(strconv.Unquote(spec.(*ast.ValueSpec).Values[i].(*ast.BasicLit).Value))
				if !slices.Contains(known, value) {
					t.Errorf("%s: is it in a backup? add it to kept, and to what Stage checks and Commit takes over, or to notKept", name.Name)
				}
			}
		}
	}
	if n < len(known)-1 { // flush/ is elsewhere
		t.Errorf("found %d prefixes in keys.go, %d are known", n, len(known))
	}
}

func FuzzArchive(f *testing.F) {
	s := filled(f)
	f.Add(archive(f, s))
	f.Add([]byte("facerecd backup 1\n{\"schema\":1}\n\x00"))
	f.Fuzz(func(t *testing.T, data []byte) {
		a, err := OpenArchive(bytes.NewReader(data))
		if err != nil {
			return
		}
		_, _, _ = a.People()
	})
}

// TestTheFaceOfWhoWasDeletedSinceStaysAway has it in events that name nobody.
func TestTheFaceOfWhoWasDeletedSinceStaysAway(t *testing.T) {
	alike := Options{Alike: func() float32 { return 0.5 }}
	s := open(t, t.TempDir(), alike)
	for i, cos := range []float64{0.9, 0.1, 1} {
		who := ""
		if i == 2 {
			who = "P1"
		}
		got[uint64](t)(s.Append(seen(i, who, cos)))
	}
	must(t, s.Enroll(ana(), []match.Template{{ID: "T", Person: "P1", Model: model, Vector: towards(1)}}))
	// Of Bea it was said that she is neither Ana nor somebody who looks like nobody here.
	must(t, s.Enroll(match.Person{ID: "P2", Name: "Bea"}, nil))
	for id, cos := range map[string]float64{"R1": 0.9, "R2": 0.1} {
		must(t, s.Reject(match.Template{ID: id, Person: "P2", Model: model, Vector: towards(cos)}))
	}
	data := archive(t, s)
	for _, tt := range []struct {
		opts RestoreOptions
		want string // events with an embedding or a picture
	}{
		{RestoreOptions{Replace: true}, ""},
		{RestoreOptions{Replace: true, Faces: true}, "E00001:v"},
		{RestoreOptions{Replace: true, Pictures: true}, "E00001:p"},
		{RestoreOptions{Replace: true, Faces: true, Pictures: true}, "E00001:vp"},
		{RestoreOptions{Replace: true, Faces: true, Pictures: true, WithDeleted: true}, "E00002:vp E00001:vp E00000:vp"},
	} {
		to := open(t, t.TempDir(), alike)
		must(t, to.Bury(Grave{Mark: MarkOf("P1"), Deleted: true}))
		tt.opts.NewID = restoring().NewID
		restore(t, to, data, tt.opts)
		rejected := 1
		if tt.opts.WithDeleted {
			rejected = 2
		}
		if all := got[[]match.Template](t)(to.Rejections("")); len(all) != rejected || all[rejected-1].ID != "R2" {
			t.Errorf("%+v: %d rejected faces", tt.opts, len(all))
		}
		var have []string
		for _, r := range got[[]Row](t)(to.History("", 10)) {
			is := r.ID + ":"
			f := got[Row](t)(to.Recorded(r.ID)).Face
			if f.Vector != nil {
				is += "v"
			}
			if f.Picture != nil {
				is += "p"
			}
			have = append(have, is)
		}
		have = slices.DeleteFunc(have, func(is string) bool { return strings.HasSuffix(is, ":") })
		if !slices.Equal(have, strings.Fields(tt.want)) {
			t.Errorf("%+v: %v, want %s", tt.opts, have, tt.want)
		}
	}
}
