package store

import (
	"bufio"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"facerecd/match"
)

// resident is how many KiB of the tables in dir are in this process's memory.
func resident(t *testing.T, dir string) (n int) {
	t.Helper()
	maps, err := os.Open("/proc/self/smaps")
	if err != nil {
		t.Fatal(err)
	}
	defer maps.Close()
	ours := false
	for lines := bufio.NewScanner(maps); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		if strings.Contains(fields[0], "-") {
			_, _, ours = table(lines.Text(), dir)
		} else if ours && fields[0] == "Rss:" {
			kib, err := strconv.Atoi(fields[1])
			if err != nil {
				t.Fatal(err)
			}
			n += kib
		}
	}
	return n
}

func TestSettleGivesBackWhatWasRead(t *testing.T) {
	dir := t.TempDir()
	var fs unix.Statfs_t
	if err := unix.Statfs(dir, &fs); err == nil && fs.Type == unix.TMPFS_MAGIC {
		t.Skip("files of a tmpfs are memory; set TMPDIR to a folder on a disk")
	}
	s := open(t, dir, Options{})
	for i := range 400 {
		p := match.Person{ID: fmt.Sprintf("P%03d", i), Name: fmt.Sprint("person ", i)}
		var templates []match.Template
		for j := range 20 {
			templates = append(templates, match.Template{
				ID: fmt.Sprintf("T%03d%02d", i, j), Person: p.ID, Model: "m", Vector: make([]float32, 192),
			})
		}
		if err := s.Enroll(p, templates); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Compact(); err != nil { // into tables
		t.Fatal(err)
	}
	read := func() (n int) {
		t.Helper()
		if err := s.Templates(func(match.Template) error { n++; return nil }); err != nil {
			t.Fatal(err)
		}
		return n
	}
	if n := read(); n != 8000 {
		t.Fatalf("%d templates", n)
	}
	before := resident(t, dir)
	s.Settle()
	if after := resident(t, dir); before < 4000 || after > before/4 {
		t.Errorf("%d KiB of the tables are in memory, %d before", after, before)
	}
	if n := read(); n != 8000 { // it is all there still
		t.Errorf("%d templates", n)
	}
}

func TestOnlyTablesOfTheStoreArePagedOut(t *testing.T) {
	for line, want := range map[string]bool{
		"7f00-7f10 rw-s 00000000 fe:01 42   /var/lib/facerecd/store/000001.sst":      true,
		"7f00-7f10 rw-s 00000000 fe:01 42   /var/lib/facerecd/store/00001.mem":       false,
		"7f00-7f10 rw-s 00000000 fe:01 42   /var/lib/facerecd/store/old/000001.sst":  false,
		"7f00-7f10 rw-s 00000000 fe:01 42   /var/lib/other/store/000001.sst":         false,
		"7f00-7f10 rw-s 00000000 fe:01 42   /var/lib/facerecd/store/1.sst (deleted)": false,
		"7f10-7f00 rw-s 00000000 fe:01 42   /var/lib/facerecd/store/000001.sst":      false,
		"x-y rw-s 00000000 fe:01 42         /var/lib/facerecd/store/000001.sst":      false,
		"7f00-7f10 rw-p 00000000 00:00 0 ":                                           false,
		"7f00-7f10 rw-p 00000000 00:00 0                          [heap]":            false,
		"": false,
	} {
		start, end, ok := table(line, "/var/lib/facerecd/store")
		if ok != want || ok && (start != 0x7f00 || end != 0x7f10) {
			t.Errorf("%s: %x, %x, %v", line, start, end, ok)
		}
	}
}
