package daemon

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/draw"
	"image/jpeg"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"facerecd/capture"
	"facerecd/daemon/api"
	"facerecd/daemon/config"
)

// reply is what came on .../reply/<id>.
type reply struct {
	ID, Command string
	OK          bool
	Code        string
	Detail      string
	Person      *struct{ ID, Name string }
	Accepted    int
	Camera      string
	On          *bool
	Image       []byte
}

// ask sends a command with an id of its own, and returns the answer.
func (e *ear) ask(t *testing.T, command, keys string) (r reply) {
	t.Helper()
	id := fmt.Sprintf("%s-%d", command, time.Now().UnixNano())
	payload := `{"id":"` + id + `"}`
	if keys != "" {
		payload = `{"id":"` + id + `",` + keys + `}`
	}
	e.say(t, "facerecd/pi/command/"+command, false, payload)
	topic := "facerecd/pi/reply/" + id
	eventually(t, command+" is answered", func() bool { return e.last(topic) != "" })
	if err := json.Unmarshal([]byte(e.last(topic)), &r); err != nil {
		t.Fatal(err)
	}
	if r.ID != id {
		t.Errorf("reply %+v", r)
	}
	return r
}

func (e *ear) refuses(t *testing.T, command, keys, code, detail string) {
	t.Helper()
	if r := e.ask(t, command, keys); r.OK || r.Code != code || !strings.Contains(r.Detail, detail) {
		t.Errorf("%s {%s}: %+v\nwant %s: %s", command, keys, r, code, detail)
	}
}

func TestCommandsAreDoneOrRefusedForAReason(t *testing.T) {
	dir := t.TempDir() // of which the camera shows what is there
	plug := filepath.Join(dir, "camera")
	put := func(name string) {
		t.Helper()
		if err := os.Remove(plug); err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
		if err := os.Symlink(photo(t, name), plug); err != nil {
			t.Fatal(err)
		}
	}
	put("obama")
	c := settings(t, plug)
	c.Cameras[0].Name = "Front Door"
	c.MQTT.Commands = true
	f := &file{now: c}
	r := start(t, c, func(d *Daemon) { d.Load = f.load })
	e := listen(t, r.broker)
	r.streams(t, "Front Door")
	// The commander subscribes when it is connected.
	eventually(t, "commands are taken", func() bool {
		e.say(t, "facerecd/pi/command/reload", false, `{"id":"warm"}`)
		time.Sleep(100 * time.Millisecond)
		return e.last("facerecd/pi/reply/warm") != ""
	})

	if s := e.ask(t, "snapshot", `"camera":"front-door","boxes":true`); !s.OK || s.Camera != "Front Door" {
		t.Errorf("snapshot: %+v", s)
	} else if img, err := jpeg.Decode(bytes.NewReader(s.Image)); err != nil || img.Bounds().Dx() != 640 {
		t.Errorf("snapshot: %v", err)
	}
	s := e.ask(t, "enroll", `"camera":"Front Door","name":" Ana "`)
	if !s.OK || s.Person == nil || s.Person.Name != "Ana" || s.Accepted != 1 {
		t.Fatalf("enroll: %+v", s)
	}
	eventually(t, "who was enrolled is recognised", func() bool { return e.state(t, anaTopic).Present })
	e.refuses(t, "enroll", `"camera":"front-door","name":"Ana"`, "duplicate", "another time")
	e.refuses(t, "enroll", `"camera":"front-door","name":"a\u0007b"`, "bad_request", "control characters")
	e.refuses(t, "enroll", `"camera":"yard","name":"Ana"`, "unknown_camera", `there is no camera "yard": these there are: front-door`)
	e.refuses(t, "enroll", `"camera":"front-door"`, "bad_request", "name is missing")
	e.refuses(t, "snapshot", `"camera":"front-door","box":true`, "bad_request", `"box" is no key of snapshot: use boxes, camera, id, names`)
	e.refuses(t, "dance", "", "unknown_command", "there is no command")

	if r := e.ask(t, "reload", ""); !r.OK {
		t.Errorf("reload: %+v", r)
	}
	f.spoil(errors.New("cameras[0].fps: 1000: set 1 to 120 frames a second"))
	e.refuses(t, "reload", "", "bad_config", "set 1 to 120")
	f.spoil(nil)

	off := e.ask(t, "recognition", `"camera":"Front Door","on":false`)
	if !off.OK || off.On == nil || *off.On || off.Camera != "Front Door" {
		t.Errorf("off: %+v", off)
	}
	e.refuses(t, "snapshot", `"camera":"front-door"`, "off", "switch it on first")
	e.refuses(t, "enroll", `"camera":"front-door","name":"Ana"`, "off", "switch it on first")
	e.ask(t, "recognition", `"camera":"Front Door","on":true`)

	// No face, several, and none that can be taken.
	blank := folder(t)
	if err := os.WriteFile(filepath.Join(blank, "gray.jpg"), grayJPEG(t), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		source, code, detail string
	}{
		{blank, "no_face", "nobody is in view of Front Door"},
		{twoPeople(t), "several_faces", "2 faces are in view of Front Door"},
		{"/dev/facerecd-no-such-camera", "no_picture", "facerecd doctor"},
	} {
		f.write(func(c *config.Config) { c.Cameras[0].Source = step.source })
		r.reload(t)
		if step.code == "no_picture" {
			eventually(t, "the camera fails", func() bool { return r.unit("Front Door").camera.Status().State == capture.Failed })
		} else {
			r.streams(t, "Front Door")
		}
		e.refuses(t, "enroll", `"camera":"front-door","name":"Cem"`, step.code, step.detail)
	}

	r.stop(t)
	if strings.Contains(r.log.String(), "Ana") {
		t.Error("the log has a name")
	}
}

func TestARetainedCommandIsIgnored(t *testing.T) {
	m := newMosquitto(t)
	m.start(t)
	e := listen(t, m.addr)
	e.say(t, "facerecd/pi/command/recognition", true, `{"id":"kept","camera":"door","on":false}`)
	c := settings(t, photo(t, "obama"))
	c.MQTT.Broker = "tcp://" + m.addr
	r := start(t, c)
	eventually(t, "it is ignored, and the log says so", func() bool { return strings.Contains(r.log.String(), "a retained command is ignored") })
	if s := e.ask(t, "recognition", `"camera":"door","on":true`); !s.OK {
		t.Errorf("%+v", s)
	}
	if e.last("facerecd/pi/reply/kept") != "" || e.last("facerecd/pi/door/recognition") != "on" {
		t.Error("it was done")
	}
}

func TestEnrolmentAndPicturesNeedTheOwnersLeave(t *testing.T) {
	_, c, e := besideMosquitto(t)
	r := start(t, c)
	eventually(t, "it is connected", func() bool { return e.last(configTopic) != "" })
	r.streams(t, "door")
	time.Sleep(100 * time.Millisecond)
	e.refuses(t, "enroll", `"camera":"door","name":"Ana"`, "not_allowed", "set mqtt.commands")
	e.refuses(t, "snapshot", `"camera":"door"`, "not_allowed", "set mqtt.commands")
	if people, err := r.People(t.Context()); err != nil || len(people) > 0 {
		t.Errorf("people %v, %v", people, err)
	}
}

func TestACameraThatIsSwitchedOffIsClosedAndStaysOff(t *testing.T) {
	m, c, e := besideMosquitto(t)
	r := start(t, c)
	eventually(t, "somebody is in view", func() bool { return strings.Contains(e.last("facerecd/pi/door/present"), `"unknown":1`) })
	u := r.unit("door")
	e.say(t, "facerecd/pi/command/recognition", false, `{"camera":"door","on":false}`)
	off := func(e *ear) func() bool {
		return func() bool {
			return e.last("facerecd/pi/door/recognition") == "off" && strings.Contains(e.last("facerecd/pi/door/status"), `"state":"off"`) &&
				strings.Contains(e.last("facerecd/pi/door/present"), `"people":[],"unknown":0`) &&
				strings.Contains(e.last("facerecd/pi/health"), `"state":"off"`)
		}
	}
	eventually(t, "it is off", off(e))
	if u.in.ctx.Err() == nil || u.work.ctx.Err() == nil {
		t.Error("the camera still runs")
	}
	frames := u.camera.Status().Frames
	time.Sleep(300 * time.Millisecond)
	if u.camera.Status().Frames != frames {
		t.Error("the device is still read")
	}
	r.healthy(t)
	eventually(t, "who was in view has left", func() bool { return strings.Contains(e.last("facerecd/pi/door/event"), `"left"`) })
	if _, err := r.Snapshot(t.Context(), "door", api.Overlay{}); err == nil || !strings.Contains(err.Error(), "switched off") {
		t.Errorf("snapshot: %v", err)
	}

	r.stop(t)
	c.Cameras[0].Mirror = true // another unit, the same switch
	r = start(t, c)
	e = listen(t, m.addr)
	eventually(t, "it is off after a restart", off(e))
	if s := r.unit("door").camera.Status(); s.Frames > 0 || s.State != "" {
		t.Errorf("the camera was opened: %+v", s)
	}
	if s := e.ask(t, "recognition", `"camera":"door","on":true`); !s.OK || s.On == nil || !*s.On {
		t.Errorf("on: %+v", s)
	}
	r.streams(t, "door")
	eventually(t, "it is on", func() bool {
		return e.last("facerecd/pi/door/recognition") == "on" && strings.Contains(e.last("facerecd/pi/door/status"), `"state":"streaming"`)
	})
	eventually(t, "somebody is in view again", func() bool { return strings.Contains(e.last("facerecd/pi/door/present"), `"unknown":1`) })
}

func grayJPEG(t *testing.T) []byte {
	t.Helper()
	return encode(t, image.NewGray(image.Rect(0, 0, 640, 480)))
}

// twoPeople is a photo of two people.
func twoPeople(t *testing.T) string {
	t.Helper()
	a, b := imageOf(shot(t, "obama")), imageOf(shot(t, "biden"))
	both := image.NewRGBA(image.Rect(0, 0, 1280, 480))
	draw.Draw(both, image.Rect(0, 0, 640, 480), a, image.Point{}, draw.Src)
	draw.Draw(both, image.Rect(640, 0, 1280, 480), b, image.Point{}, draw.Src)
	path := filepath.Join(t.TempDir(), "pair.jpg")
	if err := os.WriteFile(path, encode(t, both), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
