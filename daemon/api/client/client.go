// Package client talks to a facerecd over its HTTP port. It speaks the types
// of package api; an error that the daemon answered is an *api.Problem, whose
// text is a sentence that says what to do.
package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"facerecd/daemon/api"
	"facerecd/daemon/event"
	"facerecd/match"
)

// maxAnswer bounds an answer that is read into memory.
const maxAnswer = 64 << 20

// Client is one daemon, as its callers see it. Its methods may be called by
// several goroutines at once.
type Client struct {
	BaseURL string       // http://127.0.0.1:4000
	Token   string       // empty: none is sent
	HTTP    *http.Client // nil: http.DefaultClient. A Timeout would also end a Watch
}

// Register enrols name with the photos in files, in one request. They are
// opened before anything is sent, and sent as they are. Images that were not
// used are in the answer's Rejected; when none was, the error is an
// *api.Problem that has them.
func (c *Client) Register(ctx context.Context, name string, files []string) (api.Enrollment, error) {
	return c.register(ctx, name, files, false)
}

// ForceRegister is Register, also of images that do not match the others, or
// look like somebody else who is enrolled.
func (c *Client) ForceRegister(ctx context.Context, name string, files []string) (api.Enrollment, error) {
	return c.register(ctx, name, files, true)
}

func (c *Client) register(ctx context.Context, name string, files []string, force bool) (api.Enrollment, error) {
	var e api.Enrollment
	f, err := newForm("images", files)
	if err != nil {
		return e, err
	}
	defer f.close()
	if err := f.WriteField("name", name); err != nil {
		return e, fmt.Errorf("write form: %w", err)
	}
	if force {
		if err := f.WriteField("force", "true"); err != nil {
			return e, fmt.Errorf("write form: %w", err)
		}
	}
	return e, c.send(ctx, "/register", f, &e)
}

// Recognize asks who is in the photo.
func (c *Client) Recognize(ctx context.Context, file string) (api.Recognition, error) {
	var found api.Recognition
	f, err := newForm("image", []string{file})
	if err != nil {
		return found, err
	}
	defer f.close()
	return found, c.send(ctx, "/recognize", f, &found)
}

// Events returns up to limit events that the filter wants, but for its Track, the
// newest first: those before the event with the id before, or the newest when that
// is empty. The daemon gives up to 500 at a time.
func (c *Client) Events(ctx context.Context, f event.Filter, before string, limit int) ([]event.Past, error) {
	query := url.Values{"limit": {strconv.Itoa(limit)}}
	for name, value := range map[string]string{
		"person": f.Person, "camera": f.Camera, "type": string(f.Type), "stranger": f.Stranger, "before": before,
	} {
		if value != "" {
			query.Set(name, value)
		}
	}
	for name, t := range map[string]time.Time{"since": f.Since, "until": f.Until} {
		if !t.IsZero() {
			query.Set(name, t.UTC().Format(time.RFC3339Nano))
		}
	}
	var answer eventsAnswer
	err := c.call(ctx, http.MethodGet, "/api/v1/events?"+query.Encode(), nil, &answer)
	return answer.Events, err
}

type eventsAnswer struct {
	Events []event.Past `json:"events"`
}

// Seen returns up to limit events with the face that the photo shows, the most alike
// first.
func (c *Client) Seen(ctx context.Context, file string, limit int) ([]event.Past, error) {
	f, err := newForm("image", []string{file})
	if err != nil {
		return nil, err
	}
	defer f.close()
	var answer eventsAnswer
	err = c.send(ctx, fmt.Sprintf("/api/v1/events/search?limit=%d", limit), f, &answer)
	return answer.Events, err
}

// EnrollEvent enrols the face of an event under the name; with force also when it
// looks like somebody else.
func (c *Client) EnrollEvent(ctx context.Context, id, name string, force bool) (api.Enrollment, error) {
	var e api.Enrollment
	body := struct {
		Name  string `json:"name"`
		Force bool   `json:"force"`
	}{name, force}
	return e, c.call(ctx, http.MethodPost, eventPath(id)+"/enrol", body, &e)
}

// RejectEvent says that it was not the person whom an event names.
func (c *Client) RejectEvent(ctx context.Context, id string) (event.Past, error) {
	var e event.Past
	return e, c.call(ctx, http.MethodPost, eventPath(id)+"/not", struct{}{}, &e)
}

func eventPath(id string) string { return "/api/v1/events/" + url.PathEscape(id) }

// People returns everybody who is enrolled.
func (c *Client) People(ctx context.Context) ([]match.Person, error) { return c.people(ctx, "") }

// Named returns the people whose names have the text in them, whatever its case.
func (c *Client) Named(ctx context.Context, text string) ([]match.Person, error) {
	return c.people(ctx, "?q="+url.QueryEscape(text))
}

func (c *Client) people(ctx context.Context, query string) ([]match.Person, error) {
	var answer struct {
		People []match.Person `json:"people"`
	}
	err := c.call(ctx, http.MethodGet, "/api/v1/people"+query, nil, &answer)
	return answer.People, err
}

// Check looks what the enrolled templates say of each other, for at most so many
// seconds (1 to 600).
func (c *Client) Check(ctx context.Context, seconds int) (api.Checkup, error) {
	var found api.Checkup
	return found, c.call(ctx, http.MethodGet, fmt.Sprintf("/api/v1/check?seconds=%d", seconds), nil, &found)
}

// RecognizeJPEG is Recognize for a picture in memory.
func (c *Client) RecognizeJPEG(ctx context.Context, picture []byte) (api.Recognition, error) {
	var found api.Recognition
	req, err := c.request(ctx, http.MethodPost, "/recognize", bytes.NewReader(picture))
	if err != nil {
		return found, err
	}
	req.Header.Set("Content-Type", "image/jpeg")
	return found, c.fill(req, &found)
}

// Person returns the person with the given id.
func (c *Client) Person(ctx context.Context, id string) (match.Person, error) {
	var p match.Person
	return p, c.call(ctx, http.MethodGet, personPath(id), nil, &p)
}

// Rename gives the person another name.
func (c *Client) Rename(ctx context.Context, id, name string) (match.Person, error) {
	return c.edit(ctx, id, match.Edit{Name: &name})
}

// SetNotify says whether the person's coming and going is announced.
func (c *Client) SetNotify(ctx context.Context, id string, on bool) (match.Person, error) {
	return c.edit(ctx, id, match.Edit{Notify: &on})
}

func (c *Client) edit(ctx context.Context, id string, e match.Edit) (match.Person, error) {
	var p match.Person
	return p, c.call(ctx, http.MethodPatch, personPath(id), e, &p)
}

// Delete forgets the person.
func (c *Client) Delete(ctx context.Context, id string) (api.Receipt, error) {
	var r api.Receipt
	return r, c.call(ctx, http.MethodDelete, personPath(id), nil, &r)
}

func personPath(id string) string { return "/api/v1/people/" + url.PathEscape(id) }

// Health returns how the daemon fares. Without the token that it needs, only
// Status is set.
func (c *Client) Health(ctx context.Context) (api.Health, error) {
	var h api.Health
	return h, c.call(ctx, http.MethodGet, "/healthz", nil, &h)
}

// Backup returns a backup of everybody (docs/backup.md), which the caller closes.
// A part of it does not pass for the whole.
func (c *Client) Backup(ctx context.Context) (io.ReadCloser, error) {
	req, err := c.request(ctx, http.MethodGet, "/api/v1/backup", nil)
	if err != nil {
		return nil, err
	}
	resp, err := c.do(req)
	if err != nil {
		return nil, err
	}
	return resp.Body, nil
}

// Restore has the daemon take a backup in: all of it, or with an error nothing.
func (c *Client) Restore(ctx context.Context, backup io.Reader, o api.RestoreOptions) (api.Restored, error) {
	var done api.Restored
	req, err := c.request(ctx, http.MethodPost, "/api/v1/restore?"+o.Query().Encode(), io.NopCloser(backup))
	if err != nil {
		return done, err
	}
	req.Header.Set("Content-Type", api.BackupType)
	return done, c.fill(req, &done)
}

// Cameras returns the cameras and how they fare.
func (c *Client) Cameras(ctx context.Context) ([]api.Camera, error) {
	var answer struct {
		Cameras []api.Camera `json:"cameras"`
	}
	err := c.call(ctx, http.MethodGet, "/api/v1/cameras", nil, &answer)
	return answer.Cameras, err
}

// Snapshot returns the next picture of the camera with that name or slug.
func (c *Client) Snapshot(ctx context.Context, camera string, o api.Overlay) (p api.Picture, err error) {
	path := "/api/v1/cameras/" + url.PathEscape(camera) + "/snapshot.jpg"
	if overlay := o.String(); overlay != "" {
		path += "?overlay=" + overlay
	}
	req, err := c.request(ctx, http.MethodGet, path, nil)
	if err != nil {
		return p, err
	}
	resp, err := c.do(req)
	if err != nil {
		return p, err
	}
	defer resp.Body.Close()
	if p.JPEG, err = io.ReadAll(io.LimitReader(resp.Body, maxAnswer)); err != nil {
		return p, fmt.Errorf("read picture of %s: %w", c.BaseURL, err)
	}
	if p.At, err = time.Parse(time.RFC3339, resp.Header.Get("X-Timestamp")); err != nil {
		return p, fmt.Errorf("read picture's time: %w", err)
	}
	return p, nil
}

// call sends in as JSON, when there is one, and fills out, unless it is nil, from
// the answer.
func (c *Client) call(ctx context.Context, method, path string, in, out any) error {
	var body io.Reader
	if in != nil {
		data, err := json.Marshal(in)
		if err != nil {
			return fmt.Errorf("encode request: %w", err)
		}
		body = bytes.NewReader(data)
	}
	req, err := c.request(ctx, method, path, body)
	if err != nil {
		return err
	}
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	return c.fill(req, out)
}

func (c *Client) send(ctx context.Context, path string, f *form, out any) error {
	body, err := f.body()
	if err != nil {
		return err
	}
	req, err := c.request(ctx, http.MethodPost, path, body)
	if err != nil {
		return err
	}
	req.ContentLength = f.size
	req.Header.Set("Content-Type", f.FormDataContentType())
	return c.fill(req, out)
}

func (c *Client) request(ctx context.Context, method, path string, body io.Reader) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, method, strings.TrimSuffix(c.BaseURL, "/")+path, body)
	if err != nil {
		return nil, fmt.Errorf("address of the daemon: %w", err)
	}
	if c.Token != "" {
		req.Header.Set("Authorization", "Bearer "+c.Token)
	}
	return req, nil
}

func (c *Client) fill(req *http.Request, out any) error {
	resp, err := c.do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if out == nil {
		return nil
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxAnswer)).Decode(out); err != nil {
		return fmt.Errorf("read answer of %s: %w", c.BaseURL, err)
	}
	return nil
}

// do returns a successful answer, whose body the caller closes.
func (c *Client) do(req *http.Request) (*http.Response, error) {
	client := c.HTTP
	if client == nil {
		client = http.DefaultClient
	}
	resp, err := client.Do(req)
	if errors.Is(err, syscall.ECONNREFUSED) {
		return nil, fmt.Errorf("no facerecd at %s; start it with \"facerecd run\" or \"systemctl start facerecd\": %w", c.BaseURL, err)
	}
	if err != nil {
		return nil, fmt.Errorf("ask facerecd: %w", err)
	}
	if resp.StatusCode < 300 {
		return resp, nil
	}
	defer resp.Body.Close()
	if kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type")); kind == "application/problem+json" {
		p := new(api.Problem)
		if err := json.NewDecoder(io.LimitReader(resp.Body, maxAnswer)).Decode(p); err == nil && p.Detail != "" {
			return nil, p
		}
	}
	return nil, fmt.Errorf("%s answered %q and no problem document: is that a facerecd?", c.BaseURL, resp.Status)
}

// form is a multipart body around files, which are read while it is sent.
type form struct {
	*multipart.Writer
	text  bytes.Buffer // what the Writer wrote: all but the files' contents
	field string
	files []*os.File
	sizes []int64
	size  int64 // of the whole body, once it is made
}

func newForm(field string, files []string) (*form, error) {
	f := &form{field: field}
	f.Writer = multipart.NewWriter(&f.text)
	var total int64
	for _, path := range files {
		file, err := os.Open(path)
		if err != nil {
			f.close()
			return nil, fmt.Errorf("open photo: %w", err)
		}
		f.files = append(f.files, file)
		info, err := file.Stat()
		if err == nil && !info.Mode().IsRegular() {
			err = fmt.Errorf("%s is not a file", path)
		}
		if err != nil {
			f.close()
			return nil, fmt.Errorf("open photo: %w", err)
		}
		f.sizes = append(f.sizes, info.Size())
		total += info.Size()
	}
	// The daemon says the same, but may close the connection while we send.
	if total > api.MaxBodyBytes {
		f.close()
		return nil, fmt.Errorf("the photos are over %d MiB together; send fewer at a time: another request for the same name adds to that person", api.MaxBodyBytes>>20)
	}
	return f, nil
}

// body ends the form.
func (f *form) body() (io.Reader, error) {
	var parts []io.Reader
	take := func() {
		text := bytes.Clone(f.text.Bytes())
		f.text.Reset()
		f.size += int64(len(text))
		parts = append(parts, bytes.NewReader(text))
	}
	for i, file := range f.files {
		if _, err := f.CreateFormFile(f.field, filepath.Base(file.Name())); err != nil {
			return nil, fmt.Errorf("write form: %w", err)
		}
		take()
		parts = append(parts, io.LimitReader(file, f.sizes[i]))
		f.size += f.sizes[i]
	}
	if err := f.Close(); err != nil {
		return nil, fmt.Errorf("write form: %w", err)
	}
	take()
	return io.MultiReader(parts...), nil
}

func (f *form) close() {
	for _, file := range f.files {
		_ = file.Close() // opened to read
	}
}
