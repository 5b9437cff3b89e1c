package web_test

import (
	"bytes"
	"crypto/x509"
	"errors"
	"fmt"
	"image"
	stdjpeg "image/jpeg"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"facerecd/capture"
	"facerecd/capture/capturetest"
	"facerecd/capture/web"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func picture(t testing.TB, w, h int) []byte {
	t.Helper()
	img := image.NewGray(image.Rect(0, 0, w, h))
	for i := range img.Pix {
		img.Pix[i] = byte(i * i >> 3)
	}
	var b bytes.Buffer
	if err := stdjpeg.Encode(&b, img, nil); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// streaming sends n pictures as a camera does, 40 ms apart, and then hangs up,
// or freezes.
func streaming(pic []byte, n int, freeze bool) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "multipart/x-mixed-replace; boundary=frame")
		for range n {
			// Lengths and boundaries that are wrong are not rare.
			fmt.Fprintf(w, "\r\n----frame\r\nContent-Type: image/jpeg\r\nContent-Length: 1\r\n\r\n%s", pic)
			if w.(http.Flusher).Flush(); !pause(r, 40*time.Millisecond) {
				return
			}
		}
		if freeze {
			pause(r, time.Hour)
		}
	}
}

func pause(r *http.Request, d time.Duration) (whole bool) {
	select {
	case <-time.After(d):
		return true
	case <-r.Context().Done():
		return false
	}
}

func still(pic []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "image/jpeg; charset=binary")
		_, _ = w.Write(pic) // the camera may have been closed
	}
}

func serve(t *testing.T, h http.Handler) (address string) {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}

func open(t *testing.T, url string, o web.Options) capture.Source {
	t.Helper()
	src, err := web.Open(t.Context(), url, o)
	return capturetest.Opened(t, src, err)
}

func TestHTTPCamerasKeepTheSourceContract(t *testing.T) {
	for name, camera := range map[string]http.HandlerFunc{
		"stream":   streaming(picture(t, 64, 48), 1000, true),
		"pictures": still(picture(t, 64, 48)),
	} {
		t.Run(name, func(t *testing.T) {
			url := serve(t, camera)
			capturetest.SuiteLive(t, func(t *testing.T) capture.Source {
				src, err := web.Open(t.Context(), url, web.Options{FPS: 20})
				if err != nil {
					t.Fatal(err)
				}
				return src
			})
		})
	}
}

func TestFramesAreThePicturesAsTheyCame(t *testing.T) {
	pic := picture(t, 64, 48)
	for name, camera := range map[string]http.HandlerFunc{
		"stream": streaming(pic, 1000, true), "pictures": still(pic), "pictures with more behind them": still(append(pic[:len(pic):len(pic)], "\r\n"...)),
	} {
		var f capture.Frame
		if err := open(t, serve(t, camera), web.Options{Start: 2 * time.Second}).Read(t.Context(), &f); err != nil {
			t.Fatal(err)
		}
		if f.Format != capture.JPEG || f.Width != 64 || f.Height != 48 || !bytes.Equal(f.Data, pic) {
			t.Errorf("%s: %v frame %dx%d of %d bytes, want %d", name, f.Format, f.Width, f.Height, len(f.Data), len(pic))
		}
	}
}

func TestPicturesAreFetchedAtTheRateOverOneConnection(t *testing.T) {
	var requests, connections atomic.Int32
	pic := picture(t, 64, 48)
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		still(pic)(w, r)
	}))
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			connections.Add(1)
		}
	}
	s.Start()
	defer s.Close()
	src := open(t, s.URL, web.Options{FPS: 20})
	time.Sleep(time.Second)
	if err := src.Close(); err != nil {
		t.Error(err)
	}
	if n := requests.Load(); n < 10 || n > 22 {
		t.Errorf("%d requests in a second, want 20", n)
	}
	if n := connections.Load(); n != 1 {
		t.Errorf("%d connections", n)
	}
}

func TestTheURLsUserAndPasswordAreSent(t *testing.T) {
	pic := picture(t, 64, 48)
	url := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user, password, _ := r.BasicAuth(); user != "ana" || password != "p@ss" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		still(pic)(w, r)
	}))
	open(t, strings.Replace(url, "http://", "http://ana:p%40ss@", 1), web.Options{})
}

func TestAPasswordIsNotSentToAnotherHost(t *testing.T) {
	var got atomic.Value
	pic := picture(t, 64, 48)
	other := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got.Store(r.Header.Get("Authorization"))
		still(pic)(w, r)
	}))
	other = strings.Replace(other, "127.0.0.1", "localhost", 1)
	url := serve(t, http.RedirectHandler(other, http.StatusFound))
	open(t, strings.Replace(url, "http://", "http://ana:hunter2@", 1), web.Options{})
	if got.Load() != "" {
		t.Errorf("the other host got %q", got.Load())
	}
}

func TestOpenSaysWhyThereIsNoPicture(t *testing.T) {
	status := func(code int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
	}
	silent := func(_ http.ResponseWriter, r *http.Request) { pause(r, time.Hour) }
	slow := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "image/jpeg")
		_, _ = w.Write(picture(t, 64, 48)[:100])
		w.(http.Flusher).Flush()
		pause(r, time.Hour)
	}
	page := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		fmt.Fprint(w, "<html>")
	}
	huge := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "image/jpeg")
		pic := picture(t, 64, 48)
		_, _ = w.Write(pic[:len(pic)-2])
		for range 17 {
			_, _ = w.Write(make([]byte, 1<<20))
		}
	}
	round := func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, r.URL.Path, http.StatusFound) }
	tests := []struct {
		name   string
		camera http.HandlerFunc
		is     error
		err    string
	}{
		{"401", status(401), capture.ErrPermission, "no permission to open the camera: it answers 401 Unauthorized: check user and password in the URL, and that the camera takes basic authentication"},
		{"403", status(403), capture.ErrPermission, "no permission to open the camera: it answers 403 Forbidden: check user and password in the URL"},
		{"404", status(404), capture.ErrNotFound, "camera not found: it answers 404 Not Found: check the path in the URL"},
		{"503", status(503), capture.ErrBusy, "camera in use by another program: it answers 503 Service Unavailable"},
		{"500", status(500), nil, "it answers 500 Internal Server Error"},
		{"silent", silent, capture.ErrStalled, "camera sends no frames: no whole picture in 500ms"},
		{"slow", slow, capture.ErrStalled, "camera sends no frames: no whole picture in 500ms"},
		{"page", page, capture.ErrUnsupported, "camera cannot be read: the URL leads to text/html and not to pictures: look up the camera's MJPEG or snapshot address in its manual"},
		{"huge", huge, nil, "a picture of more than 16 MiB"},
		{"round", round, nil, "it redirects more than 3 times"},
		{"empty stream", streaming(nil, 0, false), capture.ErrStream, "camera is there, but its stream broke: the camera ended it"},
		{"frozen stream", streaming(nil, 1, true), capture.ErrStalled, "camera sends no frames: none in 2s"},
		{"huge stream", func(w http.ResponseWriter, r *http.Request) {
			pic := picture(t, 64, 48)
			streaming(append(pic[:len(pic)-2], make([]byte, 17<<20)...), 1, true)(w, r)
		}, capture.ErrStream, "camera is there, but its stream broke: a picture of more than 16 MiB"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			url := strings.Replace(serve(t, test.camera), "http://", "http://ana:hunter2@", 1)
			start := time.Now()
			o := web.Options{Start: 2 * time.Second}
			if strings.HasSuffix(test.err, "500ms") {
				o.Stall = 500 * time.Millisecond
			}
			_, err := web.Open(t.Context(), url, o)
			if err == nil || err.Error() != test.err || test.is != nil && !errors.Is(err, test.is) {
				t.Errorf("Open: %v\nwant: %s", err, test.err)
			}
			if hint := capture.Hint(err); test.is == capture.ErrPermission && !strings.Contains(hint, "user and password") {
				t.Errorf("the hint sends whoever has a wrong password elsewhere: %s", hint)
			}
			if took := time.Since(start); took > 4*time.Second {
				t.Errorf("Open took %v", took)
			}
		})
	}
}

func TestAHostThatIsNotThereIsNotFound(t *testing.T) {
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := free.Addr().String()
	free.Close()
	_, err = web.Open(t.Context(), "http://ana:hunter2@"+address, web.Options{})
	if want := "camera not found: dial tcp " + address + ": connect: connection refused"; err == nil || err.Error() != want || !errors.Is(err, capture.ErrNotFound) {
		t.Errorf("Open: %v\nwant: %s", err, want)
	}
}

func TestTLSIsCheckedAndNotLeft(t *testing.T) {
	pic := picture(t, 64, 48)
	plain := serve(t, still(pic))
	mux := http.NewServeMux()
	mux.Handle("/still", still(pic))
	mux.Handle("/plain", http.RedirectHandler(plain, http.StatusFound))
	s := httptest.NewUnstartedServer(mux)
	s.Config.ErrorLog = nil
	s.StartTLS()
	defer s.Close()
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())

	open(t, s.URL+"/still", web.Options{Roots: roots})

	_, err := web.Open(t.Context(), s.URL+"/still", web.Options{})
	if err == nil || !errors.Is(err, capture.ErrPermission) ||
		!strings.HasPrefix(err.Error(), "no permission to open the camera: its certificate is not trusted: ") ||
		!strings.HasSuffix(err.Error(), ": install its authority on this machine, or use http on a network you trust") {
		t.Errorf("Open with a certificate that nobody knows: %v", err)
	}

	_, err = web.Open(t.Context(), s.URL+"/plain", web.Options{Roots: roots})
	if want := "it redirects from https to http, where anybody can read the pictures and the password"; err == nil || err.Error() != want {
		t.Errorf("Open: %v\nwant: %s", err, want)
	}
}

func TestAStreamThatStopsIsToldFromOneThatFreezes(t *testing.T) {
	pic := picture(t, 64, 48)
	for _, test := range []struct {
		freeze bool
		is     error
	}{{false, capture.ErrStream}, {true, capture.ErrStalled}} {
		src := open(t, serve(t, streaming(pic, 3, test.freeze)), web.Options{Stall: 500 * time.Millisecond})
		var err error
		for err == nil {
			err = src.Read(t.Context(), new(capture.Frame))
		}
		if !errors.Is(err, test.is) {
			t.Errorf("Read: %v, want %v", err, test.is)
		}
	}
}

func TestADamagedPictureEndsNothing(t *testing.T) {
	pic := picture(t, 64, 48)
	var n atomic.Int32
	src := open(t, serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if n.Add(1)%2 == 0 {
			still(pic[:len(pic)-9])(w, r)
			return
		}
		still(pic)(w, r)
	})), web.Options{FPS: 50})
	good, bad := 0, 0
	for range 20 {
		switch err := src.Read(t.Context(), new(capture.Frame)); {
		case err == nil:
			good++
		case errors.Is(err, capture.ErrBadFrame):
			bad++
		default:
			t.Fatal(err)
		}
	}
	if good < 5 || bad < 5 {
		t.Errorf("%d good, %d damaged", good, bad)
	}
}
