//go:build vm

package vm_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"facerecd/cross/vm/vivid"
	"facerecd/daemon/api/client"
	"facerecd/daemon/event"
)

// These tests are a start of the guest each; boots.sh says which, in VM_BOOT:
// "first", "again" until the power is cut, and "last".

func wantBoot(t *testing.T, boots ...string) {
	t.Helper()
	if !slices.Contains(boots, os.Getenv("VM_BOOT")) {
		t.Skip("a part of cross/vm/boots.sh")
	}
}

// Then the guest is switched off in order, and starts again.
func TestFreshGuestRecognisesWhoWasEnrolledWithCurl(t *testing.T) {
	wantBoot(t, "first")
	camera := vivid.Load(t, 1)[0]
	aptOK(t, "install", filepath.Join(share(), "facerecd.deb"))
	writeConfig(t, settings(gatePort, door)) // the broker is there once somebody listens
	l := openLedger(t)
	e := l.listen(t)
	gate(t)
	vivid.Run(t, "systemctl", "start", "facerecd")
	out := vivid.Run(t, "curl", "-sS", "-F", "name=obama", "-F", "images=@"+photo("obama2.jpg"), "-F", "images=@"+photo("obama3.jpg"),
		"http://127.0.0.1:4000/register")
	var answer struct{ Person struct{ ID string } }
	if err := json.Unmarshal([]byte(out), &answer); err != nil || answer.Person.ID == "" {
		t.Fatalf("curl enrols: %s", out)
	}
	camera.Feed(t, picture(t, "obama.jpg", 4))
	t.Logf("%s", e.recognized(t, time.Time{}).payload)
	l.note("enrolled", answer.Person.ID)
}

// What somebody outside of the guest was told before it went off must be true
// after it: the ledger is on the host.
func TestWhatWasAcknowledgedBeforeThePowerWentIsThere(t *testing.T) {
	wantBoot(t, "again", "last")
	l := openLedger(t)
	c := client.Client{BaseURL: "http://127.0.0.1:4000"}
	eventually(t, "the service has started by itself", func() bool {
		_, err := c.Health(t.Context())
		return err == nil
	})
	l.wantPeople(t, c)

	stored := map[string]bool{}
	var waiting []string // to be published
	for _, e := range history(t, c) {
		stored[e.ID] = true
		if !l.published[e.ID] {
			waiting = append(waiting, e.ID)
		}
	}
	for _, told := range []map[string]bool{l.recorded, l.published} {
		for id := range told {
			if !stored[id] && !l.deleting[l.whose[id]] {
				t.Errorf("the event %s was told, and is not in the history", id)
			}
		}
	}
	t.Logf("%d people enrolled, %d deleted; %d events recorded, %d published, %d wait; of %d files without a sync %d are lost",
		len(l.enrolled), len(l.deleted), len(l.recorded), len(l.published), len(waiting), l.controls, l.lost)
	e := l.listen(t)
	gate(t)
	for _, id := range waiting {
		eventually(t, "the event "+id+", which nobody has seen on MQTT, is published", func() bool { return l.has(id) })
	}

	camera := vivid.Load(t, 1)[0]
	fed := time.Now()
	camera.Feed(t, picture(t, "obama.jpg", 4))
	e.recognized(t, fed)
	if os.Getenv("VM_BOOT") == "last" {
		if l.lost == 0 {
			t.Error("no file without a sync was ever lost: this test could not fail")
		}
		return
	}
	l.note("ready")
	work(t, l, c, camera)
}

// work is what goes on when the power is cut: people come and go, before the
// camera and among the enrolled.
func work(t *testing.T, l *ledger, c client.Client, camera *vivid.Camera) {
	var watching sync.WaitGroup
	defer watching.Wait()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	watching.Go(func() {
		for e, err := range c.Watch(ctx) {
			if err == nil {
				l.note("recorded", e.ID, whose(e.Person))
			}
		}
	})
	views := [][]byte{picture(t, "biden.jpg", 4), picture(t, "obama.jpg", 4)}
	remove := func(id string) {
		l.note("deleting", id)
		if _, err := c.Delete(ctx, id); err != nil {
			t.Fatal(err)
		}
		l.note("deleted", id)
	}
	people, err := c.People(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range people {
		if p.Name != "obama" { // the last cut has left somebody with the next one's face
			remove(p.ID)
		}
	}
	for n := 0; ; n++ {
		if n%3 == 0 {
			camera.Feed(t, views[n/3%2])
		}
		e, err := c.Register(ctx, fmt.Sprintf("guest %d", time.Now().UnixNano()), []string{photo("biden.jpg")})
		if err != nil {
			t.Fatal(err)
		}
		l.note("enrolled", e.Person.ID)
		l.control()
		time.Sleep(time.Duration(rand.IntN(1000)) * time.Millisecond)
		remove(e.Person.ID)
	}
}

func whose(p *event.Person) string {
	if p == nil {
		return ""
	}
	return p.ID
}

// ledger is what was acknowledged, in a file on the host. A control is a file in
// the guest that was written without a sync.
type ledger struct {
	mu   sync.Mutex
	file *os.File

	enrolled, deleting, deleted map[string]bool // people
	recorded, published         map[string]bool // events
	whose                       map[string]string
	controls, lost              int
}

const controlDir = "/var/lib/control"

func openLedger(t *testing.T) *ledger {
	t.Helper()
	l := &ledger{
		enrolled: map[string]bool{}, deleting: map[string]bool{}, deleted: map[string]bool{},
		recorded: map[string]bool{}, published: map[string]bool{}, whose: map[string]string{},
	}
	var err error
	if l.file, err = os.OpenFile(filepath.Join(share(), "ledger"), os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.file.Close() })
	if err := os.MkdirAll(controlDir, 0o755); err != nil {
		t.Fatal(err)
	}
	for lines := bufio.NewScanner(l.file); lines.Scan(); {
		l.take(lines.Text())
	}
	return l
}

func (l *ledger) take(line string) {
	words := append(strings.Fields(line), "", "")
	what, id, person := words[0], words[1], words[2]
	switch what {
	case "enrolled":
		l.enrolled[id] = true
	case "deleting":
		l.deleting[id] = true
	case "deleted":
		l.deleted[id] = true
	case "recorded":
		l.recorded[id], l.whose[id] = true, person
	case "published":
		l.published[id], l.whose[id] = true, person
	case "control":
		l.controls++
		if data, err := os.ReadFile(filepath.Join(controlDir, id)); err != nil || string(data) != id {
			l.lost++
		}
	}
}

// note writes a line; one that is missing claims less.
func (l *ledger) note(words ...string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	line := strings.Join(words, " ")
	_, _ = l.file.WriteString(line + "\n")
	l.take(line)
}

// has tells whether an event was seen on MQTT.
func (l *ledger) has(event string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.published[event]
}

// listen notes the events on MQTT.
func (l *ledger) listen(t *testing.T) *ear {
	t.Helper()
	e := &ear{heard: func(m message) {
		var e event.Event
		if m.topic == "facerecd/vm/door/event" && json.Unmarshal(m.payload, &e) == nil {
			l.note("published", e.ID, whose(e.Person))
		}
	}}
	e.listen(t)
	return e
}

func (l *ledger) control() {
	id := fmt.Sprint(time.Now().UnixNano())
	if os.WriteFile(filepath.Join(controlDir, id), []byte(id), 0o600) == nil {
		l.note("control", id)
	}
}

func (l *ledger) wantPeople(t *testing.T, c client.Client) {
	t.Helper()
	people, err := c.People(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	there := map[string]bool{}
	for _, p := range people {
		there[p.ID] = true
		if p.Templates == 0 {
			t.Errorf("half a person is there: %+v", p)
		}
		if l.deleted[p.ID] {
			t.Errorf("%s was deleted, and is there again", p.ID)
		}
		if !l.enrolled[p.ID] { // the answer did not get out: so much the better
			l.note("enrolled", p.ID)
		}
	}
	for id := range l.enrolled {
		if !there[id] && !l.deleting[id] {
			t.Errorf("the enrolment of %s was acknowledged, and is lost", id)
		}
	}
}

// history is all events that are stored.
func history(t *testing.T, c client.Client) (all []event.Event) {
	t.Helper()
	for before := ""; ; before = all[len(all)-1].ID {
		resp, err := http.Get(c.BaseURL + "/api/v1/events?limit=500&before=" + before)
		if err != nil {
			t.Fatal(err)
		}
		var page struct{ Events []event.Event }
		err = json.NewDecoder(resp.Body).Decode(&page)
		resp.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		if all = append(all, page.Events...); len(page.Events) < 500 {
			return all
		}
	}
}

const gatePort = "1884"

// gate lets the service to mosquitto, on a port of its own. Whoever
// listens at mosquitto before hears all that the service has to say.
func gate(t *testing.T) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:"+gatePort)
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			from, err := listener.Accept()
			if err != nil {
				return
			}
			to, err := net.Dial("tcp", "127.0.0.1:1883")
			if err != nil {
				from.Close()
				continue
			}
			for _, way := range [][2]net.Conn{{from, to}, {to, from}} {
				all.Go(func() {
					_, _ = io.Copy(way[0], way[1])
					way[0].Close()
					way[1].Close()
				})
			}
		}
	})
	t.Cleanup(func() {
		_ = exec.Command("systemctl", "stop", "facerecd").Run()
		listener.Close()
		all.Wait()
	})
}
