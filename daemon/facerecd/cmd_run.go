package main

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"
	"time"

	"facerecd/daemon"
	"facerecd/daemon/config"
)

// defaultConfig is where the package puts the configuration.
const defaultConfig = "/etc/facerecd/facerecd.yaml"

type runCmd struct {
	Config string `help:"Configuration file." default:"${default}" type:"path" placeholder:"FILE"`
	Check  bool   `help:"Only read the configuration, and say what is wrong with it."`
	Demo   bool   `help:"Play photos as a camera, with a broker of our own and a store that is gone afterwards."`
}

// Help is kong's text below the usage.
func (runCmd) Help() string {
	return "Without --config, the file that FACERECD_CONFIG names is read, or " + defaultConfig +
		"; where that is missing, the defaults and FACERECD_ variables hold."
}

func (c runCmd) Run(w *world) error {
	if c.Demo {
		return c.demo(w)
	}
	cfg, err := loadConfig(c.Config, w.env)
	if err != nil {
		return err
	}
	if c.Check {
		return nil
	}
	level := new(slog.LevelVar)
	level.Set(cfg.Log.Level)
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	defer signal.Stop(hangup)
	d := &daemon.Daemon{
		Config: cfg, Version: version, Log: newLog(w.stderr, w.env, level), Level: level, Hangup: hangup,
		Trial: tryGPU,
		Load:  func() (config.Config, error) { return loadConfig(c.Config, w.env) },
	}
	if err := underSystemd(d); err != nil {
		return err
	}
	if limit := memoryLimit("/"); limit > 0 && os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(limit)
	}
	d.OnReady = func(broker string) {
		saveMemory(w.env)
		d.Log.Info("facerecd is ready", "version", version, "http", cfg.HTTP.Listen, "broker", broker)
	}
	return d.Run(w.ctx)
}

// saveMemory lets garbage be collected when there are some megabytes of it, not
// when there is as much as of what is in use: with thousands of people that is a
// matrix, which costs nothing to look through. The environment's GOGC wins.
func saveMemory(env []string) {
	if slices.ContainsFunc(env, func(v string) bool { return strings.HasPrefix(v, "GOGC=") }) {
		return
	}
	const garbage = 4 << 20
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	debug.SetGCPercent(int(min(max(100*garbage/m.HeapAlloc, 10), 100)))
	debug.FreeOSMemory() // what it took to get ready
}

// demo runs without a configuration file, on photos that make run has fetched.
func (c runCmd) demo(w *world) (err error) {
	cfg, err := config.Load("", w.env)
	if err != nil {
		return err
	}
	cfg.Models = findModels(cfg.Models)
	photos, err := findCache("demo")
	if err != nil {
		return err
	}
	camera := config.DefaultCamera()
	camera.Name, camera.Source, camera.Width, camera.Height = "demo", photos, 640, 480
	cfg.Cameras = []config.Camera{camera}
	if cfg.DataDir, err = os.MkdirTemp("", "facerecd-demo-"); err != nil {
		return fmt.Errorf("make a folder for the demo: %w", err)
	}
	defer func() {
		if rmErr := os.RemoveAll(cfg.DataDir); err == nil && rmErr != nil {
			err = fmt.Errorf("remove the demo's store: %w", rmErr)
		}
	}()
	d := &daemon.Daemon{Config: cfg, Version: version, Log: newLog(w.stderr, w.env, max(cfg.Log.Level, slog.LevelWarn)), Trial: tryGPU}
	d.OnReady = func(broker string) {
		fmt.Fprintf(w.stdout, `
facerecd %s is running. The demo camera shows %s, %v each.

Open http://%[5]s in a browser to see it, and to give them names.

Or try this in a second terminal, in this folder:

  curl -F name=obama -F images=@%[4]s/obama2.jpg -F images=@%[4]s/obama3.jpg http://%[5]s/register
  mosquitto_sub -v -t 'facerecd/#'        # broker: %[6]s
  %[7]s watch

Ctrl-C stops it, and forgets everybody who was enrolled.
`, version, names(photos), camera.Hold, relative(filepath.Join(filepath.Dir(photos), "photos")), cfg.HTTP.Listen, broker, relative(os.Args[0]))
	}
	return d.Run(w.ctx)
}

// names lists the pictures of a folder in a few words.
func names(dir string) string {
	files, err := filepath.Glob(filepath.Join(dir, "*.jpg"))
	if err != nil || len(files) == 0 {
		return dir
	}
	for i := range files {
		files[i] = filepath.Base(files[i])
	}
	slices.Sort(files)
	return strings.Join(files, " and ")
}

// relative shortens a path below the working directory for a message.
func relative(path string) string {
	here, err := os.Getwd()
	if err != nil {
		return path
	}
	if short, err := filepath.Rel(here, path); err == nil && filepath.IsLocal(short) {
		return short
	}
	return path
}

// loadConfig reads the configuration. The file at its usual place may be
// missing, one that was named may not.
func loadConfig(path string, env []string) (config.Config, error) {
	if path == defaultConfig {
		if _, err := os.Stat(path); os.IsNotExist(err) {
			path = ""
		}
		for _, e := range env {
			if named, ok := strings.CutPrefix(e, "FACERECD_CONFIG="); ok && named != "" {
				path = named
			}
		}
	}
	cfg, err := config.Load(path, env)
	cfg.Models = findModels(cfg.Models)
	return cfg, err
}

// newLog writes to the journal or a terminal. The journal has its own clock.
func newLog(w io.Writer, env []string, level slog.Leveler) *slog.Logger {
	journal := slices.ContainsFunc(env, func(e string) bool { return strings.HasPrefix(e, "JOURNAL_STREAM=") })
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{
		Level: level,
		ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
			if len(groups) == 0 && a.Key == slog.TimeKey {
				if journal {
					return slog.Attr{}
				}
				a.Value = slog.StringValue(a.Value.Time().Format(time.TimeOnly))
			}
			return a
		},
	}))
}
