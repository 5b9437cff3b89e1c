package fleet

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"time"

	"facerecd/match"
	"facerecd/match/store"
)

// document is a record as JSON, before it is encrypted. Unlike elsewhere what
// is unknown is refused: a device that took it in would drop it for all others
// when it publishes the record anew.
type document struct {
	Mark      []byte     `json:"mark"`
	ID        string     `json:"id,omitempty"`
	Name      string     `json:"name,omitempty"`
	Counter   uint64     `json:"counter,omitempty"`
	Device    string     `json:"device,omitempty"`
	Created   *time.Time `json:"created,omitempty"`
	Templates []template `json:"templates,omitempty"`
	Deleted   bool       `json:"deleted,omitempty"`
	Into      []byte     `json:"into,omitempty"`
}

// template has its vector as little-endian float32.
type template struct {
	ID      string    `json:"id"`
	Model   string    `json:"model"`
	Quality float32   `json:"quality"`
	Created time.Time `json:"created"`
	Vector  []byte    `json:"vector"`
}

func encode(r Record) ([]byte, error) {
	d := document{Mark: r.Mark[:], ID: r.ID, Name: r.Name, Counter: r.Version.Counter, Device: r.Version.Device, Deleted: r.Grave.Deleted}
	if r.Alive() {
		d.Created = &r.Created
	}
	if r.Grave.Into != (store.Mark{}) {
		d.Into = r.Grave.Into[:]
	}
	for _, t := range r.Templates {
		vector := make([]byte, 0, 4*len(t.Vector))
		for _, x := range t.Vector {
			vector = binary.LittleEndian.AppendUint32(vector, math.Float32bits(x))
		}
		d.Templates = append(d.Templates, template{t.ID, t.Model, t.Quality, t.Created.UTC(), vector})
	}
	data, err := json.Marshal(d)
	if err != nil {
		return nil, fmt.Errorf("encode: %w", err)
	}
	return data, nil
}

func decode(data []byte) (Record, error) {
	var d document
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&d); err != nil {
		return Record{}, errors.New("it is not the JSON of one") // the error would quote it
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return Record{}, errors.New("something follows it")
	}
	r := Record{ID: d.ID, Name: d.Name, Version: match.Version{Counter: d.Counter, Device: d.Device}}
	if len(d.Mark) != len(r.Mark) || d.Into != nil && len(d.Into) != len(r.Mark) || len(d.Device) > 255 {
		return Record{}, errors.New("it has a field of the wrong size")
	}
	r.Mark = store.Mark(d.Mark)
	if d.Deleted || d.Into != nil {
		r.Grave = store.Grave{Mark: r.Mark, Deleted: d.Deleted}
		copy(r.Grave.Into[:], d.Into)
	}
	if d.Created != nil {
		r.Created = d.Created.UTC()
	}
	for _, t := range d.Templates {
		if len(t.Vector)%4 != 0 {
			return Record{}, errors.New("it has half a number")
		}
		vector := make([]float32, len(t.Vector)/4)
		for i := range vector {
			vector[i] = math.Float32frombits(binary.LittleEndian.Uint32(t.Vector[4*i:]))
		}
		r.Templates = append(r.Templates, match.Template{ID: t.ID, Model: t.Model, Quality: t.Quality, Created: t.Created.UTC(), Vector: vector})
	}
	if err := r.check(); err != nil {
		return Record{}, err
	}
	r.Templates = share(r.Templates)
	return r, nil
}
