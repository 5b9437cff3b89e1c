package client

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/jpeg"
	"iter"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"facerecd/daemon/api"
	"facerecd/daemon/event"
	"facerecd/match"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var noon = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

func id(n int) string { return fmt.Sprintf("01M86PTPG0%016d", n) }

// daemon stands behind a real api.Server.
type daemon struct {
	mu      sync.Mutex
	people  []match.Person
	history []event.Event // oldest first
	live    map[chan event.Event]bool
}

func (d *daemon) Enroll(_ context.Context, name string, images iter.Seq[api.Upload], force bool) (api.Enrollment, error) {
	e := api.Enrollment{Person: match.Person{ID: id(1), Name: name, Created: noon, Updated: noon}}
	for u := range images {
		if u.Err != nil {
			e.Add(u.Verdict())
			continue
		}
		v := api.Verdict{Image: u.Name, Verdict: "accepted"}
		if force {
			v.Detail = "by force"
		}
		e.Add(v)
	}
	e.Person.Templates = e.Accepted
	d.people = []match.Person{e.Person}
	return e, nil
}

// guide takes what it is asked for at the second look.
type guide struct {
	d     *daemon
	poses []api.Direction
	looks int
}

func (d *daemon) Guide(poses []api.Direction) api.Guide { return &guide{d: d, poses: poses} }

func (g *guide) Look(image.Image) (api.Guidance, error) {
	said := api.Guidance{Step: g.poses[0], Of: len(g.poses), Code: api.GuideStill, Detail: "Hold still."}
	if g.looks++; g.looks > 1 {
		said.Taken, said.Code, said.Detail = said.Of, api.GuideTaken, "Good."
	}
	return said, nil
}

func (g *guide) Enroll(ctx context.Context, name string, force bool) (e api.Enrollment, err error) {
	if name == "Nobody" {
		e.Add(api.Verdict{Image: "front", Verdict: "mismatch", Detail: "It is somebody else."})
		return e, nil
	}
	return g.d.Enroll(ctx, name, func(yield func(api.Upload) bool) { yield(api.Upload{Name: string(g.poses[0])}) }, force)
}

func (d *daemon) Recognize(_ context.Context, img image.Image) (api.Recognition, error) {
	return api.Recognition{
		Frame: [2]int{img.Bounds().Dx(), img.Bounds().Dy()},
		Faces: []api.Face{{Reasons: []string{}, Person: &event.Person{ID: id(1), Name: "Ana"}, Score: 0.5}},
	}, nil
}

func (d *daemon) List(_ context.Context, which api.Selection) ([]match.Person, error) {
	return slices.DeleteFunc(slices.Clone(d.people), func(p match.Person) bool {
		return which.Name != "" && which.Name != "mar & \""
	}), nil
}

func (d *daemon) Get(_ context.Context, id string) (match.Person, error) {
	for _, p := range d.people {
		if p.ID == id {
			return p, nil
		}
	}
	return match.Person{}, api.ErrPersonNotFound
}

func (d *daemon) Edit(ctx context.Context, id string, e match.Edit) (match.Person, error) {
	p, err := d.Get(ctx, id)
	if e.Name != nil {
		p.Name = *e.Name
	}
	if e.Notify != nil {
		p.Notify = *e.Notify
	}
	return p, err
}

func (d *daemon) Delete(ctx context.Context, id string) (api.Receipt, error) {
	p, err := d.Get(ctx, id)
	return api.Receipt{Person: p.ID, Templates: p.Templates, Purged: true}, err
}

func (d *daemon) History(_ context.Context, before string, limit int) ([]event.Event, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	events := d.history
	if i := slices.IndexFunc(events, func(e event.Event) bool { return e.ID == before }); i >= 0 {
		events = events[:i]
	}
	events = slices.Clone(events[max(0, len(events)-limit):])
	slices.Reverse(events)
	return events, nil
}

// past is what has happened to a daemon.
type past struct{ d *daemon }

func (p past) Find(ctx context.Context, f event.Filter, before string, limit int) ([]event.Past, error) {
	events, err := p.d.History(ctx, before, limit)
	var all []event.Past
	for _, e := range events {
		e.Camera += fmt.Sprint(" ", f.Person, " ", f.Since.Equal(noon), " ", f.Type)
		all = append(all, event.Past{Event: e})
	}
	return all, err
}

func (past) Get(_ context.Context, id string) (event.Past, error) {
	if id != sighting(1).ID {
		return event.Past{}, api.ErrEventNotFound
	}
	e := event.Past{Event: sighting(1), HasPicture: true}
	e.Picture = []byte("jpeg")
	return e, nil
}

func (past) Search(_ context.Context, _ image.Image, limit int) ([]event.Past, *api.Rejection, error) {
	return []event.Past{{Event: sighting(limit), HasEmbedding: true, Similarity: 0.5}}, nil, nil
}

func (past) Enroll(_ context.Context, id, name string, force bool) (api.Enrollment, error) {
	return api.Enrollment{Person: match.Person{ID: id, Name: fmt.Sprint(name, force)}, Accepted: 1}, nil
}

func (past) Reject(_ context.Context, id string) (event.Past, error) {
	return event.Past{Event: event.Event{ID: id}}, nil
}

func (d *daemon) Subscribe(ctx context.Context) <-chan event.Event {
	events := make(chan event.Event, 16)
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.live == nil {
		d.live = map[chan event.Event]bool{}
	}
	d.live[events] = true
	context.AfterFunc(ctx, func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		delete(d.live, events)
		close(events)
	})
	return events
}

func (d *daemon) happen(n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.history = append(d.history, sighting(n))
	for events := range d.live {
		events <- sighting(n)
	}
}

func sighting(n int) event.Event {
	return event.Event{V: 1, ID: id(n), Type: event.Recognized, Time: noon, Camera: "door", Person: &event.Person{ID: id(1), Name: "Ana"}}
}

// doors is one camera, the front door.
type doors struct{}

func (doors) List() []api.Camera {
	return []api.Camera{{CameraHealth: api.CameraHealth{Name: "Front Door/1", State: "streaming", Since: noon}, Slug: "front-door-1", Width: 640, Height: 480}}
}

func (d doors) Next(_ context.Context, name string, o api.Overlay) (api.Picture, error) {
	return api.Picture{JPEG: append(photo(), name+" "+o.String()...), At: noon}, nil
}

func (doors) Switch(string, bool) error { return errors.ErrUnsupported }

// start serves d, and returns a client for it.
func start(t *testing.T, d *daemon, token string) (*Client, *httptest.Server) {
	s := &api.Server{
		Listen: "127.0.0.1:4000", Token: token, Version: "1.0", Faces: d, People: d, Events: d, History: past{d}, Cameras: doors{},
		Health: func() api.Health { return api.Health{Status: api.StatusOK} },
		Check: func(context.Context) (api.Checkup, error) {
			return api.Checkup{People: 1, Few: []api.Few{{Person: event.Person{ID: id(1), Name: "Ana"}, Templates: 2}}}, nil
		},
		Log: slog.New(slog.DiscardHandler),
	}
	srv := httptest.NewServer(s.Handler())
	t.Cleanup(srv.Close)
	return &Client{BaseURL: srv.URL, Token: token, HTTP: srv.Client()}, srv
}

func write(t *testing.T, name string, content []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func photo() []byte {
	var b bytes.Buffer
	_ = jpeg.Encode(&b, image.NewGray(image.Rect(0, 0, 8, 4)), nil)
	return b.Bytes()
}

func equal[T any](t *testing.T, what string, got T, err error, want T) {
	t.Helper()
	if err != nil || fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", want) {
		t.Errorf("%s: got %+v, %v\nwant %+v", what, got, err, want)
	}
}

func TestTheClientSpeaksTheContract(t *testing.T) {
	d := &daemon{}
	c, _ := start(t, d, "correct-horse-battery-staple")
	ctx := t.Context()
	ana := match.Person{ID: id(1), Name: "Ana \"María\"", Created: noon, Updated: noon, Templates: 2}

	good, bad := write(t, "a \"b\".jpg", photo()), write(t, "b.txt", []byte("hello"))
	enrolled, err := c.Register(ctx, ana.Name, []string{good, bad, good})
	equal(t, "Register", enrolled, err, api.Enrollment{Person: ana, Accepted: 2, Rejected: []api.Rejection{{
		Image: "b.txt", Reason: "not_an_image", Detail: "This is not a picture: send a JPEG or PNG file.",
	}}, Images: []api.Verdict{
		{Image: filepath.Base(good), Verdict: "accepted"},
		{Image: "b.txt", Verdict: "not_an_image", Detail: "This is not a picture: send a JPEG or PNG file."},
		{Image: filepath.Base(good), Verdict: "accepted"},
	}})
	forced, err := c.ForceRegister(ctx, ana.Name, []string{good})
	equal(t, "ForceRegister", forced.Images, err, []api.Verdict{{Image: filepath.Base(good), Verdict: "accepted", Detail: "by force"}})
	if _, err := c.Register(ctx, ana.Name, []string{good, good}); err != nil {
		t.Error(err)
	}
	found, err := c.Recognize(ctx, good)
	if err != nil || found.Frame != [2]int{8, 4} || len(found.Faces) != 1 || *found.Faces[0].Person != (event.Person{ID: id(1), Name: "Ana"}) {
		t.Errorf("Recognize: %+v, %v", found, err)
	}
	people, err := c.People(ctx)
	equal(t, "People", people, err, []match.Person{ana})
	people, err = c.Named(ctx, "mar & \"")
	equal(t, "Named", people, err, []match.Person{ana})
	checkup, err := c.Check(ctx, 600)
	equal(t, "Check", checkup, err, api.Checkup{People: 1, Few: []api.Few{{Person: event.Person{ID: id(1), Name: "Ana"}, Templates: 2}}})
	found, err = c.RecognizeJPEG(ctx, photo())
	if err != nil || found.Frame != [2]int{8, 4} {
		t.Errorf("RecognizeJPEG: %+v, %v", found, err)
	}
	person, err := c.Person(ctx, id(1))
	equal(t, "Person", person, err, ana)
	ana.Name = "Bea"
	person, err = c.Rename(ctx, id(1), "Bea")
	equal(t, "Rename", person, err, ana)
	ana.Name, ana.Notify = "Ana \"María\"", true
	person, err = c.SetNotify(ctx, id(1), true)
	equal(t, "SetNotify", person, err, ana)
	receipt, err := c.Delete(ctx, id(1))
	equal(t, "Delete", receipt, err, api.Receipt{Person: id(1), Templates: 2, Purged: true})
	cameras, err := c.Cameras(ctx)
	equal(t, "Cameras", cameras, err, doors{}.List())
	for o, want := range map[api.Overlay]string{
		{}: "Front Door/1 ", {Boxes: true}: "Front Door/1 boxes", {Boxes: true, Names: true}: "Front Door/1 boxes,names",
	} {
		picture, err := c.Snapshot(ctx, "Front Door/1", o)
		equal(t, "Snapshot", picture, err, api.Picture{JPEG: append(photo(), want...), At: noon})
	}
	_, err = c.Snapshot(ctx, "../../../healthz", api.Overlay{})
	if want := "There is no camera with this name; these there are: front-door-1."; err == nil || err.Error() != want {
		t.Errorf("Snapshot: %v", err)
	}
	d.happen(1)
	d.happen(2)
	f := event.Filter{Person: id(7), Type: event.Unknown, Since: noon}
	events, err := c.Events(ctx, f, "", 1)
	if err != nil || len(events) != 1 || events[0].ID != id(2) || events[0].Camera != "door "+id(7)+" true unknown" {
		t.Errorf("Events: %+v, %v", events, err)
	}
	events, err = c.Events(ctx, f, id(2), 500)
	if err != nil || len(events) != 1 || events[0].ID != id(1) {
		t.Errorf("Events before: %+v, %v", events, err)
	}
	events, err = c.Seen(ctx, good, 7)
	if err != nil || len(events) != 1 || events[0].ID != id(7) || events[0].Similarity != 0.5 || !events[0].HasEmbedding {
		t.Errorf("Seen: %+v, %v", events, err)
	}
	enrolled, err = c.EnrollEvent(ctx, id(3), "Ana", true)
	equal(t, "EnrollEvent", enrolled.Person, err, match.Person{ID: id(3), Name: "Anatrue"})
	wrong, err := c.RejectEvent(ctx, id(3))
	equal(t, "RejectEvent", wrong.ID, err, id(3))
	health, err := c.Health(ctx)
	equal(t, "Health", health, err, api.Health{Status: "ok", Version: "1.0"})
}

func TestErrorsAreTheDaemonsSentences(t *testing.T) {
	d := &daemon{}
	c, _ := start(t, d, "correct-horse-battery-staple")
	ctx := t.Context()
	_, err := c.Register(ctx, "ana", []string{write(t, "a.jpg", []byte("hello"))})
	p, ok := errors.AsType[*api.Problem](err)
	if !ok || p.Code != api.CodeNoUsableImage || len(p.Rejected) != 1 || p.Rejected[0].Image != "a.jpg" {
		t.Errorf("got %#v", err)
	}

	_, notFound := c.Rename(ctx, "../healthz", "x")
	_, noName := c.Register(ctx, " ", []string{write(t, "a.jpg", photo())})
	c.Token = "wrong"
	_, wrongToken := c.People(ctx)
	for want, err := range map[string]error{
		"There is no person with this id; GET /api/v1/people lists them.":         notFound,
		"The name is empty; send the person's name in the form field name.":       noName,
		"This is not the token; the file http.token_file on the device holds it.": wrongToken,
	} {
		if err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

func TestPhotosThatCannotBeSentAreNamedBeforeAnythingIs(t *testing.T) {
	c := &Client{BaseURL: "http://127.0.0.1:1"}
	dir := t.TempDir()
	big := filepath.Join(dir, "big.jpg")
	if err := os.WriteFile(big, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(big, api.MaxBodyBytes+1); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		dir + "/none.jpg": "open photo: open " + dir + "/none.jpg: no such file or directory",
		dir:               "open photo: " + dir + " is not a file",
		big:               "the photos are over 64 MiB together; send fewer at a time: another request for the same name adds to that person",
	} {
		if _, err := c.Register(t.Context(), "ana", []string{path}); err == nil || err.Error() != want {
			t.Errorf("got %v", err)
		}
	}
}

func TestARefusalArrivesWhileThePhotosAreStillBeingSent(t *testing.T) {
	c, _ := start(t, &daemon{}, "")
	files := slices.Repeat([]string{write(t, "a.jpg", append(photo(), make([]byte, 1<<20)...))}, api.MaxImages+10)
	_, err := c.Register(t.Context(), "ana", files)
	if p, ok := errors.AsType[*api.Problem](err); !ok || p.Code != api.CodeTooManyImages {
		t.Errorf("got %v", err)
	}
}

func TestNoDaemonIsSaidSo(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &Client{BaseURL: "http://" + ln.Addr().String()}
	_ = ln.Close()
	want := fmt.Sprintf(`no facerecd at %s; start it with "facerecd run" or "systemctl start facerecd": `, c.BaseURL)
	if _, err := c.People(t.Context()); err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("got %v", err)
	}
}

func TestAnotherServerIsNotTakenForTheDaemon(t *testing.T) {
	srv := httptest.NewServer(http.NotFoundHandler())
	defer srv.Close()
	c := &Client{BaseURL: srv.URL + "/", HTTP: srv.Client()}
	want := srv.URL + `/ answered "404 Not Found" and no problem document: is that a facerecd?`
	if _, err := c.People(t.Context()); err == nil || err.Error() != want {
		t.Errorf("got %v", err)
	}
}
