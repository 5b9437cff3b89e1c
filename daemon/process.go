package daemon

import (
	"bytes"
	"os"
	"runtime"
	"strconv"

	"facerecd/daemon/api"
)

// process counts what leaks when something leaks. What the system does not
// tell is 0; it is Linux that does.
func process() api.ProcessHealth {
	p := api.ProcessHealth{Goroutines: runtime.NumGoroutine(), RSS: Resident()}
	if entries, err := os.ReadDir("/proc/self/fd"); err == nil {
		p.Descriptors = len(entries) - 1 // one of them read the folder
	}
	return p
}

// Resident is the memory of this process in bytes, 0 where the system does not
// tell.
func Resident() int64 {
	data, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	fields := bytes.Fields(data) // size and resident, in pages: proc_pid_statm(5)
	if len(fields) < 2 {
		return 0
	}
	pages, _ := strconv.ParseInt(string(fields[1]), 10, 64)
	return pages * int64(os.Getpagesize())
}
