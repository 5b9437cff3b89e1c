package daemon

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io/fs"
	"math"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"facerecd/cross/testkit"
	"facerecd/daemon/config"
	"facerecd/daemon/fleet"
	"facerecd/match"
)

// within is how soon another device must know of a change.
const within = 2 * time.Second

// member is the configuration of a device without cameras, which shares people
// with whoever has the key.
func member(t *testing.T, m *mosquitto, name, key string) config.Config {
	t.Helper()
	c := settings(t, "")
	c.Cameras = nil
	c.Device, c.MQTT.Broker, c.Fleet.KeyFile = name, "tcp://"+m.addr, key
	return c
}

func newKey(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "fleet.key")
	if err := fleet.CreateKey(path); err != nil {
		t.Fatal(err)
	}
	return path
}

// inStep waits until the device has taken in what the broker has.
func (r *rig) inStep(t *testing.T) {
	t.Helper()
	eventually(t, "the device is in step", func() bool { h := r.Daemon.Health(); return h.Fleet != nil && h.Fleet.InStep })
}

// sees is the name of the face in a demo photo, "" for a stranger's.
func (r *rig) sees(t *testing.T, name string) string {
	t.Helper()
	seen, err := r.Recognize(t.Context(), photo(t, name))
	if err != nil || len(seen.Faces) != 1 {
		t.Fatalf("%d faces, %v", len(seen.Faces), err)
	}
	if seen.Faces[0].Person == nil {
		return ""
	}
	return seen.Faces[0].Person.Name
}

func (r *rig) people(t *testing.T) []match.Person {
	t.Helper()
	people, err := r.People(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return people
}

// soon waits until all devices recognise the photo as want, and says how long it took.
func soon(t *testing.T, what, pic, want string, rigs ...*rig) time.Duration {
	t.Helper()
	began := time.Now()
	for i, r := range rigs {
		eventually(t, fmt.Sprintf("device %d %s", i, what), func() bool { return r.sees(t, pic) == want })
	}
	took := time.Since(began)
	if took > within*slow {
		t.Errorf("it took %v until every device %s", took, what)
	}
	return took
}

func (r *rig) register(t *testing.T, name string, photos ...string) string {
	t.Helper()
	var paths []string
	for _, p := range photos {
		paths = append(paths, photo(t, p))
	}
	e, err := r.Register(t.Context(), name, paths)
	if err != nil || e.Accepted != len(photos) {
		t.Fatalf("%+v, %v", e, err)
	}
	return e.Person.ID
}

func (r *rig) forget(t *testing.T, id string) {
	t.Helper()
	if receipt, err := r.Delete(t.Context(), id); err != nil || !receipt.Purged {
		t.Fatalf("%+v, %v", receipt, err)
	}
}

// holdsNothing looks for the text in every file of a device that has stopped.
func holdsNothing(t *testing.T, c config.Config, texts ...[]byte) {
	t.Helper()
	if err := filepath.WalkDir(c.DataDir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		for _, text := range texts {
			if bytes.Contains(data, text) {
				t.Errorf("%s has %.30q", path, text)
			}
		}
		return err
	}); err != nil {
		t.Error(err)
	}
}

// wire is everything that the fleet says over the broker, as somebody sees it who listens.
func wire(t *testing.T, m *mosquitto) func() string {
	t.Helper()
	path, err := exec.LookPath("mosquitto_sub")
	if err != nil {
		t.Fatal("mosquitto_sub is not installed: run make deps")
	}
	host, port, _ := net.SplitHostPort(m.addr)
	ctx, cancel := context.WithCancel(t.Context())
	heard := new(testkit.Buffer)
	cmd := exec.CommandContext(ctx, path, "-v", "-h", host, "-p", port, "-t", "facerecd/_fleet/#")
	cmd.Stdout = heard
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	stop := func() string {
		cancel()
		_ = cmd.Wait()
		return heard.String()
	}
	t.Cleanup(func() { stop() })
	return stop
}

func TestWhoIsEnrolledAtOneDoorIsKnownAtAll(t *testing.T) {
	m := newMosquitto(t)
	m.start(t)
	key := newKey(t)
	heard := wire(t, m)
	a, b, c := start(t, member(t, m, "a", key)), start(t, member(t, m, "b", key)), start(t, member(t, m, "c", key))
	stranger := start(t, member(t, m, "d", newKey(t)))
	for _, r := range []*rig{a, b, c, stranger} {
		r.inStep(t)
	}

	id := a.register(t, secretName, "obama2", "obama3")
	t.Logf("recognised on the others after %v", soon(t, "recognises", "obama", secretName, b, c))
	if p := b.people(t); len(p) != 1 || p[0].ID != id || p[0].Templates != 2 {
		t.Errorf("people %+v", p)
	}
	if _, err := c.Rename(t.Context(), id, secretName+" II"); err != nil {
		t.Fatal(err)
	}
	soon(t, "knows the new name", "obama", secretName+" II", a, b)
	b.register(t, secretName+" II", "obama") // more photos of the one who came from a
	eventually(t, "the other devices have the third template", func() bool {
		return a.people(t)[0].Templates == 3 && c.people(t)[0].Templates == 3
	})

	if n := len(stranger.people(t)); n != 0 || stranger.sees(t, "obama") != "" {
		t.Errorf("%d people without the key", n)
	}
	stranger.register(t, "Joe", "biden")
	if h := stranger.Daemon.Health().Fleet; h.Taken+h.Refused+h.Stale > 0 || h.ID == a.Daemon.Health().Fleet.ID {
		t.Errorf("the stranger's fleet: %+v", h)
	}

	b.forget(t, id)
	t.Logf("erased on the others after %v", soon(t, "has forgotten", "obama", "", a, c))
	for _, r := range []*rig{a, b, c} {
		if h := r.Daemon.Health().Fleet; h.Stale+h.Refused > 0 || len(r.people(t)) > 0 {
			t.Errorf("fleet %+v, people %+v", h, r.people(t))
		}
		r.healthy(t)
	}
	again := c.register(t, secretName, "obama2")
	soon(t, "recognises who was enrolled again", "obama", secretName, a, b)
	if again == id {
		t.Error("the id is used again")
	}
	a.forget(t, again)
	soon(t, "has forgotten again", "obama", "", b, c)
	for _, r := range []*rig{a, b, c, stranger} {
		r.stop(t)
		holdsNothing(t, r.Config, []byte(secretName))
		if strings.Contains(r.log.String(), secretName) {
			t.Error("a log has the name")
		}
	}
	if all := heard(); !strings.Contains(all, "facerecd/_fleet/") || strings.Contains(all, "Barack") || strings.Contains(all, id) {
		t.Errorf("of %d bytes on the wire, some tell who was enrolled", len(all))
	}
}

func TestWhoWasDeletedWhileADeviceWasOffStaysDeleted(t *testing.T) {
	for _, tc := range []struct {
		name   string
		forget bool // the broker loses what it has retained
		first  bool // the device that was off is the first to find the broker again
	}{{"the broker keeps its state", false, false}, {"the broker loses its state", true, false}, {"and the device that was off comes first", true, true}} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			m := newMosquitto(t)
			m.start(t)
			key := newKey(t)
			a, b, c := start(t, member(t, m, "a", key)), start(t, member(t, m, "b", key)), start(t, member(t, m, "c", key))
			for _, r := range []*rig{a, b, c} {
				r.inStep(t)
			}
			joe := c.register(t, "Joe", "biden")
			id := a.register(t, secretName, "obama2", "obama3")
			soon(t, "recognises", "obama", secretName, b, c)
			soon(t, "recognises", "biden", "Joe", a, b)
			template := templateBytes(t, c, id)
			c.stop(t)
			b.forget(t, id)
			soon(t, "has forgotten", "obama", "", a)
			if tc.first {
				a.stop(t)
				b.stop(t)
			}
			if tc.forget {
				m.stop(t)
				if err := os.Remove(filepath.Join(filepath.Dir(m.config), "mosquitto.db")); err != nil {
					t.Fatal(err)
				}
				m.start(t)
			}
			c = start(t, c.Config)
			if tc.first {
				c.inStep(t)
				time.Sleep(time.Second) // until it has published what the broker lacks
				a, b = start(t, a.Config), start(t, b.Config)
			}
			eventually(t, "the device that was off forgets", func() bool { return len(c.people(t)) == 1 })
			for _, r := range []*rig{a, b, c} {
				r.inStep(t)
			}
			time.Sleep(time.Second) // for somebody to bring the person back
			for _, r := range []*rig{a, b, c} {
				if p := r.people(t); len(p) != 1 || p[0].ID != joe || r.sees(t, "obama") != "" || r.sees(t, "biden") != "Joe" {
					t.Errorf("people %+v", p)
				}
				r.stop(t)
				holdsNothing(t, r.Config, []byte(secretName), template)
			}
		})
	}
}

// templateBytes are some of the bytes of a person's template as the store has them.
func templateBytes(t *testing.T, r *rig, id string) []byte {
	t.Helper()
	var some []byte
	if err := r.Daemon.health.parts.store.PersonTemplates(id, func(tm match.Template) error {
		some = append(some, floatBytes(tm.Vector[:8])...)
		return nil
	}); err != nil || len(some) == 0 {
		t.Fatalf("no template: %v", err)
	}
	return some[:32]
}

func TestTwoWhoEnrolledOneNameBecomeOnePerson(t *testing.T) {
	m := newMosquitto(t)
	key := newKey(t)
	a, b := start(t, member(t, m, "a", key)), start(t, member(t, m, "b", key))
	low := a.register(t, "Barack", "obama2") // no broker yet
	high := b.register(t, "barack ", "obama3")
	gone := b.register(t, "Joe", "biden")
	b.forget(t, gone)
	if low >= high {
		t.Fatal("the first has the higher id")
	}
	m.start(t)
	for _, r := range []*rig{a, b} {
		eventually(t, "there is one person with both templates", func() bool {
			p := r.people(t)
			return len(p) == 1 && p[0].ID == low && p[0].Templates == 2 && p[0].Name == "Barack"
		})
	}
	soon(t, "recognises", "obama", "Barack", a, b)
	b.forget(t, low)
	soon(t, "has forgotten", "obama", "", a, b)
	if n := len(a.people(t)); n != 0 {
		t.Errorf("%d people are left", n)
	}
}

func TestAForgedRecordIsRefusedAndReplaced(t *testing.T) {
	long(t)
	m := newMosquitto(t)
	m.start(t)
	key := newKey(t)
	a := start(t, member(t, m, "a", key))
	a.inStep(t)
	a.register(t, secretName, "obama2")
	w := watch(t, m.addr, "")
	var topic string
	var record []byte
	for record == nil {
		m := <-w.got
		if strings.Contains(m.Topic(), "/_fleet/") {
			topic, record = m.Topic(), m.Payload()
		}
	}
	forged := bytes.Clone(record)
	forged[100] ^= 1
	for range 3 {
		if token := w.client.Publish(topic, 1, true, forged); !token.WaitTimeout(patience) || token.Error() != nil {
			t.Fatal(token.Error())
		}
	}
	eventually(t, "the records are refused", func() bool { return a.Daemon.Health().Fleet.Refused == 3 })
	if h := a.Daemon.Health(); h.Status != "degraded" || !strings.Contains(fmt.Sprint(h.Checks), "fleet_refused") {
		t.Errorf("health %+v", h)
	}
	if n := strings.Count(a.log.String(), "refused a record"); n != 1 {
		t.Errorf("it is logged %d times", n)
	}
	b := start(t, member(t, m, "b", key)) // who finds the forged record alone
	eventually(t, "the broker has a true record again", func() bool { return len(b.people(t)) == 1 })
	if a.sees(t, "obama") != secretName {
		t.Error("the person is gone")
	}
}

func TestABadKeyIsSaidAndTheRestWorks(t *testing.T) {
	m := newMosquitto(t)
	m.start(t)
	c := member(t, m, "a", filepath.Join(t.TempDir(), "fleet.key"))
	r := start(t, c)
	h, err := r.Client.Health(t.Context())
	if err != nil || h.Status != "degraded" || h.Fleet != nil {
		t.Errorf("health %+v, %v", h, err)
	}
	data, _ := json.Marshal(h.Checks)
	if !strings.Contains(string(data), `"fleet_key"`) || !strings.Contains(string(data), "facerecd fleet key") {
		t.Errorf("checks %s", data)
	}
	r.register(t, "Joe", "biden")
	if r.sees(t, "biden") != "Joe" {
		t.Error("nobody is recognised")
	}
}

func floatBytes(v []float32) (b []byte) {
	for _, x := range v {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(x))
	}
	return b
}

// TestMorePeopleThanTheBrokerSendsAtOnce has more than the 1000 messages that
// mosquitto keeps for a subscriber, and drops the rest of.
func TestMorePeopleThanTheBrokerSendsAtOnce(t *testing.T) {
	const count = 1200
	m := newMosquitto(t)
	m.start(t)
	key := newKey(t)
	a := start(t, member(t, m, "a", key))
	roster := a.Daemon.health.parts.roster
	for i := range count {
		id := fmt.Sprintf("P%04d", i)
		vector := make([]float32, 192)
		vector[i%192], vector[i/192] = 1, 2
		if _, err := roster.Enroll(id, id, []match.Template{{ID: "T" + id, Model: roster.Gallery.Model(), Vector: vector}}); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "everybody is published", func() bool { return a.Daemon.Health().Fleet.Published >= count })
	began := time.Now()
	b := start(t, member(t, m, "b", key))
	b.inStep(t)
	t.Logf("%d people were taken in within %v", count, time.Since(began))
	if n := b.Daemon.health.parts.roster.Gallery.People(); n != count {
		t.Errorf("%d people of %d", n, count)
	}
}
