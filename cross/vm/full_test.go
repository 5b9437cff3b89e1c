//go:build vm

package vm_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"facerecd/cross/vm/vivid"
	"facerecd/daemon/api"
)

// A disk of its own is full to the last byte, and has room again.
func TestAFullDiskIsSaidAndRecognitionGoesOn(t *testing.T) {
	camera := vivid.Load(t, 1)[0]
	camera.Feed(t, picture(t, "obama.jpg", 4))
	smallDisk(t, 256)
	ear := listen(t)
	s := start(t, door)
	s.enrol(t)
	ear.recognized(t, time.Time{})

	filler := filepath.Join(dataDir, "filler")
	fill(t, filler)
	filled := time.Now()
	eventually(t, "the health says that the disk is full", func() bool { return has(s.health(t), "disk_full") })
	ear.wait(t, "so does MQTT", "facerecd/vm/health", filled, hasCheck("disk_full"))
	_, err := s.client.Register(t.Context(), "biden", []string{photo("biden.jpg")})
	if p, ok := errors.AsType[*api.Problem](err); !ok || p.Status != 507 || p.Code != "disk_full" {
		t.Errorf("an enrolment on a full disk: %v", err)
	}

	camera.Feed(t, picture(t, "biden.jpg", 4))
	ear.wait(t, "a stranger is in view", "facerecd/vm/door/present", filled, func(d decoded) bool { return d.Unknown == 1 && len(d.People) == 0 })
	again := time.Now()
	camera.Feed(t, picture(t, "obama.jpg", 4))
	ear.wait(t, "obama is in view", "facerecd/vm/door/present", again, func(d decoded) bool { return len(d.People) == 1 && d.People[0].Name == "obama" })
	s.wantSameProcess(t)

	freed := time.Now()
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	ear.recognized(t, freed) // the event that waited
	eventually(t, "the health says no more that the disk is full", func() bool { return !has(s.health(t), "disk_full") })
	ear.wait(t, "nor does MQTT", "facerecd/vm/health", freed, func(d decoded) bool { return !hasCheck("disk_full")(d) })
	if e, err := s.client.Register(t.Context(), "biden", []string{photo("biden.jpg")}); err != nil || e.Accepted != 1 {
		t.Errorf("an enrolment when there is room: %+v, %v", e, err)
	}
	s.wantSameProcess(t)
	vivid.Run(t, "systemctl", "restart", "facerecd")
	if people, err := s.client.People(t.Context()); err != nil || len(people) != 2 {
		t.Errorf("after a restart: %v, %v", people, err)
	}
}

func hasCheck(code string) func(decoded) bool {
	return func(d decoded) bool {
		return slices.ContainsFunc(d.Checks, func(c check) bool { return c.Code == code })
	}
}

// smallDisk gives the service's data a file system of its own, empty, until the
// end of the test.
func smallDisk(t *testing.T, mebibytes int64) {
	t.Helper()
	vivid.Run(t, "systemctl", "stop", "facerecd")
	disk := filepath.Join(t.TempDir(), "disk")
	if err := errors.Join(os.WriteFile(disk, nil, 0o600), os.Truncate(disk, mebibytes<<20)); err != nil {
		t.Fatal(err)
	}
	vivid.Run(t, "mkfs.ext4", "-q", "-m", "0", disk)
	vivid.Run(t, "mkdir", "-p", dataDir) // systemd makes it when the service starts for the first time
	vivid.Run(t, "mount", "-o", "loop", disk, dataDir)
	t.Cleanup(func() {
		vivid.Run(t, "systemctl", "stop", "facerecd")
		vivid.Run(t, "umount", dataDir)
	})
}

// fill writes until nothing more can be written.
func fill(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for err == nil {
		_, err = f.Write(make([]byte, 1<<20))
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
}
