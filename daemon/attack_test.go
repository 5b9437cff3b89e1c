package daemon

import (
	"bufio"
	"bytes"
	"compress/zlib"
	"context"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"image"
	"image/color"
	"image/gif"
	"io"
	"io/fs"
	"log/slog"
	"mime/multipart"
	"net"
	"net/http"
	"net/textproto"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"facerecd/cross/testkit"
	"facerecd/daemon/api"
	"facerecd/daemon/api/client"
	"facerecd/daemon/config"
)

// The limits of a server under attack: short, so that the test is.
const (
	attackHeader = 400 * time.Millisecond
	attackBody   = 600 * time.Millisecond
)

// fortress is a daemon's HTTP port with all that is behind it, under attack.
type fortress struct {
	*client.Client
	dir  string
	addr string
	log  *testkit.Buffer
}

// build makes a daemon of which the HTTP port alone is served.
func newFortress(t *testing.T, with func(*config.Config)) *fortress {
	t.Helper()
	c := settings(t, t.TempDir())
	c.Cameras = nil
	with(&c)
	f := &fortress{dir: c.DataDir, log: new(testkit.Buffer)}
	d := &Daemon{Config: c, Version: "test", Log: slog.New(slog.NewTextHandler(f.log, nil))}
	p, err := d.build(t.Context())
	t.Cleanup(func() {
		if err := p.close(); err != nil {
			t.Error(err)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	p.server.Limits = api.Limits{
		Header: attackHeader, Body: attackBody,
		Guesses: api.Rate{PerSecond: 0.001, Burst: 5}, Uploads: api.Rate{PerSecond: 1000, Burst: 1000},
	}
	ctx, cancel := context.WithCancel(context.Background())
	ln, err := p.server.Bind(ctx)
	if err != nil {
		t.Fatal(err)
	}
	f.addr = ln.Addr().String()
	done := make(chan error, 1)
	go func() { done <- p.server.Serve(ctx, ln) }()
	transport := &http.Transport{}
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		transport.CloseIdleConnections()
		if t.Failed() {
			t.Logf("the daemon said:\n%s", f.log)
		}
	})
	f.Client = &client.Client{BaseURL: "http://" + f.addr, Token: p.server.Token, HTTP: &http.Client{Transport: transport}}
	return f
}

// send writes raw bytes and returns the answer's status and body; 0 when the
// connection is closed without one.
func (f *fortress) send(t *testing.T, raw io.Reader) (int, string) {
	t.Helper()
	conn, err := net.Dial("tcp", f.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(patience))
	var wg sync.WaitGroup
	defer wg.Wait()
	defer conn.Close()
	wg.Go(func() { _, _ = io.Copy(conn, raw) }) // an early answer ends it
	in := bufio.NewReader(conn)
	resp, err := http.ReadResponse(in, nil)
	if err != nil {
		return 0, ""
	}
	if resp.StatusCode < 200 { // 100 Continue
		if resp, err = http.ReadResponse(in, nil); err != nil {
			return 0, ""
		}
	}
	body, _ := io.ReadAll(resp.Body)
	return resp.StatusCode, string(body)
}

// ask is a request with these header lines and this body.
func ask(method, target, body string, header ...string) io.Reader {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nConnection: close\r\n", method, target)
	if !slices.ContainsFunc(header, func(h string) bool { return strings.HasPrefix(h, "Host:") }) {
		b.WriteString("Host: localhost\r\n")
	}
	for _, h := range header {
		b.WriteString(h + "\r\n")
	}
	if body != "" {
		fmt.Fprintf(&b, "Content-Length: %d\r\n", len(body))
	}
	b.WriteString("\r\n" + body)
	return &b
}

// enrol is a form for POST /register.
func enrol(name, file, content string, more ...string) io.Reader {
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	_ = w.WriteField("name", name)
	part, _ := w.CreatePart(textproto.MIMEHeader{"Content-Disposition": {fmt.Sprintf(`form-data; name="images"; filename="%s"`, file)}})
	_, _ = io.WriteString(part, content)
	_ = w.Close()
	return ask("POST", "/register", b.String(), append(more, "Content-Type: "+w.FormDataContentType())...)
}

func look(content string) io.Reader { return ask("POST", "/recognize", content) }

func rename(body string) io.Reader {
	return ask("PATCH", "/api/v1/people/01M86PTPG00000000000000001", body, "Content-Type: application/json")
}

// slowly sends the first part, and then a byte now and then.
func slowly(first string) io.Reader {
	return io.MultiReader(strings.NewReader(first), drip{})
}

type drip struct{}

func (drip) Read(p []byte) (int, error) {
	time.Sleep(50 * time.Millisecond)
	p[0] = 'x'
	return 1, nil
}

// chunk is a PNG's.
func chunk(kind string, data []byte) string {
	b := binary.BigEndian.AppendUint32(nil, uint32(len(data)))
	b = append(b, kind...)
	b = append(b, data...)
	return string(binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b[4:])))
}

// pngBomb says that it is w x h with this depth and colour type, and has n zero
// bytes of pixels, deflated.
func pngBomb(w, h uint32, depth, colour byte, n int64) string {
	header := binary.BigEndian.AppendUint32(nil, w)
	header = binary.BigEndian.AppendUint32(header, h)
	header = append(header, depth, colour, 0, 0, 0)
	var pixels bytes.Buffer
	z := zlib.NewWriter(&pixels)
	_, _ = io.CopyN(z, zeros{}, n)
	_ = z.Close()
	return "\x89PNG\r\n\x1a\n" + chunk("IHDR", header) + chunk("IDAT", pixels.Bytes()) + chunk("IEND", nil)
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// jpegBomb is a photo whose frame header says another size.
func jpegBomb(t *testing.T, w, h uint16) string {
	t.Helper()
	data, err := os.ReadFile(photo(t, "obama"))
	if err != nil {
		t.Fatal(err)
	}
	at := bytes.LastIndex(data, []byte{0xFF, 0xC0, 0, 17, 8})
	if at < 0 {
		at = bytes.LastIndex(data, []byte{0xFF, 0xC2, 0, 17, 8})
	}
	if at < 0 {
		t.Fatal("the photo has no frame header")
	}
	binary.BigEndian.PutUint16(data[at+5:], h)
	binary.BigEndian.PutUint16(data[at+7:], w)
	return string(data)
}

// scansBomb is a progressive JPEG that goes over its pixels again and again.
func scansBomb(scans int) string {
	var b bytes.Buffer
	b.WriteString("\xFF\xD8")
	b.WriteString("\xFF\xC2\x00\x0B\x08\x1B\x58\x1B\x58\x01\x01\x11\x00") // progressive, 7000x7000, gray
	b.WriteString("\xFF\xC4\x00\x14\x10\x01" + strings.Repeat("\x00", 15) + "\x00")
	for range scans {
		b.WriteString("\xFF\xDA\x00\x08\x01\x01\x00\x01\x01\x00\x00")
	}
	b.WriteString("\xFF\xD9")
	return b.String()
}

func gifOf(t *testing.T) string {
	t.Helper()
	var b bytes.Buffer
	if err := gif.Encode(&b, image.NewPaletted(image.Rect(0, 0, 8, 8), color.Palette{color.Black, color.White}), nil); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// TestAttacksAreRefusedAndChangeNothing sends what an attacker would to a
// server with the real models.
func TestAttacksAreRefusedAndChangeNothing(t *testing.T) {
	f := newFortress(t, func(*config.Config) {})
	good, err := os.ReadFile(photo(t, "obama"))
	if err != nil {
		t.Fatal(err)
	}
	if e, err := f.Register(t.Context(), "Barack", []string{photo(t, "obama2")}); err != nil || e.Accepted != 1 {
		t.Fatal(e, err)
	}
	before := f.state(t)

	parts := func(n int, size int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, "--b\r\nContent-Disposition: form-data; name=\"f%d\"\r\n\r\n%s\r\n", i, strings.Repeat("x", size))
		}
		return b.String() + "--b--\r\n"
	}
	form := "Content-Type: multipart/form-data; boundary=b"
	nested := "--b\r\nContent-Disposition: form-data; name=images; filename=a.jpg\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n--c\r\n\r\nx\r\n--c--\r\n--b--\r\n"
	laughs := `<?xml version="1.0"?><!DOCTYPE l [<!ENTITY a "ha">` + strings.Repeat(`<!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">`, 50) + `]><svg xmlns="http://www.w3.org/2000/svg">&b;</svg>`
	webp := func(size uint32, rest string) string {
		return "RIFF" + string(binary.LittleEndian.AppendUint32(nil, size)) + "WEBP" + rest
	}

	for _, attack := range []struct {
		name    string
		request io.Reader
		want    []int // one of these statuses; 0: closed without an answer
	}{
		{"PNG that says it is 60000x60000", look(pngBomb(60000, 60000, 8, 2, 100)), []int{413}},
		{"PNG that says it is 60000x60000, to enrol", enrol("x", "a.png", pngBomb(60000, 60000, 8, 2, 100)), []int{422}},
		{"PNG of 2^31-1 x 2^31-1", look(pngBomb(1<<31-1, 1<<31-1, 8, 2, 100)), []int{415}},
		{"PNG of 49 megapixels in 50 KB", enrol("x", "a.png", pngBomb(7000, 7000, 8, 0, 7000*7001)), []int{422}},
		{"PNG of 49 megapixels with 16 bits", enrol("x", "a.png", pngBomb(7000, 7000, 16, 6, 1<<20)), []int{422}},
		{"PNG of 49 megapixels with 16 bits, to recognise", look(pngBomb(7000, 7000, 16, 6, 1<<20)), []int{413}},
		{"PNG that deflates to 200 MB more than it says", look(pngBomb(8, 8, 8, 0, 200<<20)), []int{422}},
		{"PNG with a chunk of 2 GB", look("\x89PNG\r\n\x1a\n\x7f\xff\xff\xffIHDR"), []int{422}},
		{"JPEG that says it is 65500x65500", look(jpegBomb(t, 65500, 65500)), []int{413}},
		{"JPEG that says it is 7000x7000", enrol("x", "a.jpg", jpegBomb(t, 7000, 7000)), []int{422}},
		{"JPEG without pixels", look(jpegBomb(t, 0, 0)), []int{422}},
		{"JPEG with 100,000 scans", look(scansBomb(100_000)), []int{422}},
		{"JPEG cut short", look(string(good[:len(good)/2])), []int{422}},
		{"GIF", look(gifOf(t)), []int{415}},
		{"GIF that says it is 65535x65535", look("GIF89a\xff\xff\xff\xff\xf7\x00\x00"), []int{415}},
		{"GIF, to enrol", enrol("x", "a.gif", gifOf(t)), []int{422}},
		{"WebP that is malformed", look(webp(1<<32-1, "VP8L\xff\xff\xff\xff/\xff\xff\xff\xff")), []int{415}},
		{"WebP of 16384x16384", look(webp(30, "VP8X\x0a\x00\x00\x00\x10\x00\x00\x00\xff\x3f\x00\xff\x3f\x00")), []int{415}},
		{"SVG with a billion laughs", look(laughs), []int{415}},
		{"SVG with a script, to enrol as a JPEG", enrol("x", "a.jpg", `<svg onload="alert(1)"/>`), []int{422}},
		{"gzip", ask("POST", "/recognize", "\x1f\x8b\x08\x00", "Content-Encoding: gzip"), []int{415}},
		{"17 MiB", look(strings.Repeat("\xff", 17<<20)), []int{413}},
		{"65 MiB that are announced", ask("POST", "/register", "", form, "Content-Length: 68157440", "Expect: 100-continue"), []int{413}},

		{"form of 10,000 parts", ask("POST", "/register", parts(10_000, 1), form), []int{413}},
		{"form of 10,000 parts, to recognise", ask("POST", "/recognize", parts(10_000, 1), form), []int{413}},
		{"form with a header of 11 MB", ask("POST", "/register", "--b\r\nX: "+strings.Repeat("x", 11<<20)+"\r\n\r\n\r\n--b--\r\n", form), []int{400}},
		{"form with 20,000 header lines", ask("POST", "/register", "--b\r\n"+strings.Repeat("X: x\r\n", 20_000)+"\r\n--b--\r\n", form), []int{400}},
		{"form in a form", ask("POST", "/register", nested, form), []int{400, 422}},
		{"form without an end", ask("POST", "/register", strings.TrimSuffix(parts(2, 1), "--b--\r\n"), form), []int{400}},
		{"form with a boundary of 4 KB", ask("POST", "/register", "x", "Content-Type: multipart/form-data; boundary="+strings.Repeat("b", 4096)), []int{400, 415}},
		{"form with no boundary", ask("POST", "/register", parts(1, 1), "Content-Type: multipart/form-data"), []int{415}},

		{"header that comes slowly", slowly("GET / HTTP/1.1\r\nHost: localhost\r\nX: "), []int{0, 408}},
		{"body that comes slowly", slowly("POST /recognize HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n"), []int{408}},
		{"form that comes slowly", slowly("POST /register HTTP/1.1\r\nHost: localhost\r\n" + form + "\r\nContent-Length: 1000000\r\n\r\n--b\r\n"), []int{400, 408}},
		{"JSON that comes slowly", slowly("PATCH /api/v1/people/x HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{\"name\":\""), []int{408}},
		{"body that never comes", io.MultiReader(strings.NewReader("POST /recognize HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n")), []int{408}},

		{"name with a NUL", enrol("a\x00b", "a.jpg", string(good)), []int{400}},
		{"name with an escape", enrol("a\x1b[31mb", "a.jpg", string(good)), []int{400}},
		{"name with a line break", enrol("a\r\nSet-Cookie: x", "a.jpg", string(good)), []int{400}},
		{"name that turns the text around", enrol("\u202egnp.exe", "a.jpg", string(good)), []int{400}},
		{"name of a megabyte", enrol(strings.Repeat("n", 1<<20), "a.jpg", string(good)), []int{400}},
		{"name that cannot be seen", enrol("\u200b\u2060", "a.jpg", string(good)), []int{400}},
		{"name that is not UTF-8", enrol("\xff\xfe", "a.jpg", string(good)), []int{400}},
		{"name in the query with a NUL", ask("POST", "/register?name=a%00b", parts(1, 1), form), []int{400}},
		{"person that is a path", ask("GET", "/api/v1/people/..%2f..%2f..%2fetc%2fpasswd", ""), []int{404}},
		{"person to delete that is a path", ask("DELETE", "/api/v1/people/..%2fstore", ""), []int{404}},
		{"person that is everybody", ask("DELETE", "/api/v1/people/", ""), []int{404, 405}},
		{"person that is a key of the store", ask("DELETE", "/api/v1/people/%00", ""), []int{400, 404}},
		{"path above the root", ask("GET", "/../../../../etc/passwd", ""), []int{301, 307, 400, 404}},
		{"file of the page that is a path", ask("GET", "/web/..%2f..%2f..%2fetc%2fpasswd", ""), []int{404}},
		{"camera that is a path", ask("GET", "/api/v1/cameras/..%2f..%2fx/snapshot.jpg", ""), []int{404}},
		{"search of a megabyte", ask("GET", "/api/v1/people?q="+strings.Repeat("q", 1<<20), ""), []int{431}},

		{"post of another origin", enrol("x", "a.jpg", string(good), "Origin: https://evil.example"), []int{403}},
		{"post of another port", enrol("x", "a.jpg", string(good), "Origin: http://localhost:1"), []int{403}},
		{"post of a page without an origin", enrol("x", "a.jpg", string(good), "Origin: null"), []int{403}},
		{"post across sites", enrol("x", "a.jpg", string(good), "Sec-Fetch-Site: cross-site"), []int{403}},
		{"post of a sibling", enrol("x", "a.jpg", string(good), "Sec-Fetch-Site: same-site"), []int{403}},
		{"rebound name", enrol("x", "a.jpg", string(good), "Host: evil.example"), []int{421}},
		{"rebound name that reads", ask("GET", "/api/v1/people", "", "Host: 127.0.0.1.evil.example"), []int{421}},
		{"deletion that says it is a post", ask("POST", "/api/v1/people/01M86PTPG00000000000000001", "", "X-HTTP-Method-Override: DELETE"), []int{405}},

		{"JSON of 5 MB", rename(`{"name":"` + strings.Repeat("x", 5<<20) + `"}`), []int{413}},
		{"JSON of a thousand lists", rename(strings.Repeat("[", 1000) + strings.Repeat("]", 1000)), []int{400}},
		{"JSON of a name in a thousand lists", rename(`{"name":` + strings.Repeat("[", 1000) + strings.Repeat("]", 1000) + `}`), []int{400}},
		{"JSON of 4,000 levels", rename(strings.Repeat("[", 4000)), []int{400}},
		{"JSON with more than is asked for", rename(`{"name":"x","__proto__":{}}`), []int{400}},
		{"JSON with a NUL in the name", rename(`{"name":"a\u0000b"}`), []int{400}},
		{"JSON that is no object", rename(`"x"`), []int{400}},

		{"method that nobody knows", ask("HACK", "/", ""), []int{405}},
		{"TRACE", ask("TRACE", "/", ""), []int{405}},
		{"CONNECT", ask("CONNECT", "evil.example:443", ""), []int{400, 404, 405, 421}},
		{"PUT", ask("PUT", "/api/v1/people", "x"), []int{405}},
		{"OPTIONS", ask("OPTIONS", "*", ""), []int{200, 400, 404, 405}},

		{"two lengths", strings.NewReader("POST /recognize HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx"), []int{400}},
		{"length that is negative", strings.NewReader("POST /recognize HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n"), []int{400}},
		{"length with a plus", strings.NewReader("POST /recognize HTTP/1.1\r\nHost: localhost\r\nContent-Length: +1\r\n\r\nx"), []int{400}},
		{"length and chunks", strings.NewReader("POST /recognize HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"), []int{400}},
		{"coding that nobody knows", strings.NewReader("POST /recognize HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"), []int{400, 501}},
		{"coding twice", strings.NewReader("POST /recognize HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n"), []int{400, 501}},
		{"chunk with a length that is none", strings.NewReader("POST /recognize HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nxx\r\n"), []int{400}},
		{"chunk of 2^64", strings.NewReader("POST /recognize HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n10000000000000000\r\nxx\r\n"), []int{400}},
		{"chunk with an endless extension", strings.NewReader("POST /recognize HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n1;" + strings.Repeat("x", 1<<20) + "\r\nx\r\n"), []int{400}},
		{"space before the colon", strings.NewReader("POST /recognize HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n"), []int{400}},
		{"two hosts", strings.NewReader("GET / HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n"), []int{400}},
		{"no host", strings.NewReader("GET /api/v1/people HTTP/1.1\r\n\r\n"), []int{400}},
		{"another's address as the target", ask("GET", "http://evil.example/api/v1/people", ""), []int{421}},
		{"header with a NUL", ask("GET", "/", "", "X: a\x00b"), []int{400}},
		{"header of 64 KB", ask("GET", "/", "", "X: "+strings.Repeat("x", 64<<10)), []int{431}},
		{"2,000 headers", ask("GET", "/", "", slices.Repeat([]string{"X: xxxxxxxx"}, 2000)...), []int{431}},
		{"HTTP/0.9", strings.NewReader("GET /\r\n\r\n"), []int{400}},
		{"HTTP/3.0", strings.NewReader("GET / HTTP/3.0\r\nHost: localhost\r\n\r\n"), []int{505}},
		{"HTTP/2 in the clear", strings.NewReader("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), []int{0, 400, 405, 421, 505}},
		{"TLS in the clear", strings.NewReader("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n"), []int{0, 400}},
		{"range beyond the end", ask("GET", "/web/app.js", "", "Range: bytes=99999999-"), []int{416}},
		{"range that is none", ask("GET", "/web/app.js", "", "Range: bytes=x-y"), []int{416}},
	} {
		t.Run(attack.name, func(t *testing.T) {
			status, body := f.send(t, attack.request)
			if !slices.Contains(attack.want, status) {
				t.Errorf("answered %d, want one of %v: %.200s", status, attack.want, body)
			}
			if got := f.state(t); got != before {
				t.Errorf("it changed\n%s\nto\n%s", before, got)
			}
		})
	}
	t.Run("afterwards a good enrolment works", func(t *testing.T) {
		if e, err := f.Register(t.Context(), "Barack", []string{photo(t, "obama")}); err != nil || e.Accepted != 1 {
			t.Error(e, err)
		}
	})
	if log := f.log.String(); strings.Contains(log, "panic") || strings.Contains(log, "level=ERROR") {
		t.Errorf("the log has\n%s", log)
	}
}

// state is everything that an attack could have changed: the people, and the
// files beside the store.
func (f *fortress) state(t *testing.T) string {
	t.Helper()
	people, err := f.People(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var files []string
	err = filepath.WalkDir(f.dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && d.Name() == "store" {
			return fs.SkipDir
		}
		files = append(files, path)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprint(people, files)
}

// TestAttackersLeaveNothingBehind has many at once, who also stay.
func TestAttackersLeaveNothingBehind(t *testing.T) {
	f := newFortress(t, func(*config.Config) {})
	heap := func() uint64 {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapInuse
	}
	goodOne := func() {
		t.Helper()
		if _, err := f.Recognize(t.Context(), photo(t, "obama")); err != nil {
			t.Error(err)
		}
	}
	goodOne()
	f.HTTP.CloseIdleConnections()
	time.Sleep(100 * time.Millisecond)
	goroutines, memory := runtime.NumGoroutine(), heap()

	bomb := pngBomb(7000, 7000, 8, 0, 7000*7001)
	var wg sync.WaitGroup
	for i := range 150 {
		wg.Go(func() {
			switch i % 3 {
			case 0:
				f.send(t, slowly("GET / HTTP/1.1\r\nHost: localhost\r\nX: "))
			case 1:
				f.send(t, slowly("POST /register HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; boundary=b\r\nContent-Length: 60000000\r\n\r\n--b\r\n"))
			case 2:
				if i < 20 {
					f.send(t, look(bomb))
				} else {
					f.send(t, look(strings.Repeat("\xff", 8<<20)))
				}
			}
		})
	}
	eventually(t, "a good request is answered while they are at it", func() bool {
		_, err := f.Recognize(t.Context(), photo(t, "obama"))
		return err == nil // else busy
	})
	wg.Wait()
	f.HTTP.CloseIdleConnections()
	eventually(t, "the goroutines are back", func() bool { return runtime.NumGoroutine() <= goroutines+2 })
	if now := heap(); now > memory+16<<20 {
		t.Errorf("the heap grew from %d to %d MiB", memory>>20, now>>20)
	}
	goodOne()
}

// TestNamesAreTextWhateverTheyLookLike has names that are allowed.
func TestNamesAreTextWhateverTheyLookLike(t *testing.T) {
	f := newFortress(t, func(*config.Config) {})
	before := f.state(t)
	before = before[strings.Index(before, "] [")+2:]
	for _, name := range []string{
		`<script>alert(1)</script>`, `"><img src=x onerror=alert(1)>`, `../../../../etc/passwd`, `$(touch /tmp/x); ` + "`id`",
		`'; DROP TABLE people; --`, `{{.}} %s %n`, `#+/$SYS`, strings.Repeat("ñ", 100),
	} {
		e, err := f.Register(t.Context(), name, []string{photo(t, "obama")})
		if err != nil || e.Person.Name != name {
			t.Fatalf("%s: %+v, %v", name, e, err)
		}
		resp, err := f.HTTP.Get(f.BaseURL + "/api/v1/people/" + e.Person.ID)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if kind := resp.Header.Get("Content-Type"); kind != "application/json" || resp.Header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("it is sent as %q, %q", kind, resp.Header.Get("X-Content-Type-Options"))
		}
		if p, err := f.Person(t.Context(), e.Person.ID); err != nil || p.Name != name {
			t.Errorf("%s became %s, %v", name, p.Name, err)
		}
		if _, err := f.Delete(t.Context(), e.Person.ID); err != nil {
			t.Error(err)
		}
	}
	if after := f.state(t); !strings.HasSuffix(after, before) {
		t.Errorf("a name made a file: %s", after)
	}
}

// TestTokensCannotBeGuessed tries many, one after the other and at once.
func TestTokensCannotBeGuessed(t *testing.T) {
	f := newFortress(t, func(c *config.Config) { c.HTTP.TokenFile = filepath.Join(c.DataDir, "token") })
	if _, err := f.People(t.Context()); err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	answers := map[int]int{}
	var wg sync.WaitGroup
	for i := range 200 {
		wg.Go(func() {
			target := []string{"/api/v1/people", "/metrics", "/api/v1/events/stream"}[i%3]
			status, _ := f.send(t, ask("GET", target, "", fmt.Sprintf("Authorization: Bearer %026d", i)))
			mu.Lock()
			answers[status]++
			mu.Unlock()
		})
	}
	wg.Wait()
	if answers[401] != 5 || answers[429] != 195 {
		t.Errorf("200 wrong tokens were answered %v; want 5 times 401 and else 429", answers)
	}
	// Not even the right one tells that it is.
	if status, _ := f.send(t, ask("GET", "/api/v1/people", "", "Authorization: Bearer "+f.Token)); status != 429 {
		t.Errorf("the right token after them: %d", status)
	}
	if status, body := f.send(t, ask("GET", "/healthz", "", "Authorization: Bearer "+f.Token)); status != 200 || strings.Contains(body, "version") {
		t.Errorf("health after them: %d %s", status, body)
	}
	if strings.Contains(f.log.String(), f.Token) {
		t.Error("the token is in the log")
	}
}
