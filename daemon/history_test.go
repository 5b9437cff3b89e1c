package daemon

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"io/fs"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"facerecd/daemon/api"
	"facerecd/daemon/config"
	"facerecd/daemon/event"
)

// found waits until the history has an event that the filter wants, and returns the
// newest.
func (r *rig) found(t *testing.T, f event.Filter) (e event.Past) {
	t.Helper()
	eventually(t, "such an event is in the history", func() bool {
		all, err := r.Events(t.Context(), f, "", 1)
		if err != nil {
			t.Fatal(err)
		}
		if len(all) == 1 {
			e = all[0]
		}
		return len(all) == 1
	})
	return e
}

// portrait is the picture of an event.
func (r *rig) portrait(t *testing.T, id string) (status int, picture []byte) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, r.BaseURL+"/api/v1/events/"+id+"/picture.jpg", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := r.HTTP.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if picture, err = io.ReadAll(resp.Body); err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, picture
}

// TestASightingIsFoundEnrolledAndErased follows one face through the history, beside
// another's that stays.
func TestASightingIsFoundEnrolledAndErased(t *testing.T) {
	t.Parallel()
	c := settings(t, photo(t, "obama"))
	c.History.Pictures, c.KeepCrops = true, true
	garden := c.Cameras[0]
	garden.Name, garden.Source = "garden", photo(t, "biden")
	c.Cameras = append(c.Cameras, garden)
	r := start(t, c)
	ctx := t.Context()
	first, other := r.found(t, event.Filter{Camera: "door", Type: event.Unknown}), r.found(t, event.Filter{Camera: "garden", Type: event.Unknown})
	if !first.HasEmbedding || !first.HasPicture {
		t.Fatalf("event %+v", first)
	}
	status, picture := r.portrait(t, first.ID)
	if shown, err := r.Recognize(ctx, save(t, "portrait.jpg", picture)); status != 200 || err != nil || len(shown.Faces) != 1 {
		t.Errorf("its picture: %d, %+v, %v", status, shown, err)
	}

	// He comes again.
	if err := errors.Join(r.SwitchCamera("door", false), r.SwitchCamera("door", true)); err != nil {
		t.Fatal(err)
	}
	second := first
	eventually(t, "he is seen again", func() bool {
		second = r.found(t, event.Filter{Camera: "door", Type: event.Unknown})
		return second.ID != first.ID
	})

	// When was this face seen?
	hits, err := r.Seen(ctx, photo(t, "obama2"), 10)
	ids := []string{}
	for _, h := range hits {
		if ids = append(ids, h.ID); h.Similarity < 0.4 {
			t.Errorf("a hit of %v", h.Similarity)
		}
	}
	slices.Sort(ids)
	if err != nil || !slices.Equal(ids, []string{first.ID, second.ID}) {
		t.Errorf("seen in %v, %v", ids, err)
	}
	both := sideBySide(scaled(readPicture(t, "obama"), 450), scaled(readPicture(t, "biden"), 700))
	for code, img := range map[string][]byte{"no_face": encode(t, wall()), "several_faces": encode(t, both)} {
		_, err := r.Seen(ctx, save(t, "photo.jpg", img), 10)
		if p := refusal(t, err); p.Status != 422 || p.Code != code {
			t.Errorf("%s: %+v", code, p)
		}
	}

	// That was Ana.
	e, err := r.EnrollEvent(ctx, first.ID, secretName, false)
	if err != nil || e.Accepted != 1 || e.Person.Name != secretName || e.Person.Templates != 1 {
		t.Fatalf("enrolled %+v, %v", e, err)
	}
	again := r.found(t, event.Filter{Type: event.Recognized})
	if again.Person == nil || again.Person.ID != e.Person.ID || again.Camera != "door" {
		t.Errorf("recognised %+v", again)
	}
	named, err := r.Events(ctx, event.Filter{Person: e.Person.ID, Type: event.Unknown}, "", 10)
	if err != nil || len(named) != 1 || named[0].ID != first.ID || named[0].Person.Name != secretName {
		t.Errorf("the event is %+v, %v", named, err)
	}
	s := r.Daemon.health.parts.store
	if stored, err := r.Daemon.health.parts.roster.Get(ctx, e.Person.ID); err != nil || stored.Templates != 1 {
		t.Errorf("%+v, %v", stored, err)
	}

	// Ana goes, and is forgotten with all that was seen of her, named or not.
	if err := r.SwitchCamera("door", false); err != nil {
		t.Fatal(err)
	}
	r.found(t, event.Filter{Person: e.Person.ID, Type: event.Left})
	var theirs [][]byte
	for _, id := range []string{first.ID, second.ID, again.ID} {
		row, err := s.Recorded(id)
		if err != nil || len(row.Face.Vector) == 0 || len(row.Face.Picture) == 0 {
			t.Fatalf("event %s: %+v, %v", id, row, err)
		}
		theirs = append(theirs, raw(row.Face.Vector), row.Face.Picture)
	}
	for _, b := range theirs {
		if filesWith(t, c.DataDir, b) == nil {
			t.Fatal("no file holds what is to be erased; the test proves nothing")
		}
	}
	receipt, err := r.Delete(ctx, e.Person.ID)
	if err != nil || receipt.Templates != 1 || receipt.Crops != 1 || receipt.History < 3 || receipt.Pictures != 3 || receipt.Alike != 1 || !receipt.Purged {
		t.Errorf("receipt %+v, %v", receipt, err)
	}
	if _, err := r.RejectEvent(ctx, first.ID); refusal(t, err).Code != api.CodeEventNotFound {
		t.Errorf("the first event: %v", err)
	}
	if status, _ := r.portrait(t, second.ID); status != 404 {
		t.Errorf("the picture of the event that names nobody: %d", status)
	}
	if hits, err := r.Seen(ctx, photo(t, "obama2"), 10); err != nil || len(hits) != 0 {
		t.Errorf("seen: %+v, %v", hits, err)
	}
	if status, _ := r.portrait(t, other.ID); status != 200 {
		t.Errorf("the picture of somebody else: %d", status)
	}
	r.stop(t)
	nothingIsLeft(t, r)
	for i, b := range theirs {
		if files := filesWith(t, c.DataDir, b); files != nil {
			t.Errorf("%d is in %v", i, files)
		}
	}
}

// raw are the bytes of an embedding as the store has them.
func raw(v []float32) (b []byte) {
	for _, x := range v {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(x))
	}
	return b
}

// filesWith lists the files of a folder, at any depth, that hold data.
func filesWith(t *testing.T, dir string, data []byte) (paths []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		file, err := os.ReadFile(path)
		if bytes.Contains(file, data) {
			paths = append(paths, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return paths
}

func TestAnEventLosesWhoWasNotThere(t *testing.T) {
	t.Parallel()
	_, c, ear := besideMosquitto(t)
	r := start(t, c)
	ctx := t.Context()
	e, err := r.Register(ctx, "Joe", []string{photo(t, "obama2"), photo(t, "obama3")})
	if err != nil {
		t.Fatal(err)
	}
	wrong := r.found(t, event.Filter{Person: e.Person.ID, Type: event.Recognized})
	if err := r.SwitchCamera("door", false); err != nil {
		t.Fatal(err)
	}
	left := r.found(t, event.Filter{Person: e.Person.ID, Type: event.Left})
	if wrong.Track != left.Track {
		t.Fatalf("tracks %s, %s", wrong.Track, left.Track)
	}
	const topic = "facerecd/pi/person/joe"
	eventually(t, "his topic has him", func() bool { return ear.state(t, topic).Event != "" })
	was, err := r.RejectEvent(ctx, wrong.ID)
	if err != nil || was.ID != wrong.ID || was.Person != nil || was.Score != 0 || was.Type != event.Recognized || !was.HasEmbedding {
		t.Errorf("it is %+v, %v", was, err)
	}
	if all, err := r.Events(ctx, event.Filter{Person: e.Person.ID}, "", 10); err != nil || len(all) != 0 {
		t.Errorf("still theirs: %+v, %v", all, err)
	}
	eventually(t, "his topic says that he was never seen", func() bool { s := ear.state(t, topic); return s.Event == "" && s.Camera == "" })
	if _, err := r.RejectEvent(ctx, wrong.ID); refusal(t, err).Code != api.CodeNoPerson {
		t.Errorf("once more: %v", err)
	}
	// The same face comes again, and is not taken for his.
	if err := r.SwitchCamera("door", true); err != nil {
		t.Fatal(err)
	}
	if again := r.found(t, event.Filter{Type: event.Unknown}); again.Person != nil || again.Track == wrong.Track {
		t.Errorf("again: %+v", again)
	}
	if all, err := r.Events(ctx, event.Filter{Person: e.Person.ID}, "", 10); err != nil || len(all) != 0 {
		t.Errorf("he is recognised again: %+v, %v", all, err)
	}
	if _, err := r.EnrollEvent(ctx, left.ID, "Ana", false); refusal(t, err).Code != api.CodeNoEmbedding {
		t.Errorf("from an event without a face: %v", err)
	}
}

func TestWhatTheHistoryIsNotToKeepIsDeletedAtTheStart(t *testing.T) {
	t.Parallel()
	c := settings(t, photo(t, "obama"))
	c.History.Pictures = true
	r := start(t, c)
	e := r.found(t, event.Filter{Type: event.Unknown})
	r.stop(t)
	kept := func(c config.Config) (embedding, picture bool, log string) {
		t.Helper()
		c.Cameras = nil
		r := start(t, c)
		e := r.found(t, event.Filter{Type: event.Unknown})
		r.stop(t)
		return e.HasEmbedding, e.HasPicture, r.log.String()
	}
	if embedding, picture, _ := kept(c); !e.HasPicture || !embedding || !picture {
		t.Errorf("the next run has embedding: %v, picture: %v", embedding, picture)
	}
	c.History.Pictures = false
	if embedding, picture, log := kept(c); !embedding || picture || !strings.Contains(log, `"history.pictures is off: deleted the stored pictures of events" count=1`) {
		t.Errorf("without pictures: embedding: %v, picture: %v\n%s", embedding, picture, log)
	}
	c.History.Embeddings = false
	if embedding, _, log := kept(c); embedding || !strings.Contains(log, `"history.embeddings is off: deleted the stored embeddings of events" count=1`) {
		t.Errorf("without embeddings: %v\n%s", embedding, log)
	}
}
