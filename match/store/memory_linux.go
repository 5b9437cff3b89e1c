package store

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// pageOut gives the pages of the tables in dir, which Badger maps into memory,
// back to the kernel: the memory of whoever has read everything once would stay
// as large as the store. Reading brings a page back.
//
// Badger may unmap a table meanwhile, and something else may take its place:
// of all advice, MADV_PAGEOUT (Linux 5.4) is one that never changes what memory
// holds.
func pageOut(dir string) error {
	dir, err := filepath.EvalSymlinks(dir)
	if err == nil {
		dir, err = filepath.Abs(dir)
	}
	if err != nil {
		return err
	}
	maps, err := os.Open("/proc/self/maps")
	if err != nil {
		return err
	}
	defer maps.Close()
	lines := bufio.NewScanner(maps)
	for lines.Scan() {
		start, end, ok := table(lines.Text(), dir)
		if !ok {
			continue
		}
		if _, _, errno := unix.Syscall(unix.SYS_MADVISE, start, end-start, unix.MADV_PAGEOUT); errno != 0 && errno != unix.ENOMEM { // unmapped
			return fmt.Errorf("page out a table: %w", errno)
		}
	}
	return lines.Err()
}

// table reads a line of proc_pid_maps(5), and tells whether it maps a table in
// dir.
func table(line, dir string) (start, end uintptr, ok bool) {
	addresses, rest, _ := strings.Cut(line, " ")
	from, to, _ := strings.Cut(addresses, "-")
	_, path, ok := strings.Cut(rest, "/")
	if !ok || filepath.Dir("/"+path) != dir || filepath.Ext(path) != ".sst" {
		return 0, 0, false
	}
	a, errA := strconv.ParseUint(from, 16, 64)
	b, errB := strconv.ParseUint(to, 16, 64)
	return uintptr(a), uintptr(b), errA == nil && errB == nil && a < b
}
