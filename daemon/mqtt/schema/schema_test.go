package schema_test

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"facerecd/cross/testkit"
	"facerecd/daemon/event"
	"facerecd/daemon/mqtt"
	"facerecd/daemon/mqtt/schema"
)

func encode(t *testing.T, v any) []byte {
	t.Helper()
	payload, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return payload
}

// TestWhatIsPublishedIsAsTheContractHasIt checks the payloads that the daemon's
// own types make.
func TestWhatIsPublishedIsAsTheContractHasIt(t *testing.T) {
	var ids event.IDs
	now := time.Now()
	recognized := event.Event{
		V: event.Version, ID: ids.Next(), Type: event.Recognized, Time: now, Device: "pi", Camera: "Door", Track: ids.Next(),
		Person: &event.Person{ID: ids.Next(), Name: "Ana"}, Score: 0.71, Confidence: 0.99,
		Box: [4]int{-3, 40, 90, 90}, Frame: [2]int{640, 480}, Quality: 0.8, SeenForMS: 312, Seq: 1, Boot: "k2v7q4mzd3xoa",
	}
	stored := encode(t, recognized)
	redacted, err := event.Redact(stored)
	if err != nil {
		t.Fatal(err)
	}
	unknown := recognized
	unknown.Type, unknown.Person, unknown.Score, unknown.Confidence = event.Unknown, nil, -0.1, 0
	left := recognized
	left.Type, left.Quality, left.Time = event.Left, float32(math.NaN()), time.Unix(0, 0)
	tests := []struct {
		name    string
		kind    schema.Kind
		payload []byte
	}{
		{"recognized", schema.Event, stored},
		{"of somebody deleted", schema.Event, redacted},
		{"unknown", schema.Event, encode(t, unknown)},
		{"left, with a number that is none", schema.Event, encode(t, left)},
		{"nobody", schema.Present, encode(t, mqtt.Present{Time: now, Camera: "Door"})},
		{"two and a stranger", schema.Present, encode(t, mqtt.Present{Time: now, Camera: "Door", Unknown: 1, People: []mqtt.Visible{
			{ID: ids.Next(), Name: "Ana", Track: ids.Next(), Since: now}, {ID: ids.Next(), Name: "", Track: ids.Next(), Since: now.Local()},
		}})},
		{"streaming", schema.Status, encode(t, mqtt.CameraStatus{Time: now, Camera: "Door", State: "streaming", Since: now})},
		{"failed", schema.Status, encode(t, mqtt.CameraStatus{Time: now, Camera: "Door", State: "failed", Code: "not_found", Hint: "plug it in", Since: now})},
	}
	for _, tt := range tests {
		if err := schema.Check(tt.kind, tt.payload); err != nil {
			t.Errorf("%s: %v\n%s", tt.name, err, tt.payload)
		}
	}
}

func TestWhatIsWrongIsFound(t *testing.T) {
	tests := []struct {
		kind    schema.Kind
		payload string
		want    string
	}{
		{"nonsense", `{}`, `open schema "nonsense": open nonsense.json: file does not exist`},
		{schema.Reload, ``, "read command-reload payload: EOF"},
		{schema.Reload, `online`, "invalid character"},
		{schema.Reload, `[]`, "got array, want object"},
		{schema.Reload, `{"id":"a/b"}`, "at '/id': 'a/b' does not match pattern"},
		{schema.Reload, `{"force":true}`, "additional properties 'force' not allowed"},
		{schema.Snapshot, `{"camera":"door"}`, "missing property 'id'"},
		{schema.Enroll, `{"camera":"door","name":""}`, "at '/name': minLength: got 0, want 1"},
		{schema.Recognition, `{"camera":"door","on":"yes"}`, "at '/on': got string, want boolean"},
		{schema.Present, `{"v":2,"time":"2026-11-24T11:54:18.842Z","camera":"d","people":[],"unknown":0}`, "at '/v': value must be 1"},
		{schema.Present, `{"v":1,"time":"2026-11-24T11:54:18Z","camera":"d","people":[],"unknown":0}`, "at '/time': '2026-11-24T11:54:18Z' does not match pattern"},
		{schema.Present, `{"v":1,"time":"2026-13-24T11:54:18.842Z","camera":"d","people":[],"unknown":0}`, "is not valid date-time"},
		{schema.Present, `{"v":1,"time":"2026-11-24T11:54:18.842Z","camera":"d","people":null,"unknown":0}`, "at '/people': got null, want array"},
		{schema.Status, `{"v":1,"time":"2026-11-24T11:54:18.842Z","camera":"d","state":"failed","code":"","hint":"","since":"2026-11-24T11:54:18.842Z"}`, "minLength"},
		{schema.Status, `{"v":1,"time":"2026-11-24T11:54:18.842Z","camera":"d","state":"streaming","code":"busy","hint":"","since":"2026-11-24T11:54:18.842Z"}`, "at '/code'"},
		{schema.Reply, `{"v":1,"id":"1","time":"2026-11-24T11:54:18.842Z","command":"reload","ok":false}`, "missing properties 'code', 'detail'"},
		{schema.Reply, `{"v":1,"id":"1","time":"2026-11-24T11:54:18.842Z","command":"reload","ok":true,"code":"busy","detail":"x"}`, "at '/code'"},
		{schema.Reply, `{"v":1,"id":"1","time":"2026-11-24T11:54:18.842Z","command":"enroll","ok":true}`, "missing properties 'person', 'accepted'"},
	}
	for _, tt := range tests {
		err := schema.Check(tt.kind, []byte(tt.payload))
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s %s:\ngot  %v\nwant %s", tt.kind, tt.payload, err, tt.want)
		}
	}
}

// examples are the fenced JSON blocks of docs/mqtt.md, which name their kind.
func examples(t *testing.T) (all []example) {
	t.Helper()
	page, err := os.ReadFile(filepath.Join(testkit.Root(t), "docs", "mqtt.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, match := range regexp.MustCompile("(?ms)^```json *([^\n]*)\n(.*?)^```$").FindAllSubmatch(page, -1) {
		all = append(all, example{schema.Kind(match[1]), match[2]})
	}
	return all
}

type example struct {
	kind    schema.Kind
	payload []byte
}

func TestTheExamplesOfThePageAreAsTheContractHasIt(t *testing.T) {
	shown := make(map[schema.Kind]int)
	for _, e := range examples(t) {
		shown[e.kind]++
		if err := schema.Check(e.kind, e.payload); err != nil {
			t.Errorf("%v\n%s", err, e.payload)
		}
	}
	for _, kind := range schema.Kinds() {
		if shown[kind] == 0 {
			t.Errorf("docs/mqtt.md has no example of %s", kind)
		}
	}
}

// TestEveryKeyOfAnExampleIsChecked changes the examples key by key: no key can
// have another type, and none can be misspelt.
func TestEveryKeyOfAnExampleIsChecked(t *testing.T) {
	for _, e := range examples(t) {
		var keys map[string]json.RawMessage
		if err := json.Unmarshal(e.payload, &keys); err != nil {
			t.Fatal(err)
		}
		for key, value := range keys {
			keys[key] = json.RawMessage(`{"wrong":true}`)
			if schema.Check(e.kind, encode(t, keys)) == nil {
				t.Errorf("%s: any %s will do", e.kind, key)
			}
			delete(keys, key)
			keys[key+"s"] = value
			if schema.Check(e.kind, encode(t, keys)) == nil {
				t.Errorf("%s: %ss will do for %s", e.kind, key, key)
			}
			delete(keys, key+"s")
			keys[key] = value
		}
	}
}
