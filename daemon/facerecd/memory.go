package main

import (
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// besides is memory that the collector does not know of: the models and their
// runtime, and what the store maps.
const besides = 64 << 20

// memoryLimit is what the collector should keep Go's memory below, by the control
// groups that this process is in under root ("/"): what systemd's MemoryMax= or
// MemoryHigh= leaves beside the models, and half of that at least; 0 when nothing
// is set. It is soft: who collects more often is not killed so soon.
// Documentation/admin-guide/cgroup-v2.rst, memory.max and memory.high.
func memoryLimit(root string) int64 {
	data, err := os.ReadFile(filepath.Join(root, "proc/self/cgroup"))
	if err != nil {
		return 0
	}
	least := int64(math.MaxInt64)
	for line := range strings.Lines(string(data)) {
		group, ok := strings.CutPrefix(strings.TrimSpace(line), "0::")
		if !ok {
			continue // version 1
		}
		for dir := filepath.Clean("/" + group); ; dir = filepath.Dir(dir) {
			for _, file := range []string{"memory.max", "memory.high"} {
				text, err := os.ReadFile(filepath.Join(root, "sys/fs/cgroup", dir, file))
				if n, parseErr := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64); err == nil && parseErr == nil && n > 0 {
					least = min(least, n) // else it says max
				}
			}
			if dir == "/" {
				break
			}
		}
	}
	if least == math.MaxInt64 {
		return 0
	}
	return max(least-besides, least/2)
}
