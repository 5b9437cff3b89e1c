package daemon

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"facerecd/daemon/api"
	"facerecd/daemon/config"
	"facerecd/daemon/event"
)

// file stands for the configuration file that Load reads.
type file struct {
	mu  sync.Mutex
	now config.Config
	err error
}

func (f *file) load() (config.Config, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.now, f.err
}

// write changes the file. Configurations share their cameras: change gets its own.
func (f *file) write(change func(*config.Config)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.now.Cameras = slices.Clone(f.now.Cameras)
	change(&f.now)
}

func (f *file) spoil(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.err = err
}

// twoCameras is a running daemon with the cameras door and yard, both streaming.
func twoCameras(t *testing.T, with ...func(*Daemon)) (*rig, *file) {
	t.Helper()
	c := settings(t, folder(t, "obama", "biden"))
	second := c.Cameras[0]
	second.Name, second.Source = "yard", photo(t, "biden")
	c.Cameras = append(c.Cameras, second)
	f := &file{now: c}
	r := start(t, c, append(with, func(d *Daemon) { d.Load = f.load })...)
	for _, name := range []string{"door", "yard"} {
		r.streams(t, name)
	}
	return r, f
}

func (r *rig) unit(name string) *unit { return r.Daemon.health.parts.units.named(name) }

// streams waits for a frame of the camera from now on.
func (r *rig) streams(t *testing.T, name string) {
	t.Helper()
	before := r.unit(name).camera.Status().Frames
	eventually(t, name+" streams", func() bool { return r.unit(name).camera.Status().Frames > before })
}

func (r *rig) reload(t *testing.T) {
	t.Helper()
	if err := r.Reload(); err != nil {
		t.Fatal(err)
	}
}

func (r *rig) check(code string) (api.Condition, bool) {
	checks := r.Daemon.Health().Checks
	i := slices.IndexFunc(checks, func(c api.Condition) bool { return c.Code == code })
	if i < 0 {
		return api.Condition{}, false
	}
	return checks[i], true
}

func (r *rig) cameraNames() (all []string) {
	for _, c := range r.Daemon.Health().Cameras {
		all = append(all, c.Name)
	}
	return all
}

func TestReloadTouchesOnlyTheCamerasThatChanged(t *testing.T) {
	r, f := twoCameras(t)
	door, yard := r.unit("door"), r.unit("yard")
	untouched := func(t *testing.T) {
		t.Helper()
		r.streams(t, "door") // by the counter that has run since the start
		if r.unit("door") != door {
			t.Fatal("the door's camera was started anew")
		}
	}

	f.write(func(c *config.Config) { c.Cameras[1].Mirror = true })
	r.reload(t)
	untouched(t)
	if r.unit("yard") == yard {
		t.Error("the yard is as before")
	}
	r.streams(t, "yard")

	f.write(func(c *config.Config) {
		gate := c.Cameras[0]
		gate.Name, gate.Source = "gate", photo(t, "obama")
		c.Cameras = append(c.Cameras, gate)
	})
	r.reload(t)
	untouched(t)
	r.streams(t, "gate")
	if names := r.cameraNames(); !slices.Equal(names, []string{"door", "yard", "gate"}) {
		t.Errorf("cameras: %v", names)
	}

	w := watch(t, r.broker, "")
	eventually(t, "the yard is told", func() bool { return slices.Contains(w.topics(), "yard/status") })
	f.write(func(c *config.Config) { c.Cameras = slices.Delete(c.Cameras, 1, 2) })
	r.reload(t)
	untouched(t)
	r.streams(t, "gate")
	if names := r.cameraNames(); !slices.Equal(names, []string{"door", "gate"}) {
		t.Errorf("cameras: %v", names)
	}
	eventually(t, "nothing of the yard is retained", func() bool {
		late := watch(t, r.broker, "")
		defer late.close()
		eventually(t, "the gate is told", func() bool { return slices.Contains(late.topics(), "gate/status") })
		return !slices.ContainsFunc(late.topics(), func(topic string) bool { return strings.HasPrefix(topic, "yard/") })
	})

	f.write(func(c *config.Config) { c.Cameras = nil })
	r.reload(t)
	if names := r.cameraNames(); len(names) > 0 {
		t.Errorf("cameras: %v", names)
	}
	f.write(func(c *config.Config) { c.Cameras = []config.Camera{door.settings} })
	r.reload(t)
	r.streams(t, "door")
	r.healthy(t)
}

func TestACameraThatIsTakenOutWhileNothingRunsIsForgotten(t *testing.T) {
	m := newMosquitto(t)
	m.start(t)
	c := settings(t, photo(t, "obama"))
	c.MQTT.Broker = "tcp://" + m.addr
	second := c.Cameras[0]
	second.Name = "yard"
	both := c
	both.Cameras = append(slices.Clone(c.Cameras), second)
	r := start(t, both)
	eventually(t, "both are told", func() bool {
		w := watch(t, m.addr, "")
		defer w.close()
		topics := w.topics()
		return slices.Contains(topics, "yard/status") && slices.Contains(topics, "door/status")
	})
	r.stop(t)
	start(t, c)
	eventually(t, "the door alone is retained", func() bool {
		w := watch(t, m.addr, "")
		defer w.close()
		topics := w.topics()
		return slices.Contains(topics, "door/status") && !slices.ContainsFunc(topics, func(topic string) bool { return strings.HasPrefix(topic, "yard/") })
	})
}

// topics are those of what has come so far; it takes it off.
func (w *watcher) topics() (all []string) {
	for {
		select {
		case m := <-w.got:
			if len(m.Payload()) > 0 {
				all = append(all, strings.TrimPrefix(m.Topic(), "facerecd/pi/"))
			}
		case <-time.After(100 * time.Millisecond):
			return all
		}
	}
}

func TestABadFileChangesNothingAndSaysWhy(t *testing.T) {
	r, f := twoCameras(t)
	door, yard := r.unit("door"), r.unit("yard")
	f.write(func(c *config.Config) { c.Cameras = nil })
	bad := errors.New("bad configuration in facerecd.yaml:\n  cameras[0].fps: 0: set 1 to 120 frames a second")
	f.spoil(bad)
	if err := r.Reload(); !errors.Is(err, bad) {
		t.Errorf("Reload = %v", err)
	}
	r.streams(t, "door")
	r.streams(t, "yard")
	if r.unit("door") != door || r.unit("yard") != yard {
		t.Error("cameras were started anew")
	}
	check, ok := r.check("config_rejected")
	if want := "the configuration could not be reloaded, and the one before is in force: " + bad.Error(); !ok || check.Hint != want || check.Since.IsZero() {
		t.Errorf("health: %+v", check)
	}
	if line := statusLine(r.Daemon.Health()); !strings.Contains(line, "config_rejected: ") || strings.Contains(line, "\n") || !strings.Contains(line, "cameras[0].fps: 0") {
		t.Errorf("status: %q", line)
	}
	f.spoil(nil)
	r.reload(t)
	if _, ok := r.check("config_rejected"); ok || len(r.cameraNames()) > 0 {
		t.Errorf("after a good one: %+v", r.Daemon.Health())
	}
}

func TestReloadSaysWhatNeedsARestart(t *testing.T) {
	r, f := twoCameras(t)
	f.write(func(c *config.Config) {
		c.Models, c.HTTP.Listen, c.MQTT.Broker, c.Cameras[1].Mirror = "/elsewhere", "127.0.0.1:1", "tcp://broker", true
	})
	r.reload(t)
	check, ok := r.check("restart_needed")
	if want := "restart facerecd (systemctl restart facerecd) for what has changed in its configuration: models, http.listen, mqtt.broker"; !ok || check.Hint != want {
		t.Errorf("health: %+v", check)
	}
	if log := r.log.String(); !strings.Contains(log, `keys="[models http.listen mqtt.broker]"`) {
		t.Errorf("the log: %s", log)
	}
	r.streams(t, "yard")
	f.spoil(errors.New("bad"))
	if err := r.Reload(); err == nil {
		t.Error("Reload = nil")
	}
	if _, ok := r.check("restart_needed"); !ok {
		t.Error("a bad file makes it forget what needs a restart")
	}
	f.spoil(nil)
	f.write(func(c *config.Config) {
		c.Models, c.HTTP.Listen, c.MQTT.Broker = r.Config.Models, r.Config.HTTP.Listen, r.Config.MQTT.Broker
	})
	r.reload(t)
	if _, ok := r.check("restart_needed"); ok {
		t.Error("all is as at the start, and yet it says that it needs a restart")
	}
}

func TestMatchAndLogHoldAtOnce(t *testing.T) {
	level := new(slog.LevelVar)
	r, f := twoCameras(t, func(d *Daemon) { d.Level = level })
	if _, err := r.Register(t.Context(), "Barack", []string{photo(t, "obama2")}); err != nil {
		t.Fatal(err)
	}
	if name := r.names(t, photo(t, "obama")); name != "Barack" {
		t.Fatalf("obama is %q", name)
	}
	eventually(t, "the yard has told of who stays there", func() bool {
		events, err := r.Daemon.health.parts.log.History(t.Context(), "", 100)
		return err == nil && slices.ContainsFunc(events, func(e event.Event) bool { return e.Camera == "yard" })
	})
	f.write(func(c *config.Config) {
		c.Match.Threshold, c.Match.MinSeen, c.Log.Level, c.Log.Faces = 0.999, 7, slog.LevelWarn, true
	})
	r.reload(t)
	if name := r.names(t, photo(t, "obama")); name != "" {
		t.Errorf("with a threshold of 0.999 obama is %q", name)
	}
	if level.Level() != slog.LevelWarn {
		t.Errorf("log level %v", level)
	}
	door, yard := r.unit("door"), r.unit("yard")
	eventually(t, "the pipelines have taken it over", func() bool { return door.pipeline.tuning.Load() == nil && yard.pipeline.tuning.Load() == nil })
	r.stop(t) // before the tracker, which is the pipeline's, is read; everybody leaves
	if !strings.Contains(r.log.String(), `msg="face left"`) {
		t.Error("faces are not logged")
	}
	if tracker := door.pipeline.Tracker; tracker.Policy.Threshold != 0.999 || tracker.MinSeen != 7 {
		t.Errorf("the pipeline's: %+v, %d", tracker.Policy, tracker.MinSeen)
	}
	if err := r.Reload(); err == nil {
		t.Error("a daemon that has ended reloads")
	}
}

func TestWhoWatchesACameraThatIsTakenOutHearsOfIt(t *testing.T) {
	c := settings(t, "/dev/facerecd-no-such-camera") // whose next picture never comes
	f := &file{now: c}
	r := start(t, c, func(d *Daemon) { d.Load = f.load })
	view := &cameras{r.Daemon.Health, r.Daemon.health.parts, r.SwitchCamera}
	ended := make(chan error)
	go func() {
		_, err := view.Next(context.Background(), "door", api.Overlay{})
		ended <- err
	}()
	time.Sleep(50 * time.Millisecond)
	f.write(func(c *config.Config) { c.Cameras = nil })
	r.reload(t)
	select {
	case err := <-ended:
		if err == nil {
			t.Error("Next = nil")
		}
	case <-time.After(patience):
		t.Fatal("it waits for ever")
	}
}

func TestTheServiceManagerIsToldWhatHappens(t *testing.T) {
	var mu sync.Mutex
	var told []string
	hangup := make(chan os.Signal, 1)
	r, _ := twoCameras(t, func(d *Daemon) {
		d.Hangup, d.Watchdog = hangup, 3*time.Second*slow
		d.Notify = func(state string) {
			mu.Lock()
			defer mu.Unlock()
			told = append(told, state)
		}
	})
	heard := func(line string) func() bool {
		return func() bool {
			mu.Lock()
			defer mu.Unlock()
			return slices.ContainsFunc(told, func(s string) bool { return strings.HasPrefix(s, line) })
		}
	}
	count := func(line string) (n int) {
		mu.Lock()
		defer mu.Unlock()
		for _, s := range told {
			if s == line {
				n++
			}
		}
		return n
	}
	eventually(t, "it is ready", heard("READY=1"))
	eventually(t, "the status is told", heard("STATUS=door streaming; yard streaming; MQTT connected"))
	eventually(t, "the watchdog is told, again and again", func() bool { return count("WATCHDOG=1") > 7 })
	hangup <- syscall.SIGHUP
	eventually(t, "the reload is over", func() bool { return heard("RELOADING=1\nMONOTONIC_USEC=")() && count("READY=1") == 2 })
	r.stop(t)
	if last := told[len(told)-1]; !strings.HasPrefix(last, "STOPPING=1") {
		t.Errorf("the last word is %q", last)
	}
	if strings.Contains(r.log.String(), "no progress") {
		t.Error("the log names a part that gets on")
	}
}
