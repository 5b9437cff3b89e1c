package homeassistant

import (
	"bytes"
	"encoding/json"
	"flag"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"facerecd/daemon/config"
	"facerecd/daemon/mqtt"
)

var update = flag.Bool("update", false, "write the golden files")

const (
	ana  = "01K9QJ5V0ZP3C7R8TBN4XW2YHA"
	bo   = "01K9QJ6D1E8FGH2JKM3NPQ4RST"
	ana2 = "01K9QJ7A2B3C4D5E6F7G8H9JKM"
	odd  = "01K9QJ8C3D4E5F6G7H8J9KMNPQ"
)

func door() Device {
	return Device{
		Topics: mqtt.Topics{Base: "facerecd", Device: "pi-door"},
		Name:   "Front door", Model: "Raspberry Pi 5 Model B", Version: "1.0", URL: "http://pi-door:4000/",
		Cameras: []Camera{{Name: "Door", Slug: "door"}},
		People:  Slugs([]Person{{ID: ana, Name: "Ana"}, {ID: bo, Name: "Bo"}}),
	}
}

// devices are those of the golden files.
func devices() map[string]Device {
	everything := door()
	everything.Topics = mqtt.Topics{Base: "house/faces", Device: "pi"}
	everything.Images = true
	everything.Cameras = append(everything.Cameras, Camera{Name: `Garage "left" + #1/2`, Slug: config.Slug(`Garage "left" + #1/2`)}, Camera{Name: "person", Slug: "person"})
	everything.People = Slugs([]Person{
		{ID: ana, Name: "Ana"},
		{ID: ana2, Name: "ANA"},
		{ID: bo, Name: `+/# "Bo" {{ 1/0 }} <b>`},
		{ID: odd, Name: "Мария"},
		{ID: "imported/42 é", Name: "Event"},
	})
	return map[string]Device{
		"door":       door(),
		"nobody":     {Topics: mqtt.Topics{Base: "facerecd", Device: "pi"}, Cameras: []Camera{{Slug: "door"}}},
		"everything": everything,
	}
}

func made(t *testing.T, d Device, previous []byte) []byte {
	t.Helper()
	payload, err := d.Config(previous)
	if err != nil {
		t.Fatal(err)
	}
	return payload
}

func golden(t *testing.T, name string, payload []byte) {
	t.Helper()
	var indented bytes.Buffer
	if err := json.Indent(&indented, payload, "", "  "); err != nil {
		t.Fatal(err)
	}
	indented.WriteByte('\n')
	file := filepath.Join("testdata", name+".json")
	if *update {
		if err := os.WriteFile(file, indented.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(want, indented.Bytes()) {
		t.Errorf("%s differs; go test ./daemon/homeassistant -update, look at the difference, and run make ha-check", file)
	}
}

func TestConfigIsTheGoldenFiles(t *testing.T) {
	for name, d := range devices() {
		golden(t, name, made(t, d, nil))
	}
}

// The second file is what follows the first: without Bo, and without pictures.
func TestWhatIsGoneIsRemovedOnceAndThenLeftOut(t *testing.T) {
	d := door()
	d.Images = true
	before := made(t, d, nil)
	d.Images, d.People = false, d.People[:1]
	removal := made(t, d, before)
	golden(t, "removal", removal)
	if bytes.Contains(removal, []byte("Bo")) {
		t.Error("the removal names who was deleted")
	}
	var m discovery
	if err := json.Unmarshal(removal, &m); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"person_" + bo + "_present": "binary_sensor", "person_" + bo + "_last_seen": "sensor", "camera_door_last_face": "image",
	} {
		if got, _ := json.Marshal(m.Components[name]); string(got) != `{"p":"`+want+`"}` {
			t.Errorf("%s is %s, want only its platform", name, got)
		}
	}
	if after := made(t, d, removal); !bytes.Equal(after, made(t, d, nil)) {
		t.Error("after the removal there is still a trace of it")
	}
}

func TestAPreviousPayloadThatMakesNoSenseCountsAsNone(t *testing.T) {
	want := made(t, door(), nil)
	for _, previous := range []string{
		"", "no JSON", "[]", "null", `{"cmps":[]}`, `{"cmps":{"x":"y"}}`,
		`{"cmps":{"x":{"p":"light","uniq_id":"a"}}}`,    // not ours
		`{"cmps":{"a b":{"p":"sensor","uniq_id":"a"}}}`, // an id that Home Assistant would split
		`{"cmps":{"person_x_present":{"p":"sensor"}}}`,  // removed already
		string(want),               // nothing changed
		strings.Repeat("[", 20000), // deep
		`{"cmps":{"x":{"p":["sensor"],"uniq_id":"a"}}}`, // another type
	} {
		if got := made(t, door(), []byte(previous)); !bytes.Equal(got, want) {
			t.Errorf("after %.50q the payload differs", previous)
		}
	}
}

func entities(t *testing.T, payload []byte) map[string]component {
	t.Helper()
	var m discovery
	if err := json.Unmarshal(payload, &m); err != nil {
		t.Fatal(err)
	}
	return m.Components
}

func TestEntitiesStayTheSameWhenNamesChange(t *testing.T) {
	d := door()
	before := entities(t, made(t, d, nil))
	d.Name, d.Cameras[0].Name = "Back door", "Other"
	d.People = Slugs([]Person{{ID: bo, Name: "Robert"}, {ID: ana, Name: "Anna"}})
	after := entities(t, made(t, d, nil))
	if !slices.Equal(slices.Sorted(maps.Keys(before)), slices.Sorted(maps.Keys(after))) {
		t.Fatal("other components")
	}
	for name := range before {
		if before[name].UniqueID != after[name].UniqueID {
			t.Errorf("%s: unique id %s became %s", name, before[name].UniqueID, after[name].UniqueID)
		}
	}
	if got := after["person_"+bo+"_present"]; got.Name != "Robert" || got.StateTopic != "facerecd/pi-door/person/robert" {
		t.Errorf("Bo is still %q on %s", got.Name, got.StateTopic)
	}
}

func TestDaemonsOnOneBrokerShareNothing(t *testing.T) {
	seen := make(map[string]string)
	for _, topics := range []mqtt.Topics{
		{Base: "facerecd", Device: "pi"},
		{Base: "facerecd", Device: "pi2"},
		{Base: "house/facerecd", Device: "pi"},
		{Base: "house", Device: "pi"},
		{Base: "house/pi", Device: "pi"},
	} {
		d := door()
		d.Topics = topics
		names := []string{d.ConfigTopic()}
		for _, c := range entities(t, made(t, d, nil)) {
			names = append(names, c.UniqueID)
		}
		for _, name := range names {
			if other, taken := seen[name]; taken {
				t.Errorf("%v and %s share %s", topics, other, name)
			}
			seen[name] = topics.Base + "/" + topics.Device
		}
	}
}

func TestEachPersonHasATopicOfTheirOwn(t *testing.T) {
	tests := []struct {
		name   string
		people []Person
		want   []string // slugs, oldest first
	}{
		{"plain", []Person{{ID: "02", Name: "Bo"}, {ID: "01", Name: "Ana"}}, []string{"ana", "bo"}},
		{"the first keeps the slug", []Person{{ID: ana2, Name: "ana"}, {ID: ana, Name: "Ána"}}, []string{"ana", "ana-8h9jkm"}},
		{"ids that end alike", []Person{{ID: "1-00000000", Name: "a"}, {ID: "2-00000000", Name: "a"}, {ID: "3-00000000", Name: "a"}}, []string{"a", "a-000000", "a-0000000"}},
		{"no room for a camera's topics", []Person{{ID: ana, Name: "Event"}, {ID: bo, Name: "status"}}, []string{"event-xw2yha", "status-pq4rst"}},
		{"topics' own characters", []Person{{ID: "01", Name: "+/#"}}, []string{config.Slug("+/#")}},
	}
	for _, tt := range tests {
		var got []string
		for _, p := range Slugs(tt.people) {
			got = append(got, p.Slug)
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestAHouseholdIsTheLimit(t *testing.T) {
	d := door()
	d.People = nil
	for i := range MaxPeople + 1 {
		id := ana[:22] + string([]byte{'A' + byte(i/26/26%26), 'A' + byte(i/26%26), 'A' + byte(i%26), 'X'})
		d.People = append(d.People, Person{ID: id, Name: id, Slug: strings.ToLower(id)})
	}
	slices.Reverse(d.People) // the order in which they come does not matter
	payload := made(t, d, nil)
	first, last := d.People[MaxPeople].ID, d.People[0].ID
	if !bytes.Contains(payload, []byte(first)) || bytes.Contains(payload, []byte(last)) {
		t.Errorf("the first has entities: %t, the one too many: %t", bytes.Contains(payload, []byte(first)), bytes.Contains(payload, []byte(last)))
	}
	if len(payload) > 300<<10 {
		t.Errorf("%d people take %d bytes", MaxPeople, len(payload))
	}
}

func TestAWrongDeviceIsRefused(t *testing.T) {
	tests := []struct {
		change func(*Device)
		want   string
	}{
		{func(d *Device) { d.Topics.Base = "a/#" }, `base topic "a/#" cannot be part of an MQTT topic: use letters, digits and hyphens`},
		{func(d *Device) { d.Topics.Base = "" }, `base topic "" cannot be part of an MQTT topic: use letters, digits and hyphens`},
		{func(d *Device) { d.Prefix = "ha\n" }, `discovery prefix "ha\n" cannot be part of an MQTT topic: use letters, digits and hyphens`},
		{func(d *Device) { d.Topics.Device = "pi/door" }, `"pi/door" is no slug: config.Slug makes one`},
		{func(d *Device) { d.Cameras[0].Slug = "o'door" }, `"o'door" is no slug: config.Slug makes one`},
		{func(d *Device) { d.People[0].Slug = "" }, `"" is no slug: config.Slug makes one`},
	}
	for _, tt := range tests {
		d := door()
		tt.change(&d)
		if _, err := d.Config(nil); err == nil || err.Error() != tt.want {
			t.Errorf("got %v\nwant %s", err, tt.want)
		}
	}
}

func TestAnAddressThatHomeAssistantRefusesIsLeftOut(t *testing.T) {
	for _, address := range []string{"", "pi-door:4000", "ftp://pi-door/", "http://", "http://[::1", "/"} {
		d := door()
		d.URL = address
		if bytes.Contains(made(t, d, nil), []byte(`"cu"`)) {
			t.Errorf("%q is passed on", address)
		}
	}
}

func TestTopics(t *testing.T) {
	d := door()
	tests := []struct{ got, want string }{
		{d.ConfigTopic(), "homeassistant/device/facerecd_pi-door/config"},
		{d.BirthTopic(), "homeassistant/status"},
		{d.Topics.Person("ana"), "facerecd/pi-door/person/ana"},
		{d.Topics.Health(), "facerecd/pi-door/health"},
		{d.Topics.Recognition("door"), "facerecd/pi-door/door/recognition"},
		{d.Topics.Face("door"), "facerecd/pi-door/door/face"},
		{d.Topics.Command("enroll"), "facerecd/pi-door/command/enroll"},
		{d.Topics.Reply("42"), "facerecd/pi-door/reply/42"},
	}
	for _, tt := range tests {
		if tt.got != tt.want {
			t.Errorf("%s, want %s", tt.got, tt.want)
		}
	}
}

// What is retained on the broker may be anybody's: whatever it is, the device is
// described, and nothing is removed but what could be removed.
func FuzzPrevious(f *testing.F) {
	d := door()
	before, err := d.Config(nil)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(before)
	f.Add([]byte(`{"cmps":{"person_x_present":{"p":"binary_sensor","uniq_id":"a"},"y z":{"p":"light"}}}`))
	f.Add([]byte(`{"cmps":[1]}`))
	f.Fuzz(func(t *testing.T, previous []byte) {
		payload, err := d.Config(previous)
		if err != nil {
			t.Fatal(err)
		}
		ours := entities(t, before)
		for name, c := range entities(t, payload) {
			switch _, current := ours[name]; {
			case current && c.UniqueID == "":
				t.Errorf("%s is removed", name)
			case !current && (!plain(name) || c.UniqueID != "" || !slices.Contains(platforms(), c.Platform)):
				t.Errorf("%q is added: %+v", name, c)
			}
			delete(ours, name)
		}
		if len(ours) > 0 {
			t.Errorf("%d entities are missing", len(ours))
		}
	})
}
