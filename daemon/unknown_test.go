package daemon

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"facerecd/cross/testkit"
	"facerecd/daemon/api"
	"facerecd/daemon/event"
	"facerecd/match"
)

// unknowns are Strangers without cameras: faces are vectors along one axis of
// many each.
type unknowns struct {
	*Strangers
	log *testkit.Buffer
	n   int // tracks so far
}

const axes = 1200

func newUnknowns(t *testing.T) *unknowns {
	t.Helper()
	u := &unknowns{log: new(testkit.Buffer)}
	roster := newRoster(t, "", axes)
	u.Strangers = &Strangers{
		Store: roster.Store, Roster: roster, IDs: &event.IDs{}, Days: 30, Log: slog.New(slog.NewTextHandler(u.log, nil)),
		Policy: func() *match.Policy { return &match.Policy{Threshold: 0.5, Margin: 0.05} },
	}
	roster.ForgetAlike = u.ForgetAlike
	if err := u.Load(); err != nil {
		t.Fatal(err)
	}
	return u
}

func axis(n int) []float32 {
	v := make([]float32, axes)
	v[n] = 1
	return v
}

// meets shows a face: a track that is told as these, one after the other. It
// returns each one's stranger, or what came of it.
func (u *unknowns) meets(v []float32, quality float32, types ...event.Type) (ids []string) {
	u.n++
	for _, what := range types {
		e := event.Event{Type: what, Time: time.Now().UTC(), Camera: "door", Track: fmt.Sprint("track ", u.n), Quality: quality, Embedding: v}
		switch mutes := u.Meet(&e); {
		case mutes:
			ids = append(ids, "muted")
		case e.Stranger == nil:
			ids = append(ids, "nobody")
		default:
			ids = append(ids, *e.Stranger)
		}
	}
	return ids
}

// met is the stranger with a face, who comes and goes.
func (u *unknowns) met(t *testing.T, v []float32) string {
	t.Helper()
	ids := u.meets(v, 1, event.Unknown, event.Left)
	if ids[0] != ids[1] {
		t.Fatalf("came as %s and left as %s", ids[0], ids[1])
	}
	if len(u.tracks) > 0 {
		t.Fatalf("tracks of who has left: %v", u.tracks)
	}
	return ids[0]
}

func (u *unknowns) listed(t *testing.T) (ids []string) {
	t.Helper()
	all, _, err := u.List(t.Context(), true, 0, 5000)
	if err != nil {
		t.Fatal(err)
	}
	for _, st := range all {
		ids = append(ids, st.ID)
	}
	return ids
}

func TestWhoIsRecognisedAfterAllWasNoStranger(t *testing.T) {
	u := newUnknowns(t)
	ids := u.meets(axis(0), 1, event.Unknown, event.Recognized, event.Left)
	if ids[0] == "nobody" || !slices.Equal(ids[1:], []string{"nobody", "nobody"}) || len(u.listed(t)) > 0 {
		t.Errorf("%v, listed are %v", ids, u.listed(t))
	}
	was := u.met(t, axis(1))
	ids = u.meets(axis(1), 1, event.Unknown, event.Recognized, event.Left)
	if ids[0] != was || !slices.Equal(u.listed(t), []string{was}) {
		t.Errorf("who had been seen before: %v, listed are %v", ids, u.listed(t))
	}
	if ids := u.meets(axis(2), 1, event.Recognized, event.Left); !slices.Equal(ids, []string{"nobody", "nobody"}) {
		t.Errorf("somebody known is stranger %v", ids)
	}
}

func TestBlurredFacesAreNobodys(t *testing.T) {
	u := newUnknowns(t)
	for _, ids := range [][]string{u.meets(axis(0), 0.29, event.Unknown, event.Left), u.meets(nil, 1, event.Unknown, event.Left)} {
		if !slices.Equal(ids, []string{"nobody", "nobody"}) {
			t.Errorf("stranger %v", ids)
		}
	}
	if len(u.listed(t)) > 0 {
		t.Error("they are remembered")
	}
}

func TestWhoIsForgottenInViewLeavesAsNobody(t *testing.T) {
	u := newUnknowns(t)
	e := event.Event{Type: event.Unknown, Track: "t", Quality: 1, Embedding: axis(0)}
	u.Meet(&e)
	if err := u.Forget(t.Context(), *e.Stranger); err != nil {
		t.Fatal(err)
	}
	left := event.Event{Type: event.Left, Track: "t"}
	if u.Meet(&left) || left.Stranger != nil {
		t.Errorf("left as %v", left.Stranger)
	}
	for _, err := range []error{u.Forget(t.Context(), *e.Stranger), u.Ignore(t.Context(), *e.Stranger)} {
		if !errors.Is(err, api.ErrStrangerNotFound) {
			t.Errorf("error %v", err)
		}
	}
}

func TestTheLongestUnseenOfTooManyStrangersGo(t *testing.T) {
	u := newUnknowns(t)
	first, second := u.met(t, axis(0)), u.met(t, axis(1))
	if err := u.Ignore(t.Context(), second); err != nil {
		t.Fatal(err)
	}
	for n := range maxStrangers - 1 {
		st := match.Stranger{ID: u.IDs.Next(), Model: "m", Age: time.Duration(n), Count: 1, Sum: axis(n + 2)}
		if err := u.all.Put(st); err != nil {
			t.Fatal(err)
		}
	}
	oldest := u.all.All()[maxStrangers].ID
	if all, ignored := u.Count(); all != maxStrangers+1 || ignored != 1 {
		t.Fatalf("%d strangers, %d ignored", all, ignored)
	}
	u.met(t, axis(axes-1))
	ids := u.listed(t)
	if len(ids) != maxStrangers+1 || slices.Contains(ids, oldest) || !slices.Contains(ids, first) || !slices.Contains(ids, second) {
		t.Errorf("%d strangers; who goes is to be %s", len(ids), oldest)
	}
}

func TestWhoWasNotSeenForLongIsForgotten(t *testing.T) {
	u := newUnknowns(t)
	old, ignored, fresh := u.met(t, axis(0)), u.met(t, axis(1)), u.met(t, axis(2))
	if err := u.Ignore(t.Context(), ignored); err != nil {
		t.Fatal(err)
	}
	if err := u.expire(); err != nil || len(u.listed(t)) != 3 {
		t.Fatalf("left are %v, %v", u.listed(t), err)
	}
	u.Days = 0
	st, _ := u.all.Get(fresh)
	st.Age += time.Hour
	if err := u.all.Put(st); err != nil {
		t.Fatal(err)
	}
	if err := u.expire(); err != nil || !slices.Equal(u.listed(t), []string{fresh, ignored}) {
		t.Errorf("left are %v, %v", u.listed(t), err)
	}
	if all, err := u.Store.Strangers(); err != nil || len(all) != 2 || all[0].ID == old {
		t.Errorf("stored %+v, %v", all, err)
	}
}

func TestIgnoredStrangersHaveABound(t *testing.T) {
	u := newUnknowns(t)
	for n := range maxStrangers {
		if err := u.all.Put(match.Stranger{ID: u.IDs.Next(), Model: "m", Ignored: true, Sum: axis(n)}); err != nil {
			t.Fatal(err)
		}
	}
	ids := u.meets(axis(3), 1, event.Unknown)
	if ids[0] != "muted" || !u.Ignores("track 1") || u.Ignores("track 2") {
		t.Errorf("who is ignored comes as %v", ids)
	}
	if ids := u.meets(axis(3), 1, event.Unknown, event.Recognized, event.Left); !slices.Equal(ids, []string{"muted", "nobody", "nobody"}) {
		t.Errorf("who is ignored, and then recognised: %v", ids)
	}
	other := u.meets(axis(axes-1), 1, event.Unknown)[0]
	if err := u.Ignore(t.Context(), other); !errors.Is(err, api.ErrTooManyIgnored) {
		t.Errorf("error %v", err)
	}
}

func TestAStoreThatRefusesStrangersLosesNoEvent(t *testing.T) {
	u := newUnknowns(t)
	was := u.met(t, axis(0))
	if err := u.Store.Close(); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if ids := u.meets(axis(1), 1, event.Unknown, event.Left); !slices.Equal(ids, []string{"nobody", "nobody"}) {
			t.Errorf("stranger %v", ids)
		}
	}
	if !slices.Equal(u.listed(t), []string{was}) {
		t.Errorf("listed %v", u.listed(t))
	}
	if n := strings.Count(u.log.String(), "strangers are not remembered"); n != 1 {
		t.Errorf("said %d times:\n%s", n, u.log)
	}
}

func TestNamingAStrangerAddsToWhoHasTheName(t *testing.T) {
	u := newUnknowns(t)
	ana, err := u.Roster.Enroll("Ana", u.IDs.Next(), []match.Template{{ID: u.IDs.Next(), Model: "m", Vector: axis(0)}})
	if err != nil {
		t.Fatal(err)
	}
	again, other := u.met(t, axis(0)), u.met(t, axis(1))
	n, err := u.Name(t.Context(), again, "ana")
	if err != nil || n.Person.ID != ana.ID || n.Accepted != 0 || n.Person.Templates != 1 {
		t.Errorf("with a face that is known: %+v, %v", n, err)
	}
	n, err = u.Name(t.Context(), other, "Ana")
	if err != nil || n.Person.ID != ana.ID || n.Accepted != 1 || n.Person.Templates != 2 || len(u.listed(t)) > 0 {
		t.Errorf("with another: %+v, %v; listed %v", n, err, u.listed(t))
	}
	if who := u.Roster.Gallery.Search(axis(1)).Best.Person; who != ana.ID {
		t.Errorf("the face is %q's", who)
	}
	if err := u.all.Put(match.Stranger{ID: "S", Model: "another", Sum: axis(0)}); err != nil {
		t.Fatal(err)
	}
	if _, err := u.Name(t.Context(), "S", "Bo"); !errors.Is(err, api.ErrStrangerStale) {
		t.Errorf("of another model pack: %v", err)
	}
	if all, err := u.Store.Strangers(); err != nil || len(all) > 0 {
		t.Errorf("stored %+v, %v", all, err)
	}
}

func TestWithAPersonGoTheStrangersWhoLookLikeThem(t *testing.T) {
	u := newUnknowns(t)
	alike, other := u.met(t, axis(0)), u.met(t, axis(1))
	ana, err := u.Roster.Enroll("Ana", u.IDs.Next(), []match.Template{{ID: u.IDs.Next(), Model: "m", Vector: axis(0)}})
	if err != nil {
		t.Fatal(err)
	}
	receipt, err := u.Roster.Delete(t.Context(), ana.ID)
	if err != nil || receipt.Strangers != 1 || !slices.Equal(u.listed(t), []string{other}) {
		t.Errorf("receipt %+v, %v; left are %v, not %s", receipt, err, u.listed(t), alike)
	}
	if err := u.Load(); err != nil || !slices.Equal(u.listed(t), []string{other}) {
		t.Errorf("after a restart: %v, %v", u.listed(t), err)
	}
}

func TestStrangersAreListedPageByPage(t *testing.T) {
	u := newUnknowns(t)
	var want []string
	for n := range 5 {
		want = append([]string{u.met(t, axis(n))}, want...)
	}
	var got []string
	for before := int64(0); ; {
		page, next, err := u.List(t.Context(), false, before, 2)
		if err != nil || len(page) > 2 {
			t.Fatalf("page %v, %v", page, err)
		}
		for _, st := range page {
			got = append(got, st.ID)
		}
		if before = next; next == 0 {
			break
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("listed %v, want %v", got, want)
	}
}

func TestARejectedFaceIsNotThePersonsAnyMore(t *testing.T) {
	u := newUnknowns(t)
	r := u.Roster
	ana, err := r.Enroll("Ana", u.IDs.Next(), []match.Template{{ID: u.IDs.Next(), Model: "m", Vector: axis(0)}})
	if err != nil {
		t.Fatal(err)
	}
	face := axis(0)
	face[1] = 0.5 // cosine 0.89
	who := func() string { return u.Policy().Decide(r.Gallery.Search(face)).Person }
	if who() != ana.ID {
		t.Fatal("the face is not hers to begin with")
	}
	for range 2 { // the second time it is known
		if err := r.Reject(ana.ID, face); err != nil {
			t.Fatal(err)
		}
	}
	if all, err := r.Store.Rejections(ana.ID); err != nil || len(all) != 1 {
		t.Errorf("stored %d, %v", len(all), err)
	}
	for range 2 {
		if who() != "" || r.Gallery.Search(axis(0)).Best.Person != ana.ID {
			t.Errorf("the face is %q's, her own %q's", who(), r.Gallery.Search(axis(0)).Best.Person)
		}
		r = &Roster{Store: r.Store, Gallery: match.NewGallery("m", axes)} // after a restart
		if err := r.Load(); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.Reject(u.IDs.Next(), face); !errors.Is(err, api.ErrPersonNotFound) {
		t.Errorf("of nobody: %v", err)
	}
}
