package v4l2

import (
	"bufio"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// unmapAll removes every mapping that this process has of the file behind fd.
func unmapAll(fd int) error {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return fmt.Errorf("unmap camera buffers: %w", err)
	}
	maps, err := os.Open("/proc/self/maps")
	if err != nil {
		return fmt.Errorf("unmap camera buffers: %w", err)
	}
	defer maps.Close()
	file := fmt.Sprintf("%02x:%02x %d", unix.Major(uint64(st.Dev)), unix.Minor(uint64(st.Dev)), st.Ino)
	var found [][2]uintptr // all of them before the first is removed, as that changes the list
	for lines := bufio.NewScanner(maps); lines.Scan(); {
		// proc(5): address perms offset dev inode pathname
		field := strings.Fields(lines.Text())
		if len(field) < 5 || field[3]+" "+field[4] != file {
			continue
		}
		from, to, _ := strings.Cut(field[0], "-")
		start, err1 := strconv.ParseUint(from, 16, strconv.IntSize)
		end, err2 := strconv.ParseUint(to, 16, strconv.IntSize)
		if err1 == nil && err2 == nil && start < end {
			found = append(found, [2]uintptr{uintptr(start), uintptr(end)})
		}
	}
	for _, m := range found {
		if _, _, errno := unix.Syscall(unix.SYS_MUNMAP, m[0], m[1]-m[0], 0); errno != 0 {
			return fmt.Errorf("unmap camera buffers: %w", errno)
		}
	}
	return nil
}
