package event

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// Identify takes a stranger's id out of a stored event's JSON, and puts the
// person in, if it is known by now who that was. The type stays: it was an
// unknown face when it was told. With the id "" it takes any stranger's out. An
// event of somebody else comes back as it is, and false.
func Identify(payload []byte, stranger string, p *Person) (_ []byte, changed bool, err error) {
	// Most events are of others, and need not be decoded.
	if !bytes.Contains(payload, []byte(`"stranger":"`+stranger)) {
		return payload, false, nil
	}
	var e Event
	if err := json.Unmarshal(payload, &e); err != nil {
		return nil, false, fmt.Errorf("decode stored event: %w", err)
	}
	if e.Stranger == nil || stranger != "" && *e.Stranger != stranger {
		return payload, false, nil
	}
	e.Stranger = nil
	if e.Person == nil {
		e.Person = p
	}
	payload, err = json.Marshal(e)
	return payload, true, err
}
