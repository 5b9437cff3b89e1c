package mqtt

import (
	"bufio"
	"context"
	"crypto/pbkdf2"
	"crypto/sha512"
	"encoding/base64"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// testBroker is a broker that can be killed and started again at the same
// address.
type testBroker interface {
	addr() string
	start(*testing.T)
	kill()
}

// overBrokers runs a test with each broker. They are not running yet.
func overBrokers(t *testing.T, test func(*testing.T, testBroker)) {
	t.Run("mosquitto", func(t *testing.T) { test(t, newMosquitto(t)) })
	t.Run("embedded", func(t *testing.T) { test(t, newEmbedded(t)) })
}

func freeAddr(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// mosquitto is Debian's broker.
type mosquitto struct {
	address string
	config  string
	cmd     *exec.Cmd
	output  sync.WaitGroup
}

// newMosquitto writes a configuration; users are pairs of name and password.
func newMosquitto(t *testing.T, users ...string) *mosquitto {
	t.Helper()
	m := &mosquitto{address: freeAddr(t), config: filepath.Join(t.TempDir(), "mosquitto.conf")}
	_, port, _ := net.SplitHostPort(m.address)
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	config := "listener " + port + " 127.0.0.1\nuser " + me.Username + "\nlog_dest stderr\nlog_type all\n" +
		// With no limit a message goes to the subscriber's socket before its
		// PUBACK goes to the publisher, and survives a kill.
		"max_inflight_messages 0\nmax_queued_messages 0\n"
	if users == nil {
		config += "allow_anonymous true\n"
	} else {
		file := m.config + ".users"
		config += "allow_anonymous false\npassword_file " + file + "\n"
		write(t, file, mosquittoUser(t, users[0], users[1]))
	}
	write(t, m.config, config)
	t.Cleanup(m.kill)
	return m
}

// mosquittoUser is a line as mosquitto_passwd writes it.
func mosquittoUser(t *testing.T, name, password string) string {
	salt := []byte("twelve bytes")
	key, err := pbkdf2.Key(sha512.New, password, salt, 101, 64)
	if err != nil {
		t.Fatal(err)
	}
	b64 := base64.StdEncoding.EncodeToString
	return name + ":$7$101$" + b64(salt) + "$" + b64(key) + "\n"
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func (m *mosquitto) addr() string { return m.address }

func (m *mosquitto) start(t *testing.T) {
	t.Helper()
	m.cmd = exec.Command(program(t, "mosquitto", "/usr/sbin/mosquitto"), "-c", m.config)
	stderr, err := m.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := m.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	running := make(chan struct{})
	var log []string // until it runs
	m.output.Go(func() {
		lines := bufio.NewScanner(stderr)
		for lines.Scan() && !strings.HasSuffix(lines.Text(), " running") {
			log = append(log, lines.Text())
		}
		close(running)
		for lines.Scan() { // lest it blocks
		}
	})
	<-running
	conn, err := net.Dial("tcp", m.address)
	if err != nil {
		m.kill()
		t.Fatalf("mosquitto does not run: %v\n%s", err, strings.Join(log, "\n"))
	}
	conn.Close()
}

// kill leaves it no time for anything.
func (m *mosquitto) kill() {
	if m.cmd == nil {
		return
	}
	_ = m.cmd.Process.Kill()
	m.output.Wait()
	_ = m.cmd.Wait()
	m.cmd = nil
}

// program finds a program of Debian's mosquitto packages.
func program(t *testing.T, name, usual string) string {
	t.Helper()
	if path, err := exec.LookPath(name); err == nil {
		return path
	}
	if _, err := os.Stat(usual); err != nil {
		t.Fatalf("%s is not installed: run make deps, or apt install mosquitto mosquitto-clients", name)
	}
	return usual
}

// embedded is the daemon's own broker.
type embedded struct {
	address string
	cancel  context.CancelFunc
	done    chan error
	t       *testing.T
}

func newEmbedded(t *testing.T) *embedded {
	e := &embedded{address: freeAddr(t), t: t}
	t.Cleanup(e.kill)
	return e
}

func (e *embedded) addr() string { return e.address }

func (e *embedded) start(t *testing.T) {
	t.Helper()
	b := &Broker{Listen: e.address, Log: slog.New(slog.DiscardHandler)}
	ctx, cancel := context.WithCancel(context.Background())
	e.cancel, e.done = cancel, make(chan error, 1)
	go func() { e.done <- b.Run(ctx) }()
	select {
	case <-b.Ready():
	case err := <-e.done:
		t.Fatalf("embedded broker: %v", err)
	}
}

func (e *embedded) kill() {
	if e.cancel == nil {
		return
	}
	e.cancel()
	if err := <-e.done; err != nil {
		e.t.Error(err)
	}
	e.cancel = nil
}
