package api

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"facerecd/match"
)

func TestRegisterTakesWhatProgramsSend(t *testing.T) {
	name := field{"name", "", "  Ana María "}
	image := func(fieldName string) field { return field{fieldName, "a.jpg", photo(8, 4)} }
	for what, tt := range map[string]struct {
		path     string
		form     []field
		accepted int
		rejected []Rejection
	}{
		"images":                    {"/register", []field{name, image("images"), image("images")}, 2, nil},
		"images[]":                  {"/register", []field{name, image("images[]")}, 1, nil},
		"image":                     {"/register", []field{name, image("image")}, 1, nil},
		"file":                      {"/register", []field{name, image("file")}, 1, nil},
		"files":                     {"/register", []field{name, image("files"), image("files")}, 2, nil},
		"name last":                 {"/register", []field{image("images"), name}, 1, nil},
		"name twice":                {"/register", []field{name, image("images"), name}, 1, nil},
		"name in the query":         {"/register?name=Ana+Mar%C3%ADa", []field{image("images")}, 1, nil},
		"other fields":              {"/register", []field{{"note", "", "x"}, name, image("images")}, 1, nil},
		"PNG":                       {"/register", []field{name, {"images", "a.png", pngPhoto(8, 4)}}, 1, nil},
		"50 images":                 {"/register", append(images(50)[1:], name), 50, nil},
		"a good one and two bad":    {"/register", []field{name, {"images", "b.txt", "hello"}, image("images"), {"images", "c.jpg", photo(4, 8)}}, 1, []Rejection{{"b.txt", "not_an_image", "This is not a picture: send a JPEG or PNG file."}, {"c.jpg", "no_face", "There is no face in it; send a photo that shows one."}}},
		"one too large among good":  {"/register", []field{name, {"images", "b.jpg", photo(8, 4) + strings.Repeat("x", MaxImageBytes)}, image("images")}, 1, []Rejection{{"b.jpg", "too_large_bytes", "The picture is over 16 MiB: send a smaller one."}}},
		"one in a field of its own": {"/register", []field{name, image("images"), image("photo")}, 1, []Rejection{{"a.jpg", "unknown_field", "It was sent in the form field 'photo': send images in the field images."}}},
		"a path for a file name":    {"/register", []field{name, {"images", "../../etc/passwd", "root"}, image("images")}, 1, []Rejection{{"passwd", "not_an_image", "This is not a picture: send a JPEG or PNG file."}}},
		"no file name":              {"/register", []field{name, image("images"), {"images", "", "a.jpg"}}, 1, []Rejection{{"image 2", "not_an_image", "This is not a picture: send a JPEG or PNG file."}}},
	} {
		t.Run(what, func(t *testing.T) {
			d := &daemon{}
			status, header, body := request{method: "POST", path: tt.path, form: tt.form}.do(t, d, readDocument(t))
			var got Enrollment
			if err := json.Unmarshal([]byte(body), &got); err != nil {
				t.Fatal(err)
			}
			if n := len(got.Images); n != tt.accepted+len(tt.rejected) {
				t.Errorf("verdicts on %d images: %s", n, body)
			}
			got.Images = nil
			want := Enrollment{
				Person:   match.Person{ID: id(1), Name: "Ana María", Created: noon, Updated: noon, Templates: tt.accepted},
				Accepted: tt.accepted, Rejected: orEmpty(tt.rejected), Suggestions: []Suggestion{},
			}
			if status != http.StatusCreated || !reflect.DeepEqual(got, want) {
				t.Errorf("got %d %swant 201 %+v", status, body, want)
			}
			if got := header.Get("Location"); got != "/api/v1/people/"+id(1) {
				t.Errorf("Location %q", got)
			}
		})
	}
}

func TestAnEnrolmentHasAVerdictOnEachImage(t *testing.T) {
	q := request{method: "POST", path: "/register", form: []field{
		{"name", "", "Ana"}, {"images", "a.jpg", photo(8, 4)}, {"images", "b.jpg", photo(4, 8)}, {"images", "c.txt", "hello"},
	}}
	_, _, body := q.do(t, &daemon{}, readDocument(t))
	want := `"images":[{"image":"a.jpg","verdict":"accepted","detail":"","quality":0.5,"looking":"left"},` +
		`{"image":"b.jpg","verdict":"no_face","detail":"There is no face in it; send a photo that shows one.","quality":0},` +
		`{"image":"c.txt","verdict":"not_an_image","detail":"This is not a picture: send a JPEG or PNG file.","quality":0}],"suggestions":[]}`
	if !strings.HasSuffix(body, want+"\n") {
		t.Errorf("got %s\nwant %s", body, want)
	}
}

func TestWhoLooksLikeSomebodyElseIsEnrolledByForce(t *testing.T) {
	d, doc := &daemon{twin: &Likeness{ID: id(7), Name: "Eva", Score: 0.75, Confidence: 0.99}}, readDocument(t)
	register := func(path string, fields ...field) (int, string) {
		q := request{method: "POST", path: path, form: append(fields, field{"name", "", "Ana"}, field{"images", "a.jpg", photo(8, 4)})}
		status, _, body := q.do(t, d, doc)
		return status, body
	}
	const want = `{"type":"about:blank","title":"Conflict","status":409,` +
		`"detail":"Nobody was enrolled, because the face looks like Eva, who is enrolled already. If it is somebody else, such as a twin, enrol again with force=true.",` +
		`"code":"looks_like","rejected":[{"image":"a.jpg","reason":"looks_like","detail":"The face looks like Eva."}],` +
		`"images":[{"image":"a.jpg","verdict":"looks_like","detail":"The face looks like Eva.","quality":1,"looking":"front",` +
		`"looks_like":{"id":"01M86PTPG00000000000000007","name":"Eva","score":0.75,"confidence":0.99}}]}` + "\n"
	for what, fields := range map[string][]field{"nothing said": nil, "force=false": {{"force", "", "false"}}} {
		if status, body := register("/register", fields...); status != 409 || body != want {
			t.Errorf("%s: got %d %s\nwant %s", what, status, body, want)
		}
	}
	if status, body := register("/register", field{"force", "", "perhaps"}); status != 400 || !strings.Contains(body, `"detail":"force must be true or false.","code":"bad_parameter"`) {
		t.Errorf("force=perhaps: %d %s", status, body)
	}
	if status, body := register("/register", field{"force", "", strings.Repeat("1", maxFieldSize+1)}); status != 400 || !strings.Contains(body, `"code":"bad_parameter"`) {
		t.Errorf("a long force: %d %s", status, body)
	}
	if len(d.people) > 0 {
		t.Errorf("people %v", d.people)
	}
	if status, body := register("/register", field{"force", "", "true"}); status != 201 {
		t.Errorf("by force: %d %s", status, body)
	}
	if status, body := register("/register?force=1"); status != 201 {
		t.Errorf("by force in the query: %d %s", status, body)
	}
}

func TestRegisterTwiceAddsToThePerson(t *testing.T) {
	d, doc := &daemon{}, readDocument(t)
	q := request{method: "POST", path: "/register"}
	q.form = images(2)
	q.do(t, d, doc)
	q.form = images(1)
	if status, _, body := q.do(t, d, doc); status != 201 || len(d.people) != 1 || d.people[0].Templates != 3 {
		t.Errorf("got %d %s%v", status, body, d.people)
	}
}

func TestRecognizeTakesAFormOrTheImageItself(t *testing.T) {
	const want = `{"frame":[8,4],"faces":[` +
		`{"box":[1,2,3,4],"landmarks":[[0,0],[0,0],[0,0],[0,0],[0,0]],"quality":0.5,"reasons":[],"person":{"id":"01M86PTPG00000000000000001","name":"Ana"},"score":0.6,"confidence":0.99},` +
		`{"box":[5,6,7,8],"landmarks":[[0,0],[0,0],[0,0],[0,0],[0,0]],"quality":0,"reasons":["blur"],"person":null,"score":-0.1,"confidence":0}]}`
	raw := func(contentType string) request {
		return withHeader(request{method: "POST", path: "/recognize", body: strings.NewReader(photo(8, 4))}, "Content-Type", contentType)
	}
	for what, q := range map[string]request{
		"image field":        {method: "POST", path: "/recognize", form: []field{{"image", "a.jpg", photo(8, 4)}}},
		"file field":         {method: "POST", path: "/recognize", form: []field{{"file", "a.jpg", photo(8, 4)}}},
		"image/jpeg":         raw("image/jpeg"),
		"wrong type":         raw("image/png"),
		"curl --data-binary": raw("application/x-www-form-urlencoded"),
		"no type":            raw(""),
	} {
		t.Run(what, func(t *testing.T) {
			status, _, body := q.do(t, &daemon{}, readDocument(t))
			if status != 200 || strings.TrimSpace(body) != want {
				t.Errorf("got %d\n%swant\n%s", status, body, want)
			}
		})
	}
}

func TestAPictureWithoutFacesIsNoError(t *testing.T) {
	q := request{method: "POST", path: "/recognize", body: strings.NewReader(photo(4, 8))}
	if status, _, body := q.do(t, &daemon{}, readDocument(t)); status != 200 || body != `{"frame":[4,8],"faces":[]}`+"\n" {
		t.Errorf("got %d %s", status, body)
	}
}

func TestOnePictureOfAnEnrolmentIsDecodedAtATime(t *testing.T) {
	encodedImages := []encoded{{name: "a", data: []byte(photo(8, 4))}, {name: "b", data: []byte(photo(8, 4))}}
	for u := range decoded(encodedImages) {
		if u.Name == "a" && (encodedImages[0].data != nil || encodedImages[1].data == nil) {
			t.Error("the first is decoded: its bytes must be free, and the second's still compressed")
		}
	}
}

// TestWorkIsBounded has two requests at work and a third that waits.
func TestWorkIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		let := make(chan struct{})
		var mu sync.Mutex
		atWork, most := 0, 0
		d := &daemon{during: func(context.Context) error {
			mu.Lock()
			atWork++
			most = max(most, atWork)
			mu.Unlock()
			<-let
			mu.Lock()
			atWork--
			mu.Unlock()
			return nil
		}}
		h := d.server().Handler()
		answers := make([]*httptest.ResponseRecorder, 4)
		var wg sync.WaitGroup
		start := func(i int, q request) {
			answers[i] = httptest.NewRecorder()
			wg.Go(func() { h.ServeHTTP(answers[i], q.http()) })
			synctest.Wait()
		}
		start(0, request{method: "POST", path: "/register", form: images(1)})
		start(1, request{method: "POST", path: "/recognize", body: strings.NewReader(photo(8, 4))})
		start(2, request{method: "POST", path: "/register", form: images(1)})
		let <- struct{}{} // one ends, the third begins
		synctest.Wait()
		start(3, request{method: "POST", path: "/register", form: images(1)})
		time.Sleep(workPatience)
		synctest.Wait() // the fourth has waited in vain
		close(let)
		wg.Wait()
		if most != maxWork {
			t.Errorf("%d requests were at work at once, want %d", most, maxWork)
		}
		var codes []int
		for _, a := range answers {
			codes = append(codes, a.Code)
		}
		slices.Sort(codes)
		if want := []int{200, 201, 201, 503}; !slices.Equal(codes, want) {
			t.Errorf("got %v, want %v", codes, want)
		}
		want := `{"type":"about:blank","title":"Service Unavailable","status":503,"detail":"facerecd is busy with other requests; try again in a few seconds.","code":"busy"}` + "\n"
		if got := answers[3].Body.String(); got != want || answers[3].Header().Get("Retry-After") != "5" {
			t.Errorf("got %s", got)
		}
	})
}

func TestConcurrentEnrolmentsBothCount(t *testing.T) {
	d := &daemon{}
	srv := httptest.NewServer(d.server().Handler())
	defer srv.Close()
	client := srv.Client()
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			body, contentType := multipartBody(images(3))
			resp, err := client.Post(srv.URL+"/register", contentType, body)
			if err != nil {
				t.Error(err)
				return
			}
			defer resp.Body.Close()
			if resp.StatusCode != http.StatusCreated {
				t.Errorf("got %s", resp.Status)
			}
			_, _ = io.Copy(io.Discard, resp.Body)
		})
	}
	wg.Wait()
	if len(d.people) != 1 || d.people[0].Templates != 24 {
		t.Errorf("got %v", d.people)
	}
}

func TestMemoryForUploadsIsBounded(t *testing.T) {
	b := budget{limit: 1 << 20}
	first, second := &share{of: &b}, &share{of: &b}
	if _, err := first.readAll(io.LimitReader(zeros{}, 600<<10), 1<<20); err != nil {
		t.Fatal(err)
	}
	if _, err := second.readAll(io.LimitReader(zeros{}, 600<<10), 1<<20); err == nil || err.Error() != errBusy().Error() {
		t.Errorf("the second was read: %v", err)
	}
	second.release()
	first.release()
	if n := b.held.Load(); n != 0 {
		t.Errorf("%d bytes held by nobody", n)
	}
}

func TestUploadsDoNotTouchTheDisk(t *testing.T) {
	tmp := t.TempDir()
	t.Setenv("TMPDIR", tmp)
	written := false
	d := &daemon{during: func(context.Context) error {
		names, _ := filepath.Glob(filepath.Join(tmp, "*"))
		written = written || len(names) > 0
		return nil
	}}
	big := field{"images", "a.jpg", photo(8, 4) + strings.Repeat("x", 15<<20)}
	q := request{method: "POST", path: "/register", form: []field{{"name", "", "ana"}, big, big, big, big}}
	if status, _, body := q.do(t, d, readDocument(t)); status != 201 {
		t.Fatalf("got %d %s", status, body)
	}
	if names, _ := os.ReadDir(tmp); written || len(names) > 0 {
		t.Error("an upload was written to a temporary file")
	}
}

// FuzzRegisterBody: whatever the body, the answer is one of the contract's,
// nothing is stored unless it is 201, and no memory or slot stays taken.
func FuzzRegisterBody(f *testing.F) {
	doc := readDocument(f)
	seed := func(fields ...field) {
		body, contentType := multipartBody(fields)
		data, _ := io.ReadAll(body)
		_, boundary, _ := strings.Cut(contentType, "boundary=")
		f.Add(bytes.ReplaceAll(data, []byte(boundary), []byte("b")))
	}
	seed(field{"name", "", "ana"}, field{"images", "a.jpg", photo(8, 4)})
	f.Fuzz(func(t *testing.T, body []byte) {
		d := &daemon{}
		svc := newService(d.server(), context.Background())
		r := httptest.NewRequest("POST", "/register", bytes.NewReader(body))
		r.Host = "localhost"
		r.Header.Set("Content-Type", "multipart/form-data; boundary=b")
		w := httptest.NewRecorder()
		svc.ServeHTTP(w, r)
		if err := doc.check("POST /register", w.Result(), w.Body.Bytes()); err != nil {
			t.Errorf("%v\n%s", err, w.Body)
		}
		if w.Code >= 500 {
			t.Errorf("%d: %s", w.Code, w.Body)
		}
		if (w.Code == http.StatusCreated) != (len(d.people) == 1) {
			t.Errorf("%d, and stored is %v", w.Code, d.people)
		}
		for _, p := range d.people {
			if name, err := PersonName(p.Name); err != nil || name != p.Name {
				t.Errorf("stored under the name %q: %v", p.Name, err)
			}
		}
		if svc.memory.held.Load() != 0 || len(svc.work) != 0 {
			t.Error(fmt.Sprint("still held: ", svc.memory.held.Load(), " bytes, ", len(svc.work), " slots"))
		}
	})
}
