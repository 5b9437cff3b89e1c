package daemon

import (
	"context"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"facerecd/cross/testkit"
	"facerecd/daemon/config"
	"facerecd/match/store"
)

// TestAStartThatFailsSaysWhatToDo has, for each case, a way to spoil the
// settings, and the whole error in which DIR, HTTP and MQTT stand for the folder
// that spoil was given and the two addresses, and … for anything.
func TestAStartThatFailsSaysWhatToDo(t *testing.T) {
	busy := func(t *testing.T) string {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.Close() })
		return l.Addr().String()
	}
	for _, tt := range []struct {
		what  string
		spoil func(t *testing.T, c *config.Config, dir string)
		want  string
	}{
		{
			"no model pack", func(_ *testing.T, c *config.Config, dir string) { c.Models = dir },
			"no model pack in DIR: manifest.json is missing; set `models` to the folder that holds it",
		},
		{
			"a model is missing", func(t *testing.T, c *config.Config, dir string) {
				copyModels(t, dir)
				c.Models = dir
				if err := os.Remove(filepath.Join(dir, "embedding.tflite")); err != nil {
					t.Fatal(err)
				}
			},
			"the model pack is incomplete: stat DIR/embedding.tflite: no such file or directory; install it again, or run `make models`",
		},
		{
			"a model was tampered with", func(t *testing.T, c *config.Config, dir string) {
				copyModels(t, dir)
				c.Models = dir
				path := filepath.Join(dir, "embedding.tflite")
				model, err := os.ReadFile(path)
				if err != nil {
					t.Fatal(err)
				}
				model[len(model)/2] ^= 1
				if err := os.WriteFile(path, model, 0o600); err != nil {
					t.Fatal(err)
				}
			},
			"DIR/embedding.tflite has SHA-256 … and its manifest says …: the file was changed; install the pack again",
		},
		{
			"no runtime", func(t *testing.T, c *config.Config, dir string) {
				t.Setenv("FACERECD_LITERT", "")
				c.Runtime = filepath.Join(dir, "libLiteRt.so")
			},
			"find libLiteRt.so: file does not exist in DIR/libLiteRt.so; " +
				`run "make runtime", or install the facerecd package: facerecd needs libLiteRt.so from ai-edge-litert 2.3.0`,
		},
		{
			"something else for a runtime", func(t *testing.T, c *config.Config, dir string) {
				c.Runtime = filepath.Join(dir, "libLiteRt.so")
				if err := os.WriteFile(c.Runtime, []byte("hello"), 0o600); err != nil {
					t.Fatal(err)
				}
			},
			`load LiteRT library DIR/libLiteRt.so: …; run "make runtime", or install the facerecd package: facerecd needs libLiteRt.so from ai-edge-litert 2.3.0`,
		},
		{
			"the HTTP port is taken", func(t *testing.T, c *config.Config, _ string) { c.HTTP.Listen = busy(t) },
			"open http.listen HTTP (is another facerecd running? else choose another port): listen tcp HTTP: bind: address already in use",
		},
		{
			"the HTTP port is open to the world", func(_ *testing.T, c *config.Config, _ string) { c.HTTP.Listen = "0.0.0.0:0" },
			"http.listen HTTP can be reached from other machines, and there is no token: set http.token_file, or listen on 127.0.0.1",
		},
		{
			"the broker's port is taken", func(t *testing.T, c *config.Config, _ string) { c.MQTT.EmbeddedListen = busy(t) },
			"mqtt.embedded_listen: MQTT is in use, probably by another broker (mosquitto?): to use that one set mqtt.broker: tcp://MQTT, " +
				"or else give mqtt.embedded_listen another port: listen tcp MQTT: bind: address already in use",
		},
		{
			"the broker's CA is missing", func(_ *testing.T, c *config.Config, dir string) { c.MQTT.TLS.CA = dir + "/ca.pem" },
			"read mqtt.tls.ca: open DIR/ca.pem: no such file or directory",
		},
		{
			"another facerecd runs", func(t *testing.T, c *config.Config, dir string) {
				c.DataDir = dir
				s, err := store.Open(filepath.Join(dir, "store"), store.Options{})
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() {
					if err := s.Close(); err != nil {
						t.Error(err)
					}
				})
			},
			"…DIR/store…store is in use…",
		},
	} {
		t.Run(tt.what, func(t *testing.T) {
			c, dir := settings(t, photo(t, "obama")), t.TempDir()
			tt.spoil(t, &c, dir)
			leaks := goleak.IgnoreCurrent()
			d := &Daemon{Config: c, Log: slog.New(slog.DiscardHandler), OnReady: func(string) { t.Error("it says that it is ready") }}
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			began := time.Now()
			err := d.Run(ctx)
			if err == nil {
				t.Fatal("Run = nil")
			}
			if took := time.Since(began); took > 2*time.Second*slow {
				t.Errorf("Run took %v", took)
			}
			got := strings.NewReplacer(dir, "DIR", c.HTTP.Listen, "HTTP", c.MQTT.EmbeddedListen, "MQTT").Replace(err.Error())
			pattern := strings.ReplaceAll(regexp.QuoteMeta(tt.want), "…", ".*")
			if !regexp.MustCompile("^" + pattern + "$").MatchString(got) {
				t.Errorf("Run =\n%s\nwant\n%s", got, tt.want)
			}
			if tt.what != "another facerecd runs" {
				goleak.VerifyNone(t, leaks)
				if rows, err := reopen(t, c).History("", 1); err != nil || len(rows) > 0 {
					t.Errorf("it recorded %v, %v", rows, err)
				}
			}
		})
	}
}

func copyModels(t *testing.T, to string) {
	t.Helper()
	if err := os.CopyFS(to, os.DirFS(testkit.Models(t))); err != nil {
		t.Fatal(err)
	}
}

func TestAStartThatIsInterruptedEndsQuietly(t *testing.T) {
	c := settings(t, photo(t, "obama"))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	d := &Daemon{Config: c, Log: slog.New(slog.DiscardHandler)}
	var asked sync.WaitGroup
	asked.Go(func() { d.Health() }) // which may be asked for at any time
	if err := d.Run(ctx); err != nil {
		t.Errorf("Run = %v", err)
	}
	asked.Wait()
	d.Health()
	reopen(t, c)
}
