package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"facerecd/capture/jpeg"
	"facerecd/capture/v4l2"
	"facerecd/daemon"
	"facerecd/daemon/accel"
	"facerecd/daemon/api"
	"facerecd/daemon/api/client"
	"facerecd/daemon/config"
	"facerecd/inference"
)

type doctorCmd struct {
	Config string `help:"Configuration file." default:"${default}" type:"path" placeholder:"FILE"`
	JSON   bool   `help:"Print JSON."`
}

// finding is one thing that doctor looked at.
type finding struct {
	Check  string `json:"check"`
	State  string `json:"state"` // ok, warning, failed
	Detail string `json:"detail"`

	Camera *plugged       `json:"camera,omitempty"` // for a camera that is plugged in
	Models []accel.Choice `json:"models,omitempty"` // where each runs, when a GPU was asked for

	more []string // lines below the detail, for people
}

const (
	fine    = "ok"
	warning = "warning"
	failed  = "failed"
)

// checkup collects findings.
type checkup struct {
	root  string                                 // of the machine's file system: "/" but in tests
	modes func(path string) ([]v4l2.Mode, error) // v4l2.Modes but in tests

	findings []finding
}

func (c *checkup) add(check, state, format string, args ...any) {
	c.findings = append(c.findings, finding{Check: check, State: state, Detail: fmt.Sprintf(format, args...)})
}

// errSick is returned when something failed: the exit code says so, too.
var errSick = errors.New("something has to be mended; see above")

func (c doctorCmd) Run(w *world) error {
	r := checkup{root: "/", modes: v4l2.Modes}
	cfg, err := loadConfig(c.Config, w.env)
	if err != nil {
		r.add("configuration", failed, "%v", err)
		cfg = config.Default()
		cfg.Models = findModels(cfg.Models)
	} else {
		r.add("configuration", fine, "%s, device %q", c.Config, cfg.Device)
	}
	r.vision(w.ctx, cfg)
	r.jpeg()
	r.data(cfg.DataDir)
	running := r.daemon(w.ctx, cfg)
	r.cameras(w.ctx, cfg, running)
	r.broker(w.ctx, cfg.MQTT)

	if c.JSON {
		if err := printJSON(w.stdout, r.findings); err != nil {
			return err
		}
	} else {
		for _, f := range r.findings {
			fmt.Fprintf(w.stdout, "%-8s %-14s %s\n", f.State, f.Check, f.Detail)
			for _, line := range f.more {
				fmt.Fprintf(w.stdout, "%-25s%s\n", "", line)
			}
		}
	}
	for _, f := range r.findings {
		if f.State == failed {
			return errSick
		}
	}
	return nil
}

// vision checks the models and the runtime by using them.
func (r *checkup) vision(ctx context.Context, cfg config.Config) {
	v, err := daemon.OpenVision(cfg.Models, cfg.Runtime, cfg.Threads, slog.New(slog.DiscardHandler))
	if err != nil {
		r.add("models", failed, "%v", err)
		return
	}
	v.Detector = inference.Mode(cfg.Detector)
	engine, err := v.Engine()
	if err != nil {
		r.add("models", failed, "%v", err)
		return
	}
	defer func() { _ = engine.Close() }() // it only frees memory
	gray, err := inference.Gray(make([]byte, 640*480), 640, 480, 640)
	if err != nil {
		r.add("models", failed, "%v", err)
		return
	}
	const rounds = 10
	start := time.Now()
	for range rounds {
		if _, err := engine.Detect(gray); err != nil {
			r.add("models", failed, "%v", err)
			return
		}
	}
	r.add("runtime", fine, "%s", v.Runtime())
	r.add("models", fine, "%s in %s; %.1f ms to search a 640x480 frame for faces",
		v.Pack.ID, v.Pack.Dir, float64(time.Since(start).Microseconds())/1000/rounds)
	r.accelerator(cfg.Accelerator, v.TryGPU(ctx, cfg.Accelerator, cfg.AcceleratorDir, tryGPU))
}

// accelerator tells where a daemon would run the models. This process itself uses
// the CPU: the GPU's library writes to standard output as it likes.
func (r *checkup) accelerator(setting string, d accel.Decision) {
	if len(d.Choices) == 0 {
		r.add("accelerator", fine, "cpu: no GPU was asked for")
		return
	}
	state := fine
	if d.Complaint() != "" {
		state = warning
	}
	r.add("accelerator", state, "%s, tried just now; the daemon tries it when it is started", setting)
	f := &r.findings[len(r.findings)-1]
	for _, c := range d.Choices {
		f.more = append(f.more, c.Model+" "+c.String())
		f.Models = append(f.Models, c)
	}
}

func (r *checkup) jpeg() {
	turbo, err := jpeg.NewTurbo()
	if err != nil {
		r.add("jpeg", warning, "libjpeg-turbo cannot be used, so MJPEG cameras cost about four times as much: install libturbojpeg0 (%v)", err)
		return
	}
	r.add("jpeg", fine, "libjpeg-turbo")
	_ = turbo.Close() // nothing was decoded
}

// data checks that the store's folder can be written and is nobody else's.
func (r *checkup) data(dir string) {
	info, err := os.Stat(dir)
	if errors.Is(err, os.ErrNotExist) {
		r.add("data", warning, "%s is not there yet; it is made at the first start", dir)
		return
	} else if err != nil {
		r.add("data", failed, "%v", err)
		return
	}
	if info.Mode().Perm()&0o077 != 0 {
		r.add("data", warning, "%s can be entered by others (mode %o): chmod 700 it; the store inside keeps its own files to itself", dir, info.Mode().Perm())
	}
	probe := filepath.Join(dir, ".doctor")
	if err := os.WriteFile(probe, nil, 0o600); err != nil {
		r.add("data", failed, "%s cannot be written (run doctor as the daemon's user): %v", dir, err)
		return
	}
	_ = os.Remove(probe) // it is empty
	r.add("data", fine, "%s", dir)
}

// daemon asks the running daemon how it fares, and returns its answer; nil when
// there is none.
func (r *checkup) daemon(ctx context.Context, cfg config.Config) *api.Health {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	token, _ := config.ReadSecret(cfg.HTTP.TokenFile) // without it, the daemon says less
	health, err := (&client.Client{BaseURL: address(cfg.HTTP), Token: token}).Health(ctx)
	if err != nil {
		r.add("daemon", warning, "it does not answer on %s: %v", cfg.HTTP.Listen, err)
		return nil
	}
	state := fine
	if health.Status != "ok" {
		state = warning
	}
	r.add("daemon", state, "runs, status %s", health.Status)
	for _, c := range health.Checks {
		r.add("daemon", warning, "%s: %s", c.Code, c.Hint)
	}
	return &health
}

func (r *checkup) broker(ctx context.Context, cfg config.MQTT) {
	if cfg.Broker == "" {
		r.add("broker", fine, "our own, on %s", cfg.EmbeddedListen)
		return
	}
	u, err := url.Parse(cfg.Broker)
	if err != nil {
		r.add("broker", failed, "%v", err)
		return
	}
	address := u.Host
	if u.Port() == "" {
		port := "1883"
		if u.Scheme == "ssl" || u.Scheme == "mqtts" || u.Scheme == "tls" {
			port = "8883"
		}
		address = net.JoinHostPort(u.Hostname(), port)
	}
	conn, err := (&net.Dialer{Timeout: 3 * time.Second}).DialContext(ctx, "tcp", address)
	if err != nil {
		r.add("broker", failed, "%s cannot be reached: %v", address, err)
		return
	}
	_ = conn.Close() // nothing was sent
	r.add("broker", fine, "%s answers", address)
}
