package daemon

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"facerecd/daemon/api"
	"facerecd/daemon/config"
)

// ask sends a request to the daemon, with a JSON body, and returns the answer.
func (r *rig) ask(t *testing.T, method, path, body string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, r.BaseURL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := r.HTTP.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(data)
}

func TestSettingsAreThoseInForce(t *testing.T) {
	c := settings(t, photo(t, "obama"))
	c.MQTT.Username, c.MQTT.PasswordFile = "pi", filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(c.MQTT.PasswordFile, []byte("secret-as-well"), 0o600); err != nil {
		t.Fatal(err)
	}
	f := &file{now: c}
	r := start(t, c, func(d *Daemon) { d.Load = f.load })
	shown := func() map[string]any {
		_, body := r.ask(t, "GET", "/api/v1/settings", "")
		var answer struct{ Settings []api.Setting }
		if err := json.Unmarshal([]byte(body), &answer); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(body, "secret") {
			t.Errorf("it tells where a secret is: %s", body)
		}
		all := map[string]any{}
		for _, s := range answer.Settings {
			all[s.Key] = s.Value
		}
		return all
	}
	own := fmt.Sprint(r.Daemon.health.parts.vision.Pack.Decision.Threshold)
	if got := shown(); fmt.Sprint(got["match.threshold"]) != own || got["device"] != "pi" || got["mqtt.broker"] != c.MQTT.EmbeddedListen {
		t.Errorf("got %v, want the threshold %s", got, own)
	}
	f.write(func(c *config.Config) { c.Match.Threshold, c.Match.MinSeen = 0.75, 9 })
	r.reload(t)
	if got := shown(); got["match.threshold"] != 0.75 || got["match.min_seen"] != 9.0 {
		t.Errorf("after a reload: %v", got)
	}
}

func TestACameraIsSwitchedOverHTTPAndStaysSo(t *testing.T) {
	c := settings(t, photo(t, "obama"))
	r := start(t, c)
	eventually(t, "it streams", func() bool { return r.Daemon.Health().Cameras[0].State == "streaming" })
	if status, body := r.ask(t, "PATCH", "/api/v1/cameras/door", `{"enabled":false}`); status != 200 || !strings.Contains(body, `"state":"off"`) {
		t.Errorf("off: %d %s", status, body)
	}
	if status, body := r.ask(t, "GET", "/api/v1/cameras/door/snapshot.jpg", ""); status != 503 || !strings.Contains(body, "switched off") {
		t.Errorf("its picture: %d %s", status, body)
	}
	r.stop(t)
	r = start(t, c)
	if state := r.Daemon.Health().Cameras[0].State; state != "off" {
		t.Errorf("after a restart it is %s", state)
	}
	if status, body := r.ask(t, "PATCH", "/api/v1/cameras/door", `{"enabled":true}`); status != 200 || strings.Contains(body, `"state":"off"`) {
		t.Errorf("on: %d %s", status, body)
	}
	eventually(t, "it streams again", func() bool { return r.Daemon.Health().Cameras[0].State == "streaming" })
}
