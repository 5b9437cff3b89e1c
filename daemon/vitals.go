package daemon

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"facerecd/daemon/api"
	"facerecd/daemon/config"
	"facerecd/daemon/mqtt"
)

const (
	// vitalsPause is how often it is looked whether there is news of the health.
	vitalsPause = time.Second
	// vitalsPeriod is how often it is told when there is none: its numbers change
	// all the time.
	vitalsPeriod = 30 * time.Second
)

// vitals tells over MQTT how the daemon fares.
type vitals struct {
	Health func() api.Health // without Process
	Set    func(payload []byte)
	Log    *slog.Logger
}

// vitals is the daemon's own.
func (d *Daemon) vitals(p *parts) *vitals {
	return &vitals{
		Health: d.condition, Log: d.Log,
		Set: func(payload []byte) { p.publisher.SetState(p.publisher.Topics.Health(), payload, 0) },
	}
}

// Run tells what has changed, and at least every vitalsPeriod, until ctx ends.
func (v *vitals) Run(ctx context.Context) error {
	tick := time.NewTicker(vitalsPause)
	defer tick.Stop()
	var told string
	var at time.Time
	for {
		h := v.Health()
		// Who reads this has it from the broker, and not before it is back.
		h.Checks = slices.DeleteFunc(h.Checks, func(c api.Condition) bool { return c.Code == "mqtt_disconnected" })
		if news := newsOf(h); news != told || time.Since(at) >= vitalsPeriod {
			told, at = news, time.Now()
			v.tell(h)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// newsOf is what is told at once when it changes.
func newsOf(h api.Health) string {
	var s strings.Builder
	for _, c := range h.Cameras {
		fmt.Fprintf(&s, "%s %s %s\n", c.Name, c.State, c.Code)
	}
	for _, c := range h.Checks {
		fmt.Fprintf(&s, "%s %s\n", c.Code, c.Hint)
	}
	return s.String()
}

func (v *vitals) tell(h api.Health) {
	own := process()
	out := mqtt.Health{
		Time: time.Now(), Version: h.Version, Uptime: time.Duration(h.Uptime) * time.Second,
		Backlog: h.MQTT.Backlog, Dropped: h.MQTT.Dropped, Celsius: celsius(), Throttled: throttled(),
		Process: mqtt.Process{Goroutines: own.Goroutines, Descriptors: own.Descriptors, RSS: own.RSS},
	}
	for _, c := range h.Cameras {
		out.Cameras = append(out.Cameras, mqtt.CameraHealth{
			Name: c.Name, Slug: config.Slug(c.Name), State: c.State, FPS: c.FPS,
			Frames: c.Frames, Skipped: c.Skipped, Damaged: c.Damaged, Lost: c.Lost, Reopened: c.Reopened,
		})
	}
	for _, c := range h.Checks {
		out.Checks = append(out.Checks, mqtt.Trouble{Code: c.Code, Severity: c.Severity, Since: c.Since, Hint: c.Hint})
	}
	payload, err := out.MarshalJSON()
	if err != nil {
		v.Log.Error("cannot tell how facerecd fares", "err", err)
		return
	}
	v.Set(payload)
}

// celsius is the temperature of the hottest zone, nil when the system tells
// none: /sys/class/thermal, in thousandths of a degree
// (Documentation/driver-api/thermal/sysfs-api.rst).
func celsius() (hottest *float64) {
	zones, _ := filepath.Glob("/sys/class/thermal/thermal_zone*/temp")
	for _, zone := range zones {
		milli, err := strconv.Atoi(firstLine(zone))
		if t := float64(milli) / 1000; err == nil && t > -50 && t < 150 && (hottest == nil || t > *hottest) {
			hottest = &t
		}
	}
	return hottest
}

// throttled tells whether a Raspberry Pi's firmware slows the processor down
// now, nil elsewhere. The lowest four bits are now, those above since the start
// (raspberrypi-firmware, get_throttled).
func throttled() *bool {
	text := firstLine("/sys/devices/platform/soc/soc:firmware/get_throttled")
	bits, err := strconv.ParseUint(strings.TrimPrefix(text, "0x"), 16, 64)
	if err != nil {
		return nil
	}
	return new(bits&0xF != 0)
}

// firstLine of a file of the system's, "" when there is none.
func firstLine(path string) string {
	data, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	line, _, _ := strings.Cut(string(data), "\n")
	return strings.TrimSpace(strings.TrimRight(line, "\x00"))
}
