package daemon

import (
	"context"
	"errors"
	"image"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"facerecd/daemon/api"
	"facerecd/daemon/event"
	"facerecd/inference"
)

// posing is a face 100 pixels wide that looks somewhere, and is moved from the
// middle by so much.
func posing(yaw, moved float32, reasons ...inference.Reason) inference.Face {
	f := inference.Face{Quality: inference.Quality{Yaw: yaw, Reasons: reasons}}
	f.Box = inference.Box{X: 200 + moved, Y: 100, Width: 100, Height: 100}
	f.Landmarks = inference.Landmarks{{X: 220 + moved, Y: 140}, {X: 280 + moved, Y: 140}}
	return f
}

// grown is the face from nearer.
func grown(f inference.Face, by float32) inference.Face {
	f.Box = inference.Box{X: f.Box.X - by/2, Y: f.Box.Y - by/2, Width: f.Box.Width + by, Height: f.Box.Height + by}
	return f
}

func TestLooksAreTakenInAnyOrderWhenTheFaceIsHeldStill(t *testing.T) {
	front, left, right := posing(0, 0), posing(0.2, 0), posing(-0.2, 0)
	nobody := []inference.Face{}
	alone := func(f inference.Face) []inference.Face { return []inference.Face{f} }
	child := posing(0, 150)
	child.Landmarks[1].X = child.Landmarks[0].X + 20
	type look struct {
		faces []inference.Face
		code  string
		pose  api.Direction // where it looks, when there is a face
	}
	for name, tt := range map[string]struct {
		poses   []api.Direction // nil: all
		looks   []look
		missing []api.Direction
	}{
		"as it is asked for": {nil, []look{
			{alone(front), api.GuideStill, api.Front},
			{alone(front), api.GuideTaken, api.Front},
			{alone(front), api.GuideTurnLeft, api.Front},
			{alone(left), api.GuideStill, api.Left},
			{alone(left), api.GuideTaken, api.Left},
			{alone(left), api.GuideTurnOther, api.Left},
			{alone(right), api.GuideStill, api.Right},
			{alone(right), api.GuideTaken, api.Right},
		}, nil},
		"before a mirror": {nil, []look{
			{alone(front), api.GuideStill, api.Front},
			{alone(front), api.GuideTaken, api.Front},
			{alone(front), api.GuideTurnLeft, api.Front},
			{alone(right), api.GuideStill, api.Right},
			{alone(right), api.GuideTaken, api.Right},
			{alone(right), api.GuideTurnOther, api.Right},
			{alone(front), api.GuideTurnOther, api.Front},
			{alone(left), api.GuideStill, api.Left},
			{alone(left), api.GuideTaken, api.Left},
		}, nil},
		"from right to left": {nil, []look{
			{alone(right), api.GuideStill, api.Right},
			{alone(right), api.GuideTaken, api.Right},
			{alone(right), api.GuideFront, api.Right},
			{alone(left), api.GuideStill, api.Left},
			{alone(left), api.GuideTaken, api.Left},
		}, []api.Direction{api.Front}},
		"one pose is wanted": {[]api.Direction{api.Right}, []look{
			{alone(left), api.GuideTurnRight, api.Left},
			{alone(right), api.GuideStill, api.Right},
			{alone(right), api.GuideTaken, api.Right},
		}, nil},
		"nobody, and several": {nil, []look{
			{nobody, "no_face", ""},
			{[]inference.Face{front, posing(0, 150)}, "several_faces", ""},
			{[]inference.Face{front, child}, api.GuideStill, api.Front}, // in the background
			{[]inference.Face{front, posing(0, 150)}, "several_faces", ""},
			{alone(front), api.GuideStill, api.Front}, // not beside the look before that
			{alone(front), api.GuideTaken, api.Front},
		}, []api.Direction{api.Left, api.Right}},
		"what is wrong with the face": {nil, []look{
			{alone(posing(0, 0, inference.Small)), "small", api.Front},
			{alone(posing(0, 0, inference.Dark, inference.Unclear)), "dark", api.Front},
			{alone(front), api.GuideStill, api.Front},
			{alone(posing(0, 0, inference.Blurred)), "blurred", api.Front},
			{alone(front), api.GuideStill, api.Front},
			{alone(posing(0.6, 0, inference.Turned)), "turned", api.Left},
		}, []api.Direction{api.Front, api.Left, api.Right}},
		"it does not hold still": {nil, []look{
			{alone(front), api.GuideStill, api.Front},
			{alone(posing(0, 9)), api.GuideStill, api.Front},
			{alone(grown(posing(0, 9), 20)), api.GuideStill, api.Front},
			{alone(grown(posing(0, 15), 22)), api.GuideTaken, api.Front},
		}, []api.Direction{api.Left, api.Right}},
		"it turns while it is held": {nil, []look{
			{alone(front), api.GuideStill, api.Front},
			{alone(left), api.GuideStill, api.Left},
			{alone(front), api.GuideStill, api.Front},
			{alone(front), api.GuideTaken, api.Front},
		}, []api.Direction{api.Left, api.Right}},
	} {
		t.Run(name, func(t *testing.T) {
			if tt.poses == nil {
				tt.poses = api.AllPoses()
			}
			p := poser{missing: tt.poses}
			for i, l := range tt.looks {
				face, pose, code := p.see(l.faces)
				if code != l.code || pose != l.pose || (face != nil) != (l.pose != "") {
					t.Errorf("look %d: %v %s %s, want %s %s", i, face != nil, pose, code, l.pose, l.code)
				}
				if instruction(code) == "" || instruction(code) == advice("") {
					t.Errorf("nothing is said to %s", code)
				}
			}
			if !slices.Equal(p.missing, tt.missing) {
				t.Errorf("missing are %v, want %v", p.missing, tt.missing)
			}
		})
	}
}

func TestWhatStoodInTheWayMostIsSaid(t *testing.T) {
	small, dark := posing(0, 0, inference.Small), posing(0, 0, inference.Dark)
	for name, tt := range map[string]struct {
		looks []inference.Face
		want  string
	}{
		"no look":       {nil, api.GuideBusy},
		"one reason":    {[]inference.Face{small}, "small"},
		"the most":      {[]inference.Face{dark, small, dark}, "dark"},
		"as many twice": {[]inference.Face{small, dark}, "dark"},
	} {
		p := poser{missing: api.AllPoses()}
		for _, f := range tt.looks {
			p.see([]inference.Face{f})
		}
		if got := p.obstacle(); got != tt.want {
			t.Errorf("%s: %s, want %s", name, got, tt.want)
		}
	}
}

// guideInto enrols before the camera of a rig, and returns what was said.
func guideInto(t *testing.T, r *rig, want api.GuideRequest) (said []api.Guidance, e api.Enrollment, err error) {
	t.Helper()
	e, err = r.Guide(t.Context(), "door", want, func(g api.Guidance) { said = append(said, g) })
	return said, e, err
}

// turned is a demo photo of one person with the nose moved by so many distances
// of the eyes, as if the head had turned.
func turned(t *testing.T, e *Engine, name string, by float64) []byte {
	t.Helper()
	img := scaled(readPicture(t, name), 900)
	faces, err := e.Faces(inference.FromImage(img))
	if err != nil || len(faces) != 1 {
		t.Fatalf("%d faces, %v", len(faces), err)
	}
	nose, eyes := faces[0].Landmarks[2], float64(faces[0].Landmarks.EyeDistance())
	out := image.NewRGBA(img.Bounds())
	for y := range out.Rect.Dy() {
		for x := range out.Rect.Dx() {
			away := math.Hypot(float64(x)-float64(nose.X), float64(y)-float64(nose.Y)) / eyes
			out.Set(x, y, img.At(x-int(by*eyes*math.Exp(-2*away*away)), y))
		}
	}
	return encode(t, out)
}

// head is the source of a camera before which somebody looks ahead and turns
// their head to both sides.
func head(t *testing.T) string {
	t.Helper()
	dir, e := t.TempDir(), newEngine(t)
	for name, data := range map[string][]byte{
		"1.jpg": turned(t, e, "obama2", -0.3), "2.jpg": turned(t, e, "obama", 0), "3.jpg": turned(t, e, "obama3", 0.3),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestSomebodyIsEnrolledBeforeTheCameraAndKnown(t *testing.T) {
	t.Parallel()
	r := start(t, settings(t, head(t)))
	w := watch(t, r.broker, "")
	said, e, err := guideInto(t, r, api.GuideRequest{Name: " Barack "})
	if err != nil || e.Person.Name != "Barack" || e.Accepted != 3 || e.Person.Templates != 3 || len(e.Suggestions) > 0 {
		t.Fatalf("%+v, %v", e, err)
	}
	for _, v := range e.Images {
		if v.Image != string(v.Looking) || v.Verdict != "accepted" || v.Quality <= 0 {
			t.Errorf("a verdict is %+v", v)
		}
	}
	var taken []int
	for _, g := range said {
		if g.Of != 3 || g.Detail == "" || g.Box != [4]int{} && g.Frame != [2]int{640, 480} {
			t.Errorf("it said %+v", g)
		}
		if g.Code == api.GuideTaken {
			taken = append(taken, g.Taken)
		}
	}
	if !slices.Equal(taken, []int{1, 2, 3}) {
		t.Errorf("the looks taken were %v", taken)
	}
	seen := w.event(t, func(e event.Event) bool { return e.Type == event.Recognized })
	if seen.Person.ID != e.Person.ID {
		t.Errorf("seen was %+v", seen.Person)
	}
	if said := r.log.String(); strings.Contains(said, "Barack") {
		t.Errorf("the log has the name:\n%s", said)
	}
}

func TestOnePersonAtATimeIsEnrolledBeforeACamera(t *testing.T) {
	t.Parallel()
	dir := folder(t, "biden")
	if err := os.WriteFile(filepath.Join(dir, "other.jpg"), turned(t, newEngine(t), "obama3", 0.3), 0o600); err != nil {
		t.Fatal(err)
	}
	r := start(t, settings(t, dir))
	want := api.GuideRequest{Name: "Ana", Poses: []api.Direction{api.Front, api.Left}}
	_, _, err := guideInto(t, r, want)
	p := refusal(t, err)
	if p.Status != 422 || p.Code != api.CodeNoUsableImage || len(p.Rejected) != 2 || p.Rejected[0].Reason != "mismatch" {
		t.Errorf("%+v", p)
	}
	if all := people(t, r); len(all) > 0 {
		t.Errorf("enrolled: %+v", all)
	}
	want.Force = true // somebody has looked
	_, e, err := guideInto(t, r, want)
	if err != nil || e.Accepted != 2 || e.Person.Templates != 2 {
		t.Fatalf("%+v, %v", e, err)
	}
	// Whoever it is now, is known already.
	_, _, err = guideInto(t, r, api.GuideRequest{Name: "Eva", Poses: []api.Direction{api.Front}})
	if p := refusal(t, err); p.Status != 409 || p.Code != api.CodeLooksLike || p.Images[0].LooksLike.ID != e.Person.ID {
		t.Errorf("%+v", p)
	}
}

func TestWhoLeavesTheCameraIsNotEnrolled(t *testing.T) {
	t.Parallel()
	r := start(t, settings(t, photo(t, "obama")))
	ctx, leave := context.WithCancel(t.Context())
	defer leave()
	taken := 0
	_, err := r.Guide(ctx, "door", api.GuideRequest{Name: "Ana"}, func(g api.Guidance) {
		if taken = max(taken, g.Taken); taken == 1 && g.Code != api.GuideTaken {
			leave() // asked to turn the head
		}
	})
	if !errors.Is(err, context.Canceled) || taken != 1 {
		t.Fatalf("%v, %d looks taken", err, taken)
	}
	// Somebody else's turn has come when the first is given up.
	again := api.GuideRequest{Name: "Bea", Poses: []api.Direction{api.Front}}
	eventually(t, "the camera is free again", func() bool {
		_, _, err = guideInto(t, r, again)
		return err == nil
	})
	if all := people(t, r); len(all) != 1 || all[0].Name != "Bea" {
		t.Errorf("enrolled: %+v", all)
	}
}

func TestAGuideEndsWithItsCamera(t *testing.T) {
	t.Parallel()
	r := start(t, settings(t, photo(t, "obama")))
	off := time.AfterFunc(time.Second, func() { _ = r.SwitchCamera("door", false) })
	defer off.Stop()
	_, _, err := guideInto(t, r, api.GuideRequest{Name: "Ana"})
	if p := refusal(t, err); p.Status != 503 || p.Code != api.CodeNoPicture {
		t.Errorf("%+v", p)
	}
	if all := people(t, r); len(all) > 0 {
		t.Errorf("enrolled: %+v", all)
	}
	_, _, err = guideInto(t, r, api.GuideRequest{Name: "Ana"})
	if p := refusal(t, err); p.Status != 503 || p.Code != api.CodeNoPicture {
		t.Errorf("of a camera that is off: %+v", p)
	}
}
