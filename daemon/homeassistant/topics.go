package homeassistant

import "facerecd/daemon/mqtt"

// The topics of the contract that mqtt.Topics does not have yet.

// PersonTopic holds where a person was last seen, retained: schema.Person.
func PersonTopic(t mqtt.Topics, slug string) string {
	return t.Base + "/" + t.Device + "/person/" + slug
}

// Health holds how the daemon fares, retained: schema.Health.
func Health(t mqtt.Topics) string { return t.Base + "/" + t.Device + "/health" }

// Recognition holds "on" or "off", retained: whether the camera is used.
func Recognition(t mqtt.Topics, camera string) string {
	return t.Base + "/" + t.Device + "/" + camera + "/recognition"
}

// Face is where the last face of a camera goes as a JPEG, not retained.
func Face(t mqtt.Topics, camera string) string {
	return t.Base + "/" + t.Device + "/" + camera + "/face"
}

// Command is where the device takes commands. They must not be retained.
func Command(t mqtt.Topics, name string) string {
	return t.Base + "/" + t.Device + "/command/" + name
}

// Reply is where a command with that id is answered, not retained.
func Reply(t mqtt.Topics, id string) string { return t.Base + "/" + t.Device + "/reply/" + id }
