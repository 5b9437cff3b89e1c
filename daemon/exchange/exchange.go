// Package exchange writes people and their embeddings for other programs, and
// reads them: as JSON, which has everything but pictures, and as CSV, one row for
// each face. Numbers are those of the embedding exactly: what is read is what was
// written. docs/backup.md describes both.
package exchange

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"time"

	"github.com/oklog/ulid/v2"

	"facerecd/match"
)

// MaxBytes bounds a document that is read.
const MaxBytes = 1 << 30

const (
	jsonFormat  = "facerecd people"
	jsonVersion = 1
)

// Document is people with their embeddings.
type Document struct {
	Device    string // which wrote it; "" when it does not say
	Created   time.Time
	Model     string // of the device that wrote it; "" when it does not say
	Size      int    // elements of that model's embeddings
	People    []match.Person
	Templates []match.Template
}

type document struct {
	Format  string    `json:"format"`
	Version int       `json:"version"`
	Device  string    `json:"device"`
	Created time.Time `json:"created"`
	Model   string    `json:"model"`
	Size    int       `json:"size"`
	People  []person  `json:"people"`
}

type person struct {
	ID        string     `json:"id"`
	Name      string     `json:"name"`
	Created   time.Time  `json:"created"`
	Updated   time.Time  `json:"updated"`
	Notify    *bool      `json:"notify,omitempty"` // true when it is not there
	Templates []template `json:"templates"`
}

type template struct {
	ID      string    `json:"id"`
	Model   string    `json:"model"`
	Quality float32   `json:"quality"`
	Created time.Time `json:"created"`
	Vector  []float32 `json:"vector"`
}

// WriteJSON writes a document.
func WriteJSON(w io.Writer, d Document) error {
	of := make(map[string][]template)
	for _, t := range d.Templates {
		of[t.Person] = append(of[t.Person], template{t.ID, t.Model, t.Quality, t.Created, t.Vector})
	}
	out := document{Format: jsonFormat, Version: jsonVersion, Device: d.Device, Created: d.Created, Model: d.Model, Size: d.Size, People: []person{}}
	for _, p := range d.People {
		q := person{ID: p.ID, Name: p.Name, Created: p.Created, Updated: p.Updated, Notify: &p.Notify, Templates: of[p.ID]}
		if q.Templates == nil {
			q.Templates = []template{}
		}
		out.People = append(out.People, q)
	}
	if err := json.NewEncoder(w).Encode(out); err != nil {
		return fmt.Errorf("write people as JSON: %w", err)
	}
	return nil
}

// ReadJSON reads what WriteJSON has written. What a person or a template leaves
// out is made up, the same at each reading: an id, and now for a time.
func ReadJSON(r io.Reader) (Document, error) {
	var in document
	dec := json.NewDecoder(io.LimitReader(r, MaxBytes))
	if err := dec.Decode(&in); err != nil {
		return Document{}, fmt.Errorf("read people from JSON: %w", err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return Document{}, errors.New("read people from JSON: something follows the document")
	}
	switch {
	case in.Format != jsonFormat:
		return Document{}, fmt.Errorf(`read people from JSON: its "format" is not %q; facerecd export writes such a document`, jsonFormat)
	case in.Version != jsonVersion:
		return Document{}, fmt.Errorf("read people from JSON: it has version %d, and this facerecd knows %d; use the version that wrote it, or a later one", in.Version, jsonVersion)
	}
	d := Document{Device: in.Device, Created: in.Created, Model: in.Model, Size: in.Size}
	now := time.Now().UTC()
	for i, p := range in.People {
		q := match.Person{ID: p.ID, Name: p.Name, Created: p.Created, Updated: p.Updated, Notify: p.Notify == nil || *p.Notify}
		if q.ID == "" {
			q.ID = madeID(fmt.Appendf(nil, "person %d %s", i, p.Name))
		}
		d.People = append(d.People, q)
		for _, t := range p.Templates {
			m := match.Template{ID: t.ID, Person: q.ID, Model: t.Model, Quality: t.Quality, Created: t.Created, Vector: t.Vector}
			if m.ID == "" {
				m.ID = VectorID(m.Vector)
			}
			if m.Model == "" {
				m.Model = in.Model
			}
			if m.Created.IsZero() {
				m.Created = now
			}
			d.Templates = append(d.Templates, m)
		}
	}
	return d, nil
}

// VectorID is an id for an embedding that has none: the same for the
// same numbers.
func VectorID(v []float32) string {
	var b strings.Builder
	for _, x := range v {
		fmt.Fprintf(&b, "%08x", math.Float32bits(x))
	}
	return madeID([]byte(b.String()))
}

// madeID is an id in the form of a ULID, made of what it stands for.
func madeID(of []byte) string {
	sum := sha256.Sum256(of)
	return ulid.ULID(sum[:16]).String()
}
