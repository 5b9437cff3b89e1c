package daemon

import (
	"errors"
	"net/http"
	"os"
	"reflect"
	"testing"

	"facerecd/daemon/api"
	"facerecd/match"
)

// wallCamera is a daemon whose camera sees nobody.
func wallCamera(t *testing.T) *rig {
	t.Helper()
	c := settings(t, save(t, "wall.jpg", encode(t, wall())))
	c.Cameras[0].FPS = 2
	r := start(t, c)
	eventually(t, "the daemon has its camera and its broker", func() bool {
		h := r.Daemon.Health()
		return h.Cameras[0].State == "streaming" && h.MQTT.Connected
	})
	return r
}

func people(t *testing.T, r *rig) []match.Person {
	t.Helper()
	all, err := r.People(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// refusal is the Problem that err must be.
func refusal(t *testing.T, err error) *api.Problem {
	t.Helper()
	p, ok := errors.AsType[*api.Problem](err)
	if !ok {
		t.Fatalf("got %v, want a problem", err)
	}
	return p
}

func TestBadInputIsRefusedAndChangesNothing(t *testing.T) {
	t.Parallel()
	r := wallCamera(t)
	if _, err := r.Register(t.Context(), "Joe", []string{photo(t, "biden")}); err != nil {
		t.Fatal(err)
	}
	before := people(t, r)
	unchanged := func(t *testing.T) {
		t.Helper()
		if after := people(t, r); !reflect.DeepEqual(after, before) {
			t.Errorf("people were %+v, are %+v", before, after)
		}
		r.healthy(t)
	}

	whole, err := os.ReadFile(photo(t, "obama"))
	if err != nil {
		t.Fatal(err)
	}
	both := sideBySide(scaled(readPicture(t, "obama"), 450), scaled(readPicture(t, "biden"), 700))
	for _, tt := range []struct {
		what           string
		file           []byte
		reason, detail string
		status         int // of recognising it
		faces          int // with status 200
	}{
		{"text", []byte("Not a photo at all.\n"), "not_an_image", "This is not a picture: send a JPEG or PNG file.", 415, 0},
		{"cut short", whole[:len(whole)/2], "truncated", "The picture is cut short: send the whole file again.", 422, 0},
		{
			"60 megapixels", withSize(t, encode(t, wall()), 10000, 6000),
			"too_many_pixels", "The picture is 10000x6000 pixels, more than the 50 megapixels allowed: send a smaller one.", 413, 0,
		},
		{"nobody", encode(t, wall()), "no_face", "No face was found. Send a photo in which the face is upright, lit from the front and not covered.", 200, 0},
		{"two people", encode(t, both), "several_faces", "There are 2 faces. Send a photo of this person alone, or cut the others off.", 200, 2},
		{"an empty file", nil, "empty", "The picture is empty: send a JPEG or PNG file.", 422, 0},
	} {
		t.Run(tt.what, func(t *testing.T) {
			file := save(t, "photo.jpg", tt.file)
			_, err := r.Register(t.Context(), "Ana", []string{file})
			want := &api.Problem{
				Type: "about:blank", Title: "Unprocessable Entity", Status: 422, Code: "no_usable_image",
				Detail:   "None of the images could be used, so nobody was enrolled; rejected says why for each of them.",
				Rejected: []api.Rejection{{Image: "photo.jpg", Reason: tt.reason, Detail: tt.detail}},
			}
			p := refusal(t, err)
			p.Images = nil // have the same, and more
			if !reflect.DeepEqual(p, want) {
				t.Errorf("register:\n got %+v\nwant %+v", p, want)
			}
			unchanged(t)

			switch found, err := r.Recognize(t.Context(), file); {
			case tt.status == 200:
				if err != nil || len(found.Faces) != tt.faces {
					t.Errorf("recognize: %d faces, %v; want %d", len(found.Faces), err, tt.faces)
				}
			default:
				if p := refusal(t, err); p.Status != tt.status || p.Code != tt.reason || p.Detail != tt.detail {
					t.Errorf("recognize: got %+v, want %d %s %s", p, tt.status, tt.reason, tt.detail)
				}
			}
			unchanged(t)
		})
	}

	for _, tt := range []struct {
		what, name   string
		files        []string
		status       int
		code, detail string
	}{
		{"no name", " ", []string{photo(t, "obama")}, 400, "name_empty", "The name is empty; send the person's name in the form field name."},
		{"no image", "Ana", nil, 400, "no_images", "Send one or more JPEG or PNG files in the form field images, as in curl -F name=ana -F images=@a.jpg."},
	} {
		t.Run(tt.what, func(t *testing.T) {
			_, err := r.Register(t.Context(), tt.name, tt.files)
			if p := refusal(t, err); p.Status != tt.status || p.Code != tt.code || p.Detail != tt.detail {
				t.Errorf("got %+v, want %d %s %s", p, tt.status, tt.code, tt.detail)
			}
			unchanged(t)
		})
	}

	for path, status := range map[string]int{"/register": 415, "/recognize": 400} {
		t.Run("empty body to "+path, func(t *testing.T) {
			resp, err := r.HTTP.Post(r.BaseURL+path, "", http.NoBody)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if resp.StatusCode != status {
				t.Errorf("got %s, want %d", resp.Status, status)
			}
			unchanged(t)
		})
	}

	t.Run("and then good input", func(t *testing.T) {
		e, err := r.Register(t.Context(), "Barack", []string{photo(t, "obama2")})
		if err != nil || e.Accepted != 1 {
			t.Fatalf("register: %+v, %v", e, err)
		}
		found, err := r.Recognize(t.Context(), photo(t, "obama"))
		if err != nil || len(found.Faces) != 1 || found.Faces[0].Person == nil || found.Faces[0].Person.ID != e.Person.ID {
			t.Errorf("recognize: %+v, %v", found, err)
		}
	})
}

func TestAnEnrolmentTakesWhatIsGoodAndSaysWhatIsNot(t *testing.T) {
	t.Parallel()
	r := wallCamera(t)
	obama := readPicture(t, "obama")
	blurred := save(t, "blurred.jpg", encode(t, scaled(scaled(obama, 60), 600)))
	small := save(t, "small.jpg", encode(t, scaled(obama, 100)))
	nobody := save(t, "nobody.jpg", encode(t, wall()))

	e, err := r.Register(t.Context(), "Barack", []string{nobody, photo(t, "obama2"), blurred, small, photo(t, "obama2")})
	want := []api.Rejection{
		{Image: "nobody.jpg", Reason: "no_face", Detail: "No face was found. Send a photo in which the face is upright, lit from the front and not covered."},
		{Image: "blurred.jpg", Reason: "blurred", Detail: "The face is blurred. Hold still, or send a sharper photo."},
		{Image: "small.jpg", Reason: "small", Detail: "The face is too small. Come closer, or send the photo in its full size."},
		{Image: "obama2.jpg", Reason: "duplicate", Detail: "This photo, or one just like it, was sent or enrolled already. Send one taken at another time or from another side."},
	}
	if err != nil || e.Accepted != 1 || !reflect.DeepEqual(e.Rejected, want) || e.Person.Name != "Barack" || e.Person.Templates != 1 {
		t.Fatalf("got %+v, %v\nwant %+v", e, err, want)
	}

	// The same again is refused, also when it was saved again.
	again := save(t, "again.jpg", encode(t, readPicture(t, "obama2")))
	_, err = r.Register(t.Context(), "barack", []string{photo(t, "obama2"), again})
	p := refusal(t, err)
	if len(p.Rejected) != 2 || p.Rejected[0].Reason != "duplicate" || p.Rejected[1].Reason != "duplicate" {
		t.Errorf("the same photos again: %+v", p)
	}

	more, err := r.Register(t.Context(), " BARACK ", []string{photo(t, "obama3")})
	if err != nil || more.Person.ID != e.Person.ID || more.Person.Name != "Barack" || more.Person.Templates != 2 {
		t.Errorf("the name in capitals: %+v, %v; want another template of %+v", more, err, e.Person)
	}
	if all := people(t, r); len(all) != 1 || !reflect.DeepEqual(all[0], more.Person) {
		t.Errorf("people %+v", all)
	}
}

func TestEachFaceOfAPictureIsToldAndOneNamed(t *testing.T) {
	t.Parallel()
	r := wallCamera(t)
	e, err := r.Register(t.Context(), "Barack", []string{photo(t, "obama2"), photo(t, "obama3")})
	if err != nil {
		t.Fatal(err)
	}
	obama, biden := readPicture(t, "obama"), readPicture(t, "biden")
	threshold := r.Daemon.health.parts.policy.Load().Threshold
	for _, tt := range []struct {
		what  string
		img   []byte
		named int // index of the face, as they come
		twice bool
	}{
		{"he is the larger", encode(t, sideBySide(scaled(obama, 450), scaled(biden, 600))), 0, false},
		{"he is the smaller", encode(t, sideBySide(scaled(obama, 300), scaled(biden, 800))), 1, false},
		{"his picture twice", encode(t, sideBySide(scaled(obama, 300), scaled(obama, 450))), -1, true},
	} {
		t.Run(tt.what, func(t *testing.T) {
			found, err := r.Recognize(t.Context(), save(t, "both.jpg", tt.img))
			if err != nil || len(found.Faces) != 2 {
				t.Fatalf("%+v, %v", found, err)
			}
			if a, b := found.Faces[0].Box, found.Faces[1].Box; a[2] <= b[2] {
				t.Errorf("the first is %v, the second %v", a, b)
			}
			if tt.twice {
				// Both are like him: the name goes to the one that is more so.
				tt.named = 0
				if found.Faces[1].Score > found.Faces[0].Score {
					tt.named = 1
				}
			}
			for i, face := range found.Faces {
				named := face.Person != nil
				if named != (i == tt.named) || named && (face.Person.ID != e.Person.ID || face.Person.Name != "Barack") {
					t.Errorf("face %d is %+v", i, face)
				}
				if like := face.Score >= threshold; like != (named || tt.twice) {
					t.Errorf("face %d has score %v", i, face.Score)
				}
			}
		})
	}
}
