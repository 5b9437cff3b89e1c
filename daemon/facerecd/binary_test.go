package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"facerecd/cross/testkit"
)

// build compiles the program as it is shipped.
func build(t *testing.T) string {
	t.Helper()
	if testing.Short() {
		t.Skip("the program is built without the race detector, for which -short is")
	}
	path := filepath.Join(t.TempDir(), "facerecd")
	c := exec.CommandContext(t.Context(), "go", "build", "-buildvcs=false", "-trimpath", "-ldflags", "-X main.version=1.2.3-test", "-o", path, "./daemon/facerecd")
	c.Dir = testkit.Root(t)
	c.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return path
}

func TestTheProgram(t *testing.T) {
	program := build(t)
	t.Run("stops on SIGTERM and says offline", func(t *testing.T) { stopsOnSIGTERM(t, program) })
	t.Run("gives its exit code to the shell", func(t *testing.T) { givesItsExitCode(t, program) })
}

func stopsOnSIGTERM(t *testing.T, program string) {
	if out, err := exec.CommandContext(t.Context(), program, "version").Output(); err != nil || string(out) != "facerecd 1.2.3-test\n" {
		t.Errorf("version: %s, %v", out, err)
	}
	config, _, broker := configure(t, "obama")
	camera := filepath.Join(filepath.Dir(config), "camera")
	if err := os.Rename(camera, camera+".unplugged"); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	var log testkit.Buffer
	c := exec.CommandContext(ctx, program, "run", "--config", config)
	c.Stdout, c.Stderr = &log, &log
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- c.Wait() }()
	eventually(t, "the program is ready", func() bool { return strings.Contains(log.String(), "facerecd is ready") })

	var mu sync.Mutex
	var availability, events []string
	heard := func(_ mqtt.Client, m mqtt.Message) {
		mu.Lock()
		defer mu.Unlock()
		switch m.Topic() {
		case "facerecd/test/availability":
			availability = append(availability, string(m.Payload()))
		case "facerecd/test/door/event":
			events = append(events, string(m.Payload()))
		}
	}
	client := mqtt.NewClient(mqtt.NewClientOptions().AddBroker("tcp://" + broker).SetAutoReconnect(false))
	defer client.Disconnect(0)
	if token := client.Connect(); !token.WaitTimeout(patience) || token.Error() != nil {
		t.Fatal("connect:", token.Error())
	}
	if token := client.Subscribe("facerecd/#", 1, heard); !token.WaitTimeout(patience) || token.Error() != nil {
		t.Fatal("subscribe:", token.Error())
	}
	if err := os.Rename(camera+".unplugged", camera); err != nil { // now that somebody hears of it
		t.Fatal(err)
	}
	eventually(t, "it is online and sees a face", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return slices.Equal(availability, []string{"online"}) && len(events) > 0
	})

	began := time.Now()
	if err := c.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err != nil {
		t.Errorf("it ends with %v:\n%s", err, &log)
	}
	if took := time.Since(began); took > stopping {
		t.Errorf("it took %v to stop", took)
	}
	eventually(t, "it has said offline", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return slices.Equal(availability, []string{"online", "offline"})
	})
	mu.Lock()
	defer mu.Unlock()
	if last := events[len(events)-1]; !strings.Contains(last, `"type":"left"`) {
		t.Errorf("the last event is %s", last)
	}
}

func givesItsExitCode(t *testing.T, program string) {
	for want, args := range map[int][]string{
		exitOK:     {"--help"},
		exitUsage:  {"fly"},
		exitConfig: {"run", "--config", filepath.Join(t.TempDir(), "missing.yaml")},
		exitFailed: {"people", "--server", "http://" + freeAddr(t)},
	} {
		c := exec.CommandContext(t.Context(), program, args...)
		out, err := c.CombinedOutput()
		if code := c.ProcessState.ExitCode(); code != want {
			t.Errorf("%v exits with %d, want %d: %v\n%s", args, code, want, err, out)
		}
	}
}

func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("it never becomes true that %s", what)
		}
	}
}
