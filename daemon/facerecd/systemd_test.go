package main

import (
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// manager is the end of systemd that services talk to.
type manager struct {
	mu   sync.Mutex
	told []string
}

// newManager makes the next commands those of a service of systemd's.
func newManager(t *testing.T, within time.Duration) *manager {
	t.Helper()
	address := &net.UnixAddr{Name: filepath.Join(t.TempDir(), "notify"), Net: "unixgram"}
	socket, err := net.ListenUnixgram("unixgram", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("NOTIFY_SOCKET", address.Name)
	t.Setenv("WATCHDOG_USEC", strconv.FormatInt(within.Microseconds(), 10))
	t.Setenv("WATCHDOG_PID", strconv.Itoa(os.Getpid()))
	m, done := &manager{}, make(chan struct{})
	go func() {
		defer close(done)
		for message := make([]byte, 4096); ; {
			n, err := socket.Read(message)
			if err != nil {
				return // closed
			}
			m.mu.Lock()
			m.told = append(m.told, string(message[:n]))
			m.mu.Unlock()
		}
	}()
	t.Cleanup(func() {
		socket.Close()
		<-done
	})
	return m
}

// count is how often it was told something that begins so.
func (m *manager) count(begins string) (n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, s := range m.told {
		if strings.HasPrefix(s, begins) {
			n++
		}
	}
	return n
}

func (m *manager) hears(t *testing.T, begins string) {
	t.Helper()
	eventually(t, "systemd hears "+strconv.Quote(begins), func() bool { return m.count(begins) > 0 })
}

func TestRunTalksToSystemd(t *testing.T) {
	m := newManager(t, 6*time.Second)
	config, server, _ := configure(t, "obama")
	c := begin(t, nil, "run", "--config", config)
	m.hears(t, "READY=1")
	resp, err := http.Get(server + "/healthz")
	if err != nil {
		t.Fatalf("it says that it is ready, and does not answer: %v", err)
	}
	resp.Body.Close()
	m.hears(t, "STATUS=door streaming; MQTT connected")
	eventually(t, "the watchdog is fed", func() bool { return m.count("WATCHDOG=1") > 3 })

	// The signal goes to this process, where run has asked for it.
	hangup := func() {
		t.Helper()
		if err := syscall.Kill(os.Getpid(), syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
	}
	good, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	write(t, config, append(good, "\nmach: {min_seen: 5}\n"...))
	hangup()
	c.says(t, "did you mean")
	eventually(t, "the reload is over", func() bool { return m.count("READY=1") == 2 })
	m.hears(t, "STATUS=door streaming; MQTT connected; config_rejected: ")
	if code, _, stderr := try(t, nil, "run", "--check", "--config", config); code != exitConfig || !strings.Contains(stderr, `did you mean "match"?`) {
		t.Errorf("run --check exits with %d: %s", code, stderr)
	}

	write(t, config, append(good, "\nmatch: {min_seen: 5}\n"...))
	hangup()
	c.says(t, "the configuration was reloaded")
	eventually(t, "the second reload is over", func() bool { return m.count("READY=1") == 3 })
	if n := m.count("RELOADING=1\nMONOTONIC_USEC="); n != 2 {
		t.Errorf("%d reloads were told, of 2", n)
	}
	if out := must(t, "run", "--check", "--config", config); out != "" {
		t.Errorf("run --check says %q of a good file", out)
	}

	c.cancel()
	if code := c.ends(t); code != exitOK {
		t.Errorf("it exits with %d", code)
	}
	m.hears(t, "STOPPING=1")
	m.mu.Lock()
	defer m.mu.Unlock()
	if i, last := slices.Index(m.told, "READY=1"), len(m.told)-1; i < 1 || !strings.HasPrefix(m.told[0], "STATUS=loads") || !strings.HasPrefix(m.told[last], "STOPPING=1") {
		t.Errorf("systemd heard %q", m.told)
	}
}

func TestAWatchdogThatMakesNoSenseIsAnError(t *testing.T) {
	newManager(t, time.Second)
	t.Setenv("WATCHDOG_USEC", "soon")
	config, _, _ := configure(t, "obama")
	if code, _, stderr := try(t, nil, "run", "--config", config); code != exitFailed || !strings.Contains(stderr, "WATCHDOG_USEC") {
		t.Errorf("it exits with %d: %s", code, stderr)
	}
}
