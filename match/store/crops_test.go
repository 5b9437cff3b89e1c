package store

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"

	"facerecd/match"
)

// cropped are templates with crops of n bytes that differ.
func cropped(person string, count, n int) []match.Template {
	r := rand.NewChaCha8([32]byte{byte(n)})
	ts := templates(person, count)
	for i := range ts {
		ts[i].Crop = make([]byte, n)
		_, _ = r.Read(ts[i].Crop) // it never fails
	}
	return ts
}

func readTemplates(t *testing.T, s *Store) (all []match.Template) {
	t.Helper()
	must(t, s.Templates(func(m match.Template) error {
		all = append(all, m)
		return nil
	}))
	return all
}

func TestCropsOfALargeEnrolmentStayWithTheirTemplates(t *testing.T) {
	s := open(t, t.TempDir(), Options{})
	want := cropped("P1", 50, 60<<10) // 3 MB: many transactions
	must(t, s.Enroll(ana(), want))
	plain := want[7]
	plain.Crop, plain.Model = nil, "another"
	must(t, s.Enroll(ana(), []match.Template{plain})) // keeps its crop
	for range 2 {
		for _, w := range want {
			if crop := got[[]byte](t)(s.Crop("P1", w.ID)); !bytes.Equal(crop, w.Crop) {
				t.Errorf("crop of %s: %d bytes that are not what was stored", w.ID, len(crop))
			}
		}
		all := readTemplates(t, s)
		if len(all) != 50 || !reflect.DeepEqual(all[7], plain) {
			t.Errorf("%d templates, the one that was replaced is\n%+v", len(all), all[7])
		}
		s = reopen(t, s)
	}
	_, err := s.Crop("P1", "T9")
	wantError(t, err, `read crop of template "T9": not found`)
	ts := cropped("P1", 1, MaxCrop+1)
	wantError(t, s.Enroll(ana(), ts), "enrol person: template P1-T0000: invalid crop: it has 262145 bytes, up to 262144 are possible")
}

func TestNoCropIsLeftOfAnEnrolmentThatFailed(t *testing.T) {
	s := open(t, t.TempDir(), Options{})
	must(t, s.Enroll(ana(), cropped("P1", 2, 100)))
	err := s.Enroll(match.Person{ID: "P2", Name: "ANA"}, cropped("P2", 20, 60<<10))
	if !errors.Is(err, ErrNameTaken) {
		t.Fatalf("error %v", err)
	}
	if n := got[int](t)(s.DropCrops()); n != 2 {
		t.Errorf("%d crops were stored, want 2", n)
	}
}

func TestNoCropIsLeftOfAnEnrolmentThatACrashInterrupted(t *testing.T) {
	s := open(t, t.TempDir(), Options{})
	must(t, s.Enroll(ana(), cropped("P1", 2, 100)))
	lost := templates("P2", 1)
	lost[0].Crop = []byte(cropMarker)
	must(t, s.putCrops(lost)) // and no template follows
	s = reopen(t, s)
	if _, err := s.Crop("P2", lost[0].ID); !errors.Is(err, ErrNotFound) {
		t.Errorf("crop: %v", err)
	}
	must(t, s.tidy())
	if files := filesWith(t, s.dir, cropMarker); files != nil {
		t.Errorf("the crop is in %v", files)
	}
	if n := got[int](t)(s.DropCrops()); n != 2 {
		t.Errorf("%d crops are left, want those 2 that have templates", n)
	}
}

func TestDroppedCropsAreInNoFileAndTheTemplatesStay(t *testing.T) {
	s := open(t, t.TempDir(), Options{})
	ts := templates("P1", 600) // more than a batch
	for i := range ts {
		ts[i].Crop = fmt.Append(nil, cropMarker, i)
	}
	for from := 0; from < len(ts); from += 200 {
		must(t, s.Enroll(ana(), ts[from:from+200]))
	}
	s = reopen(t, s)
	if len(filesWith(t, s.dir, cropMarker)) == 0 {
		t.Fatal("no file holds the crops; the test proves nothing")
	}
	if n := got[int](t)(s.DropCrops()); n != 600 {
		t.Errorf("%d crops dropped, want 600", n)
	}
	if files := filesWith(t, s.dir, cropMarker); files != nil {
		t.Errorf("crops are in %v", files)
	}
	if all := readTemplates(t, s); len(all) != 600 {
		t.Errorf("%d templates are left", len(all))
	}
	if n := got[int](t)(s.DropCrops()); n != 0 {
		t.Errorf("%d crops dropped again", n)
	}
}
