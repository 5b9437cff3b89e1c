package viewer

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"mime/multipart"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"facerecd/daemon/live"
	"facerecd/inference"
)

// window serves a window until the end of the test.
func window(t *testing.T) (hub *live.Hub, url string, end func()) {
	t.Helper()
	w := &Window{Listen: "127.0.0.1:0", Hub: &live.Hub{}, Log: slog.New(slog.DiscardHandler)}
	url, err := w.Bind(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- w.Serve(ctx) }()
	ended := false
	end = func() {
		if ended {
			return
		}
		ended = true
		cancel()
		select {
		case err := <-done:
			if err != nil {
				t.Error(err)
			}
		case <-time.After(5 * time.Second):
			t.Error("Serve does not end")
		}
		http.DefaultClient.CloseIdleConnections()
	}
	t.Cleanup(end)
	return w.Hub, url, end
}

func TestThePageNeedsItsSecret(t *testing.T) {
	_, url, _ := window(t)
	root := url[:strings.Index(url[len("http://"):], "/")+len("http://")]
	for address, want := range map[string]int{
		url:                                   200,
		root + "/":                            404,
		root + "/stream.mjpg":                 404,
		root + "/AAAAAAAAAAAAAAAAAAAAAAAAAA/": 404,
		root + "/AAAAAAAAAAAAAAAAAAAAAAAAAA/stream.mjpg": 404,
		url + "other": 404,
	} {
		resp, err := http.Get(address)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("%s: %s", address, resp.Status)
		}
		if want == 200 && !strings.Contains(string(body), `src="stream.mjpg"`) {
			t.Errorf("the page is %s", body)
		}
		for name, value := range map[string]string{
			"Referrer-Policy": "no-referrer", "Cache-Control": "no-store", "Cross-Origin-Resource-Policy": "same-origin",
			"X-Content-Type-Options": "nosniff",
		} {
			if got := resp.Header.Get(name); got != value {
				t.Errorf("%s: %s is %q", address, name, got)
			}
		}
	}
}

func TestOtherMachinesDoNotSeeThePage(t *testing.T) {
	for listen, want := range map[string]string{
		"0.0.0.0:0":   "--listen 0.0.0.0:0 can be reached from other machines: listen on 127.0.0.1, and use `ssh -L` to look from elsewhere",
		":0":          "--listen :0 can be reached from other machines: listen on 127.0.0.1, and use `ssh -L` to look from elsewhere",
		"192.0.2.1:0": "--listen 192.0.2.1:0 can be reached from other machines: listen on 127.0.0.1, and use `ssh -L` to look from elsewhere",
		"127.0.0.1":   `resolve --listen "127.0.0.1" (it must be host:port, such as 127.0.0.1:0): address 127.0.0.1: missing port in address`,
	} {
		w := &Window{Listen: listen}
		if _, err := w.Bind(t.Context()); err == nil || err.Error() != want {
			t.Errorf("%s: %v", listen, err)
		}
	}
	_, url, _ := window(t)
	taken := strings.Split(url, "/")[2]
	w := &Window{Listen: taken}
	if _, err := w.Bind(t.Context()); err == nil || !strings.HasPrefix(err.Error(), fmt.Sprintf("open --listen %s (choose another port, or 0 for any): ", taken)) {
		t.Errorf("a taken port: %v", err)
	}
}

func TestThePageShowsPicturesAndNoneThatStandsStill(t *testing.T) {
	hub, url, end := window(t)
	resp, err := http.Get(url + "stream.mjpg")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	_, params, err := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if err != nil {
		t.Fatal(err)
	}
	parts := multipart.NewReader(bufio.NewReader(resp.Body), params["boundary"])
	size := func() int {
		part, err := parts.NextPart()
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(part)
		if err != nil || part.Header.Get("Content-Type") != "image/jpeg" {
			t.Fatal(part.Header, err)
		}
		return len(data)
	}
	dark, err := darkness()
	if err != nil {
		t.Fatal(err)
	}
	gray, err := inference.Gray(make([]byte, 64*48), 64, 48, 64)
	if err != nil {
		t.Fatal(err)
	}
	for at := time.Now(); ; time.Sleep(5 * time.Millisecond) {
		if hub.Wanted(time.Now()) {
			hub.Show(live.Frame{At: time.Now(), View: gray})
			break
		} else if time.Since(at) > 5*time.Second {
			t.Fatal("nobody waits for a picture")
		}
	}
	if n := size(); n == len(dark) {
		t.Error("the first picture is the dark one")
	}
	began := time.Now()
	if n := size(); n != len(dark) || time.Since(began) < silence/2 {
		t.Errorf("after %v of silence there is a picture of %d bytes", time.Since(began), n)
	}
	end() // also for a stream that is watched
}

func TestADoorwayIsItsOwnersAlone(t *testing.T) {
	t.Setenv("XDG_RUNTIME_DIR", t.TempDir())
	path, err := Doorway("http://127.0.0.1:1/A&B/")
	if err != nil {
		t.Fatal(err)
	}
	for file, want := range map[string]os.FileMode{path: 0o600, filepath.Dir(path): 0o700} {
		if info, err := os.Stat(file); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, %v", file, info.Mode(), err)
		}
	}
	data, err := os.ReadFile(path)
	if err != nil || !strings.Contains(string(data), `content="0; url=http://127.0.0.1:1/A&amp;B/"`) {
		t.Errorf("%s, %v", data, err)
	}
}
