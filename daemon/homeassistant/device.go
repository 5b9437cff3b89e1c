// Package homeassistant describes a device and its entities to Home Assistant,
// in the one message of its MQTT device discovery. It makes payloads and
// publishes nothing.
//
// The rules are those of Home Assistant's own source, homeassistant/components/mqtt:
// discovery.py, schemas.py, abbreviations.py and a file for each platform. What
// this package makes is checked against them by cross/homeassistant/check.py.
package homeassistant

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"net/url"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"facerecd/daemon/config"
	"facerecd/daemon/mqtt"
)

// DefaultPrefix is where Home Assistant looks for discovery unless it was set
// up otherwise.
const DefaultPrefix = "homeassistant"

// MaxPeople is how many people get entities of their own, those enrolled first.
// Home Assistant is for a household; everybody else is in the events.
const MaxPeople = 200

// Device is what Home Assistant is told. It is plain data: the same Device
// makes the same payload, byte by byte.
type Device struct {
	Topics  mqtt.Topics // where the device publishes
	Prefix  string      // "": DefaultPrefix
	Name    string      // as people call the device
	Model   string      // the board, such as "Raspberry Pi 5 Model B"; "" when that is unknown
	Version string      // of facerecd
	URL     string      // of the page, as Home Assistant's users reach it; "" when they cannot
	Cameras []Camera
	People  []Person // see Slugs
	Images  bool     // the picture of the last face is published: off unless the owner asked for it
}

// Camera is a camera as configured.
type Camera struct {
	Name string
	Slug string // its level in topics; the entities are tied to it
}

// Person is somebody enrolled. The entities are tied to ID, and stay the same
// when the person is renamed.
type Person struct {
	ID   string
	Name string
	Slug string // the last level of Person's topic
}

// ID names the device to Home Assistant, and is part of every unique id. Two
// daemons on one broker differ in it, as they differ in Base or Device.
func (d Device) ID() string {
	id := "facerecd_" + d.Topics.Device
	if d.Topics.Base != "facerecd" {
		id += "_" + hash(d.Topics.Base)
	}
	return id
}

// ConfigTopic is where Config goes, retained. An empty retained payload there
// removes the device from Home Assistant, with all its entities.
func (d Device) ConfigTopic() string { return d.prefix() + "/device/" + d.ID() + "/config" }

// BirthTopic is where Home Assistant says mqtt.Online once it is ready for
// discovery; then Config and every state that is not retained are due again.
func (d Device) BirthTopic() string { return d.prefix() + "/status" }

func (d Device) prefix() string { return cmp.Or(d.Prefix, DefaultPrefix) }

// discovery has the abbreviations of abbreviations.py.
type discovery struct {
	Device struct {
		IDs          []string `json:"ids"`
		Name         string   `json:"name"`
		Manufacturer string   `json:"mf"`
		Model        string   `json:"mdl,omitempty"`
		Version      string   `json:"sw,omitempty"`
		URL          string   `json:"cu,omitempty"`
	} `json:"dev"`
	Origin struct {
		Name    string `json:"name"`
		Version string `json:"sw,omitempty"`
	} `json:"o"`
	Availability     []availability       `json:"avty"`
	AvailabilityMode string               `json:"avty_mode"`
	Components       map[string]component `json:"cmps"`
}

// availability says whether a device or an entity can be relied on.
type availability struct {
	Topic        string `json:"t"`
	Template     string `json:"val_tpl,omitempty"`
	Available    string `json:"pl_avail"`
	NotAvailable string `json:"pl_not_avail"`
}

// Config makes the payload of ConfigTopic. Previous is the one that is retained
// there now, from this run or an earlier one, or nil when there is none: what
// it has and this Device has not, such as a person who was deleted, is removed
// from Home Assistant by an entry with nothing but its platform (discovery.py
// tells no other way; to leave it out removes nothing). The payload after that
// leaves it out. A previous one that makes no sense counts as none.
//
// Payloads that differ want some seconds between them: when one comes while an
// entity of the one before is still being set up, Home Assistant drops what
// follows that entity in it (discovery.py).
//
// The error is of a Device that MQTT has no topics for.
func (d Device) Config(previous []byte) ([]byte, error) {
	if err := d.check(); err != nil {
		return nil, err
	}
	var m discovery
	m.Device.IDs = []string{d.ID()}
	m.Device.Name = cmp.Or(d.Name, d.Topics.Device)
	m.Device.Manufacturer = "facerecd"
	m.Device.Model, m.Device.Version = d.Model, d.Version
	m.Device.URL = reachable(d.URL)
	m.Origin.Name, m.Origin.Version = "facerecd", d.Version
	m.Availability = []availability{d.available()}
	m.AvailabilityMode = "all"
	m.Components = d.components()
	for name, platform := range announced(previous) {
		if _, kept := m.Components[name]; !kept {
			m.Components[name] = component{Platform: platform}
		}
	}
	var payload bytes.Buffer
	e := json.NewEncoder(&payload)
	e.SetEscapeHTML(false) // the templates are full of quotes
	if err := e.Encode(m); err != nil {
		return nil, fmt.Errorf("encode discovery: %w", err)
	}
	return bytes.TrimSuffix(payload.Bytes(), []byte("\n")), nil
}

func (d Device) available() availability {
	return availability{Topic: d.Topics.Availability(), Available: mqtt.Online, NotAvailable: mqtt.Offline}
}

// announced returns the platforms of the components that a payload adds or
// keeps, by component.
func announced(payload []byte) map[string]string {
	var previous struct {
		Components map[string]struct {
			Platform string `json:"p"`
			UniqueID string `json:"uniq_id"` // "": this one was removed
		} `json:"cmps"`
	}
	if json.Unmarshal(payload, &previous) != nil {
		return nil
	}
	found := make(map[string]string)
	for name, c := range previous.Components {
		if c.UniqueID != "" && plain(name) && slices.Contains(platforms(), c.Platform) {
			found[name] = c.Platform
		}
	}
	return found
}

// reachable returns the address when Home Assistant would take it
// (config_validation.py, configuration_url), else "": one that it refuses would
// cost the whole device.
func reachable(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return ""
	}
	return address
}

// check finds what cannot be part of a topic (util.py, valid_topic).
func (d Device) check() error {
	for what, topic := range map[string]string{"base topic": d.Topics.Base, "discovery prefix": d.prefix()} {
		if topic == "" || strings.ContainsAny(topic, "+#") || strings.ContainsFunc(topic, unicode.IsControl) || !utf8.ValidString(topic) {
			return fmt.Errorf("%s %q cannot be part of an MQTT topic: use letters, digits and hyphens", what, topic)
		}
	}
	slugs := []string{d.Topics.Device}
	for _, c := range d.Cameras {
		slugs = append(slugs, c.Slug)
	}
	for _, p := range d.People {
		slugs = append(slugs, p.Slug)
	}
	for _, slug := range slugs {
		if !plain(slug) {
			return fmt.Errorf("%q is no slug: config.Slug makes one", slug)
		}
	}
	return nil
}

// plain tells whether Home Assistant takes s as part of a discovery topic or as
// a component's id (discovery.py, TOPIC_MATCHER; ids are split at spaces).
func plain(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return r != '-' && r != '_' && (r > unicode.MaxASCII || !unicode.IsLetter(r) && !unicode.IsDigit(r))
	})
}

// part makes an id into part of a component's id and of a unique id.
func part(id string) string {
	if plain(id) {
		return id
	}
	return config.Slug(id) + "-" + hash(id)
}

func hash(s string) string {
	h := fnv.New32a()
	h.Write([]byte(s))
	return fmt.Sprintf("%08x", h.Sum32())
}
