package viewer

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"html/template"
	"image"
	"image/jpeg"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"facerecd/daemon/api"
	"facerecd/daemon/live"
)

// silence is how long a picture stays on the page when no other comes: it would
// pass for a live one.
const silence = 3 * time.Second

// Window is a page of this machine that shows a Hub's frames. Its address has a
// secret, without which other users of the machine do not see it.
type Window struct {
	Listen string // host:port, of a loopback address
	Hub    *live.Hub
	Log    *slog.Logger

	secret   string
	listener net.Listener
}

// Bind opens the port and returns the page's address.
func (w *Window) Bind(ctx context.Context) (url string, err error) {
	addr, err := net.ResolveTCPAddr("tcp", w.Listen)
	if err != nil {
		return "", fmt.Errorf("resolve --listen %q (it must be host:port, such as 127.0.0.1:0): %w", w.Listen, err)
	}
	if !addr.IP.IsLoopback() {
		return "", fmt.Errorf("--listen %s can be reached from other machines: listen on 127.0.0.1, and use `ssh -L` to look from elsewhere", w.Listen)
	}
	var lc net.ListenConfig
	if w.listener, err = lc.Listen(ctx, "tcp", addr.String()); err != nil {
		return "", fmt.Errorf("open --listen %s (choose another port, or 0 for any): %w", w.Listen, err)
	}
	w.secret = rand.Text()
	return fmt.Sprintf("http://%s/%s/", w.listener.Addr(), w.secret), nil
}

// Serve shows the page until ctx ends, and returns nil then. Bind comes first.
func (w *Window) Serve(ctx context.Context) error {
	srv := &http.Server{
		Handler:           w.handler(),
		BaseContext:       func(net.Listener) context.Context { return ctx }, // which ends the streams
		ReadHeaderTimeout: 5 * time.Second,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          slog.NewLogLogger(w.Log.Handler(), slog.LevelDebug),
	}
	stopped := make(chan error, 1)
	defer context.AfterFunc(ctx, func() {
		patience, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		if srv.Shutdown(patience) != nil {
			_ = srv.Close() // what is left to close are connections that did not end in time
		}
		stopped <- nil
	})()
	if err := srv.Serve(w.listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve the page: %w", err)
	}
	return <-stopped
}

const page = `<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>facerecd client</title>
<h1>facerecd client</h1>
<p><img src="stream.mjpg" alt="What the camera sees, with a box and a name for each face">
<p>Green is who is recognised, orange who is unknown. Ctrl-C in the terminal ends it.
</html>
`

func (w *Window) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /"+w.secret+"/{$}", func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = rw.Write([]byte(page)) // who is gone needs no page
	})
	mux.HandleFunc("GET /"+w.secret+"/stream.mjpg", w.stream)
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		h := rw.Header()
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Content-Security-Policy", "default-src 'none'; img-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cache-Control", "no-store")
		mux.ServeHTTP(rw, r)
	})
}

func (w *Window) stream(rw http.ResponseWriter, r *http.Request) {
	dark, err := darkness()
	if err != nil {
		w.Log.Error("encode a picture", "err", err)
		return
	}
	api.SendPictures(rw, r, func() (api.Picture, error) {
		patience, cancel := context.WithTimeout(r.Context(), silence)
		defer cancel()
		p, err := w.Hub.Next(patience, live.Overlay{Boxes: true, Names: true})
		if err != nil && r.Context().Err() == nil && errors.Is(err, context.DeadlineExceeded) {
			return api.Picture{JPEG: dark, At: time.Now()}, nil
		}
		return api.Picture(p), err
	})
}

// darkness is shown while there is nothing to see.
func darkness() ([]byte, error) {
	var b bytes.Buffer
	err := jpeg.Encode(&b, image.NewGray(image.Rect(0, 0, 640, 480)), nil)
	return b.Bytes(), err
}

// Doorway makes a file that leads a browser to the address, and returns its
// path. A browser that was started with the address itself would show it to
// everybody who lists this machine's processes. The caller removes its folder.
func Doorway(url string) (path string, err error) {
	dir, err := os.MkdirTemp(os.Getenv("XDG_RUNTIME_DIR"), "facerecd-client-") // mode 0700
	if err != nil {
		return "", fmt.Errorf("make a file for the browser: %w", err)
	}
	path = filepath.Join(dir, "open.html")
	var b bytes.Buffer
	door := template.Must(template.New("").Parse(`<!doctype html><meta charset="utf-8"><meta name="referrer" content="no-referrer"><meta http-equiv="refresh" content="0; url={{.}}"><a href="{{.}}">facerecd client</a>` + "\n"))
	if err := errors.Join(door.Execute(&b, url), os.WriteFile(path, b.Bytes(), 0o600)); err != nil {
		return "", errors.Join(fmt.Errorf("make a file for the browser: %w", err), os.RemoveAll(dir))
	}
	return path, nil
}
