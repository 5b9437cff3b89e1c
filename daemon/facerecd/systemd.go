package main

import (
	"fmt"

	systemd "github.com/coreos/go-systemd/v22/daemon"

	"facerecd/daemon"
)

// underSystemd makes the daemon tell systemd how it fares, where systemd has
// asked for that (NOTIFY_SOCKET and WATCHDOG_USEC in the environment).
func underSystemd(d *daemon.Daemon) error {
	within, err := systemd.SdWatchdogEnabled(false)
	if err != nil {
		return fmt.Errorf("read what systemd says of its watchdog (WATCHDOG_USEC): %w", err)
	}
	d.Watchdog = within
	d.Notify = func(state string) {
		// Without NOTIFY_SOCKET nothing is sent, and nothing is wrong.
		if _, err := systemd.SdNotify(false, state); err != nil {
			d.Log.Warn("systemd cannot be told how facerecd fares", "err", err)
		}
	}
	return nil
}
