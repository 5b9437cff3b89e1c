package api

import (
	"bytes"
	"context"
	"encoding/binary"
	"hash/crc32"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"io"
	"iter"
	"log/slog"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"
	"go.uber.org/goleak"

	"facerecd/daemon/event"
	"facerecd/daemon/metrics"
	"facerecd/match"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var noon = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

// id is a ULID that reads well in a test's output: id(7) comes after id(6).
func id(n int) string {
	var u ulid.ULID
	binary.BigEndian.PutUint64(u[8:], uint64(n))
	_ = u.SetTime(ulid.Timestamp(noon))
	return u.String()
}

// daemon is a fake of what package daemon puts behind this package's
// interfaces. Its Enroll uses every picture wider than it is high, if there is
// no twin or it is forced.
type daemon struct {
	mu       sync.Mutex
	people   []match.Person
	enrolled []string // names that Enroll was called with
	history  []event.Event
	live     chan event.Event
	screens  *screens
	twin     *Likeness
	asked    event.Filter // by the last Find of its past

	strangers strangers
	guidance  []Guidance // of the looks of a Guide, the last one again and again

	during func(context.Context) error // called by Enroll and Recognize, when set
}

func (d *daemon) Enroll(ctx context.Context, name string, images iter.Seq[Upload], force bool) (Enrollment, error) {
	if d.during != nil {
		if err := d.during(ctx); err != nil {
			return Enrollment{}, err
		}
	}
	var e Enrollment
	for u := range images {
		switch {
		case u.Err != nil:
			e.Add(u.Verdict())
		case u.Image.Bounds().Dx() < u.Image.Bounds().Dy():
			e.Add(Verdict{Image: u.Name, Verdict: "no_face", Detail: "There is no face in it; send a photo that shows one."})
		case d.twin != nil && !force:
			e.Add(Verdict{Image: u.Name, Verdict: "looks_like", Detail: "The face looks like Eva.", Quality: 1, Looking: Front, LooksLike: d.twin})
		default:
			e.Add(Verdict{Image: u.Name, Verdict: "accepted", Quality: 0.5, Looking: Left})
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.enrolled = append(d.enrolled, name)
	if e.Accepted == 0 {
		return e, nil
	}
	i := slices.IndexFunc(d.people, func(p match.Person) bool { return p.Name == name })
	if i < 0 {
		i = len(d.people)
		d.people = append(d.people, match.Person{ID: id(i + 1), Name: name, Created: noon, Updated: noon})
	}
	d.people[i].Templates += e.Accepted
	e.Person = d.people[i]
	return e, nil
}

// guide is the fake's Guide. It enrols a picture for each look that was taken.
type guide struct {
	d     *daemon
	said  Guidance
	looks int
}

func (d *daemon) Guide([]Direction) Guide { return &guide{d: d} }

func (g *guide) Look(image.Image) (Guidance, error) {
	g.said = g.d.guidance[min(g.looks, len(g.d.guidance)-1)]
	g.looks++
	return g.said, nil
}

func (g *guide) Enroll(ctx context.Context, name string, force bool) (e Enrollment, err error) {
	if g.said.Taken == 0 {
		e.Add(Verdict{Image: string(g.said.Step), Verdict: g.said.Code, Detail: g.said.Detail})
		return e, ctx.Err()
	}
	return g.d.Enroll(ctx, name, func(yield func(Upload) bool) {
		for range g.said.Taken {
			if !yield(Upload{Name: string(g.said.Step), Image: image.NewGray(image.Rect(0, 0, 8, 4))}) {
				return
			}
		}
	}, force)
}

func (d *daemon) Recognize(ctx context.Context, img image.Image) (Recognition, error) {
	if d.during != nil {
		if err := d.during(ctx); err != nil {
			return Recognition{}, err
		}
	}
	r := Recognition{Frame: [2]int{img.Bounds().Dx(), img.Bounds().Dy()}}
	if r.Frame[0] > r.Frame[1] {
		r.Faces = []Face{
			{Box: [4]int{1, 2, 3, 4}, Quality: 0.5, Person: &event.Person{ID: id(1), Name: "Ana"}, Score: 0.6, Confidence: 0.99},
			{Box: [4]int{5, 6, 7, 8}, Reasons: []string{"blur"}, Score: -0.1},
		}
	}
	return r, nil
}

func (d *daemon) List(_ context.Context, which Selection) (people []match.Person, _ error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, p := range d.people {
		if p.ID > which.After && strings.Contains(p.Name, which.Name) && (which.Limit == 0 || len(people) < which.Limit) {
			people = append(people, p)
		}
	}
	return people, nil
}

func (d *daemon) find(id string) (int, error) {
	i := slices.IndexFunc(d.people, func(p match.Person) bool { return p.ID == id })
	if i < 0 {
		return 0, ErrPersonNotFound
	}
	return i, nil
}

func (d *daemon) Get(_ context.Context, id string) (match.Person, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	i, err := d.find(id)
	if err != nil {
		return match.Person{}, err
	}
	return d.people[i], nil
}

func (d *daemon) Edit(_ context.Context, id string, e match.Edit) (match.Person, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	i, err := d.find(id)
	if err != nil {
		return match.Person{}, err
	}
	if e.Name != nil {
		if j := slices.IndexFunc(d.people, func(p match.Person) bool { return p.Name == *e.Name }); j >= 0 && j != i {
			return match.Person{}, ErrNameTaken
		}
		d.people[i].Name = *e.Name
	}
	if e.Notify != nil {
		d.people[i].Notify = *e.Notify
	}
	return d.people[i], nil
}

func (d *daemon) Delete(_ context.Context, id string) (Receipt, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	i, err := d.find(id)
	if err != nil {
		return Receipt{}, err
	}
	r := Receipt{Person: id, Templates: d.people[i].Templates, History: 1, Purged: true}
	d.people = slices.Delete(d.people, i, i+1)
	return r, nil
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

// Subscribe hands out the one live channel; closing it is what a reader that
// fell behind sees.
func (d *daemon) Subscribe(context.Context) <-chan event.Event { return d.live }

func (d *daemon) server() *Server {
	if d.screens == nil {
		d.screens = newScreens(0)
	}
	return &Server{
		Listen: "127.0.0.1:4000", Version: "1.0",
		Faces: d, People: d, Backups: &backups{}, Events: d, History: past{d}, Cameras: d.screens, Strangers: &d.strangers,
		Health:   func() Health { return Health{Status: StatusOK, Uptime: 60} },
		Metrics:  func(p *metrics.Page) { p.Gauge("up", "Always 1.", metrics.Number(1)) },
		Check:    func(context.Context) (Checkup, error) { return Checkup{People: len(d.people)}, nil },
		Settings: func() []Setting { return []Setting{{"match.threshold", 0.36}, {"keep_crops", false}, {"device", "pi"}} },
		Log:      slog.New(slog.DiscardHandler),
	}
}

func sighting(n int) event.Event {
	return event.Event{
		V: event.Version, ID: id(n), Type: event.Recognized, Time: noon, Device: "pi", Camera: "door", Track: "t",
		Person: &event.Person{ID: id(1), Name: "Ana"}, Score: 0.5, Confidence: 0.9, Frame: [2]int{640, 480}, Seq: uint64(n), Boot: "k2v7q4mzd3xoa",
	}
}

// request is one call of a table test.
type request struct {
	method, path string
	header       map[string]string
	body         io.Reader
	form         []field // makes the body
	server       func(*Server)
}

type field struct{ name, file, content string }

func multipartBody(fields []field) (io.Reader, string) {
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for _, f := range fields {
		var part io.Writer
		if f.file == "" {
			part, _ = w.CreateFormField(f.name)
		} else {
			part, _ = w.CreateFormFile(f.name, f.file)
		}
		_, _ = io.WriteString(part, f.content)
	}
	_ = w.Close()
	return &b, w.FormDataContentType()
}

func (q request) http() *http.Request {
	body := q.body
	var contentType string
	if q.form != nil {
		body, contentType = multipartBody(q.form)
	}
	r := httptest.NewRequest(q.method, "http://127.0.0.1:4000"+q.path, body)
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	for name, value := range q.header {
		if name == "Host" {
			r.Host = value
		}
		r.Header.Set(name, value)
	}
	return r
}

// do sends q to the daemon, and checks the answer against the contract.
func (q request) do(t *testing.T, d *daemon, doc *document) (int, http.Header, string) {
	t.Helper()
	s := d.server()
	if q.server != nil {
		q.server(s)
	}
	svc := newService(s, context.Background())
	r := q.http()
	w := httptest.NewRecorder()
	_, pattern := svc.mux.Handler(r)
	svc.ServeHTTP(w, r)
	body := w.Body.String()
	if pattern != "" {
		if err := doc.check(strings.TrimSuffix(pattern, "{$}"), w.Result(), w.Body.Bytes()); err != nil {
			t.Errorf("%v\n%s", err, body)
		}
	}
	if held := svc.memory.held.Load(); held != 0 {
		t.Errorf("%d bytes still held after the request", held)
	}
	if n := len(svc.work); n != 0 {
		t.Errorf("%d slots still held after the request", n)
	}
	return w.Code, w.Header(), body
}

// raw sends q, whose answer the contract does not have.
func (q request) raw() (int, http.Header, string) {
	w := httptest.NewRecorder()
	s := (&daemon{}).server()
	s.Handler().ServeHTTP(w, q.http())
	return w.Code, w.Header(), w.Body.String()
}

// photo is an image that the fake daemon accepts when it is wider than high.
func photo(w, h int) string {
	img := image.NewRGBA(image.Rect(0, 0, w, h))
	img.Set(w/2, h/2, color.White)
	var b bytes.Buffer
	_ = jpeg.Encode(&b, img, nil)
	return b.String()
}

func pngPhoto(w, h int) string {
	var b bytes.Buffer
	_ = png.Encode(&b, image.NewGray(image.Rect(0, 0, w, h)))
	return b.String()
}

// hugeHeader is the beginning of a PNG that says it is w x h.
func hugeHeader(w, h uint32) string {
	b := []byte("\x89PNG\r\n\x1a\n\x00\x00\x00\x0dIHDR")
	b = binary.BigEndian.AppendUint32(b, w)
	b = binary.BigEndian.AppendUint32(b, h)
	b = append(b, 8, 2, 0, 0, 0)
	b = binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b[12:]))
	return string(b) + strings.Repeat("\x00", 64)
}
