package mqtt

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"facerecd/cross/testkit"
	"facerecd/daemon/event"
	"facerecd/match/store"
)

// stormDir and stormBroker make the test binary a daemon without cameras;
// stormSecrets is a folder as newSecrets makes it, or empty.
const (
	stormDir     = "FACERECD_STORM_DIR"
	stormBroker  = "FACERECD_STORM_BROKER"
	stormSecrets = "FACERECD_STORM_SECRETS"
)

// runStormDaemon records events of three cameras until its input ends, and then
// publishes what is left. It prints "camera track" once an event is recorded,
// and "empty" at the end.
func runStormDaemon(dir string) error {
	s, err := store.Open(filepath.Join(dir, "store"), store.Options{GCInterval: time.Second})
	if err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	l := &event.Log{Store: s, Device: "pi-door", Topic: topics.Event, Synced: (&event.Clock{}).Synced}
	p := &Publisher{
		Broker: "tcp://" + os.Getenv(stormBroker), ClientID: "facerecd-pi-door", Topics: topics, Outbox: s, Log: log,
		RetryMin: 20 * time.Millisecond, RetryMax: 200 * time.Millisecond, AckTimeout: 2 * time.Second,
	}
	if secrets := secrets(os.Getenv(stormSecrets)); secrets != "" {
		p.Broker = "tls://" + os.Getenv(stormBroker)
		p.Username, p.PasswordFile = stormUser, secrets.password()
		if p.TLS, err = secrets.tls(); err != nil {
			return err
		}
	}
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	var work, cameras sync.WaitGroup
	for _, run := range []func(context.Context) error{s.Run, p.Run} {
		work.Go(func() {
			if err := run(ctx); err != nil {
				log.Error("failed", "err", err)
			}
		})
	}
	ended := make(chan struct{})
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		close(ended)
	}()
	for _, camera := range []string{"door", "yard", "hall"} {
		cameras.Go(func() {
			for n := 0; ; {
				select {
				case <-ended:
					return
				case <-time.After(time.Duration(rand.N(60)) * time.Millisecond):
				}
				var events []event.Event
				for range 1 + rand.N(2) {
					n++
					events = append(events, event.Event{Type: event.Unknown, Camera: camera, Track: fmt.Sprintf("%d-%d", os.Getpid(), n)})
				}
				if _, err := l.RecordAll(events); err != nil {
					log.Error("cannot record", "err", err)
					return
				}
				for _, e := range events {
					fmt.Println(camera, e.Track) // in one write: it is there, or it is not
				}
			}
		})
	}
	cameras.Wait()
	for waiting := 1; waiting > 0; time.Sleep(10 * time.Millisecond) {
		waiting, _ = s.Backlog()
	}
	stop()
	work.Wait()
	fmt.Println("empty")
	return s.Close()
}

// stormDaemon is that process, in one run after the other.
type stormDaemon struct {
	dir, broker string
	secrets     secrets
	log         testkit.Buffer

	cmd    *exec.Cmd
	input  io.Closer
	output sync.WaitGroup

	mu       sync.Mutex
	recorded map[string][]string // tracks by camera, in order
	total    int
	empty    bool
}

func (d *stormDaemon) start(t *testing.T) {
	t.Helper()
	d.cmd = exec.Command(os.Args[0])
	d.cmd.Env = append(os.Environ(), stormDir+"="+d.dir, stormBroker+"="+d.broker, stormSecrets+"="+string(d.secrets))
	d.cmd.Stderr = &d.log
	input, err := d.cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	output, err := d.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	d.input = input
	if err := d.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	process := d.cmd.Process
	t.Cleanup(func() { _ = process.Kill() }) // after a failure
	d.output.Go(func() {
		for lines := bufio.NewScanner(output); lines.Scan(); {
			d.note(lines.Text())
		}
	})
}

func (d *stormDaemon) note(line string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if camera, track, ok := strings.Cut(line, " "); ok {
		d.recorded[camera] = append(d.recorded[camera], track)
		d.total++
	}
	d.empty = line == "empty"
}

// count is how many events were recorded, and known to be.
func (d *stormDaemon) count() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.total
}

func (d *stormDaemon) kill(t *testing.T) {
	t.Helper()
	if err := d.cmd.Process.Kill(); err != nil {
		t.Error(err)
	}
	d.output.Wait()
	_ = d.cmd.Wait()
}

// finish lets it record nothing more, and waits until it has published all.
func (d *stormDaemon) finish(t *testing.T) {
	t.Helper()
	d.input.Close()
	late := time.AfterFunc(time.Minute, func() { _ = d.cmd.Process.Kill() })
	defer late.Stop()
	d.output.Wait()
	if err := d.cmd.Wait(); err != nil || !d.empty {
		t.Fatalf("the daemon did not end as it should: %v\n%s", err, &d.log)
	}
}

// mailbox collects what several goroutines put into it.
type mailbox[T any] struct {
	mu    sync.Mutex
	items []T
}

func (m *mailbox[T]) put(item T) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.items = append(m.items, item)
}

func (m *mailbox[T]) all() []T {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]T(nil), m.items...)
}
