// Package match decides whose face an embedding is, or that it is nobody's
// who is known.
//
// Embeddings are unit vectors compared by cosine. The decision is open-set: a
// probe is named only when the best person beats the threshold, and the second
// person by a margin.
package match

import (
	"cmp"
	"time"
)

// Person is somebody who was enrolled.
type Person struct {
	ID        string    `json:"id"` // ULID, never reused
	Name      string    `json:"name"`
	Created   time.Time `json:"created"`
	Updated   time.Time `json:"updated"`
	Templates int       `json:"templates"` // how many are stored; derived, not stored
	Stale     int       `json:"stale"`     // of these, how many another model pack made; derived, not stored
	Notify    bool      `json:"notify"`    // whether their coming and going is announced; set by store.Store.Edit alone
	Version   Version   `json:"-"`         // of the name
}

// Edit is what is to change about a person. What is nil stays.
type Edit struct {
	Name   *string `json:"name,omitempty"`
	Notify *bool   `json:"notify,omitempty"`
}

// Version orders the names that a person was given, on whatever device and with
// whatever clock: each naming counts one up from the one it replaces. The zero
// value is older than every other.
type Version struct {
	Counter uint64 // 1 for the name at the enrolment
	Device  string // which gave the name; decides when two devices did at once
}

// Compare is as cmp.Compare.
func (v Version) Compare(w Version) int {
	return cmp.Or(cmp.Compare(v.Counter, w.Counter), cmp.Compare(v.Device, w.Device))
}

// Template is one stored embedding of a person.
type Template struct {
	ID      string // ULID
	Person  string // Person.ID
	Model   string // id of the model pack that made it; other models' vectors are never compared
	Vector  []float32
	Quality float32 // 0..1, of the face it was made from
	Created time.Time
	// Crop is the picture of the face, from which another model pack can make
	// the template anew. Only a new template has it, and only when the owner
	// keeps crops; see store.Store.Crop.
	Crop []byte
}
