package main

import (
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"facerecd/daemon/api"
	"facerecd/daemon/api/client"
)

// soaks is the variable that says how long the program is watched; make soak sets
// it to ten minutes.
const soaks = "FACERECD_SOAK"

// TestNothingGrowsAtFullRate runs the program on photos, with as many pictures as
// it can take and each of them searched.
func TestNothingGrowsAtFullRate(t *testing.T) {
	period := 20 * time.Second
	if s := os.Getenv(soaks); s != "" {
		var err error
		if period, err = time.ParseDuration(s); err != nil {
			t.Fatalf("%s: %v", soaks, err)
		}
	}
	config, server, _ := configure(t, "obama", "biden")
	text, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	write(t, config, []byte(strings.Replace(string(text), "fps: 15, hold: 1s", "fps: 120, hold: 5s, idle: 0s", 1)))
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	v := &victim{program: build(t), config: config, transport: transport, Client: &client.Client{BaseURL: server, HTTP: &http.Client{Transport: transport}}}
	v.start(t)
	defer v.kill()
	if _, err := v.Register(t.Context(), "obama", []string{photo(t, "obama2"), photo(t, "obama3")}); err != nil {
		t.Fatal(err)
	}
	look := func() api.Health {
		h, err := v.Health(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return h
	}
	time.Sleep(max(period/5, 15*time.Second)) // what is made once, and the heap's first rounds
	first := look()
	const looks = 20
	var memory [looks]int64
	for i := range looks {
		time.Sleep(period / looks)
		memory[i] = look().Process.RSS
	}
	last := look()
	frames := last.Cameras[0].Frames - first.Cameras[0].Frames
	t.Logf("%v, %d frames: goroutines %d, then %d; descriptors %d, then %d; memory %d MiB", period, frames,
		first.Process.Goroutines, last.Process.Goroutines, first.Process.Descriptors, last.Process.Descriptors, inMiB(memory[:]))
	if frames < uint64(period/time.Second) {
		t.Errorf("only %d frames in %v", frames, period)
	}
	if n := last.Process.Goroutines; n > first.Process.Goroutines+2 {
		t.Errorf("%d goroutines, %d before", n, first.Process.Goroutines)
	}
	if n := last.Process.Descriptors; n > first.Process.Descriptors+1 {
		t.Errorf("%d descriptors, %d before", n, first.Process.Descriptors)
	}
	// What waits for the collector comes and goes; a leak only comes.
	if early, late := mean(memory[:looks/2]), mean(memory[looks/2:]); late > early+early/10+(4<<20) {
		t.Errorf("the memory grows: %d MiB in the first half, %d in the second", early>>20, late>>20)
	}
}

func mean(list []int64) (sum int64) {
	for _, n := range list {
		sum += n
	}
	return sum / int64(len(list))
}

func inMiB(list []int64) []int64 {
	all := make([]int64, len(list))
	for i, n := range list {
		all[i] = n >> 20
	}
	return all
}
