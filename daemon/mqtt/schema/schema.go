// Package schema holds the JSON Schema of each MQTT payload that is JSON, and
// checks payloads against them. The daemon does not need it: it is for tests,
// and for whoever writes another program that speaks the contract. docs/mqtt.md
// shows each payload.
//
// The schemas are exact, so that a key which is misspelt is found. A consumer
// should be less strict: keys may be added within one version.
package schema

import (
	"bytes"
	"embed"
	"fmt"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

//go:embed *.json
var files embed.FS

// Files holds the schemas, KIND.json each, in draft 2020-12.
func Files() embed.FS { return files }

// Kind names a payload.
type Kind string

// The payloads by topic, below <base>/<device>/. Those of availability
// ("online", "offline") and <camera>/recognition ("on", "off") are plain text,
// and that of <camera>/face is a JPEG.
const (
	Event       Kind = "event"               // <camera>/event
	Present     Kind = "present"             // <camera>/present
	Status      Kind = "status"              // <camera>/status
	Person      Kind = "person"              // person/<slug>
	Health      Kind = "health"              // health
	Enroll      Kind = "command-enroll"      // command/enroll
	Snapshot    Kind = "command-snapshot"    // command/snapshot
	Reload      Kind = "command-reload"      // command/reload
	Recognition Kind = "command-recognition" // command/recognition
	Reply       Kind = "reply"               // reply/<id>
)

// Kinds are all of them.
func Kinds() []Kind {
	return []Kind{Event, Present, Status, Person, Health, Enroll, Snapshot, Reload, Recognition, Reply}
}

// Check tells what is wrong with a payload, nil when it is as the contract has
// it. Formats, such as that of a time, are checked too.
func Check(kind Kind, payload []byte) error {
	s, err := compile(kind)
	if err != nil {
		return err
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(payload))
	if err != nil {
		return fmt.Errorf("read %s payload: %w", kind, err)
	}
	if err := s.Validate(value); err != nil {
		return fmt.Errorf("check %s payload: %w", kind, err)
	}
	return nil
}

// compile reads a schema anew each time, which costs some milliseconds: tests
// have them.
func compile(kind Kind) (*jsonschema.Schema, error) {
	name := string(kind) + ".json"
	file, err := files.Open(name)
	if err != nil {
		return nil, fmt.Errorf("open schema %q: %w", kind, err)
	}
	defer func() { _ = file.Close() }()
	document, err := jsonschema.UnmarshalJSON(file)
	if err != nil {
		return nil, fmt.Errorf("read schema %q: %w", kind, err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource(name, document); err != nil {
		return nil, fmt.Errorf("add schema %q: %w", kind, err)
	}
	s, err := c.Compile(name)
	if err != nil {
		return nil, fmt.Errorf("compile schema %q: %w", kind, err)
	}
	return s, nil
}
