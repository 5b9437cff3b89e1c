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

// The payloads of Availability.
const (
	Online  = "online"
	Offline = "offline"
)
