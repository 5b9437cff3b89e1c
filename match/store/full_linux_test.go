package store

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

func TestADiskThatIsFullIsSaidAndHarmsNothing(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=64m"); err != nil {
		t.Skipf("a small tmpfs, which only root can mount: %v", err)
	}
	defer func() { must(t, syscall.Unmount(dir, 0)) }()

	path := filepath.Join(dir, "store")
	s := open(t, path, Options{})
	defer func() { must(t, s.Close()) }()
	must(t, s.Enroll(ana(), templates("P1", 3)))
	appendRows(t, s, 0, 5, "P1")
	must(t, s.Room())

	filler := filepath.Join(dir, "filler")
	must(t, os.WriteFile(filler, make([]byte, 34<<20), 0o600))
	_, err := s.Append(row(5, "P1"))
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("error %v, want ENOSPC", err)
	}
	free := got[int64](t)(freeBytes(path))
	wantError(t, err, fmt.Sprintf("append event: disk of %s is full: %d MiB left, 32 MiB needed; free some space: no space left on device", path, free>>20))
	if err := s.Room(); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("room: %v", err)
	}
	if err := s.Enroll(ana(), templates("P1", 4)); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("enrol: %v", err)
	}
	must(t, s.Ack(1)) // what makes room goes on
	if got := pendingIDs(t, s); got != "E00001 E00002 E00003 E00004" {
		t.Errorf("waiting: %s", got)
	}

	// Another program fills the disk to the last byte: reading goes on, nothing
	// ends the process, and Open says why it does not.
	fillUp(t, filepath.Join(dir, "rest"))
	if err := s.Ack(2); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("ack: %v", err)
	}
	if p, err := s.Person("P1"); err != nil || p.Templates != 3 {
		t.Errorf("%+v, %v", p, err)
	}
	if _, err := Open(filepath.Join(dir, "other"), Options{}); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("open: %v", err)
	}

	must(t, os.Remove(filler))
	must(t, s.Room())
	got[uint64](t)(s.Append(row(5, "P1")))
	s = reopen(t, s)
	if got := pendingIDs(t, s); got != "E00001 E00002 E00003 E00004 E00005" {
		t.Errorf("waiting: %s", got)
	}
}

func fillUp(t *testing.T, path string) {
	t.Helper()
	f := got[*os.File](t)(os.Create(path))
	defer f.Close()
	for err := error(nil); err == nil; {
		_, err = f.Write(make([]byte, 1<<16))
	}
}
