package daemon

import (
	"net"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"facerecd/capture"
	"facerecd/daemon/config"
	"facerecd/daemon/event"
	"facerecd/match/store"
)

// overBrokers runs a test with each broker: mosquitto, which is running then,
// and the embedded one.
func overBrokers(t *testing.T, test func(*testing.T, config.MQTT)) {
	mqtt := config.Default().MQTT
	mqtt.EmbeddedListen = "127.0.0.1:0"
	t.Run("embedded", func(t *testing.T) {
		t.Parallel()
		test(t, mqtt)
	})
	t.Run("mosquitto", func(t *testing.T) {
		t.Parallel()
		m := newMosquitto(t)
		m.start(t)
		mqtt := mqtt
		mqtt.Broker = "tcp://" + m.addr
		test(t, mqtt)
	})
}

func TestWhoIsEnrolledIsRecognisedAndNobodyElse(t *testing.T) {
	t.Parallel()
	engine := newEngine(t)
	truth := map[string][4]int{}
	for _, name := range []string{"obama", "biden"} {
		truth[name] = theFace(t, engine, shot(t, name)).Box.Pixels(640, 480)
	}
	shows := func(e event.Event, name string) bool { return near(e.Box, truth[name]) }

	overBrokers(t, func(t *testing.T, mqtt config.MQTT) {
		// The camera is plugged in when the subscriber stands, lest it misses
		// what happens first.
		plug := filepath.Join(t.TempDir(), "camera")
		c := settings(t, plug)
		c.MQTT = mqtt
		c.Cameras[0].Hold = 2 * time.Second // in which a settled track is looked at again, and the next one told
		r := start(t, c)
		w := watch(t, r.broker, "")
		if err := os.Rename(folder(t, "obama", "biden"), plug); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"obama", "biden"} {
			w.event(t, func(e event.Event) bool { return e.Type == event.Unknown && shows(e, name) })
		}

		enrolled, err := r.Register(t.Context(), "Barack Obama", []string{photo(t, "obama2"), photo(t, "obama3")})
		if err != nil || enrolled.Accepted != 2 || len(enrolled.Rejected) > 0 {
			t.Fatalf("register: %+v, %v", enrolled, err)
		}
		e := w.event(t, func(e event.Event) bool { return e.Type == event.Recognized })
		if *e.Person != (event.Person{ID: enrolled.Person.ID, Name: "Barack Obama"}) || !shows(e, "obama") {
			t.Errorf("recognised %+v, want %+v in %v", e, enrolled.Person, truth["obama"])
		}
		if threshold := engine.Pack().Decision.Threshold; e.Score < threshold || e.Confidence < 0.5 {
			t.Errorf("recognised with score %v (threshold %v), confidence %v", e.Score, threshold, e.Confidence)
		}
		w.event(t, func(e event.Event) bool { return e.Type == event.Unknown && shows(e, "biden") })
		r.healthy(t)
		r.stop(t)
		w.offline(t)

		recognised := map[string]bool{}
		for _, e := range w.all {
			if e.Person != nil {
				recognised[e.Track] = true
			}
			if e.Type == event.Recognized && !shows(e, "obama") {
				t.Errorf("named what is not there: %+v", e)
			}
		}
		for _, p := range w.shown {
			for _, v := range p.People {
				if v.ID != enrolled.Person.ID || v.Name != "Barack Obama" || !recognised[v.Track] || v.Since.After(p.Time) {
					t.Errorf("presence %+v agrees with no event", p)
				}
			}
			if len(p.People)+p.Unknown > 2 {
				t.Errorf("presence %+v of a frame with one face", p)
			}
		}
	})
}

// near allows for the pixel that rounding may move a box.
func near(a, b [4]int) bool {
	for i := range a {
		if a[i]-b[i] > 2 || b[i]-a[i] > 2 {
			return false
		}
	}
	return true
}

func TestAtACleanStopEverybodyHasLeft(t *testing.T) {
	t.Parallel()
	overBrokers(t, func(t *testing.T, mqtt config.MQTT) {
		plug := filepath.Join(t.TempDir(), "camera")
		c := settings(t, plug)
		c.MQTT = mqtt
		r := start(t, c)
		w := watch(t, r.broker, "")
		if err := os.Symlink(photo(t, "obama"), plug); err != nil {
			t.Fatal(err)
		}
		w.event(t, func(e event.Event) bool { return e.Type == event.Unknown })
		w.presence(t, func(p presence) bool { return p.Unknown == 1 && len(p.People) == 0 })
		late := watch(t, r.broker, "")
		late.presence(t, func(p presence) bool { return p.Unknown == 1 }) // it is retained

		if took := r.stop(t); took > 2*time.Second*slow {
			t.Errorf("stopping took %v", took)
		} else {
			t.Logf("stopping took %v", took)
		}
		w.offline(t)
		if names, unknown := w.inView(); len(names)+unknown > 0 {
			t.Errorf("still in view: %v and %d unknown", names, unknown)
		}
		if p := w.shown[len(w.shown)-1]; len(p.People)+p.Unknown > 0 {
			t.Errorf("still present: %+v", p)
		}
		s := reopen(t, c)
		if n, _ := s.Backlog(); n > 0 {
			t.Errorf("%d events are left in the outbox", n)
		}
		if rows, err := s.History("", 100); err != nil || len(rows) != len(w.all) {
			t.Errorf("the history has %d events (%v), the subscriber %d", len(rows), err, len(w.all))
		}
	})
}

func TestNobodyElseKeepsTheDaemonFromStopping(t *testing.T) {
	t.Parallel()
	m := newMosquitto(t)
	m.start(t)
	c := settings(t, photo(t, "obama"))
	c.MQTT.Broker = "tcp://" + m.addr
	r := start(t, c)
	w := watch(t, m.addr, "")
	eventually(t, "an event is told", func() bool {
		rows, err := r.Daemon.health.parts.store.History("", 1)
		waiting, _ := r.Daemon.health.parts.store.Backlog()
		return err == nil && len(rows) == 1 && waiting == 0
	})

	// Somebody uploads half a form, somebody watches, and the broker hangs.
	upload, err := net.Dial("tcp", c.HTTP.Listen)
	if err != nil {
		t.Fatal(err)
	}
	defer upload.Close()
	if _, err := upload.Write([]byte("POST /register HTTP/1.1\r\nHost: " + c.HTTP.Listen +
		"\r\nContent-Type: multipart/form-data; boundary=x\r\nContent-Length: 1000\r\n\r\n--x\r\n")); err != nil {
		t.Fatal(err)
	}
	stream, err := r.HTTP.Get(r.BaseURL + "/api/v1/events/stream")
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Body.Close()
	if err := m.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	took := r.stop(t)
	if err := m.cmd.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	if took > 1500*time.Millisecond*slow {
		t.Errorf("stopping took %v", took)
	}
	t.Logf("stopping took %v", took)
	w.offline(t) // the broker has read what was sent, or says it as the will
	waiting, err := reopen(t, c).Pending(0, 10)
	if err != nil || len(waiting) != 1 {
		t.Errorf("%d events wait for the next start (%v), want the one that nobody acknowledged", len(waiting), err)
	}
}

// reopen opens the store that a daemon has left.
func reopen(t *testing.T, c config.Config) *store.Store {
	t.Helper()
	s, err := store.Open(filepath.Join(c.DataDir, "store"), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func TestABrokerThatWasAwayGetsAllThatHappened(t *testing.T) {
	t.Parallel()
	m := newMosquitto(t)
	m.start(t)
	watch(t, m.addr, "watcher").close()
	m.stop(t)

	c := settings(t, photo(t, "obama"))
	c.MQTT.Broker = "tcp://" + m.addr
	var happened []string // event ids, of the run that was stopped
	run := func(then func()) {
		r := start(t, c)
		eventually(t, "something happens", func() bool { return r.Daemon.Health().MQTT.Backlog > len(happened) })
		then()
		if took := r.stop(t); took > 2*time.Second*slow {
			t.Errorf("stopping took %v", took)
		}
	}
	run(func() {}) // it is told as unknown, and as left when the daemon stops
	s := reopen(t, c)
	waiting, err := s.Pending(0, 1000)
	if err != nil || len(waiting) != 2 {
		t.Fatalf("%d events wait, %v", len(waiting), err)
	}
	for _, q := range waiting {
		happened = append(happened, q.ID)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	var w *watcher
	run(func() {
		m.start(t)
		w = watch(t, m.addr, "watcher")
		w.event(t, func(event.Event) bool { return len(w.all) > len(happened) })
	})
	w.offline(t)
	rows, err := reopen(t, c).History("", 1000)
	if err != nil {
		t.Fatal(err)
	}
	var got, recorded []string
	for _, e := range w.all {
		got = append(got, e.ID)
	}
	for _, row := range slices.Backward(rows) {
		recorded = append(recorded, row.ID)
	}
	if !slices.Equal(got, recorded) || !slices.Equal(got[:len(happened)], happened) {
		t.Errorf("came:\n%v\nhappened:\n%v\nof these before the restart:\n%v", got, recorded, happened)
	}
	if names, unknown := w.inView(); len(names)+unknown > 0 {
		t.Errorf("still in view: %v and %d unknown", names, unknown)
	}
}

func TestTheFirstEventComesWithinTwoSeconds(t *testing.T) {
	c := settings(t, folder(t, "obama", "biden"))
	m := newMosquitto(t)
	m.start(t)
	c.MQTT.Broker = "tcp://" + m.addr
	r := start(t, c)
	if _, err := r.Register(t.Context(), "obama", []string{photo(t, "obama2"), photo(t, "obama3")}); err != nil {
		t.Fatal(err)
	}
	r.stop(t)
	w := watch(t, m.addr, "")
	began := time.Now()
	r = start(t, c)
	e := w.event(t, func(event.Event) bool { return true })
	if took := time.Since(began); took > 2*time.Second*slow {
		t.Errorf("the first event came after %v", took)
	} else {
		t.Logf("the first event, %s, came after %v", e.Type, took)
	}
	w.event(t, func(e event.Event) bool { return e.Type == event.Recognized })
	if names, _ := w.inView(); !slices.Equal(names, []string{"obama"}) {
		t.Errorf("in view: %v", names)
	}
	if h := r.Daemon.Health(); h.Status != "ok" || h.Cameras[0].State != string(capture.Streaming) || !h.MQTT.Connected {
		t.Errorf("health %+v", h)
	}
	t.Logf("stopping took %v", r.stop(t))
}
