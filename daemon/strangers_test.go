package daemon

import (
	"bytes"
	"image/jpeg"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"facerecd/capture/still"
	"facerecd/daemon/api"
	"facerecd/daemon/event"
	"facerecd/inference"
)

// parade shows demo photos one after the other, in this order.
func parade(t *testing.T, names ...string) string {
	t.Helper()
	dir := t.TempDir()
	for i, name := range names {
		if err := os.Symlink(photo(t, name), filepath.Join(dir, strconv.Itoa(i)+".jpg")); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// whose tells the boxes of the demo photos apart.
func whose(t *testing.T, names ...string) func(event.Event) string {
	t.Helper()
	engine := newEngine(t)
	boxes := map[string][4]int{}
	for _, name := range names {
		boxes[name] = theFace(t, engine, shot(t, name)).Box.Pixels(640, 480)
	}
	return func(e event.Event) string {
		for name, box := range boxes {
			if near(e.Box, box) {
				return name
			}
		}
		return ""
	}
}

func (r *rig) strangers(t *testing.T, ignored bool) []api.Stranger {
	t.Helper()
	all, err := r.Strangers(t.Context(), ignored)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestTheSameStrangerHasTheSameIDUntilTheyAreNamed(t *testing.T) {
	long(t)
	t.Parallel()
	shows := whose(t, "obama", "obama2", "biden")
	plug := filepath.Join(t.TempDir(), "camera")
	c := settings(t, plug)
	c.Cameras[0].Hold = 2 * time.Second
	r := start(t, c)
	w := watch(t, r.broker, "")
	if err := os.Rename(parade(t, "obama", "biden", "obama2", "biden"), plug); err != nil {
		t.Fatal(err)
	}
	ids := map[string]string{}
	met := func(name string) {
		t.Helper()
		e := w.event(t, func(e event.Event) bool { return e.Type == event.Unknown && shows(e) == name })
		if e.Stranger == nil || ids[name] != "" && ids[name] != *e.Stranger {
			t.Fatalf("%s came as stranger %v, was %q", name, e.Stranger, ids[name])
		}
		ids[name] = *e.Stranger
		left := w.event(t, func(l event.Event) bool { return l.Type == event.Left && l.Track == e.Track })
		if left.Stranger == nil || *left.Stranger != ids[name] {
			t.Errorf("%s left as stranger %v, want %s", name, left.Stranger, ids[name])
		}
	}
	met("obama")
	met("biden")
	met("obama2")
	if ids["obama"] != ids["obama2"] || ids["obama"] == ids["biden"] {
		t.Fatalf("ids %v", ids)
	}
	met("obama")
	r.stop(t)
	w.offline(t)

	r = start(t, c) // the ids last
	w = watch(t, r.broker, "")
	met("biden")
	all := r.strangers(t, false)
	if len(all) != 2 {
		t.Fatalf("strangers %+v", all)
	}
	var obama api.Stranger
	for _, st := range all {
		if st.ID == ids["obama"] {
			obama = st
		}
		if !slices.Equal(st.Cameras, []string{"door"}) || st.Ignored || !st.FirstSeen.Before(st.LastSeen) {
			t.Errorf("stranger %+v", st)
		}
	}
	if obama.Count < 3 {
		t.Errorf("stranger %+v, seen three times at least", obama)
	}
	picture, err := r.StrangerPicture(t.Context(), obama.ID)
	if err != nil {
		t.Fatal(err)
	}
	img, err := still.Decode(picture, still.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if faces, err := newEngine(t).Faces(inference.FromImage(img)); err != nil || len(faces) != 1 {
		t.Errorf("%d faces in the picture, %v", len(faces), err)
	}

	named, err := r.NameStranger(t.Context(), obama.ID, secretName)
	if err != nil || named.Person.Name != secretName || named.Accepted < 1 || named.Accepted != named.Person.Templates || named.Relabelled < 4 {
		t.Fatalf("named: %+v, %v", named, err)
	}
	e := w.event(t, func(e event.Event) bool { return e.Type == event.Recognized })
	if e.Person.ID != named.Person.ID || e.Stranger != nil {
		t.Errorf("recognised %+v", e)
	}
	for _, st := range r.strangers(t, true) {
		if st.ID == obama.ID {
			t.Error("who was named is a stranger still")
		}
	}
	relabelled := 0
	for _, e := range r.history(t) {
		if e.Stranger != nil && *e.Stranger == obama.ID {
			t.Errorf("an event is the stranger's still: %+v", e)
		}
		if e.Person != nil && e.Type == event.Unknown {
			relabelled++
			if shows(e) == "biden" {
				t.Errorf("somebody else's event is the person's: %+v", e)
			}
		}
	}
	if relabelled < 3 {
		t.Errorf("%d events of an unknown face have the person", relabelled)
	}
	met("biden")

	if _, err := r.Delete(t.Context(), named.Person.ID); err != nil {
		t.Fatal(err)
	}
	r.stop(t)
	if files := filesWith(t, c.DataDir, picture[len(picture)/2:][:64]); files != nil {
		t.Errorf("the picture is in %v", files)
	}
	nothingIsLeft(t, r)
}

func TestNothingIsLeftOfAForgottenStranger(t *testing.T) {
	t.Parallel()
	c := settings(t, photo(t, "obama"))
	r := start(t, c)
	eventually(t, "there is a stranger", func() bool { return len(r.strangers(t, false)) == 1 })
	// What waits goes out with the id, which leads nowhere then.
	eventually(t, "the broker has the event", func() bool { return r.Daemon.Health().MQTT.Backlog == 0 })
	id := r.strangers(t, false)[0].ID
	picture, err := r.StrangerPicture(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := jpeg.Decode(bytes.NewReader(picture)); err != nil {
		t.Fatal(err)
	}
	st, _ := r.Daemon.health.parts.strangers.all.Get(id)
	pieces := [][]byte{picture[len(picture)/2:][:64], raw(st.Exemplars[0].Vector[100:110]), []byte(id)}
	for i, piece := range pieces {
		if filesWith(t, c.DataDir, piece) == nil {
			t.Fatalf("piece %d is in no file to begin with; the test proves nothing", i)
		}
	}
	if err := r.ForgetStranger(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	if all := r.strangers(t, true); len(all) > 0 {
		t.Errorf("strangers %+v", all)
	}
	for i, piece := range pieces {
		if files := filesWith(t, c.DataDir, piece); files != nil {
			t.Errorf("piece %d is in %v", i, files)
		}
	}
	r.stop(t)
	for i, piece := range pieces {
		if files := filesWith(t, c.DataDir, piece); files != nil {
			t.Errorf("after the stop, piece %d is in %v", i, files)
		}
	}
}

func TestWhoIsIgnoredIsNotToldOf(t *testing.T) {
	long(t)
	t.Parallel()
	shows := whose(t, "obama", "biden")
	plug := filepath.Join(t.TempDir(), "camera")
	c := settings(t, plug)
	c.Cameras[0].Hold = 2 * time.Second
	r := start(t, c)
	w := watch(t, r.broker, "")
	if err := os.Rename(parade(t, "obama", "biden"), plug); err != nil {
		t.Fatal(err)
	}
	biden := w.event(t, func(e event.Event) bool { return e.Type == event.Unknown && shows(e) == "biden" })
	if err := r.IgnoreStranger(t.Context(), *biden.Stranger); err != nil {
		t.Fatal(err)
	}
	w.event(t, func(e event.Event) bool { return e.Type == event.Left && e.Track == biden.Track })
	quiet := func() {
		t.Helper()
		from, shown := len(w.all), len(w.shown)
		for range 3 {
			w.event(t, func(e event.Event) bool { return e.Type == event.Unknown && shows(e) == "obama" })
		}
		for _, e := range w.all[from:] {
			if shows(e) != "obama" {
				t.Errorf("told of who is ignored: %+v", e)
			}
		}
		for _, p := range w.shown[shown:] {
			if p.Unknown > 1 {
				t.Errorf("present %+v", p)
			}
		}
	}
	quiet()
	if listed := r.strangers(t, false); len(listed) != 1 || listed[0].ID == *biden.Stranger {
		t.Errorf("strangers %+v", listed)
	}
	all := r.strangers(t, true)
	i := slices.IndexFunc(all, func(st api.Stranger) bool { return st.ID == *biden.Stranger })
	if i < 0 || !all[i].Ignored || all[i].Count != 1 {
		t.Errorf("strangers %+v", all)
	}
	r.stop(t)
	w.offline(t)
	r = start(t, c)
	w = watch(t, r.broker, "")
	quiet()
	if err := r.ForgetStranger(t.Context(), *biden.Stranger); err != nil {
		t.Fatal(err)
	}
	again := w.event(t, func(e event.Event) bool { return e.Type == event.Unknown && shows(e) == "biden" })
	if again.Stranger == nil || *again.Stranger == *biden.Stranger {
		t.Errorf("told again as %v", again.Stranger)
	}
}

func TestTurnedOffTheNextStartDeletesWhatWasStored(t *testing.T) {
	t.Parallel()
	c := settings(t, photo(t, "obama"))
	r := start(t, c)
	eventually(t, "there is a stranger", func() bool { return len(r.strangers(t, false)) == 1 })
	id := r.strangers(t, false)[0].ID
	picture, err := r.StrangerPicture(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	r.stop(t)
	piece := picture[len(picture)/2:][:64]
	if filesWith(t, c.DataDir, piece) == nil {
		t.Fatal("no file has the picture; the test proves nothing")
	}
	c.Unknown.Pictures = false
	r = start(t, c)
	if all := r.strangers(t, false); len(all) != 1 || all[0].ID != id {
		t.Errorf("strangers %+v", all)
	}
	if _, err := r.StrangerPicture(t.Context(), id); err == nil {
		t.Error("there is a picture")
	}
	r.stop(t)
	if files := filesWith(t, c.DataDir, piece); files != nil {
		t.Errorf("the picture is in %v", files)
	}
	c.Unknown.Remember = false
	r = start(t, c)
	if all := r.strangers(t, true); len(all) > 0 {
		t.Errorf("strangers %+v", all)
	}
	eventually(t, "an unknown face is told of", func() bool { return len(r.history(t)) > 2 })
	r.stop(t)
	s := reopen(t, c)
	if all, err := s.Strangers(); err != nil || len(all) > 0 {
		t.Errorf("strangers %+v, %v", all, err)
	}
	if files := filesWith(t, c.DataDir, []byte(id)); files != nil {
		t.Errorf("the id is in %v", files)
	}
}
