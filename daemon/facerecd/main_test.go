package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"image"
	"image/jpeg"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"facerecd/cross/testkit"
	"facerecd/daemon/accel"
)

// TestMain is also facerecd's: the daemon and doctor start their own program to
// try the GPU, and that is this one here.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == accel.Command {
		os.Exit(run(context.Background(), os.Args[1:], os.Environ(), os.Stdout, os.Stderr))
	}
	goleak.VerifyTestMain(m)
}

// patience is how long a test waits before it is taken for failed.
const patience = 60 * time.Second

// command is one that runs.
type command struct {
	args           []string
	stdout, stderr testkit.Buffer

	cancel context.CancelFunc
	done   chan struct{}
	code   int // when it is done
}

// begin starts a command, which ends with the test at the latest.
func begin(t *testing.T, env []string, args ...string) *command {
	t.Helper()
	c := &command{args: args, done: make(chan struct{})}
	var ctx context.Context
	ctx, c.cancel = context.WithCancel(context.Background())
	go func() {
		defer close(c.done)
		c.code = run(ctx, args, env, &c.stdout, &c.stderr)
	}()
	t.Cleanup(func() {
		c.cancel()
		<-c.done
		http.DefaultClient.CloseIdleConnections()
		if t.Failed() {
			t.Logf("facerecd %s\n%s%s", strings.Join(args, " "), &c.stdout, &c.stderr)
		}
	})
	return c
}

// ends waits for the command, and returns its exit code.
func (c *command) ends(t *testing.T) int {
	t.Helper()
	select {
	case <-c.done:
	case <-time.After(patience):
		t.Fatalf("facerecd %s does not end", strings.Join(c.args, " "))
	}
	return c.code
}

// says waits for text on standard output or standard error.
func (c *command) says(t *testing.T, text string) {
	t.Helper()
	for end := time.Now().Add(patience); !strings.Contains(c.stdout.String()+c.stderr.String(), text); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("facerecd %s never says %q", strings.Join(c.args, " "), text)
		}
		select {
		case <-c.done:
			if !strings.Contains(c.stdout.String()+c.stderr.String(), text) {
				t.Fatalf("facerecd %s has ended with code %d and did not say %q", strings.Join(c.args, " "), c.code, text)
			}
		default:
		}
	}
}

// try runs a command to its end.
func try(t *testing.T, env []string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	c := begin(t, env, args...)
	code = c.ends(t)
	return code, c.stdout.String(), c.stderr.String()
}

// must runs a command that succeeds, and returns its output.
func must(t *testing.T, args ...string) string {
	t.Helper()
	code, stdout, stderr := try(t, nil, args...)
	if code != exitOK || stderr != "" {
		t.Fatalf("facerecd %s exits with %d: %s%s", strings.Join(args, " "), code, stdout, stderr)
	}
	return stdout
}

// fails runs a command that fails, and checks the code and the whole message.
func fails(t *testing.T, code int, message string, args ...string) {
	t.Helper()
	got, stdout, stderr := try(t, nil, args...)
	if want := "facerecd: " + message + "\n"; got != code || stderr != want || stdout != "" {
		t.Errorf("facerecd %s exits with %d (want %d): %s\n got %q\nwant %q", strings.Join(args, " "), got, code, stdout, stderr, want)
	}
}

// unmarshal reads what a command has printed, of which every key must be known.
func unmarshal[T any](t *testing.T, text string) (v T) {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&v); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return v
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

func write(t *testing.T, path string, content []byte) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// photo is the path of a demo photo.
func photo(t *testing.T, name string) string {
	t.Helper()
	return filepath.Join(testkit.Photos(t), name+".jpg")
}

// blank is a picture with nobody in it.
func blank(t *testing.T) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := jpeg.Encode(&b, image.NewGray(image.Rect(0, 0, 320, 240)), nil); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// configure writes the configuration of a daemon with ports and a folder of
// its own, whose camera plays a folder of demo photos.
func configure(t *testing.T, photos ...string) (file, server, broker string) {
	t.Helper()
	dir := t.TempDir()
	camera := filepath.Join(dir, "camera")
	if err := os.Mkdir(camera, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range photos {
		if err := os.Symlink(photo(t, name), filepath.Join(camera, name+".jpg")); err != nil {
			t.Fatal(err)
		}
	}
	listen, broker := freeAddr(t), freeAddr(t)
	file = write(t, filepath.Join(dir, "facerecd.yaml"), fmt.Appendf(nil, `
device: test
data_dir: %s
models: %s
runtime: %s
http: {listen: "%s"}
mqtt: {embedded_listen: "%s"}
cameras:
  - {name: door, source: %s, width: 640, height: 480, fps: 15, hold: 1s}
`, filepath.Join(dir, "data"), testkit.Models(t), testkit.Runtime(t), listen, broker, camera))
	return file, "http://" + listen, broker
}
