package mqtt

import (
	"errors"
	"strings"
	"testing"
	"time"

	"facerecd/daemon/event"
	"facerecd/daemon/mqtt/schema"
)

func TestACommandIsReadOrRefusedForAReason(t *testing.T) {
	tests := []struct {
		name, payload string
		want          Command
		code, detail  string
	}{
		{Enroll, `{"id":"7","camera":"door","name":"Ana"}`, Command{Name: Enroll, ID: "7", Camera: "door", Person: "Ana"}, "", ""},
		{Snapshot, `{"id":"8","camera":"door","boxes":true}`, Command{Name: Snapshot, ID: "8", Camera: "door", Boxes: true}, "", ""},
		{Reload, `{}`, Command{Name: Reload}, "", ""},
		{Recognition, `{"camera":"Door","on":false}`, Command{Name: Recognition, Camera: "Door"}, "", ""},

		{"open_door", `{"id":"9"}`, Command{ID: "9"}, "unknown_command", `there is no command "open_door": use enroll, snapshot, reload or recognition`},
		{Reload, `now`, Command{}, "bad_request", "the command is no JSON object"},
		{Reload, `null`, Command{}, "bad_request", "the command is no JSON object"},
		{Reload, ``, Command{}, "bad_request", "the command is no JSON object"},
		{Reload, `{} {}`, Command{}, "bad_request", "the command is no JSON object"},
		{Reload, `{"id":"a/b"}`, Command{}, "bad_request", "id: use letters, digits, _ and -, at most 64"},
		{Reload, `{"id":""}`, Command{}, "bad_request", "id: use letters, digits, _ and -, at most 64"},
		{Reload, `{"id":9}`, Command{}, "bad_request", "id: use letters, digits, _ and -, at most 64"},
		{Reload, `{"id":"` + strings.Repeat("1", 65) + `"}`, Command{}, "bad_request", "id: use letters, digits, _ and -, at most 64"},
		{Reload, `{"id":"` + strings.Repeat(" ", maxCommand) + `"}`, Command{}, "bad_request", "the command is longer than 16384 bytes"},
		{Enroll, `{"id":"1","camera":"door","nmae":"Ana"}`, Command{ID: "1"}, "bad_request", `"nmae" is no key of enroll: use camera, id, name`},
		{Enroll, `{"id":"1","Camera":"door","name":"Ana"}`, Command{ID: "1"}, "bad_request", `"Camera" is no key of enroll: use camera, id, name`},
		{Enroll, `{"id":"1","camera":"door"}`, Command{ID: "1"}, "bad_request", "name is missing: say who is to be enrolled"},
		{Enroll, `{"id":"1","name":"Ana"}`, Command{ID: "1"}, "bad_request", "camera is missing: name one, as configured or as in the topics"},
		{Enroll, `{"id":"1","camera":["door"],"name":"Ana"}`, Command{ID: "1"}, "bad_request", `camera: ["door"] is of the wrong kind`},
		{Enroll, `{"id":"1","camera":null,"name":"Ana"}`, Command{ID: "1"}, "bad_request", `camera: null is of the wrong kind`},
		{Recognition, `{"camera":"door"}`, Command{}, "bad_request", "on is missing: true or false"},
		{Recognition, `{"camera":"door","on":"yes"}`, Command{}, "bad_request", `on: "yes" is of the wrong kind`},
		{Snapshot, `{"camera":"door"}`, Command{}, "bad_request", "id is missing: the picture comes with the reply"},
	}
	for _, tt := range tests {
		got, err := ParseCommand(tt.name, []byte(tt.payload))
		if tt.code == "" {
			if err != nil || got != tt.want {
				t.Errorf("%s %s: %+v, %v", tt.name, tt.payload, got, err)
			}
			if err := schema.Check(schema.Kind("command-"+tt.name), []byte(tt.payload)); err != nil {
				t.Error(err)
			}
			continue
		}
		r, ok := errors.AsType[*Refusal](err)
		if !ok || r.Code != tt.code || r.Detail != tt.detail || got.ID != tt.want.ID {
			t.Errorf("%s %.80s: id %q, %v", tt.name, tt.payload, got.ID, err)
		}
		if tt.name != "open_door" && schema.Check(schema.Kind("command-"+tt.name), []byte(tt.payload)) == nil && len(tt.payload) < maxCommand {
			t.Errorf("%s %s is as the contract has it", tt.name, tt.payload)
		}
	}
}

func FuzzParseCommand(f *testing.F) {
	for _, name := range []string{Enroll, Snapshot, Reload, Recognition, "other"} {
		f.Add(name, []byte(`{"id":"7","camera":"door","name":"Ana","on":true,"boxes":true}`))
	}
	f.Add(Recognition, []byte(`{"camera":"door","on":false}`))
	f.Fuzz(func(t *testing.T, name string, payload []byte) {
		c, err := ParseCommand(name, payload)
		if c.ID != "" && !validID(c.ID) {
			t.Errorf("id %q", c.ID)
		}
		if err == nil && schema.Check(schema.Kind("command-"+name), payload) != nil && len(c.Person) <= 200 {
			t.Errorf("%s %q is taken, and not as the contract has it", name, payload)
		}
	})
}

func TestPayloadsAreAsTheContractHasThem(t *testing.T) {
	now := time.Now()
	ana := event.Person{ID: "01K9QJ5V0ZP3C7R8TBN4XW2YHA", Name: "Ana"}
	check := func(kind schema.Kind, payload []byte, err error) {
		t.Helper()
		if err == nil {
			err = schema.Check(kind, payload)
		}
		if err != nil {
			t.Errorf("%s: %v", payload, err)
		}
	}
	for _, p := range []PersonState{
		{Time: now, Person: ana},
		{Time: now, Person: ana, Camera: "Door", LastSeen: now},
		{Time: now, Person: ana, Cameras: []string{"Door"}, Camera: "Door", LastSeen: now, Event: "01M86PG9B2W10MW95HNXHB363C", Confidence: 0.99},
	} {
		payload, err := p.MarshalJSON()
		check(schema.Person, payload, err)
	}
	for _, h := range []Health{
		{Time: now, Version: "1"},
		{
			Time: now, Version: "1", Uptime: time.Minute, Celsius: new(71.5), Throttled: new(false), Backlog: 1, Dropped: 2,
			Process: Process{1, 2, 3}, Cameras: []CameraHealth{{Name: "Door", Slug: "door", State: "off"}},
			Checks: []Trouble{{"camera_unplugged", "warning", now, "plug it in"}},
		},
	} {
		payload, err := h.MarshalJSON()
		check(schema.Health, payload, err)
	}
	for _, r := range []Reply{
		{Command: Command{Name: Enroll, ID: "1"}, Person: &ana, Accepted: 1},
		{Command: Command{Name: Snapshot, ID: "1"}, Camera: "Door", JPEG: []byte("jpeg")},
		{Command: Command{Name: Recognition, ID: "1"}, Camera: "Door", On: new(false)},
		{Command: Command{Name: Reload, ID: "1"}},
		{Command: Command{Name: Enroll, ID: "1"}, Person: &ana, Accepted: 1, Refusal: &Refusal{"no_face", "look at the camera"}},
	} {
		r.Time = now
		payload, err := r.MarshalJSON()
		check(schema.Reply, payload, err)
	}
}
