package main

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"time"
)

func TestTheKeyOfAFleetAndItsStatus(t *testing.T) {
	t.Parallel()
	key := filepath.Join(t.TempDir(), "fleet.key")
	said := regexp.MustCompile(`^Made the key of fleet ([0-9a-f]{16}) in ` + regexp.QuoteMeta(key) + `\.\n`).FindStringSubmatch(must(t, "fleet", "key", key))
	if said == nil {
		t.Fatal("it does not say which fleet's key it made")
	}
	if info, err := os.Stat(key); err != nil || info.Mode() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	fails(t, exitFailed, "make fleet key: "+key+" is there already: copy it to the other devices, or delete it to begin a new fleet", "fleet", "key", key)

	config, server, _ := configure(t, "obama")
	daemon := begin(t, []string{"FACERECD_FLEET_KEY_FILE=" + key}, "run", "--config", config)
	daemon.says(t, "facerecd is ready")
	status := regexp.MustCompile(`^Fleet ` + said[1] + `: in step with the broker; 0 people\.\nRecords since the start: 0 published, 0 taken in, 0 stale ones replaced, 0 refused\.\n$`)
	eventually(t, "it is in step", func() bool { return status.MatchString(must(t, "fleet", "status", "--server", server)) })
	if got := must(t, "fleet", "status", "--json", "--server", server); !regexp.MustCompile(`"in_step": true`).MatchString(got) {
		t.Errorf("it says %s", got)
	}
}

func TestAStatusWithoutAFleetSaysWhy(t *testing.T) {
	t.Parallel()
	config, server, _ := configure(t, "obama")
	daemon := begin(t, []string{"FACERECD_FLEET_KEY_FILE=/nowhere/fleet.key"}, "run", "--config", config)
	daemon.says(t, "facerecd is ready")
	want := "The daemon shares people with no other device: fleet.key_file is not set, or its key cannot be used.\n" +
		"  fleet_key: people are shared with no other device: open fleet key: open /nowhere/fleet.key: no such file or directory: " +
		"copy it from another device of the fleet, or make the first one with facerecd fleet key\n"
	// Until the broker is reached, that is said too.
	got := ""
	for deadline := time.Now().Add(10 * time.Second); got != want && time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		got = must(t, "fleet", "status", "--server", server)
	}
	if got != want {
		t.Errorf("it says\n%s\nwant\n%s", got, want)
	}
}
