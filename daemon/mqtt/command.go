package mqtt

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"facerecd/daemon/event"
)

// The commands, by the last level of their topics.
const (
	Enroll      = "enroll"
	Snapshot    = "snapshot"
	Reload      = "reload"
	Recognition = "recognition"
)

// Command is what came on Topics.Command. Only the keys of the command that
// Name is may be there.
type Command struct {
	Name   string
	ID     string // "": nobody wants a reply
	Camera string // name as configured, or slug
	Person string // enroll: the name
	On     bool   // recognition
	Boxes  bool   // snapshot
	Names  bool   // snapshot
}

// Refusal is why a command was not done.
type Refusal struct {
	Code   string // for programs
	Detail string // why, and what to do, for people
}

func (r *Refusal) Error() string { return r.Detail }

// maxCommand is how long a command may be: what is in it is short.
const maxCommand = 16 << 10

// ParseCommand reads a command. The error is a *Refusal; the Command has its ID
// then, if that could be found.
func ParseCommand(name string, payload []byte) (Command, error) {
	c := Command{Name: name}
	bad := func(format string, args ...any) (Command, error) {
		return c, &Refusal{"bad_request", fmt.Sprintf(format, args...)}
	}
	if len(payload) > maxCommand {
		return bad("the command is longer than %d bytes", maxCommand)
	}
	var given map[string]json.RawMessage
	if err := json.Unmarshal(payload, &given); err != nil || given == nil {
		return bad("the command is no JSON object")
	}
	keys := map[string]any{"id": &c.ID}
	switch name {
	case Enroll:
		keys["camera"], keys["name"] = &c.Camera, &c.Person
	case Snapshot:
		keys["camera"], keys["boxes"], keys["names"] = &c.Camera, &c.Boxes, &c.Names
	case Recognition:
		keys["camera"], keys["on"] = &c.Camera, &c.On
	}
	// The id goes first: a refusal needs it.
	if raw, ok := given["id"]; ok && (json.Unmarshal(raw, &c.ID) != nil || !validID(c.ID)) {
		c.ID = ""
		return bad("id: use letters, digits, _ and -, at most 64")
	}
	if !slices.Contains([]string{Enroll, Snapshot, Reload, Recognition}, name) {
		return c, &Refusal{"unknown_command", fmt.Sprintf("there is no command %.64q: use enroll, snapshot, reload or recognition", name)}
	}
	for _, key := range slices.Sorted(maps.Keys(given)) {
		target, known := keys[key]
		if !known {
			return bad("%.64q is no key of %s: use %s", key, name, strings.Join(slices.Sorted(maps.Keys(keys)), ", "))
		}
		if err := json.Unmarshal(given[key], target); err != nil || string(given[key]) == "null" {
			return bad("%s: %.64s is of the wrong kind", key, given[key])
		}
	}
	_, told := given["on"]
	switch {
	case name != Reload && c.Camera == "":
		return bad("camera is missing: name one, as configured or as in the topics")
	case name == Enroll && c.Person == "":
		return bad("name is missing: say who is to be enrolled")
	case name == Recognition && !told:
		return bad("on is missing: true or false")
	case name == Snapshot && c.ID == "":
		return bad("id is missing: the picture comes with the reply")
	}
	return c, nil
}

func validID(id string) bool {
	if id == "" || len(id) > 64 {
		return false
	}
	for _, c := range []byte(id) {
		if (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') && c != '_' && c != '-' {
			return false
		}
	}
	return true
}

// Reply is the payload of Topics.Reply. What the command does not give is left
// empty; with a Refusal, all of it is.
type Reply struct {
	Time    time.Time
	Command Command
	Refusal *Refusal // nil: it was done

	Person   *event.Person // enroll
	Accepted int           // enroll: pictures
	Camera   string        // snapshot, recognition: the name as configured
	On       *bool         // recognition
	JPEG     []byte        // snapshot
}

// MarshalJSON writes it as the contract has it.
func (r Reply) MarshalJSON() ([]byte, error) {
	out := struct {
		V           int           `json:"v"`
		ID          string        `json:"id"`
		Time        string        `json:"time"`
		Command     string        `json:"command"`
		OK          bool          `json:"ok"`
		Code        string        `json:"code,omitempty"`
		Detail      string        `json:"detail,omitempty"`
		Person      *event.Person `json:"person,omitempty"`
		Accepted    int           `json:"accepted,omitempty"`
		Camera      string        `json:"camera,omitempty"`
		On          *bool         `json:"on,omitempty"`
		ContentType string        `json:"content_type,omitempty"`
		Image       []byte        `json:"image,omitempty"`
	}{V: event.Version, ID: r.Command.ID, Time: event.FormatTime(r.Time), Command: r.Command.Name}
	if r.Refusal != nil {
		out.Code, out.Detail = r.Refusal.Code, r.Refusal.Detail
		return json.Marshal(out)
	}
	out.OK, out.Person, out.Accepted, out.Camera, out.On = true, r.Person, r.Accepted, r.Camera, r.On
	if r.JPEG != nil {
		out.ContentType, out.Image = "image/jpeg", r.JPEG
	}
	return json.Marshal(out)
}
