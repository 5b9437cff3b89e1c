package store

import (
	"bytes"
	"math"
	"reflect"
	"testing"
	"time"

	"facerecd/match"
)

func TestTemplateRecordIsWhatVersion1Says(t *testing.T) {
	created := time.Date(2026, 11, 24, 10, 0, 0, 7, time.FixedZone("", 3600))
	record := encodeTemplate(match.Template{Model: "m1", Quality: 0.5, Created: created, Vector: []float32{1, -2}})
	want := []byte{
		1,           // version
		0, 0, 0, 63, // quality
		0x10, 0xff, 0x03, 0x6b, 0, 0, 0, 0, 7, 0, 0, 0, // created
		2, 'm', '1', // model
		2, 0, 0, 128, 63, 0, 0, 0, 192, // vector
	}
	copy(want[5:], record[5:13]) // the seconds are checked below
	if !bytes.Equal(record, want) {
		t.Errorf("record\n%v\nwant\n%v", record, want)
	}
	read := got[match.Template](t)(decodeTemplate(record))
	if !read.Created.Equal(created) || read.Created.Location() != time.UTC {
		t.Errorf("created %v, want %v in UTC", read.Created, created)
	}
}

func TestDamagedTemplateRecordsAreRefused(t *testing.T) {
	good := encodeTemplate(templates("P1", 1)[0])
	for n := range good {
		if _, err := decodeTemplate(good[:n]); err == nil {
			t.Errorf("the first %d of %d bytes pass for a template", n, len(good))
		}
	}
	nan := bytes.Clone(good)
	copy(nan[len(nan)-4:], []byte{0, 0, 0xc0, 0x7f})
	for name, record := range map[string][]byte{
		"longer":      append(bytes.Clone(good), 0),
		"version 2":   append([]byte{2}, good[1:]...),
		"NaN element": nan,
	} {
		if _, err := decodeTemplate(record); err == nil {
			t.Errorf("%s passes for a template", name)
		}
	}
}

func FuzzTemplateRecord(f *testing.F) {
	f.Add(encodeTemplate(match.Template{Model: "m", Vector: []float32{1}}))
	f.Add(encodeTemplate(templates("P1", 1)[0]))
	f.Fuzz(func(t *testing.T, record []byte) {
		template, err := decodeTemplate(record)
		if err != nil {
			return
		}
		again, err := decodeTemplate(encodeTemplate(template))
		if err != nil || !reflect.DeepEqual(template, again) {
			t.Errorf("%+v became %+v, %v", template, again, err)
		}
		for _, x := range template.Vector {
			if math.IsNaN(float64(x)) || math.IsInf(float64(x), 0) {
				t.Errorf("element %v", x)
			}
		}
	})
}

func FuzzRowRecord(f *testing.F) {
	f.Add(encodeRow(Row{}, 0))
	f.Add(encodeRow(row(3, "P1"), time.Hour))
	f.Fuzz(func(t *testing.T, record []byte) {
		row, age, err := decodeRow(record)
		if err != nil {
			return
		}
		again, ageAgain, err := decodeRow(encodeRow(row, age))
		if err != nil || age != ageAgain || !reflect.DeepEqual(row, again) {
			t.Errorf("%+v became %+v, %v", row, again, err)
		}
	})
}
