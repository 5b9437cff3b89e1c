package daemon

import (
	"bytes"
	"context"
	"image"
	"image/jpeg"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"facerecd/capture/still"
	"facerecd/cross/testkit"
	"facerecd/daemon/api"
	"facerecd/daemon/config"
	"facerecd/daemon/event"
	"facerecd/inference"
	"facerecd/match"
	"facerecd/match/store"
)

// jpegStart is how the crops begin, and nothing else in the store's files.
const jpegStart = "\xff\xd8\xff\xdb\x00\x84"

func cropsOnDisk(t *testing.T, c config.Config) bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(c.DataDir, "store", "*"))
	if err != nil {
		t.Fatal(err)
	}
	return slices.ContainsFunc(files, func(path string) bool {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return bytes.Contains(data, []byte(jpegStart))
	})
}

// enrolled are the settings of a daemon that has enrolled two people with the
// shipped pack, and was stopped.
func enrolled(t *testing.T, keepCrops bool) config.Config {
	t.Helper()
	c := settings(t, save(t, "wall.jpg", encode(t, wall())))
	c.Cameras[0].FPS = 2
	c.KeepCrops = keepCrops
	r := start(t, c)
	for name, photos := range map[string][]string{"Barack": {photo(t, "obama2"), photo(t, "obama3")}, "Joe": {photo(t, "biden")}} {
		if e, err := r.Register(t.Context(), name, photos); err != nil || e.Accepted != len(photos) {
			t.Fatalf("register: %+v, %v", e, err)
		}
	}
	r.stop(t)
	if got := cropsOnDisk(t, c); got != keepCrops {
		t.Fatalf("crops on the disk: %v, want %v", got, keepCrops)
	}
	return c
}

func staleOnes(t *testing.T, r *rig) (n int) {
	t.Helper()
	for _, p := range people(t, r) {
		n += p.Stale
	}
	return n
}

func (r *rig) names(t *testing.T, file string) string {
	t.Helper()
	found, err := r.Recognize(t.Context(), file)
	if err != nil || len(found.Faces) != 1 {
		t.Fatalf("recognize: %+v, %v", found, err)
	}
	if p := found.Faces[0].Person; p != nil {
		return p.Name
	}
	return ""
}

func TestAnotherModelPackKnowsEverybodyFromTheirCrops(t *testing.T) {
	c := enrolled(t, true)
	c.Models = testkit.OtherPack(t)
	r := start(t, c)
	eventually(t, "all templates are made anew", func() bool { return staleOnes(t, r) == 0 })
	r.healthy(t)
	for name, want := range map[string]string{"obama2": "Barack", "obama3": "Barack", "biden": "Joe"} {
		if got := r.names(t, photo(t, name)); got != want {
			t.Errorf("%s is %q by the other pack", name, got)
		}
	}
	// What the crop gave is what the photo itself would give.
	e := r.Daemon.health.parts.engines[0]
	photos := map[string][]float32{}
	for _, name := range []string{"obama2", "obama3", "biden"} {
		faces, err := e.Faces(inference.FromImage(readPicture(t, name)))
		if err != nil || len(faces) != 1 {
			t.Fatalf("%d faces, %v", len(faces), err)
		}
		if photos[name], err = e.EmbedTemplate(&faces[0]); err != nil {
			t.Fatal(err)
		}
	}
	err := r.Daemon.health.parts.store.Templates(func(m match.Template) error {
		best := float32(-1)
		for _, v := range photos {
			var sum float32
			for i := range v {
				sum += v[i] * m.Vector[i]
			}
			best = max(best, sum)
		}
		if m.Model != testkit.OtherPackID || best < 0.98 {
			t.Errorf("template of %s, cosine %.3f with that of the photo", m.Model, best)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	r.stop(t)
	if strings.Contains(r.log.String(), "Barack") || !strings.Contains(r.log.String(), `"made templates anew for this model pack" made=3`) {
		t.Errorf("log: %s", r.log)
	}

	c.Models = testkit.Models(t) // and back, from the same crops
	r = start(t, c)
	eventually(t, "all templates are made anew", func() bool { return staleOnes(t, r) == 0 })
	if got := r.names(t, photo(t, "obama")); got != "Barack" {
		t.Errorf("obama is %q", got)
	}
	for _, p := range people(t, r) {
		receipt, err := r.Delete(t.Context(), p.ID)
		if err != nil || receipt.Crops != p.Templates || !receipt.Purged {
			t.Errorf("receipt %+v, %v", receipt, err)
		}
	}
	r.stop(t)
	if cropsOnDisk(t, c) {
		t.Error("crops of people who were deleted are on the disk")
	}
}

func TestTemplatesOfAnotherPackAreReportedWhenThereAreNoCrops(t *testing.T) {
	c := enrolled(t, false)
	c.Models = testkit.OtherPack(t)
	r := start(t, c)
	const hint = "3 templates were made by another model pack and are not compared; `facerecd people` shows whose: enrol these people again"
	eventually(t, "health says it", func() bool {
		h := r.Daemon.Health()
		return slices.ContainsFunc(h.Checks, func(c api.Condition) bool { return c.Code == "foreign_templates" && c.Hint == hint })
	})
	for _, p := range people(t, r) {
		if p.Stale != p.Templates {
			t.Errorf("%d of %d templates are stale", p.Stale, p.Templates)
		}
		one, err := r.Person(t.Context(), p.ID)
		if err != nil || one != p {
			t.Errorf("person %+v, %v; in the list %+v", one, err, p)
		}
		renamed, err := r.Rename(t.Context(), p.ID, p.Name+" II")
		if err != nil || renamed.Stale != p.Stale {
			t.Errorf("renamed %+v, %v", renamed, err)
		}
	}
	if got := r.names(t, photo(t, "obama2")); got != "" {
		t.Errorf("obama2 is %q by a pack that never saw him", got)
	}
	// Enrolled again, he is known again.
	e, err := r.Register(t.Context(), "Barack II", []string{photo(t, "obama2")})
	if err != nil || e.Person.Templates != 3 || e.Person.Stale != 2 {
		t.Errorf("register: %+v, %v", e, err)
	}
	if got := r.names(t, photo(t, "obama2")); got != "Barack II" {
		t.Errorf("obama2 is %q", got)
	}
}

func TestCropsAreDeletedWhenTheyAreNoLongerKept(t *testing.T) {
	c := enrolled(t, true)
	c.KeepCrops = false
	r := start(t, c)
	if cropsOnDisk(t, c) {
		t.Error("crops are on the disk")
	}
	if got := r.names(t, photo(t, "obama")); got != "Barack" {
		t.Errorf("obama is %q: the templates are gone as well", got)
	}
	r.stop(t)
	if !strings.Contains(r.log.String(), `"keep_crops is off: deleted the stored pictures of faces" count=3`) {
		t.Errorf("log: %s", r.log)
	}
}

func TestCropIsASquareAroundTheFaceWithoutMetadata(t *testing.T) {
	picture := readPicture(t, "obama")
	size := picture.Bounds().Size()
	for _, tt := range []struct {
		what string
		box  inference.Box
		side int
	}{
		{"large", inference.Box{X: 200, Y: 200, Width: 300, Height: 350}, cropSide},
		{"small", inference.Box{X: 200, Y: 200, Width: 60, Height: 50}, 120},
		{"over the corner", inference.Box{X: -50, Y: -50, Width: 200, Height: 200}, cropSide},
		{"over the other", inference.Box{X: float32(size.X) - 100, Y: float32(size.Y) - 100, Width: 200, Height: 200}, cropSide},
	} {
		data, err := encodeCrop(picture, tt.box)
		if err != nil {
			t.Fatal(err)
		}
		img, err := jpeg.Decode(bytes.NewReader(data))
		if err != nil || img.Bounds() != image.Rect(0, 0, tt.side, tt.side) || len(data) > store.MaxCrop || bytes.Contains(data, []byte("Exif")) {
			t.Errorf("%s: %d bytes, %v", tt.what, len(data), err)
		}
		outside := image.Pt(2, 2)
		if tt.what == "over the other" {
			outside = image.Pt(tt.side-3, tt.side-3)
		}
		if r, _, _, _ := img.At(outside.X, outside.Y).RGBA(); strings.HasPrefix(tt.what, "over") && r > 0x1000 {
			t.Errorf("%s: it is not black beyond the picture", tt.what)
		}
	}
}

func TestInterruptedRenewalGoesOnAtTheNextStart(t *testing.T) {
	open := func(models string) *Vision {
		t.Helper()
		v, err := OpenVision(models, testkit.Runtime(t), 1, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	s, err := store.Open(t.TempDir(), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	roster := func(v *Vision) *Roster {
		t.Helper()
		r := &Roster{Store: s, Gallery: match.NewGallery(v.Pack.ID, v.Pack.Pipeline.Embedding.Size)}
		if err := r.Load(); err != nil {
			t.Fatal(err)
		}
		return r
	}
	shipped := open(testkit.Models(t))
	policy := func() *match.Policy { p := shipped.Policy(config.Match{}); return &p }
	faces := &Faces{Engine: newEngine(t), Roster: roster(shipped), Policy: policy, IDs: &event.IDs{}, KeepCrops: true}
	var uploads []api.Upload
	for _, name := range []string{"obama", "obama2", "obama3"} {
		uploads = append(uploads, api.Upload{Name: name, Image: readPicture(t, name)})
	}
	e, err := faces.Enroll(t.Context(), "Barack", slices.Values(uploads), false)
	if err != nil || e.Accepted != 3 {
		t.Fatalf("enrol: %+v, %v", e, err)
	}
	gone, err := faces.Enroll(t.Context(), "Joe", slices.Values([]api.Upload{{Name: "biden", Image: readPicture(t, "biden")}}), false)
	if err != nil {
		t.Fatal(err)
	}

	other := open(testkit.OtherPack(t))
	log := new(testkit.Buffer)
	ctx, cancel := context.WithCancel(t.Context())
	r := &Renewal{Roster: roster(other), Log: slog.New(slog.NewTextHandler(log, nil))}
	r.Open = func() (*Engine, error) { // the daemon is stopped while the first is made
		cancel()
		return other.Engine()
	}
	if err := r.Run(ctx); err != nil || r.Roster.Gallery.Foreign() != 3 || r.Running() {
		t.Errorf("%v, %d foreign; want 3", err, r.Roster.Gallery.Foreign())
	}
	if !strings.Contains(log.String(), "made=1 left=3") {
		t.Errorf("log: %s", log)
	}

	r = &Renewal{Roster: roster(other), Log: slog.New(slog.NewTextHandler(log, nil))}
	if n := r.Roster.Gallery.Foreign(); n != 3 {
		t.Errorf("%d foreign after a start, want 3", n)
	}
	stale, err := r.Roster.Stale()
	if err != nil {
		t.Fatal(err)
	}
	r.Open = func() (*Engine, error) { // meanwhile somebody is deleted
		if _, err := r.Roster.Delete(t.Context(), gone.Person.ID); err != nil {
			t.Error(err)
		}
		return other.Engine()
	}
	if err := r.Run(t.Context()); err != nil || r.Roster.Gallery.Foreign() != 0 || r.Roster.Gallery.Len() != 3 {
		t.Errorf("%v, %d foreign, %d compared; want 0, 3", err, r.Roster.Gallery.Foreign(), r.Roster.Gallery.Len())
	}
	for _, m := range stale {
		if m.Person == gone.Person.ID {
			m.Model, m.Vector = other.Pack.ID, make([]float32, testkit.OtherEmbedding)
			if err := r.Roster.Renew(m); err != nil {
				t.Error(err)
			}
		}
	}
	all, err := r.Roster.List(t.Context(), api.Selection{})
	if err != nil || len(all) != 1 || all[0].ID != e.Person.ID || all[0].Templates != 3 || all[0].Stale != 0 {
		t.Errorf("people %+v, %v", all, err)
	}
	if err := r.Run(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestCropInWhichThePackFindsNobodyLeavesTheTemplateStale(t *testing.T) {
	e := newEngine(t)
	blank, err := encodeCrop(wall(), inference.Box{X: 20, Y: 20, Width: 60, Height: 60})
	if err != nil {
		t.Fatal(err)
	}
	for want, crop := range map[string][]byte{
		"this model pack finds no face in the crop": blank,
		"decode crop: ": blank[:len(blank)/2],
	} {
		if _, err := templateOfCrop(e, crop); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
	if _, err := still.Decode(blank, still.Limits{}); err != nil {
		t.Error(err)
	}
}
