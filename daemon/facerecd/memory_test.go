package main

import (
	"os"
	"path/filepath"
	"testing"
)

func TestGoKeepsBelowWhatTheControlGroupAllows(t *testing.T) {
	const mib = 1 << 20
	for name, tt := range map[string]struct {
		files map[string]string
		want  int64
	}{
		"no control groups": {nil, 0},
		"version 1":         {map[string]string{"proc/self/cgroup": "4:memory:/x\n", "sys/fs/cgroup/x/memory.max": "1000000"}, 0},
		"no limit":          {map[string]string{"proc/self/cgroup": "0::/system.slice/facerecd.service\n", "sys/fs/cgroup/system.slice/facerecd.service/memory.max": "max\n"}, 0},
		"the service's":     {map[string]string{"proc/self/cgroup": "0::/system.slice/facerecd.service\n", "sys/fs/cgroup/system.slice/facerecd.service/memory.max": "268435456\n"}, 192 * mib},
		"the lower of both": {map[string]string{"proc/self/cgroup": "0::/a\n", "sys/fs/cgroup/a/memory.max": "536870912\n", "sys/fs/cgroup/a/memory.high": "268435456\n"}, 192 * mib},
		"its slice's":       {map[string]string{"proc/self/cgroup": "0::/system.slice/facerecd.service\n", "sys/fs/cgroup/system.slice/memory.high": "134217728\n"}, 64 * mib},
		"a small one":       {map[string]string{"proc/self/cgroup": "0::/a\n", "sys/fs/cgroup/a/memory.max": "67108864\n"}, 32 * mib},
		"nonsense":          {map[string]string{"proc/self/cgroup": "0::/../../etc\n", "sys/fs/cgroup/etc/memory.max": "lots"}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			for file, text := range tt.files {
				path := filepath.Join(root, file)
				if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if got := memoryLimit(root); got != tt.want {
				t.Errorf("%d, want %d", got, tt.want)
			}
		})
	}
}
