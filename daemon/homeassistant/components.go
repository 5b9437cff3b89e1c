package homeassistant

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"facerecd/daemon/event"
)

// component is an entity. To an entry with nothing but the platform, Home
// Assistant answers by removing it.
type component struct {
	Platform   string `json:"p"`
	Name       string `json:"name,omitempty"`
	UniqueID   string `json:"uniq_id,omitempty"`
	DefaultID  string `json:"def_ent_id,omitempty"` // the entity id when it is new; users change it
	Category   string `json:"ent_cat,omitempty"`
	Icon       string `json:"ic,omitempty"`
	QoS        int    `json:"qos,omitempty"`
	StateTopic string `json:"stat_t,omitempty"`
	Value      string `json:"val_tpl,omitempty"`

	AttributesTopic string `json:"json_attr_t,omitempty"`
	Attributes      string `json:"json_attr_tpl,omitempty"`

	Availability []availability `json:"avty,omitempty"` // in place of the device's

	Class      string   `json:"dev_cla,omitempty"`
	EventTypes []string `json:"evt_typ,omitempty"`
	Unit       string   `json:"unit_of_meas,omitempty"`
	StateClass string   `json:"stat_cla,omitempty"`
	Decimals   *int     `json:"sug_dsp_prc,omitempty"`

	ImageTopic  string `json:"img_t,omitempty"`
	ContentType string `json:"cont_type,omitempty"`

	CommandTopic string `json:"cmd_t,omitempty"`
	PayloadOn    string `json:"pl_on,omitempty"`
	PayloadOff   string `json:"pl_off,omitempty"`
	StateOn      string `json:"stat_on,omitempty"`
	StateOff     string `json:"stat_off,omitempty"`
}

func platforms() []string {
	return []string{"event", "binary_sensor", "sensor", "image", "switch"}
}

const diagnostic = "diagnostic"

// components are the device's entities by component id.
func (d Device) components() map[string]component {
	all := make(map[string]component)
	// add completes a component. What stays the same when a name changes is the
	// key, and with it the unique id.
	add := func(key, entity string, c component) {
		c.UniqueID = d.ID() + "_" + key
		c.DefaultID = c.Platform + "." + strings.ReplaceAll(d.Topics.Device+"_"+entity, "-", "_")
		// The device could say it once, but Home Assistant takes that over only
		// since 2026 (schemas.py, SHARED_OPTIONS); until then it was 0, and what
		// comes while it reconnects lost.
		c.QoS = 1
		all[key] = c
	}
	for _, c := range d.Cameras {
		d.addCamera(c, add)
	}
	people := slices.Clone(d.People)
	slices.SortFunc(people, func(a, b Person) int { return cmp.Compare(a.ID, b.ID) }) // ULIDs: oldest first
	for _, p := range people[:min(len(people), MaxPeople)] {
		d.addPerson(p, add)
	}
	d.addHealth(add)
	return all
}

// Templates. A payload that is no JSON leaves value_json undefined, and an
// error in Home Assistant's log; all of ours are JSON.
const (
	// The event platform wants the type as event_type (event.py); the other keys
	// become attributes. A repeat is left out: within one boot, seq only grows,
	// and the last event's attributes are in this, also after a restart of Home
	// Assistant. An empty result is ignored.
	eventTemplate = `{% set last = this.attributes %}` +
		`{% if not (value_json.boot is defined and value_json.boot == last.boot and value_json.seq | default(0) <= last.seq | default(-1)) %}` +
		`{{ dict(value_json, event_type=value_json.type) | to_json }}{% endif %}`

	inViewTemplate     = `{{ 'ON' if value_json.people or value_json.unknown else 'OFF' }}`
	inViewAttributes   = `{{ {'people': value_json.people | map(attribute='name') | list, 'unknown': value_json.unknown} | to_json }}`
	streamingTemplate  = `{{ 'online' if value_json.state in ['streaming', 'starting'] else 'offline' }}`
	problemTemplate    = `{{ 'ON' if value_json.state in ['failed', 'ended'] else 'OFF' }}`
	problemAttributes  = `{{ {'state': value_json.state, 'code': value_json.code, 'hint': value_json.hint, 'since': value_json.since} | to_json }}`
	presentTemplate    = `{{ 'ON' if value_json.present else 'OFF' }}`
	personAttributes   = `{{ {'person': value_json.person.id, 'camera': value_json.camera, 'cameras': value_json.cameras, 'confidence': value_json.confidence, 'event': value_json.event} | to_json }}`
	lastSeenTemplate   = `{{ value_json.last_seen }}`
	degradedTemplate   = `{{ 'OFF' if value_json.status == 'ok' else 'ON' }}`
	degradedAttributes = `{{ {'checks': value_json.checks} | to_json }}`
)

func (d Device) addCamera(c Camera, add func(key, entity string, c component)) {
	key, name := "camera_"+part(c.Slug)+"_", cmp.Or(c.Name, c.Slug)
	add(key+"event", c.Slug+"_face", component{
		Platform: "event", Name: name + " face", Icon: "mdi:face-recognition",
		StateTopic: d.Topics.Event(c.Slug), Value: eventTemplate,
		EventTypes: []string{string(event.Recognized), string(event.Unknown), string(event.Left)},
	})
	// A camera that cannot see does not see that nobody is there.
	streaming := availability{Topic: d.Topics.Status(c.Slug), Template: streamingTemplate, Available: "online", NotAvailable: "offline"}
	add(key+"in_view", c.Slug+"_in_view", component{
		Platform: "binary_sensor", Name: name + " in view", Class: "occupancy",
		StateTopic: d.Topics.Present(c.Slug), Value: inViewTemplate,
		AttributesTopic: d.Topics.Present(c.Slug), Attributes: inViewAttributes,
		Availability: []availability{d.available(), streaming},
	})
	add(key+"problem", c.Slug+"_problem", component{
		Platform: "binary_sensor", Name: name + " camera", Class: "problem", Category: diagnostic,
		StateTopic: d.Topics.Status(c.Slug), Value: problemTemplate,
		AttributesTopic: d.Topics.Status(c.Slug), Attributes: problemAttributes,
	})
	// Without an id nobody is answered; the state tells what became of it.
	recognition := func(on bool) string { return fmt.Sprintf(`{"camera":%q,"on":%t}`, c.Slug, on) }
	add(key+"recognition", c.Slug+"_recognition", component{
		Platform: "switch", Name: name + " recognition", Icon: "mdi:face-recognition",
		StateTopic: d.Topics.Recognition(c.Slug), StateOn: "on", StateOff: "off",
		CommandTopic: d.Topics.Command("recognition"), PayloadOn: recognition(true), PayloadOff: recognition(false),
	})
	if d.Images {
		add(key+"last_face", c.Slug+"_last_face", component{
			Platform: "image", Name: name + " last face",
			ImageTopic: d.Topics.Face(c.Slug), ContentType: "image/jpeg",
		})
	}
	add(key+"fps", c.Slug+"_fps", component{
		Platform: "sensor", Name: name + " frame rate", Category: diagnostic, Icon: "mdi:speedometer",
		StateTopic: d.Topics.Health(), Unit: "fps", StateClass: "measurement", Decimals: new(1),
		Value: fmt.Sprintf(`{{ value_json.cameras | selectattr('slug', 'eq', '%s') | map(attribute='fps') | first | default('None') }}`, c.Slug),
	})
}

func (d Device) addPerson(p Person, add func(key, entity string, c component)) {
	key, name, topic := "person_"+part(p.ID)+"_", cmp.Or(p.Name, p.Slug), d.Topics.Person(p.Slug)
	// Occupancy, not presence: who is not in view may well be at home.
	add(key+"present", p.Slug, component{
		Platform: "binary_sensor", Name: name, Class: "occupancy", Icon: "mdi:account",
		StateTopic: topic, Value: presentTemplate,
		AttributesTopic: topic, Attributes: personAttributes,
	})
	add(key+"last_seen", p.Slug+"_last_seen", component{
		Platform: "sensor", Name: name + " last seen", Class: "timestamp",
		StateTopic: topic, Value: lastSeenTemplate,
		AttributesTopic: topic, Attributes: personAttributes,
	})
}

func (d Device) addHealth(add func(key, entity string, c component)) {
	topic := d.Topics.Health()
	add("health", "health", component{
		Platform: "binary_sensor", Name: "Health", Class: "problem", Category: diagnostic,
		StateTopic: topic, Value: degradedTemplate, AttributesTopic: topic, Attributes: degradedAttributes,
	})
	add("queue", "events_waiting", component{
		Platform: "sensor", Name: "Events waiting", Category: diagnostic, Icon: "mdi:tray-full",
		StateTopic: topic, Value: `{{ value_json.mqtt.backlog }}`, StateClass: "measurement",
	})
	add("temperature", "temperature", component{
		Platform: "sensor", Name: "Temperature", Class: "temperature", Category: diagnostic,
		StateTopic: topic, Value: `{{ value_json.temperature_c | default('None') }}`,
		Unit: "°C", StateClass: "measurement", Decimals: new(0),
	})
	add("version", "version", component{
		Platform: "sensor", Name: "Version", Category: diagnostic, Icon: "mdi:tag",
		StateTopic: topic, Value: `{{ value_json.version }}`,
	})
}
