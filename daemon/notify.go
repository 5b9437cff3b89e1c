package daemon

import (
	"context"
	"fmt"
	"strings"
	"time"

	systemd "github.com/coreos/go-systemd/v22/daemon"

	"facerecd/daemon/api"
)

// heraldPause is how often it is looked whether there is news for the service
// manager.
const heraldPause = 2 * time.Second

func (d *Daemon) notify(state string) {
	if d.Notify != nil {
		d.Notify(state)
	}
}

// herald keeps the line that `systemctl status` shows true, until ctx ends.
func (d *Daemon) herald(ctx context.Context) error {
	tick := time.NewTicker(heraldPause)
	defer tick.Stop()
	told := ""
	for {
		if line := statusLine(d.condition()); line != told {
			d.notify("STATUS=" + line)
			told = line
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// statusLine says in one line how the daemon fares.
func statusLine(h api.Health) string {
	var says []string
	for _, c := range h.Cameras {
		says = append(says, c.Name+" "+c.State+in(c.Code))
	}
	if len(h.Cameras) == 0 {
		says = append(says, "no cameras")
	}
	mqtt := "MQTT connected"
	if !h.MQTT.Connected {
		mqtt = fmt.Sprintf("MQTT away, %d events wait", h.MQTT.Backlog)
	}
	says = append(says, mqtt)
	for _, check := range h.Checks {
		if !strings.HasPrefix(check.Code, "camera_") && !strings.HasPrefix(check.Code, "mqtt_") {
			says = append(says, check.Code+": "+check.Hint)
		}
	}
	return strings.Join(strings.Fields(strings.Join(says, "; ")), " ") // a line break would begin another message
}

// in puts a code in brackets.
func in(code string) string {
	if code == "" {
		return ""
	}
	return " (" + code + ")"
}

// reloading says that a reload begins; that it is over, SdNotifyReady says.
func reloading() string { return systemd.SdNotifyReloading + "\n" + systemd.SdNotifyMonotonicUsec() }
