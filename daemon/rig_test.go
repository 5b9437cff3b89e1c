package daemon

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"facerecd/capture"
	"facerecd/capture/jpeg"
	"facerecd/capture/source"
	"facerecd/cross/testkit"
	"facerecd/daemon/api/client"
	"facerecd/daemon/config"
	"facerecd/inference"
)

const patience = 60 * time.Second // until a test is taken for failed

// rig is a running daemon, and its HTTP port as a client sees it.
type rig struct {
	*Daemon
	*client.Client
	broker string // host:port
	log    *testkit.Buffer

	cancel context.CancelFunc
	done   chan error
}

// settings are those of a daemon with all real parts, on ports and in a folder
// of its own. Its one camera, "door", plays source.
func settings(t *testing.T, source string) config.Config {
	t.Helper()
	c := config.Default()
	c.Device, c.DataDir = "pi", t.TempDir()
	c.Models, c.Runtime = testkit.Models(t), testkit.Runtime(t)
	c.HTTP.Listen, c.MQTT.EmbeddedListen = freeAddr(t), "127.0.0.1:0"
	c.Cameras = []config.Camera{{Name: "door", Source: source, Width: 640, Height: 480, FPS: 10, Hold: time.Second}}
	return c
}

// start runs a daemon until the end of the test, or until stop. What with does
// to it is done before.
func start(t *testing.T, c config.Config, with ...func(*Daemon)) *rig {
	t.Helper()
	r := &rig{log: new(testkit.Buffer), done: make(chan error, 1)}
	ready := make(chan string, 1)
	r.Daemon = &Daemon{
		Config: c, Version: "test",
		Log:     slog.New(slog.NewTextHandler(r.log, nil)),
		OnReady: func(broker string) { ready <- broker },
	}
	for _, change := range with {
		change(r.Daemon)
	}
	transport := &http.Transport{}
	r.Client = &client.Client{BaseURL: "http://" + c.HTTP.Listen, HTTP: &http.Client{Transport: transport}}
	var ctx context.Context
	ctx, r.cancel = context.WithCancel(context.Background())
	t.Cleanup(func() {
		if r.cancel != nil {
			r.stop(t)
		}
		transport.CloseIdleConnections()
		if t.Failed() {
			t.Logf("the daemon said:\n%s", r.log)
		}
	})
	go func() { r.done <- r.Run(ctx) }()
	select {
	case url := <-ready:
		r.broker = url[len("tcp://"):]
	case err := <-r.done:
		r.cancel = nil
		t.Fatalf("Run = %v", err)
	case <-time.After(patience):
		t.Fatal("the daemon does not get ready")
	}
	return r
}

// stop waits for Run to end, and returns how long that took.
func (r *rig) stop(t *testing.T) time.Duration {
	t.Helper()
	began := time.Now()
	r.cancel()
	r.cancel = nil
	select {
	case err := <-r.done:
		if err != nil {
			t.Errorf("Run = %v", err)
		}
	case <-time.After(patience):
		t.Fatal("Run does not end")
	}
	return time.Since(began)
}

// Healthy fails the test unless /healthz says ok.
func (r *rig) healthy(t *testing.T) {
	t.Helper()
	if h, err := r.Client.Health(t.Context()); err != nil || h.Status != "ok" {
		t.Errorf("healthz = %+v, %v", h, err)
	}
}

// long is for a test of many seconds that runs the same goroutines as shorter
// ones: the race detector, which makes minutes of it, is run with -short.
func long(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("it takes long, and shorter tests run the same goroutines")
	}
}

func freeAddr(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("it never becomes true that %s", what)
		}
	}
}

// photo is the path of a demo photo.
func photo(t testing.TB, name string) string {
	t.Helper()
	return filepath.Join(testkit.Photos(t), name+".jpg")
}

// folder shows the demo photos of these names one after the other.
func folder(t *testing.T, names ...string) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range names {
		if err := os.Symlink(photo(t, name), filepath.Join(dir, name+".jpg")); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// newEngine opens the shipped models.
func newEngine(t testing.TB) *Engine {
	t.Helper()
	v, err := OpenVision(testkit.Models(t), testkit.Runtime(t), 1, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	e, err := v.Engine()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	return e
}

// shot is what the camera sees of a demo photo.
func shot(t testing.TB, name string) *capture.Frame {
	t.Helper()
	src, err := source.Open(source.Spec{Source: photo(t, name), Width: 640, Height: 480, FPS: 1000})(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	f := new(capture.Frame)
	if err := src.Read(t.Context(), f); err != nil {
		t.Fatal(err)
	}
	return f
}

// theFace is the one face of a frame, by the engine directly.
func theFace(t testing.TB, e *Engine, f *capture.Frame) inference.Face {
	t.Helper()
	view, err := ViewOf(f, jpeg.NewStd())
	if err != nil {
		t.Fatal(err)
	}
	faces, err := e.Faces(view)
	if err != nil || len(faces) != 1 {
		t.Fatalf("%d faces, %v", len(faces), err)
	}
	return faces[0]
}
