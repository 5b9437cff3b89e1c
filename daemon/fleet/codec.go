package fleet

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"facerecd/match/store"
)

// The parts of a payload:
//
//	version 1 | salt, 32 bytes | AES-256-GCM of (length of the record, 4 bytes big-endian | record | zeros) | tag, 16 bytes
//
// Each message has a key of its own, derived from the fleet's with the salt, so
// that the nonce, which is zero, never repeats under one key. What is
// authenticated with it is the version and the topic from the fleet's id on.
const (
	version  = 1
	saltSize = 32
	headSize = 1 + saltSize
	overhead = headSize + 16
)

// padding is of what the size of an encrypted record is a multiple. A grave, and
// somebody with three templates, are of one size.
const padding = 4 << 10

// MaxPayload is the size of a message in bytes.
const MaxPayload = 256<<10 + overhead

// shards are the levels below person, one for each first digit of the topic's
// last level. Brokers drop what they have to send at once beyond some number of
// messages (1000 in mosquitto): one shard is asked for at a time.
const shards = "0123456789abcdef"

// Codec seals and opens records with a fleet's key. It is safe for concurrent
// use.
type Codec struct {
	key   []byte
	topic []byte // key of the topics' last levels
	fleet string
}

// NewCodec makes a codec of a key of KeySize bytes.
func NewCodec(key []byte) (*Codec, error) {
	if len(key) != KeySize {
		return nil, fmt.Errorf("fleet key has %d bytes, not %d", len(key), KeySize)
	}
	id, err := hkdf.Key(sha256.New, key, nil, "facerecd fleet id", 8)
	if err != nil {
		return nil, fmt.Errorf("derive the fleet's id: %w", err)
	}
	topic, err := hkdf.Key(sha256.New, key, nil, "facerecd fleet topics", 32)
	if err != nil {
		return nil, fmt.Errorf("derive the topics' key: %w", err)
	}
	return &Codec{key: key, topic: topic, fleet: hex.EncodeToString(id)}, nil
}

// Fleet is the fleet's id, which says nothing about the key.
func (c *Codec) Fleet() string { return c.fleet }

// Topic is where the record of a person is: <fleet>/person/<shard>/<32 digits>.
func (c *Codec) Topic(m store.Mark) string {
	mac := hmac.New(sha256.New, c.topic)
	mac.Write(m[:])
	id := hex.EncodeToString(mac.Sum(nil)[:16])
	return c.fleet + "/person/" + id[:1] + "/" + id
}

// shard is the filter of a shard's topics.
func (c *Codec) shard(digit rune) string { return c.fleet + "/person/" + string(digit) + "/+" }

// owns tells whether a topic is one of those of the fleet's people.
func (c *Codec) owns(topic string) bool { return strings.HasPrefix(topic, c.fleet+"/person/") }

func (c *Codec) aead(salt []byte) (cipher.AEAD, error) {
	key, err := hkdf.Key(sha256.New, c.key, salt, "facerecd fleet record", 32)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

func bound(topic string) []byte { return append([]byte{version}, topic...) }

// Seal makes the payload of a record, and says under which topic it goes.
func (c *Codec) Seal(r Record) (topic string, payload []byte, err error) {
	if err := r.check(); err != nil {
		return "", nil, fmt.Errorf("seal record: %w", err)
	}
	record, err := encode(r)
	if err != nil {
		return "", nil, fmt.Errorf("seal record: %w", err)
	}
	size := (4 + len(record) + padding - 1) / padding * padding
	if size > MaxPayload-overhead {
		return "", nil, fmt.Errorf("seal record: it has %d bytes, up to %d are possible: delete the person and enrol them with fewer photos", size, MaxPayload-overhead)
	}
	plain := make([]byte, size)
	binary.BigEndian.PutUint32(plain, uint32(len(record)))
	copy(plain[4:], record)

	payload = make([]byte, headSize, headSize+size+16)
	payload[0] = version
	_, _ = rand.Read(payload[1:headSize]) // never fails
	aead, err := c.aead(payload[1:headSize])
	if err != nil {
		return "", nil, fmt.Errorf("seal record: %w", err)
	}
	topic = c.Topic(r.Mark)
	return topic, aead.Seal(payload, make([]byte, aead.NonceSize()), plain, bound(topic)), nil
}

// The reasons for which Open refuses a payload.
var (
	ErrSize    = errors.New("it has no size of a record: cut off, or of another program")
	ErrVersion = errors.New("a newer facerecd wrote it: update this device")
	ErrForged  = errors.New("it was not made with the fleet's key for this topic, or was changed since")
	ErrContent = errors.New("its content is no record")
)

// Open returns the record in a payload that came under topic. Its errors are of
// the four kinds above; no name and no vector is in them.
func (c *Codec) Open(topic string, payload []byte) (Record, error) {
	switch size := len(payload) - overhead; {
	case len(payload) > 0 && payload[0] != version:
		return Record{}, ErrVersion
	case size <= 0 || size%padding != 0 || len(payload) > MaxPayload:
		return Record{}, ErrSize
	}
	aead, err := c.aead(payload[1:headSize])
	if err != nil {
		return Record{}, fmt.Errorf("%w: %w", ErrForged, err)
	}
	plain, err := aead.Open(nil, make([]byte, aead.NonceSize()), payload[headSize:], bound(topic))
	if err != nil {
		return Record{}, ErrForged
	}
	n := binary.BigEndian.Uint32(plain)
	if uint64(n) > uint64(len(plain)-4) {
		return Record{}, ErrContent
	}
	r, err := decode(plain[4 : 4+n])
	if err != nil {
		return Record{}, fmt.Errorf("%w: %w", ErrContent, err)
	}
	if c.Topic(r.Mark) != topic {
		return Record{}, fmt.Errorf("%w of this topic", ErrContent)
	}
	return r, nil
}
