package main

import (
	"fmt"

	"facerecd/daemon/fleet"
)

// fleetCmd is about the devices that share people.
type fleetCmd struct {
	Key    fleetKeyCmd    `cmd:"" help:"Make a key for a new fleet of devices that share people."`
	Status fleetStatusCmd `cmd:"" help:"Show whether the daemon is in step with its fleet."`
}

type fleetKeyCmd struct {
	File string `arg:"" optional:"" help:"File to make." type:"path" default:"/etc/facerecd/fleet.key"`
}

func (c fleetKeyCmd) Run(w *world) error {
	if err := fleet.CreateKey(c.File); err != nil {
		return err
	}
	key, err := fleet.LoadKey(c.File)
	if err != nil {
		return err
	}
	codec, err := fleet.NewCodec(key)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w.stdout, `Made the key of fleet %s in %s.
Copy it to each device that is to share people, over ssh and not by mail: whoever has it can read every template
and add anybody. On each device set fleet.key_file: %[2]s, let the user facerecd read it
(chown root:facerecd and chmod 640), and restart facerecd.
`, codec.Fleet(), c.File)
	return err
}

type fleetStatusCmd struct {
	remote
	JSON bool `help:"Print JSON."`
}

func (c fleetStatusCmd) Run(w *world) error {
	daemon, err := c.client()
	if err != nil {
		return err
	}
	health, err := daemon.Health(w.ctx)
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(w.stdout, health.Fleet)
	}
	if health.Fleet == nil {
		fmt.Fprintln(w.stdout, "The daemon shares people with no other device: fleet.key_file is not set, or its key cannot be used.")
	} else {
		people, err := daemon.People(w.ctx)
		if err != nil {
			return err
		}
		step := "in step with the broker"
		if !health.Fleet.InStep {
			step = "not in step: nothing is shared now"
		}
		fmt.Fprintf(w.stdout, "Fleet %s: %s; %d people.\nRecords since the start: %d published, %d taken in, %d stale ones replaced, %d refused.\n",
			health.Fleet.ID, step, len(people), health.Fleet.Published, health.Fleet.Taken, health.Fleet.Stale, health.Fleet.Refused)
	}
	for _, check := range health.Checks {
		switch check.Code {
		case "fleet_key", "fleet_sync", "fleet_refused", "mqtt_disconnected":
			fmt.Fprintf(w.stdout, "  %s: %s\n", check.Code, check.Hint)
		}
	}
	return nil
}
