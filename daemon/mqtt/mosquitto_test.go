package mqtt

import (
	"bufio"
	"encoding/json"
	"errors"
	"net"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"facerecd/daemon/event"
)

// What needs mosquitto itself.

func TestAWrongPasswordIsSaidOnceAndCuredByTheFile(t *testing.T) {
	b := newMosquitto(t, "pi", "right horse")
	b.start(t)
	r := newRig(t, b.addr())
	r.Username, r.PasswordFile = "pi", t.TempDir()+"/password"
	r.record(t, 0, 1)
	r.start()
	failures := 0
	refused := func(want string) {
		t.Helper()
		s := r.until(t, func(s Status) bool { return s.Err != nil && s.Err.Error() == want })
		for range 3 { // it goes on trying, quietly
			s = r.until(t, func(s Status) bool { return s.Err != nil })
		}
		if s.Err.Error() != want || s.Connected {
			t.Errorf("status %+v, want error %q", s, want)
		}
		failures++
		if n := strings.Count(r.log.String(), "\n"); n != failures {
			t.Errorf("%d lines logged, want %d", n, failures)
		}
	}
	refused("read mqtt.password_file: open " + r.PasswordFile + ": no such file or directory")
	write(t, r.PasswordFile, "wrong horse\n")
	refused(`the broker refuses the login of user "pi": check mqtt.username and the password in mqtt.password_file`)
	write(t, r.PasswordFile, "right horse\n")
	r.connected(t)
	r.emptied(t)
	if strings.Contains(r.log.String(), "horse") {
		t.Error("a password is in the log")
	}
	w := watch(t, b.addr(), "pi", "right horse")
	w.expect(t, topics.Availability(), Online, true)
}

func TestABrokerThatWantsALoginSaysSo(t *testing.T) {
	b := newMosquitto(t, "pi", "secret")
	b.start(t)
	r := newRig(t, b.addr())
	r.start()
	s := r.until(t, func(s Status) bool { return s.Err != nil })
	want := "the broker refuses the login: it wants a user name and a password: set mqtt.username and mqtt.password_file"
	if s.Err.Error() != want || !errors.Is(s.Err, errCredentials) {
		t.Errorf("error %q, want %q", s.Err, want)
	}
	// The status is told before the line is written.
	eventually(t, "it is logged as an error", func() bool { return strings.Contains(r.log.String(), "level=ERROR") })
}

// subscribe starts mosquitto_sub, and returns when it has subscribed. Then lines
// waits for n messages and returns them.
func subscribe(t *testing.T, addr string, n int, args ...string) (lines func() []string) {
	t.Helper()
	// Something retained shows that the subscription stands.
	w := watch(t, addr)
	wait(t, w.client.Publish("facerecd/ready", 1, true, "yes"))
	host, port, _ := net.SplitHostPort(addr)
	args = append([]string{"-v", "-h", host, "-p", port, "-t", "facerecd/#", "-C", strconv.Itoa(n + 1), "-W", "20"}, args...)
	cmd := exec.CommandContext(t.Context(), program(t, "mosquitto_sub", "/usr/bin/mosquitto_sub"), args...)
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	scanner := bufio.NewScanner(stdout)
	if !scanner.Scan() || scanner.Text() != "facerecd/ready yes" {
		t.Errorf("mosquitto_sub says %q", scanner.Text())
	}
	return func() (out []string) {
		t.Helper()
		for scanner.Scan() {
			out = append(out, scanner.Text())
		}
		if err := cmd.Wait(); err != nil {
			t.Errorf("mosquitto_sub: %v after %d lines", err, len(out))
		}
		return out
	}
}

func TestMosquittoSubShowsWhatTheReadmePromises(t *testing.T) {
	overBrokers(t, func(t *testing.T, b testBroker) {
		b.start(t)
		r := newRig(t, b.addr())
		lines := subscribe(t, b.addr(), 4)
		r.start()
		r.connected(t)
		at := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
		if err := r.events.Record(event.Event{
			Type: event.Recognized, Time: at, Camera: "door", Track: "7", Person: &event.Person{ID: "P1", Name: "Ana"},
			Score: 0.731, Confidence: 0.9987, Box: [4]int{1, 2, 3, 4}, Frame: [2]int{640, 480}, Quality: 0.5, SeenForMS: 900,
		}); err != nil {
			t.Fatal(err)
		}
		r.emptied(t)
		present, err := json.Marshal(Present{Time: at, Camera: "door", People: []Visible{{"P1", "Ana", "7", at}}, Unknown: 1})
		if err != nil {
			t.Fatal(err)
		}
		r.SetPresent("door", present)
		r.stop(t)
		got := lines()
		if len(got) != 4 {
			t.Fatalf("got %d lines: %q", len(got), got)
		}
		history, err := r.events.History(t.Context(), "", 1)
		if err != nil {
			t.Fatal(err)
		}
		for i, want := range []string{
			`facerecd/pi-door/availability online`,
			`facerecd/pi-door/door/event {"v":1,"id":"` + history[0].ID + `","type":"recognized","time":"2026-11-24T12:00:00.000Z","device":"pi-door","camera":"door","track":"7",` +
				`"person":{"id":"P1","name":"Ana"},"score":0.731,"confidence":0.9987,"box":[1,2,3,4],"frame":[640,480],"quality":0.5,"seen_for_ms":900,"seq":1,"boot":"` + history[0].Boot + `","clock_synced":true,"stranger":null,"zone":null}`,
			`facerecd/pi-door/door/present {"v":1,"time":"2026-11-24T12:00:00.000Z","camera":"door","people":[{"id":"P1","name":"Ana","track":"7","since":"2026-11-24T12:00:00.000Z"}],"unknown":1}`,
			`facerecd/pi-door/availability offline`,
		} {
			if got[i] != want {
				t.Errorf("line %d\n got %s\nwant %s", i, got[i], want)
			}
		}
	})
}
