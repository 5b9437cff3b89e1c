//go:build vm

package vm_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"facerecd/cross/vm/vivid"
	"facerecd/daemon/api"
)

const yard = `  - name: yard
    source: /dev/video11
`

// configure writes a configuration without telling the service.
func configure(t *testing.T, cameras string) {
	t.Helper()
	writeConfig(t, settings("1883", cameras))
}

// settings are a configuration whose broker is at the port of this machine.
func settings(port, cameras string) string {
	return "device: vm\nmqtt:\n  broker: mqtt://127.0.0.1:" + port + "\ncameras:\n" + cameras
}

func writeConfig(t *testing.T, text string) {
	t.Helper()
	if err := os.WriteFile(configFile, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// property is one of systemd's of the service.
func property(t *testing.T, name string) string {
	t.Helper()
	return strings.TrimSpace(vivid.Run(t, "systemctl", "show", "--property="+name, "--value", "facerecd"))
}

// dropIn changes the unit until the end of the test.
func dropIn(t *testing.T, service string) {
	t.Helper()
	dir := "/run/systemd/system/facerecd.service.d"
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "test.conf"), []byte("[Service]\n"+service), 0o644); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
		vivid.Run(t, "systemctl", "daemon-reload")
	})
	vivid.Run(t, "systemctl", "daemon-reload")
}

func (s *service) health(t *testing.T) api.Health {
	t.Helper()
	h, err := s.client.Health(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func has(h api.Health, code string) bool {
	return slices.ContainsFunc(h.Checks, func(c api.Condition) bool { return c.Code == code })
}

func TestStartIsOverWhenTheServiceAnswers(t *testing.T) {
	vivid.Load(t, 1)
	s := start(t, door)
	for range 3 {
		vivid.Run(t, "systemctl", "restart", "facerecd")
		s.health(t) // at once
	}
	eventually(t, "systemctl status says how the camera fares", func() bool {
		return strings.Contains(property(t, "StatusText"), "door streaming; MQTT connected")
	})
}

func TestReloadLeavesTheCamerasAloneThatDidNotChange(t *testing.T) {
	cameras := vivid.Load(t, 2)
	for _, c := range cameras {
		c.Feed(t, picture(t, "obama.jpg", 4))
	}
	ear := listen(t)
	s := start(t, door)
	eventually(t, "the door streams", s.streaming(t, "door"))
	before := s.camera(t, "door")

	reloaded := time.Now()
	configure(t, door+yard)
	vivid.Run(t, "systemctl", "reload", "facerecd")
	eventually(t, "the yard streams", func() bool {
		return slices.ContainsFunc(s.health(t).Cameras, func(c api.CameraHealth) bool { return c.Name == "yard" && c.State == "streaming" })
	})
	ear.wait(t, "the status of the yard", "facerecd/vm/yard/status", reloaded, func(d decoded) bool { return d.State == "streaming" })
	door1 := s.camera(t, "door")
	if door1.Since != before.Since || door1.Reopened != before.Reopened || door1.Frames < before.Frames {
		t.Errorf("the door was touched: %+v, then %+v", before, door1)
	}

	configure(t, door+"    widht: 320\n")
	out, err := exec.Command("systemctl", "reload", "facerecd").CombinedOutput()
	if err == nil {
		t.Error("systemctl reload takes a bad file for a good one")
	}
	t.Logf("%s", out)
	eventually(t, "the health says so", func() bool { return has(s.health(t), "config_rejected") })
	eventually(t, "systemctl status says so", func() bool { return strings.Contains(property(t, "StatusText"), "widht") })
	if len(s.health(t).Cameras) != 2 || property(t, "ActiveState") != "active" {
		t.Errorf("a bad file changed something: %+v", s.health(t))
	}

	removed := time.Now()
	configure(t, door)
	vivid.Run(t, "systemctl", "reload", "facerecd")
	eventually(t, "the yard is gone", func() bool { h := s.health(t); return len(h.Cameras) == 1 && !has(h, "config_rejected") })
	eventually(t, "its topics are empty", func() bool {
		return slices.ContainsFunc(ear.messages(), func(m message) bool {
			return m.topic == "facerecd/vm/yard/status" && !m.at.Before(removed) && len(m.payload) == 0
		})
	})
	if after := s.camera(t, "door"); after.Since != before.Since || after.Reopened != before.Reopened || after.Frames <= before.Frames {
		t.Errorf("the door was touched: %+v, then %+v", before, after)
	}
	s.wantSameProcess(t)
}

func TestWatchdogStartsAnewWhatStandsStill(t *testing.T) {
	vivid.Load(t, 1)[0].Feed(t, picture(t, "obama.jpg", 4))
	dropIn(t, "WatchdogSec=5\n")
	s := start(t, door)
	eventually(t, "the camera streams", s.streaming(t, "door"))
	time.Sleep(15 * time.Second) // a slow look at a frame is no reason
	s.wantSameProcess(t)

	since := time.Now()
	vivid.Run(t, "kill", "-STOP", strconv.Itoa(s.pid))
	eventually(t, "another process streams", func() bool {
		h, err := s.client.Health(t.Context())
		return err == nil && mainPID(t) != s.pid && len(h.Cameras) == 1 && h.Cameras[0].State == "streaming"
	})
	t.Logf("it streams again after %v", time.Since(since).Round(time.Second))
	if log := vivid.Run(t, "journalctl", "-b", "-u", "facerecd", "-n", "2000"); !strings.Contains(log, "Watchdog timeout") {
		t.Error("the journal does not say that it was the watchdog")
	}
}

func TestBadConfigurationIsNotTriedAgain(t *testing.T) {
	configure(t, door+"    widht: 320\n")
	t.Cleanup(func() {
		_ = exec.Command("systemctl", "stop", "facerecd").Run()
		_ = exec.Command("systemctl", "reset-failed", "facerecd").Run()
	})
	if out, err := exec.Command("systemctl", "restart", "facerecd").CombinedOutput(); err == nil {
		t.Errorf("it starts: %s", out)
	}
	time.Sleep(12 * time.Second) // twice RestartSec=
	if state, status, restarts := property(t, "ActiveState"), property(t, "ExecMainStatus"), property(t, "NRestarts"); state != "failed" || status != "78" || restarts != "0" {
		t.Errorf("it is %s with status %s, after %s restarts", state, status, restarts)
	}
	if log := vivid.Run(t, "journalctl", "-b", "-u", "facerecd", "-n", "50"); !strings.Contains(log, `did you mean "cameras[0].width"?`) {
		t.Errorf("the journal does not say what to do:\n%s", log)
	}
	configure(t, door)
	vivid.Run(t, "systemctl", "restart", "facerecd")
}

func TestStopIsCleanInEveryPhase(t *testing.T) {
	camera := vivid.Load(t, 1)[0]
	camera.Feed(t, picture(t, "obama.jpg", 4))
	s := start(t, door)
	mosquitto := strings.TrimSpace(vivid.Run(t, "systemctl", "show", "--property=MainPID", "--value", "mosquitto"))
	again := func(t *testing.T) {
		vivid.Run(t, "systemctl", "restart", "facerecd")
	}
	for _, phase := range []struct {
		name string
		in   func(t *testing.T)
	}{
		{"starting", func(t *testing.T) {
			vivid.Run(t, "systemctl", "start", "--no-block", "facerecd")
			time.Sleep(300 * time.Millisecond)
		}},
		{"just started", again},
		{"streaming", func(t *testing.T) { again(t); eventually(t, "it streams", s.streaming(t, "door")) }},
		{"reloading", func(t *testing.T) {
			again(t)
			configure(t, door+"    rotate: 90\n")
			vivid.Run(t, "systemctl", "kill", "--signal=HUP", "--kill-who=main", "facerecd")
		}},
		{"no camera", func(t *testing.T) {
			configure(t, strings.ReplaceAll(door, "video10", "video99"))
			again(t)
			eventually(t, "the camera is missing", func() bool { return s.camera(t, "door").Code == "not_found" })
		}},
		{"the broker hangs", func(t *testing.T) {
			configure(t, door)
			again(t)
			eventually(t, "it streams", s.streaming(t, "door"))
			vivid.Run(t, "kill", "-STOP", mosquitto)
			t.Cleanup(func() { vivid.Run(t, "kill", "-CONT", mosquitto) })
		}},
		{"the broker is away", func(t *testing.T) {
			vivid.Run(t, "systemctl", "stop", "mosquitto")
			t.Cleanup(func() { vivid.Run(t, "systemctl", "start", "mosquitto") })
			again(t)
			eventually(t, "it streams", s.streaming(t, "door"))
		}},
	} {
		t.Run(phase.name, func(t *testing.T) {
			vivid.Run(t, "systemctl", "stop", "facerecd")
			phase.in(t)
			began := time.Now()
			vivid.Run(t, "systemctl", "stop", "facerecd")
			took := time.Since(began).Round(100 * time.Millisecond)
			t.Logf("%v", took)
			// Not killed after TimeoutStopSec=. Nothing interrupts a look at a frame, which takes an emulated processor
			// seconds; daemon's own tests measure the rest.
			if result, state := property(t, "Result"), property(t, "ActiveState"); result != "success" || state != "inactive" {
				t.Errorf("it is %s, %s", state, result)
			}
		})
	}
	again(t)
}

func TestServiceIsConfined(t *testing.T) {
	start(t, door)
	out := vivid.Run(t, "systemd-analyze", "security", "--no-pager", "facerecd")
	found := regexp.MustCompile(`Overall exposure level for facerecd.service: ([0-9.]+)`).FindStringSubmatch(out)
	if found == nil {
		t.Fatalf("no level in %s", out)
	}
	t.Log(found[0])
	if level, err := strconv.ParseFloat(found[1], 64); err != nil || level > 2.0 {
		t.Errorf("the level is above 2.0:\n%s", out)
	}
}

func TestServiceThatWasKilledComesBackAndStillKnowsThePerson(t *testing.T) {
	vivid.Load(t, 1)[0].Feed(t, picture(t, "obama.jpg", 4))
	s := start(t, door)
	s.enrol(t)
	for _, kill := range []struct {
		name, journal string
		do            func(t *testing.T)
	}{
		{"kill -9", "code=killed, status=9/KILL", func(t *testing.T) { vivid.Run(t, "systemctl", "kill", "--signal=KILL", "--kill-who=main", "facerecd") }},
		{"out of memory", "killed by the OOM killer", func(t *testing.T) {
			vivid.Run(t, "systemctl", "set-property", "--runtime", "facerecd", "MemoryMax=8M")
			time.Sleep(time.Second)
			vivid.Run(t, "systemctl", "set-property", "--runtime", "facerecd", "MemoryMax=75%")
		}},
	} {
		t.Run(kill.name, func(t *testing.T) {
			ear := listen(t)
			s.pid = mainPID(t)
			since := time.Now()
			kill.do(t)
			eventually(t, "another process answers", func() bool {
				_, err := s.client.Health(t.Context())
				pid, perr := strconv.Atoi(property(t, "MainPID"))
				return err == nil && perr == nil && pid != 0 && pid != s.pid
			})
			ear.recognized(t, since)
			t.Logf("recognised after %v", time.Since(since).Round(time.Second))
			if log := vivid.Run(t, "journalctl", "-b", "-u", "facerecd", "-n", "30"); !strings.Contains(log, kill.journal) {
				t.Errorf("the journal does not say %q:\n%s", kill.journal, log)
			}
		})
	}
}

func TestCredentialIsReadWhereSystemdPutsIt(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "token") // root's alone
	const token = "0123456789abcdef0123456789abcdef"
	if err := os.WriteFile(secret, []byte(token+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	dropIn(t, "LoadCredential=token:"+secret+"\n")
	writeConfig(t, "device: vm\nhttp: {listen: '0.0.0.0:4000', token_file: 'credential:token'}\nmqtt: {broker: 'mqtt://127.0.0.1:1883'}\ncameras: []\n")
	vivid.Run(t, "systemctl", "restart", "facerecd")
	t.Cleanup(func() { configure(t, door); vivid.Run(t, "systemctl", "restart", "facerecd") })
	for _, tt := range []struct{ token, want string }{{"wrong", "401"}, {token, "200"}} {
		got := vivid.Run(t, "curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "-H", "Authorization: Bearer "+tt.token, "http://127.0.0.1:4000/api/v1/people")
		if got != tt.want {
			t.Errorf("with %s: %s, want %s", tt.token, got, tt.want)
		}
	}
	vivid.Run(t, "systemctl", "reload", "facerecd") // the check of the file sees credentials too
}
