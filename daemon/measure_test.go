package daemon

import (
	"bytes"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"facerecd/daemon/api"
	"facerecd/daemon/event"
	"facerecd/daemon/metrics"
)

// TestMetricsFollowAnEventToTheBroker also checks that each line is in
// Prometheus' text format, and that nobody's name is on the page.
func TestMetricsFollowAnEventToTheBroker(t *testing.T) {
	r := start(t, settings(t, photo(t, "obama")))
	page := func() string {
		response, err := http.Get(r.BaseURL + "/metrics")
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		text, err := io.ReadAll(response.Body)
		if err != nil || response.StatusCode != http.StatusOK || response.Header.Get("Content-Type") != metrics.ContentType {
			t.Fatalf("%s of %s, %v\n%s", response.Status, response.Header.Get("Content-Type"), err, text)
		}
		return string(text)
	}
	defer http.DefaultClient.CloseIdleConnections()
	const reached = `facerecd_event_latency_seconds_count{from="inference"} `
	eventually(t, "an event has reached the broker", func() bool {
		text := page()
		return strings.Contains(text, reached) && !strings.Contains(text, reached+"0\n")
	})
	text := page()
	for _, want := range []string{
		`facerecd_build_info{version="test"} 1`,
		`facerecd_camera_up{camera="door"} 1`,
		`facerecd_camera_frames_total{camera="door"} [1-9]\d*`,
		`facerecd_camera_skipped_frames_total{camera="door"} \d+`,
		`facerecd_frame_seconds_count{camera="door"} [1-9]\d*`,
		`facerecd_events_total{type="unknown"} 1`,
		`facerecd_events_total{type="left"} 0`,
		`facerecd_outbox_events [01]`,
		`facerecd_outbox_dropped_total 0`,
		`facerecd_mqtt_connected 1`,
		`facerecd_mqtt_published_total 1`,
		`facerecd_mqtt_acknowledged_total 1`,
		`facerecd_mqtt_reconnects_total 0`,
		`facerecd_store_commits_total [1-9]\d*`,
		`facerecd_event_latency_seconds_bucket{from="frame",le="\+Inf"} 1`,
		`process_resident_memory_bytes [1-9]\d*`,
		`go_goroutines [1-9]\d*`,
	} {
		if !regexp.MustCompile("(?m)^" + want + "$").MatchString(text) {
			t.Errorf("no line %s in\n%s", want, text)
		}
	}
	line := regexp.MustCompile(`^(# (HELP|TYPE) [a-z_]+ .+|[a-z_]+(\{[a-z]+="[^"]*"(,[a-z]+="[^"]*")*\})? ([0-9.e+-]+|\+Inf|NaN))$`)
	for l := range bytes.Lines([]byte(text)) {
		if !line.Match(bytes.TrimSuffix(l, []byte("\n"))) {
			t.Errorf("not in the format: %q", l)
		}
	}
}

func TestLatencyForgetsWhatIsNeverAcknowledged(t *testing.T) {
	var l latency
	e := newEvent()
	e.Quiet = event.QuietHours // is not published
	if l.numbered(e); len(l.flying) > 0 {
		t.Error("it waits for what never comes")
	}
	e.Quiet = ""
	for seq := range uint64(3 * maxFlying) {
		e.Seq = seq + 1
		l.numbered(e)
	}
	if len(l.flying) != maxFlying {
		t.Errorf("%d events are remembered", len(l.flying))
	}
	for range 2 { // the second one is a repeat
		l.acked(1)
		l.acked(3 * maxFlying) // nobody knows when that was
	}
	var page metrics.Page
	page.Histogram("h", "", metrics.Labelled{Histogram: &l.decided})
	if !strings.Contains(string(page.Bytes()), "h_count 1\n") {
		t.Errorf("one event was acknowledged:\n%s", page.Bytes())
	}
}

func newEvent() (e event.Event) {
	e.Taken = time.Now()
	e.Decided = e.Taken
	return e
}

func TestWhatTheQueueDropsIsSaid(t *testing.T) {
	c := settings(t, photo(t, "obama"))
	c.Cameras, c.MQTT.Broker, c.MQTT.Queue.Events = nil, "tcp://"+freeAddr(t), 3
	r := start(t, c)
	for range 5 {
		if err := r.Daemon.health.parts.log.Record(newEvent()); err != nil {
			t.Fatal(err)
		}
	}
	h := r.Daemon.Health()
	if h.MQTT.Backlog != 3 || h.MQTT.Dropped != 2 {
		t.Errorf("%d events wait, %d were dropped", h.MQTT.Backlog, h.MQTT.Dropped)
	}
	const want = "2 events were dropped, the oldest first, as too many waited for the broker or for too long; they are in the history. Check mqtt.broker, and mqtt.queue"
	if !slices.ContainsFunc(h.Checks, func(c api.Condition) bool { return c.Code == "events_dropped" && c.Hint == want }) {
		t.Errorf("checks %+v", h.Checks)
	}
	var page metrics.Page
	r.measure(&page)
	if !bytes.Contains(page.Bytes(), []byte("\nfacerecd_outbox_dropped_total 2\n")) {
		t.Errorf("%s", page.Bytes())
	}
}
