package daemon

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"facerecd/capture"
	"facerecd/daemon/accel"
	"facerecd/daemon/api"
	"facerecd/daemon/mqtt"
)

// health is what Daemon.Health reads, from any goroutine.
type health struct {
	started time.Time

	mu     sync.Mutex
	parts  *parts
	status mqtt.Status
	since  time.Time // of status

	full   time.Time       // since when the disk is full; zero: it is not
	reload []api.Condition // what came of the last reload
	noKey  error           // why there is no fleet, although there should be
}

// rejected notes why the configuration could not be reloaded.
func (h *health) rejected(err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.reload = slices.DeleteFunc(h.reload, func(c api.Condition) bool { return c.Code == "config_rejected" })
	h.reload = append(h.reload, api.Condition{
		Code: "config_rejected", Severity: "warning", Since: time.Now().UTC(),
		Hint: "the configuration could not be reloaded, and the one before is in force: " + err.Error(),
	})
}

// reloaded notes that it could, but for these keys.
func (h *health) reloaded(waiting []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.reload = nil
	if len(waiting) > 0 {
		h.reload = []api.Condition{{
			Code: "restart_needed", Severity: "warning", Since: time.Now().UTC(),
			Hint: "restart facerecd (systemctl restart facerecd) for what has changed in its configuration: " + strings.Join(waiting, ", "),
		}}
	}
}

func (h *health) watch(p *parts) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.parts, h.started = p, time.Now()
	h.since = h.started
}

// broker is the publisher's OnStatus.
func (h *health) broker(s mqtt.Status) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.status, h.since = s, time.Now()
}

// Health is how the daemon fares. It may be called at any time, from any
// goroutine.
func (d *Daemon) Health() api.Health {
	r := d.condition()
	r.Process = process()
	return r
}

// condition is Health without Process, which has to be read from files: for
// those who look every second.
func (d *Daemon) condition() api.Health {
	h := &d.health
	h.mu.Lock()
	defer h.mu.Unlock()
	r := api.Health{
		Status: api.StatusOK, Version: d.Version,
		Cameras: []api.CameraHealth{}, Checks: []api.Condition{},
	}
	wrong := func(code string, since time.Time, hint string) {
		r.Status = api.StatusDegraded
		r.Checks = append(r.Checks, api.Condition{Code: code, Severity: "warning", Since: since.UTC(), Hint: hint})
	}
	if h.parts == nil {
		return r
	}
	r.Uptime = int64(time.Since(h.started).Seconds())
	full := h.noRoom()
	if full {
		wrong("disk_full", h.full, "the disk that holds data_dir is full: nobody can be enrolled, and events wait in memory; free some space, for instance with journalctl --vacuum-size=50M")
	}
	for _, u := range h.parts.units.list() {
		c := u.camera
		s := c.Status()
		r.Cameras = append(r.Cameras, h.camera(u, s))
		if s.State == capture.Failed || s.State == capture.Ended {
			wrong("camera_"+s.Code, s.Since, c.Name+": "+s.Hint)
		}
		if p := u.pipeline; p.Failing() && !full {
			wrong("pipeline", time.Now(), c.Name+": frames are not processed or events not stored; the log says why")
		} else if p.Lost() > 0 {
			wrong("events_lost", time.Now(), c.Name+": events were lost because they could not be stored; see the log")
		}
	}
	if why, since := h.parts.governor.Slowed(); why != "" {
		wrong("slowed_down", since, "fewer frames are looked at: "+why)
	}
	r.Accelerator = h.accelerator(wrong)
	r.MQTT.Connected = h.status.Connected
	r.MQTT.Backlog, _ = h.parts.store.Backlog()
	r.MQTT.Dropped = h.parts.store.Dropped()
	if !h.status.Connected {
		wrong("mqtt_disconnected", h.since, "the broker cannot be reached; events wait on the disk until it can. Check mqtt.broker")
	}
	r.Fleet = h.fleet(wrong)
	if h.parts.quietHours() && !h.parts.log.Synced() {
		wrong("quiet_clock", h.started, "there are quiet hours, and no time service has set the clock: until one does, all is announced. See `timedatectl`")
	}
	for _, c := range h.reload {
		r.Status = api.StatusDegraded
		r.Checks = append(r.Checks, c)
	}
	if n := r.MQTT.Dropped; n > 0 {
		wrong("events_dropped", h.started, fmt.Sprintf("%d events were dropped, the oldest first, as too many waited for the broker or for too long; they are in the history. Check mqtt.broker, and mqtt.queue", n))
	}
	if n := h.parts.roster.Gallery.Foreign(); n > 0 {
		hint := "`facerecd people` shows whose: enrol these people again"
		if h.parts.renewal.Running() {
			hint = "they are being made anew from stored pictures"
		}
		wrong("foreign_templates", h.started, fmt.Sprintf("%d templates were made by another model pack and are not compared; %s", n, hint))
	}
	return r
}

// accelerator is where the models run; nil when nobody has asked for a GPU. The
// caller holds mu.
func (h *health) accelerator(wrong func(code string, since time.Time, hint string)) *api.AcceleratorHealth {
	d := h.parts.vision.Decision()
	if len(d.Choices) == 0 {
		return nil
	}
	if why := d.Complaint(); why != "" {
		wrong("gpu_unused", h.started, "accelerator is gpu, and not all models run on the GPU; they run on the CPU instead. "+why)
	}
	a := &api.AcceleratorHealth{Setting: d.Setting}
	for _, c := range d.Choices {
		m := api.ModelHealth{Model: c.Model, RunsOn: accel.CPU, Reason: c.Reason, CPU: c.OnCPU, GPU: c.OnGPU}
		if c.GPU {
			m.RunsOn = accel.GPU
		}
		a.Models = append(a.Models, m)
	}
	return a
}

// noRoom tells whether the disk is full, and notes since when. The caller holds mu.
func (h *health) noRoom() bool {
	switch err := h.parts.store.Room(); {
	case !errors.Is(err, syscall.ENOSPC):
		h.full = time.Time{}
	case h.full.IsZero():
		h.full = time.Now()
	}
	return !h.full.IsZero()
}

// camera is how a camera fares. The caller holds mu.
func (h *health) camera(u *unit, s capture.Status) api.CameraHealth {
	if u.off {
		s.State, s.Since = offState, u.since
	} else if s.State == "" { // its goroutine has not begun
		s.State, s.Since = capture.Starting, h.started
	}
	return api.CameraHealth{
		Name: u.camera.Name, State: string(s.State), Code: s.Code, Hint: s.Hint, Since: s.Since.UTC(),
		Frames: s.Frames, FPS: math.Round(10*u.meter.Rate()) / 10,
		Skipped: u.camera.Box.Skipped(), Damaged: s.Damaged, Lost: s.Lost, Reopened: s.Reopened,
	}
}
