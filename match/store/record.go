package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"facerecd/match"
)

// Records start with the version of their encoding. Numbers are little-endian,
// strings follow their length as a uvarint, and a time is the seconds since
// 1970 (8 bytes) and nanoseconds (4 bytes), read back in UTC.
const recordVersion = 1

// maxElements is far above the 128 to 1024 of face embeddings, and keeps a
// damaged length from asking for memory.
const maxElements = 8192

// encodeTemplate makes the record of a template; its ids are in the key:
//
//	version 1 | quality float32 | created | model | elements uvarint | float32 each
func encodeTemplate(t match.Template) []byte {
	b := make([]byte, 0, 32+len(t.Model)+4*len(t.Vector))
	b = append(b, recordVersion)
	b = binary.LittleEndian.AppendUint32(b, math.Float32bits(t.Quality))
	b = appendTime(b, t.Created)
	b = appendString(b, t.Model)
	return appendVector(b, t.Vector)
}

func decodeTemplate(record []byte) (match.Template, error) {
	r := reader{rest: record}
	r.version()
	t := match.Template{Quality: r.float(), Created: r.time(), Model: r.string(), Vector: r.vector(nil)}
	if r.bad {
		return match.Template{}, errRecord
	}
	if err := checkTemplate(t); err != nil {
		return match.Template{}, err
	}
	return t, nil
}

// checkTemplate is what holds for each template in a store.
func checkTemplate(t match.Template) error {
	if err := checkVector(t.Model, t.Vector); err != nil {
		return err
	}
	if !finite(t.Quality) {
		return fmt.Errorf("%w quality %v", ErrInvalid, t.Quality)
	}
	if len(t.Crop) > MaxCrop {
		return fmt.Errorf("%w crop: it has %d bytes, up to %d are possible", ErrInvalid, len(t.Crop), MaxCrop)
	}
	return nil
}

// checkVector is what holds for each embedding in a store, and the model that made it.
func checkVector(model string, v []float32) error {
	if len(v) == 0 || len(v) > maxElements {
		return fmt.Errorf("%w vector: it has %d elements, 1 to %d are possible", ErrInvalid, len(v), maxElements)
	}
	if model == "" || len(model) > 200 {
		return fmt.Errorf("%w model id %.200q: it has %d bytes, 1 to 200 are possible", ErrInvalid, model, len(model))
	}
	for i, x := range v {
		if !finite(x) {
			return fmt.Errorf("%w vector: element %d is %v", ErrInvalid, i, x)
		}
	}
	return nil
}

func finite(x float32) bool { return x-x == 0 }

// encodeFace makes the record of an event's embedding; its sequence number is in
// the key:
//
//	version 1 | model | elements uvarint | float32 each
func encodeFace(model string, v []float32) []byte {
	b := make([]byte, 0, 8+len(model)+4*len(v))
	return appendVector(appendString(append(b, recordVersion), model), v)
}

// decodeFace puts the elements into buf, if they fit.
func decodeFace(record []byte, buf []float32) (model string, v []float32, err error) {
	r := reader{rest: record}
	r.version()
	model, v = r.string(), r.vector(buf)
	if r.bad {
		return "", nil, errRecord
	}
	return model, v, checkVector(model, v)
}

// encodeRow makes the record of an event; its sequence number is in the key:
//
//	version 1 | age | at | id | person | topic | payload up to the end
//
// The age is that of the log (see eventLog) in nanoseconds, 8 bytes.
func encodeRow(r Row, age time.Duration) []byte {
	b := make([]byte, 0, 40+len(r.ID)+len(r.Person)+len(r.Topic)+len(r.Payload))
	b = append(b, recordVersion)
	b = binary.LittleEndian.AppendUint64(b, uint64(age))
	b = appendTime(b, r.At)
	b = appendString(b, r.ID)
	b = appendString(b, r.Person)
	b = appendString(b, r.Topic)
	return append(b, r.Payload...)
}

// decodeRow returns a row whose payload is a part of the record.
func decodeRow(record []byte) (Row, time.Duration, error) {
	r := reader{rest: record}
	r.version()
	age := time.Duration(r.uint64())
	row := Row{At: r.time(), ID: r.string(), Person: r.string(), Topic: r.string()}
	if r.bad {
		return Row{}, 0, errRecord
	}
	row.Payload = r.rest
	return row, age, nil
}

// encode makes the record of the event log's state:
//
//	version 1 | sequence number | dropped | age, 8 bytes each
func (l eventLog) encode(age time.Duration) []byte {
	b := []byte{recordVersion}
	b = binary.LittleEndian.AppendUint64(b, l.seq)
	b = binary.LittleEndian.AppendUint64(b, l.dropped)
	return binary.LittleEndian.AppendUint64(b, uint64(age))
}

func decodeEventLog(record []byte) (eventLog, error) {
	r := reader{rest: record}
	r.version()
	l := eventLog{seq: r.uint64(), dropped: r.uint64(), age: time.Duration(r.uint64())}
	if r.bad || len(r.rest) != 0 {
		return eventLog{}, errRecord
	}
	return l, nil
}

func appendTime(b []byte, t time.Time) []byte {
	b = binary.LittleEndian.AppendUint64(b, uint64(t.Unix()))
	return binary.LittleEndian.AppendUint32(b, uint32(t.Nanosecond()))
}

func appendString(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func appendVector(b []byte, v []float32) []byte {
	return appendFloats(binary.AppendUvarint(b, uint64(len(v))), v)
}

func appendFloats(b []byte, v []float32) []byte {
	for _, x := range v {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(x))
	}
	return b
}

var errRecord = errors.New("record is damaged")

// reader takes a record apart. Once something is missing it gives zeros, and
// bad stays true.
type reader struct {
	rest []byte
	bad  bool
}

func (r *reader) take(n uint64) []byte {
	if r.bad || n > uint64(len(r.rest)) {
		r.bad = true
		return nil
	}
	b := r.rest[:n]
	r.rest = r.rest[n:]
	return b
}

func (r *reader) version() {
	if b := r.take(1); b != nil && b[0] != recordVersion {
		r.bad = true
	}
}

func (r *reader) uint64() uint64 {
	if b := r.take(8); b != nil {
		return binary.LittleEndian.Uint64(b)
	}
	return 0
}

func (r *reader) uint32() uint32 {
	if b := r.take(4); b != nil {
		return binary.LittleEndian.Uint32(b)
	}
	return 0
}

func (r *reader) float() float32 { return math.Float32frombits(r.uint32()) }

func (r *reader) time() time.Time {
	seconds, nanoseconds := int64(r.uint64()), r.uint32()
	if nanoseconds >= 1e9 {
		r.bad = true
	}
	return time.Unix(seconds, int64(nanoseconds)).UTC()
}

func (r *reader) uvarint() uint64 {
	n, width := binary.Uvarint(r.rest)
	if width <= 0 {
		r.bad = true
		return 0
	}
	r.take(uint64(width))
	return n
}

func (r *reader) string() string { return string(r.take(r.uvarint())) }

// vector is the last of a record.
func (r *reader) vector(buf []float32) []float32 {
	n := r.uvarint()
	if r.bad || n > maxElements || uint64(len(r.rest)) != 4*n {
		r.bad = true
		return nil
	}
	return r.floats(int(n), buf)
}

// floats are n of them, in buf if they fit.
func (r *reader) floats(n int, buf []float32) []float32 {
	if uint64(n)*4 > uint64(len(r.rest)) {
		r.bad = true
		return nil
	}
	v := slices.Grow(buf[:0], n)[:n]
	for i := range v {
		v[i] = r.float()
	}
	return v
}
