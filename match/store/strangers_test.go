package store

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"facerecd/match"
)

// stranger has a marker where its files can be searched for it.
func stranger(id string) match.Stranger {
	at := time.Date(2026, 11, 24, 10, 0, 0, 7, time.UTC)
	return match.Stranger{
		ID: id, Model: marker + id, Count: 3, First: at, Last: at.Add(time.Hour), Age: 90 * time.Second, Cameras: []string{"Door", "Yard"},
		Sum: []float32{1, 2, 3}, Exemplars: []match.Exemplar{{Vector: []float32{1, 0, 0}, Quality: 0.5}, {Vector: []float32{0, 1, 0}, Quality: 0.25}},
		Quality: 0.5,
	}
}

func portrait(id string) []byte { return []byte(cropMarker + id) }

func withStrangers(t *testing.T, s *Store, ids ...string) {
	t.Helper()
	for _, id := range ids {
		must(t, s.PutStranger(stranger(id), portrait(id)))
	}
}

func strangerIDs(t *testing.T, s *Store) string {
	t.Helper()
	var ids []string
	for _, st := range got[[]match.Stranger](t)(s.Strangers()) {
		ids = append(ids, st.ID)
	}
	return strings.Join(ids, " ")
}

func TestStrangersAreStoredAsTheyAre(t *testing.T) {
	s := open(t, t.TempDir(), Options{})
	withStrangers(t, s, "S1", "S2")
	changed := stranger("S2")
	changed.Ignored, changed.Count, changed.Exemplars, changed.Cameras = true, 4, nil, nil
	must(t, s.PutStranger(changed, nil)) // keeps the picture
	for range 2 {
		if all := got[[]match.Stranger](t)(s.Strangers()); !reflect.DeepEqual(all, []match.Stranger{stranger("S1"), changed}) {
			t.Errorf("strangers %+v", all)
		}
		if p := got[[]byte](t)(s.Portrait("S2")); !bytes.Equal(p, portrait("S2")) {
			t.Errorf("picture %q", p)
		}
		s = reopen(t, s)
	}
	_, err := s.Portrait("S3")
	wantError(t, err, "read picture of a stranger: not found")
	if !errors.Is(err, ErrNotFound) {
		t.Error("not ErrNotFound")
	}
}

func TestStrangersThatCannotBeStoredAreRefused(t *testing.T) {
	s := open(t, t.TempDir(), Options{})
	for _, tc := range []struct {
		change  func(*match.Stranger)
		picture []byte
		want    string
	}{
		{func(st *match.Stranger) { st.ID = "a/b" }, nil, `store stranger: invalid stranger id "a/b": use a ULID`},
		{func(st *match.Stranger) { st.Sum = nil }, nil, "store stranger: invalid vector: it has 0 elements, 1 to 8192 are possible"},
		{func(st *match.Stranger) { st.Model = "" }, nil, `store stranger: invalid model id "": it has 0 bytes, 1 to 200 are possible`},
		{func(st *match.Stranger) { st.Exemplars = make([]match.Exemplar, 6) }, nil, "store stranger: invalid stranger: 6 exemplars (at most 5), 2 cameras (at most 1000)"},
		{func(st *match.Stranger) { st.Exemplars[0].Vector = []float32{1} }, nil, "store stranger: invalid exemplar: it has 1 elements, the sum 3"},
		{func(*match.Stranger) {}, make([]byte, MaxPortrait+1), "store stranger: invalid picture: it has 262145 bytes, up to 262144 are possible"},
	} {
		st := stranger("S1")
		tc.change(&st)
		wantError(t, s.PutStranger(st, tc.picture), tc.want)
	}
	if ids := strangerIDs(t, s); ids != "" {
		t.Errorf("stored: %s", ids)
	}
}

// nowhere looks for what the strangers with the ids have left in the files.
func nowhere(t *testing.T, s *Store, ids ...string) {
	t.Helper()
	for _, id := range ids {
		for _, text := range []string{marker + id, string(portrait(id))} {
			if files := filesWith(t, s.dir, text); files != nil {
				t.Errorf("%s is in %v", text, files)
			}
		}
	}
}

func TestStrangersWhoGoByThemselvesAreOutOfTheFilesWithinADay(t *testing.T) {
	s := open(t, t.TempDir(), Options{})
	withStrangers(t, s, "S1", "S2", "S3")
	must(t, s.ForgetStrangers("S1"))
	must(t, s.ForgetStrangers())
	s = reopen(t, s)
	if ids := strangerIDs(t, s); ids != "S2 S3" {
		t.Fatalf("left: %s", ids)
	}
	must(t, s.tidy())
	if filesWith(t, s.dir, marker+"S1") == nil {
		t.Fatal("the files were rewritten at once, for one who was too old")
	}
	s.opened = s.opened.Add(-23 * time.Hour)
	must(t, s.ForgetStrangers("S2")) // does not put it off
	must(t, s.tidy())
	s = reopen(t, s)
	s.opened = s.opened.Add(-2 * time.Hour)
	must(t, s.tidy())
	nowhere(t, s, "S1", "S2")
	if filesWith(t, s.dir, marker+"S3") == nil {
		t.Error("the other one is gone, too")
	}
	if is := got[bool](t)(s.overdue()); is {
		t.Error("the mark is left")
	}
}

func TestDeletedStrangersAreOutOfTheFilesSoon(t *testing.T) {
	s := open(t, t.TempDir(), Options{})
	withStrangers(t, s, "S1", "S2", "S3")
	must(t, s.DeleteStrangers("S1", "S9"))
	must(t, s.tidy())
	nowhere(t, s, "S1")
	must(t, s.DeleteStrangers("S2"))
	if !s.Purge() {
		t.Error("not purged")
	}
	nowhere(t, s, "S2")
	if ids := strangerIDs(t, s); ids != "S3" {
		t.Errorf("left: %s", ids)
	}
}

func TestDroppedStrangersAreInNoFile(t *testing.T) {
	s := open(t, t.TempDir(), Options{})
	withStrangers(t, s, "S1", "S2")
	if n := got[int](t)(s.DropPortraits()); n != 2 || strangerIDs(t, s) != "S1 S2" {
		t.Errorf("%d pictures dropped, left are %s", n, strangerIDs(t, s))
	}
	if files := filesWith(t, s.dir, cropMarker); files != nil {
		t.Errorf("pictures are in %v", files)
	}
	withStrangers(t, s, "S3")
	if n := got[int](t)(s.DropStrangers()); n != 3 || strangerIDs(t, s) != "" {
		t.Errorf("%d dropped, left are %s", n, strangerIDs(t, s))
	}
	nowhere(t, s, "S1", "S2", "S3")
	if n := got[int](t)(s.DropStrangers()); n != 0 {
		t.Errorf("%d dropped again", n)
	}
}

func TestTheFacesOfSomeEventsLeaveTheHistory(t *testing.T) {
	s := open(t, t.TempDir(), Options{})
	for i := range 3 {
		r := row(i, "")
		r.Face = Face{Model: "m", Vector: []float32{1, 2, float32(i)}, Picture: fmt.Append(nil, cropMarker, i)}
		got[uint64](t)(s.Append(r))
	}
	must(t, s.DropFaces(func(r Row) bool { return r.ID == "E00001" }))
	s.Purge()
	if files := filesWith(t, s.dir, cropMarker+"1"); files != nil {
		t.Errorf("the picture is in %v", files)
	}
	for i := range 3 {
		r := got[Row](t)(s.Recorded(fmt.Sprintf("E%05d", i)))
		if has := r.Face.Vector != nil; has != (i != 1) || has != (r.Face.Picture != nil) {
			t.Errorf("event %d has %+v", i, r.Face)
		}
	}
	must(t, s.DropFaces(func(Row) bool { return false }))
}

func TestDamagedStrangerRecordsAreRefused(t *testing.T) {
	good := encodeStranger(stranger("S1"))
	for n := range good {
		if _, err := decodeStranger(good[:n]); err == nil {
			t.Errorf("the first %d of %d bytes pass for a stranger", n, len(good))
		}
	}
	for name, record := range map[string][]byte{
		"longer": append(bytes.Clone(good), 0), "version 2": append([]byte{2}, good[1:]...),
	} {
		if _, err := decodeStranger(record); err == nil {
			t.Errorf("%s passes for a stranger", name)
		}
	}
}

func FuzzStrangerRecord(f *testing.F) {
	f.Add(encodeStranger(stranger("S1")))
	f.Add(encodeStranger(match.Stranger{Ignored: true, Model: "m", Sum: []float32{1}}))
	f.Fuzz(func(t *testing.T, record []byte) {
		st, err := decodeStranger(record)
		if err != nil {
			return
		}
		again, err := decodeStranger(encodeStranger(st))
		if err != nil || !reflect.DeepEqual(st, again) {
			t.Errorf("%+v became %+v, %v", st, again, err)
		}
	})
}

func rejection(person string, n int) match.Template {
	return match.Template{ID: fmt.Sprintf("R%03d", n), Person: person, Model: marker, Vector: []float32{1, float32(n)}, Created: time.Unix(0, 0).UTC()}
}

func TestRejectedFacesAreStoredAndGoWithThePerson(t *testing.T) {
	s := open(t, t.TempDir(), Options{})
	must(t, s.Enroll(ana(), templates("P1", 1)))
	must(t, s.Enroll(match.Person{ID: "P2", Name: "Bo"}, templates("P2", 1)))
	wantError(t, s.Reject(rejection("P3", 0)), `reject face: person "P3": not found`)
	wantError(t, s.Reject(match.Template{ID: "R1", Person: "P1", Model: "m"}), "reject face: template R1: invalid vector: it has 0 elements, 1 to 8192 are possible")
	for n := range MaxRejections + 2 {
		must(t, s.Reject(rejection("P1", n)))
	}
	must(t, s.Reject(rejection("P2", 7)))
	s = reopen(t, s)
	all := got[[]match.Template](t)(s.Rejections("P1"))
	if len(all) != MaxRejections || !reflect.DeepEqual(all[0], rejection("P1", 2)) {
		t.Errorf("%d rejections, the first is %+v", len(all), all[0])
	}
	if n := len(readTemplates(t, s)); n != 2 {
		t.Errorf("%d templates", n)
	}
	must(t, s.Absorb("P2", "P1"))
	if all := got[[]match.Template](t)(s.Rejections("")); len(all) != MaxRejections || all[5].Person != "P1" {
		t.Errorf("%d rejections of everybody, of %s", len(all), all[5].Person)
	}
	receipt := got[Receipt](t)(s.Delete("P1", redactAll))
	if receipt.Templates != 2+MaxRejections || !receipt.Purged {
		t.Errorf("receipt %+v", receipt)
	}
	if files := filesWith(t, s.dir, marker); files != nil {
		t.Errorf("rejected faces are in %v", files)
	}
}

func TestRejectedFacesAreInABackup(t *testing.T) {
	from, to := open(t, t.TempDir(), Options{}), open(t, t.TempDir(), Options{})
	must(t, from.Enroll(ana(), templates("P1", 1)))
	must(t, from.Reject(rejection("P1", 3)))
	withStrangers(t, from, "S1")
	must(t, to.Enroll(match.Person{ID: "P7", Name: "Bo"}, nil))
	must(t, to.Reject(rejection("P7", 4)))
	var file bytes.Buffer
	must(t, from.Backup(&file, ArchiveHeader{}))
	if bytes.Contains(file.Bytes(), []byte(marker+"S1")) {
		t.Error("a stranger is in the backup")
	}
	staged := got[*Staged](t)(to.Stage(&file, RestoreOptions{Replace: true}))
	got[Restored](t)(staged.Commit())
	if all := got[[]match.Template](t)(to.Rejections("")); !reflect.DeepEqual(all, []match.Template{rejection("P1", 3)}) {
		t.Errorf("rejections %+v", all)
	}
}
