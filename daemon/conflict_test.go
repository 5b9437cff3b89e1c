package daemon

import (
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"

	"facerecd/daemon/api"
	"facerecd/match"
)

// verdicts are those of an enrolment, by image.
func verdicts(images []api.Verdict) map[string]string {
	all := map[string]string{}
	for _, v := range images {
		all[strings.TrimSuffix(v.Image, ".jpg")] = v.Verdict
	}
	return all
}

func TestAFaceUnderAWrongNameIsRefused(t *testing.T) {
	t.Parallel()
	r := wallCamera(t)
	if _, err := r.Register(t.Context(), "Barack", []string{photo(t, "obama2"), photo(t, "obama3")}); err != nil {
		t.Fatal(err)
	}
	before := people(t, r)
	refused := func(name string, want map[string]string, files ...string) *api.Problem {
		t.Helper()
		for i, f := range files {
			files[i] = photo(t, f)
		}
		_, err := r.Register(t.Context(), name, files)
		p := refusal(t, err)
		if got := verdicts(p.Images); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
		if after := people(t, r); !reflect.DeepEqual(after, before) {
			t.Errorf("people were %+v, are %+v", before, after)
		}
		return p
	}
	p := refused("Barack", map[string]string{"biden": "mismatch"}, "biden")
	if p.Status != 422 || p.Code != "no_usable_image" || !strings.Contains(p.Rejected[0].Detail, "does not match the other images") {
		t.Errorf("%+v", p)
	}
	p = refused("Joe", map[string]string{"obama": "looks_like"}, "obama")
	who := p.Images[0].LooksLike
	if p.Status != 409 || p.Code != "looks_like" || !strings.Contains(p.Detail, "looks like Barack") ||
		who == nil || who.ID != before[0].ID || who.Name != "Barack" || who.Score < 0.56 || who.Confidence < 0.9 {
		t.Errorf("%+v, like %+v", p, who)
	}
	// The same photo, which is a template already.
	p = refused("Joe", map[string]string{"obama2": "looks_like"}, "obama2")
	if p.Images[0].LooksLike.Score < 0.9 {
		t.Errorf("like %+v", p.Images[0].LooksLike)
	}
	// Nobody knows whose the name is.
	refused("Joe", map[string]string{"obama": "looks_like", "biden": "mismatch"}, "obama", "biden")

	e, err := r.ForceRegister(t.Context(), "Twin", []string{photo(t, "obama")})
	if err != nil || e.Accepted != 1 || e.Images[0].LooksLike == nil || e.Images[0].LooksLike.Name != "Barack" {
		t.Errorf("by force: %+v, %v", e, err)
	}
	e, err = r.ForceRegister(t.Context(), "Barack", []string{photo(t, "biden"), photo(t, "biden")})
	if err != nil || !reflect.DeepEqual([]string{e.Images[0].Verdict, e.Images[1].Verdict}, []string{"accepted", "duplicate"}) {
		t.Errorf("by force, twice: %+v, %v", e, err)
	}
	if strings.Contains(r.log.String(), "Barack") {
		t.Error("the log has a name")
	}
}

func TestOfTwoPhotosThatDisagreeNeitherIsTaken(t *testing.T) {
	t.Parallel()
	r := wallCamera(t)
	_, err := r.Register(t.Context(), "Ana", []string{photo(t, "obama"), photo(t, "biden")})
	if got := verdicts(refusal(t, err).Images); !reflect.DeepEqual(got, map[string]string{"obama": "mismatch", "biden": "mismatch"}) {
		t.Errorf("%v", got)
	}
	e, err := r.Register(t.Context(), "Ana", []string{photo(t, "obama"), photo(t, "biden"), photo(t, "obama2")})
	if err != nil || !reflect.DeepEqual(verdicts(e.Images), map[string]string{"obama": "accepted", "biden": "mismatch", "obama2": "accepted"}) {
		t.Errorf("%+v, %v", e, err)
	}
	if e.Images[1].Quality < 0.5 || e.Images[1].Looking == "" || len(e.Rejected) != 1 || e.Rejected[0].Image != "biden.jpg" {
		t.Errorf("%+v", e)
	}
}

func TestOneFaceCannotGetTwoNamesAtOnce(t *testing.T) {
	t.Parallel()
	r := wallCamera(t)
	roster := r.health.parts.roster
	policy := *r.health.parts.policy.Load()
	vector := make([]float32, 192)
	vector[0] = 1
	var group sync.WaitGroup
	var mu sync.Mutex
	admitted := 0
	for i := range 16 {
		group.Go(func() {
			id := fmt.Sprintf("01M86PTPG0%016d", i)
			p, judged, err := roster.Admit(Applicant{
				Name: "Person " + id, NewID: id, Policy: policy,
				Templates: []match.Template{{ID: id, Model: roster.Gallery.Model(), Vector: vector}},
			})
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err != nil:
				t.Error(err)
			case judged[0].Code == match.Accepted:
				admitted++
			case judged[0].Code != match.LooksLike || p.ID != "":
				t.Errorf("%+v of %+v", judged, p)
			}
		})
	}
	group.Wait()
	if n := len(people(t, r)); admitted != 1 || n != 1 {
		t.Errorf("%d were admitted, %d are enrolled", admitted, n)
	}
}

func TestTemplatesOfAnotherModelAreNotAdmitted(t *testing.T) {
	t.Parallel()
	r := wallCamera(t)
	_, _, err := r.health.parts.roster.Admit(Applicant{Name: "Ana", NewID: "P1", Templates: []match.Template{{ID: "T1", Model: "m", Vector: []float32{1}}}})
	if want := "template T1 was made by model m, and " + r.health.parts.vision.Pack.ID + " is in use: make it anew"; err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
}
