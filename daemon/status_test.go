package daemon

import (
	"context"
	"encoding/json"
	"log/slog"
	"testing"
	"time"

	"facerecd/capture"
	"facerecd/capture/capturetest"
	"facerecd/cross/testkit"
	"facerecd/daemon/config"
	"facerecd/daemon/event"
	"facerecd/daemon/mqtt"
	"facerecd/match/store"
)

// cameraStatus is what the contract has on .../status, as a subscriber reads it.
type cameraStatus struct {
	V      int       `json:"v"`
	Time   time.Time `json:"time"`
	Camera string    `json:"camera"`
	State  string    `json:"state"`
	Code   string    `json:"code"`
	Hint   string    `json:"hint"`
	Since  time.Time `json:"since"`
}

// status returns the camera's next status with this state and code.
func (w *watcher) status(t *testing.T, camera, state, code string) cameraStatus {
	t.Helper()
	for {
		topic, payload := w.next(t)
		if topic != camera+"/status" {
			continue
		}
		var s cameraStatus
		if err := json.Unmarshal([]byte(payload), &s); err != nil || s.V != 1 || s.Camera != camera || s.Time.Before(s.Since) || s.Since.IsZero() {
			t.Fatalf("status %s: %v", payload, err)
		}
		if s.State == state && s.Code == code {
			return s
		}
	}
}

// The camera follows a script; the rest is real.
func TestUnpluggedCameraIsToldWithAHintAndSoIsItsReturn(t *testing.T) {
	broker := newMosquitto(t)
	broker.start(t)
	w := watch(t, broker.addr, "")
	outbox, err := store.Open(t.TempDir(), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer outbox.Close()
	log := slog.New(slog.NewTextHandler(new(testkit.Buffer), nil))
	publisher := &mqtt.Publisher{
		Broker: "tcp://" + broker.addr, ClientID: "facerecd-pi", Topics: mqtt.Topics{Base: "facerecd", Device: "pi"}, Outbox: outbox, Log: log,
	}
	fake := &capturetest.Fake{Runs: []capturetest.Run{
		{Steps: append(capturetest.Frames(3, time.Millisecond), capturetest.Fail(capture.ErrUnplugged)...)},
		{Steps: capturetest.Frames(3, time.Millisecond)}, // and then it waits
	}}
	back := make(chan struct{})
	opened := 0
	camera := &capture.Camera{
		Name: "door", Box: capture.NewMailbox(), Log: log,
		Open: func(ctx context.Context) (capture.Source, error) {
			if opened++; opened > 1 { // until it is plugged in again
				select {
				case <-back:
				default:
					return nil, capture.ErrUnplugged
				}
			}
			return fake.Open(ctx)
		},
		OnStatus: tellStatus("door", func(payload []byte) { publisher.SetStatus("door", payload) }, log),
	}
	ctx, cancel := context.WithCancel(t.Context())
	work := newLayer(ctx, func(error) {})
	work.run(publisher.Run)
	work.run(camera.Run)
	defer work.stop()
	defer cancel()

	gone := w.status(t, "door", "failed", "unplugged")
	if want := capture.Hint(capture.ErrUnplugged); gone.Hint != want {
		t.Errorf("hint %q, want %q", gone.Hint, want)
	}
	late := watch(t, broker.addr, "")
	if s := late.status(t, "door", "failed", "unplugged"); s != gone {
		t.Errorf("retained is %+v, want %+v", s, gone)
	}
	close(back)
	if s := w.status(t, "door", "streaming", ""); s.Hint != "" || !s.Since.After(gone.Since) {
		t.Errorf("back, it says %+v", s)
	}
}

func TestACameraThatFailsForEverLeavesTheOthersAlone(t *testing.T) {
	c := settings(t, folder(t, "obama", "biden"))
	missing := config.DefaultCamera()
	missing.Name, missing.Source = "yard", "/dev/facerecd-no-such-camera"
	c.Cameras = append([]config.Camera{missing}, c.Cameras...)
	r := start(t, c)
	w := watch(t, r.broker, "")
	w.status(t, "yard", "failed", "not_found")
	w.status(t, "door", "streaming", "")
	for range 4 { // of both people in turn
		w.event(t, func(e event.Event) bool { return e.Type == event.Unknown })
	}
	h, err := r.Client.Health(t.Context())
	if err != nil || len(h.Cameras) != 2 {
		t.Fatalf("healthz = %+v, %v", h, err)
	}
	yard, door := h.Cameras[0], h.Cameras[1]
	if yard.Name != "yard" || yard.State != "failed" || yard.Code != "not_found" || yard.Hint == "" || yard.Since.IsZero() || yard.Frames != 0 || yard.FPS != 0 || yard.Reopened == 0 {
		t.Errorf("yard: %+v", yard)
	}
	if door.Name != "door" || door.State != "streaming" || door.Code != "" || door.Since.IsZero() || door.Frames == 0 || door.FPS <= 0 || door.FPS > 20 || door.Reopened != 0 {
		t.Errorf("door: %+v", door)
	}
	if h.Status != "degraded" || len(h.Checks) != 1 || h.Checks[0].Code != "camera_not_found" {
		t.Errorf("status %s, checks %+v", h.Status, h.Checks)
	}
	if p := h.Process; p.Goroutines < 5 || p.Descriptors < 5 || p.RSS < 1<<20 {
		t.Errorf("process: %+v", p)
	}
}
