package daemon

import (
	"encoding/json"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"

	"facerecd/daemon/event"
)

// mosquitto is Debian's broker. It keeps the sessions of its clients from stop
// to start.
type mosquitto struct {
	addr, config string
	cmd          *exec.Cmd
}

func newMosquitto(t *testing.T) *mosquitto {
	t.Helper()
	dir := t.TempDir()
	m := &mosquitto{addr: freeAddr(t), config: filepath.Join(dir, "mosquitto.conf")}
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(m.addr)
	config := "listener " + port + " 127.0.0.1\nallow_anonymous true\nuser " + me.Username +
		"\npersistence true\npersistence_location " + dir + "/\nlog_type none\n"
	if err := os.WriteFile(m.config, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.stop(t) })
	return m
}

func (m *mosquitto) start(t *testing.T) {
	t.Helper()
	path, err := exec.LookPath("mosquitto")
	if err != nil {
		path = "/usr/sbin/mosquitto" // where Debian has it, for root alone
	}
	m.cmd = exec.Command(path, "-c", m.config)
	if err := m.cmd.Start(); err != nil {
		m.cmd = nil
		t.Fatalf("%v: run make deps, or apt install mosquitto", err)
	}
	eventually(t, "mosquitto accepts connections", func() bool {
		conn, err := net.Dial("tcp", m.addr)
		return err == nil && conn.Close() == nil
	})
}

func (m *mosquitto) stop(t *testing.T) {
	if m.cmd == nil {
		return
	}
	_ = m.cmd.Process.Signal(syscall.SIGTERM)
	_ = m.cmd.Process.Signal(syscall.SIGCONT) // should a test have stopped it
	if err := m.cmd.Wait(); err != nil {
		t.Errorf("mosquitto: %v", err)
	}
	m.cmd = nil
}

// forget takes away what the broker, which has stopped, has kept.
func (m *mosquitto) forget(t *testing.T) {
	t.Helper()
	if err := os.Remove(filepath.Join(filepath.Dir(m.config), "mosquitto.db")); err != nil {
		t.Fatal(err)
	}
}

// watcher is a subscriber to everything.
type watcher struct {
	client paho.Client
	got    chan paho.Message

	// redacted allows events of people who were deleted before they were told.
	redacted bool

	began  time.Time
	all    []event.Event          // so far
	tracks map[string]event.Event // the newest of each
	shown  []presence             // so far
}

// presence is what the contract has on .../present, as a subscriber reads it.
type presence struct {
	V      int       `json:"v"`
	Time   time.Time `json:"time"`
	Camera string    `json:"camera"`
	People []struct {
		ID    string    `json:"id"`
		Name  string    `json:"name"`
		Track string    `json:"track"`
		Since time.Time `json:"since"`
	} `json:"people"`
	Unknown int `json:"unknown"`
}

// watch subscribes. With a session the broker keeps what comes while the
// watcher is away.
func watch(t *testing.T, addr, session string) *watcher {
	t.Helper()
	w := &watcher{got: make(chan paho.Message, 10000), began: time.Now(), tracks: map[string]event.Event{}}
	take := func(_ paho.Client, m paho.Message) { w.got <- m }
	w.client = paho.NewClient(paho.NewClientOptions().AddBroker("tcp://" + addr).
		SetClientID(session).SetCleanSession(session == "").SetAutoReconnect(false).SetDefaultPublishHandler(take))
	for _, do := range []func() paho.Token{
		w.client.Connect,
		func() paho.Token { return w.client.Subscribe("facerecd/#", 1, take) },
	} {
		if token := do(); !token.WaitTimeout(patience) || token.Error() != nil {
			t.Fatalf("subscriber: %v", token.Error())
		}
	}
	t.Cleanup(w.close)
	return w
}

func (w *watcher) close() {
	if w.client.IsConnected() {
		w.client.Disconnect(250)
	}
}

// next returns the next message's topic below facerecd/pi/, and its payload.
// Events and presence are checked against the contract on the way.
func (w *watcher) next(t *testing.T) (topic, payload string) {
	t.Helper()
	select {
	case m := <-w.got:
		topic, ours := strings.CutPrefix(m.Topic(), "facerecd/pi/")
		if !ours || m.Qos() != 1 {
			t.Fatalf("message on %s with QoS %d", m.Topic(), m.Qos())
		}
		switch topic {
		case "door/event":
			if m.Retained() {
				t.Errorf("retained event %s", m.Payload())
			}
			w.takeEvent(t, m.Payload())
		case "door/present":
			w.takePresence(t, m.Payload())
		}
		return topic, string(m.Payload())
	case <-time.After(patience):
		t.Fatal("nothing comes")
		return "", ""
	}
}

// event returns the next event that is wanted.
func (w *watcher) event(t *testing.T, wanted func(event.Event) bool) event.Event {
	t.Helper()
	for {
		topic, _ := w.next(t)
		if topic == "door/event" && wanted(w.all[len(w.all)-1]) {
			return w.all[len(w.all)-1]
		}
	}
}

// presence returns the first one from now on that is wanted, or the last one
// that came if that is.
func (w *watcher) presence(t *testing.T, wanted func(presence) bool) presence {
	t.Helper()
	for len(w.shown) == 0 || !wanted(w.shown[len(w.shown)-1]) {
		w.next(t)
	}
	return w.shown[len(w.shown)-1]
}

// offline reads on until the daemon has gone.
func (w *watcher) offline(t *testing.T) {
	t.Helper()
	for topic, payload := w.next(t); topic != "availability" || payload != "offline"; {
		topic, payload = w.next(t)
	}
}

// takeEvent checks all that can be said of one event and those before it.
func (w *watcher) takeEvent(t *testing.T, payload []byte) {
	t.Helper()
	var e event.Event
	if err := json.Unmarshal(payload, &e); err != nil {
		t.Fatalf("event %s: %v", payload, err)
	}
	bad := func(what string) { t.Errorf("%s: %s", what, payload) }
	if e.V != 1 || e.Device != "pi" || e.Camera != "door" || e.Track == "" {
		bad("wrong head")
	}
	if n := len(w.all); n > 0 && e.ID <= w.all[n-1].ID {
		bad("id does not follow " + w.all[n-1].ID)
	}
	if e.Time.Location() != time.UTC || e.Time.After(time.Now()) || e.Time.Before(w.began.Add(-patience)) {
		bad("wrong time")
	}
	if n := len(w.all); n > 0 && e.Time.Before(w.all[n-1].Time) {
		bad("time before that of the event before it")
	}
	if e.Frame != [2]int{640, 480} || e.Box[0] < 0 || e.Box[1] < 0 || e.Box[2] <= 0 || e.Box[3] <= 0 || e.Box[0]+e.Box[2] > 640 || e.Box[1]+e.Box[3] > 480 {
		bad("box not inside the frame")
	}
	if e.Score < -1 || e.Score > 1 || e.Confidence < 0 || e.Confidence > 1 || e.Quality <= 0 || e.Quality > 1 || e.SeenForMS < 0 {
		bad("number out of range")
	}
	before, known := w.tracks[e.Track]
	switch e.Type {
	case event.Recognized:
		if e.Person == nil && !w.redacted || e.Person != nil && (e.Person.ID == "" || e.Person.Name == "") {
			bad("recognised as nobody")
		}
	case event.Unknown:
		if e.Person != nil {
			bad("unknown and named")
		}
	case event.Left:
		if !known || before.Type == event.Left {
			bad("left and was not there")
		}
	default:
		bad("no type of the contract")
	}
	w.all = append(w.all, e)
	w.tracks[e.Track] = e
}

func (w *watcher) takePresence(t *testing.T, payload []byte) {
	t.Helper()
	var p presence
	if err := json.Unmarshal(payload, &p); err != nil || p.V != 1 || p.Camera != "door" || p.Time.IsZero() || p.People == nil || p.Unknown < 0 {
		t.Fatalf("presence %s: %v", payload, err)
	}
	w.shown = append(w.shown, p)
}

// inView are the tracks that were announced and have not left, with the name,
// or none, that they were last told by.
func (w *watcher) inView() (names []string, unknown int) {
	names = []string{}
	for _, e := range w.tracks {
		switch e.Type {
		case event.Recognized:
			if e.Person != nil {
				names = append(names, e.Person.Name)
			}
		case event.Unknown:
			unknown++
		}
	}
	slices.Sort(names)
	return names, unknown
}
