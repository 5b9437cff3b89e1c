// Package mqtt tells the world over MQTT 3.1.1 what facerecd sees: events from
// the durable outbox, who is in view, and whether the device is there at all.
// It also holds the small broker for devices that have none.
package mqtt

// Topics builds topic names. Its fields and the cameras are slugs, without
// wildcards or slashes; Base alone may have several levels.
type Topics struct {
	Base   string // "facerecd"
	Device string
}

// Availability holds "online" or "offline", retained.
func (t Topics) Availability() string { return t.Base + "/" + t.Device + "/availability" }

// Event is where the events of a camera go, never retained.
func (t Topics) Event(camera string) string { return t.Base + "/" + t.Device + "/" + camera + "/event" }

// Present holds a Present, retained.
func (t Topics) Present(camera string) string {
	return t.Base + "/" + t.Device + "/" + camera + "/present"
}

// Status holds a CameraStatus, retained. While Availability says offline it is
// the last that was known.
func (t Topics) Status(camera string) string {
	return t.Base + "/" + t.Device + "/" + camera + "/status"
}

// Recognition holds On or Off, retained: whether the camera is used.
func (t Topics) Recognition(camera string) string {
	return t.Base + "/" + t.Device + "/" + camera + "/recognition"
}

// Face is where the last face of a camera goes as a JPEG, not retained.
func (t Topics) Face(camera string) string { return t.Base + "/" + t.Device + "/" + camera + "/face" }

// Person holds a PersonState, retained. The slug is of homeassistant.Slugs; "+"
// stands for everybody.
func (t Topics) Person(slug string) string { return t.Base + "/" + t.Device + "/person/" + slug }

// Health holds a Health, retained.
func (t Topics) Health() string { return t.Base + "/" + t.Device + "/health" }

// Command is where the device takes commands, which must not be retained; "+"
// stands for all of them.
func (t Topics) Command(name string) string { return t.Base + "/" + t.Device + "/command/" + name }

// Reply is where the command with that id is answered, not retained.
func (t Topics) Reply(id string) string { return t.Base + "/" + t.Device + "/reply/" + id }

// The payloads of Recognition.
const (
	On  = "on"
	Off = "off"
)

// The payloads of Availability.
const (
	Online  = "online"
	Offline = "offline"
)
