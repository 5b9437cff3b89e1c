package fleet

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"facerecd/match"
	"facerecd/match/store"
)

func newCodec(t testing.TB, fill byte) *Codec {
	t.Helper()
	c, err := NewCodec(bytes.Repeat([]byte{fill}, KeySize))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func ana(templates int) Record {
	var all []match.Template
	for i := range templates {
		vector := make([]float32, 192)
		for j := range vector {
			vector[j] = float32(i*j) / 1000
		}
		all = append(all, match.Template{
			ID: fmt.Sprintf("01JDEXAMPLE0000000000000%02d", i), Model: "mobilefacenet-192-int8-3", Quality: 0.87, Created: day(2), Vector: vector,
		})
	}
	return person("01JDEXAMPLE000000000000000", "Ana-Maria", 3, "door", all...)
}

func seal(t testing.TB, c *Codec, r Record) (topic string, payload []byte) {
	t.Helper()
	topic, payload, err := c.Seal(r)
	if err != nil {
		t.Fatal(err)
	}
	return topic, payload
}

func TestWhatIsSealedIsOpened(t *testing.T) {
	c := newCodec(t, 1)
	for _, r := range []Record{ana(0), ana(5), deleted("P1"), taken("P2", "P1"), Merge(deleted("P2"), taken("P2", "P1"))} {
		topic, payload := seal(t, c, r)
		got, err := c.Open(topic, payload)
		if err != nil || !Equal(got, r) {
			t.Errorf("%+v\nis %+v, %v", r, got, err)
		}
		again, other := seal(t, c, r)
		if again != topic || bytes.Equal(other[1:], payload[1:]) {
			t.Error("the topic changes, or the payload does not")
		}
	}
}

// TestAnEavesdropperLearnsNothingButSizes: what goes out holds nothing of what
// went in, and graves are as large as people.
func TestAnEavesdropperLearnsNothingButSizes(t *testing.T) {
	c, other := newCodec(t, 1), newCodec(t, 2)
	sizes := map[int]int{0: 4145, 3: 4145, 5: 8241, MaxTemplates: 40 << 10}
	for n, want := range sizes {
		r := ana(n)
		topic, payload := seal(t, c, r)
		if n < MaxTemplates && len(payload) != want || len(payload) > 45<<10 {
			t.Errorf("%d templates make %d bytes, want %d", n, len(payload), want)
		}
		for _, secret := range []string{"Ana", r.ID, "mobilefacenet", "door", string(r.Mark[:])} {
			if bytes.Contains(payload, []byte(secret)) || strings.Contains(topic, secret) {
				t.Errorf("%q can be read", secret)
			}
		}
		if topic == other.Topic(r.Mark) || c.Fleet() == other.Fleet() {
			t.Error("two fleets can be compared")
		}
	}
	if _, payload := seal(t, c, deleted("P1")); len(payload) != sizes[3] {
		t.Errorf("a grave has %d bytes", len(payload))
	}
	if _, err := NewCodec(make([]byte, 16)); err == nil || err.Error() != "fleet key has 16 bytes, not 32" {
		t.Errorf("short key: %v", err)
	}
}

func TestWhatWasTamperedWithIsRefused(t *testing.T) {
	c := newCodec(t, 1)
	topic, payload := seal(t, c, ana(2))
	_, long := seal(t, c, ana(5))
	otherTopic, otherPayload := seal(t, c, deleted("P9"))
	_, foreign := seal(t, newCodec(t, 2), ana(2))
	change := func(at int) []byte {
		p := bytes.Clone(payload)
		p[at] ^= 1
		return p
	}
	for _, tc := range []struct {
		name    string
		topic   string
		payload []byte
		want    error
	}{
		{"nothing", topic, nil, ErrSize},
		{"text", topic, []byte("\x01online"), ErrSize},
		{"a newer version", topic, change(0), ErrVersion},
		{"the salt", topic, change(1), ErrForged},
		{"the first byte", topic, change(headSize), ErrForged},
		{"the last byte", topic, change(len(payload) - 1), ErrForged},
		{"cut off by one", topic, payload[:len(payload)-1], ErrSize},
		{"cut off by a block", topic, long[:len(long)-padding], ErrForged},
		{"another's salt", topic, slices.Concat(otherPayload[:headSize], payload[headSize:]), ErrForged},
		{"longer", topic, slices.Concat(payload, make([]byte, padding)), ErrForged},
		{"much longer", topic, slices.Concat(payload, make([]byte, 64*padding)), ErrSize},
		{"another topic", otherTopic, payload, ErrForged},
		{"another person's", topic, otherPayload, ErrForged},
		{"another fleet's", topic, foreign, ErrForged},
	} {
		if _, err := c.Open(tc.topic, tc.payload); !errors.Is(err, tc.want) {
			t.Errorf("%s: error %v, want %v", tc.name, err, tc.want)
		}
	}
}

// sealRaw seals what no facerecd writes.
func sealRaw(t testing.TB, c *Codec, topic string, plain []byte) []byte {
	t.Helper()
	payload := make([]byte, headSize)
	payload[0] = version
	aead, err := c.aead(payload[1:])
	if err != nil {
		t.Fatal(err)
	}
	return aead.Seal(payload, make([]byte, 12), append(plain, make([]byte, padding-len(plain))...), bound(topic))
}

func TestAMemberThatWritesNonsenseIsRefused(t *testing.T) {
	c := newCodec(t, 1)
	m := store.MarkOf("P1")
	mark := `"mark":"Zf8NPdUL2LRMTmLfF9J6MgXaCjhQ3yMxCBkqBnBJyhQ="`
	body := func(text string) []byte { return append([]byte{0, 0, byte(len(text) >> 8), byte(len(text))}, text...) }
	good, err := encode(person("P1", "Ana", 1, "a", template1("T1", "m", 0.5)))
	if err != nil {
		t.Fatal(err)
	}
	bad := func(old, with string) []byte {
		text := strings.Replace(string(good), old, with, 1)
		if text == string(good) {
			t.Fatalf("%s has no %s", good, old)
		}
		return body(text)
	}
	for name, plain := range map[string][]byte{
		"length beyond the end": {255, 255, 255, 255},
		"nothing":               body(""),
		"no JSON":               body("{"),
		"two":                   body(string(good) + string(good)),
		"an unknown field":      bad(`"name"`, `"x":1,"name"`),
		"a short mark":          bad(`"mark":"`, `"mark":"AA==","x":"`),
		"somebody else's mark":  body(`{` + mark + `,"id":"P1","name":"Ana","counter":1}`),
		"no name":               bad(`"Ana"`, `""`),
		"a name with a newline": bad(`"Ana"`, `"A\na"`),
		"an id with a slash":    bad(`"T1"`, `"T/1"`),
		"no version":            bad(`"counter":1`, `"counter":0`),
		"the last version":      bad(`"counter":1`, `"counter":18446744073709551615`),
		"half a vector":         bad(`"vector":"AAAAPwAAgD8="`, `"vector":"AAAAPwAA"`),
		"no vector":             bad(`"vector":"AAAAPwAAgD8="`, `"vector":""`),
		"a vector with NaN":     bad(`"vector":"AAAAPwAAgD8="`, `"vector":"AADAfwAAgD8="`),
		"both alive and not":    bad(`"name"`, `"deleted":true,"name"`),
	} {
		topic := c.Topic(m)
		if r, err := c.Open(topic, sealRaw(t, c, topic, plain)); !errors.Is(err, ErrContent) {
			t.Errorf("%s: %+v, error %v", name, r, err)
		}
	}
	topic := c.Topic(m)
	if _, err := c.Open(topic, sealRaw(t, c, topic, body(string(good)))); err != nil {
		t.Errorf("the good one: %v", err)
	}
	if _, _, err := c.Seal(Record{}); err == nil {
		t.Error("sealed nobody")
	}
	large := ana(MaxTemplates)
	for i := range large.Templates {
		large.Templates[i].Vector = make([]float32, 4096)
	}
	_, _, err = c.Seal(large)
	if want := "seal record: it has 704512 bytes, up to 262144 are possible: delete the person and enrol them with fewer photos"; err == nil || err.Error() != want {
		t.Errorf("large record: %v", err)
	}
}

// FuzzOpen opens what anybody may publish.
func FuzzOpen(f *testing.F) {
	c := newCodec(f, 1)
	topic := c.Topic(ana(1).Mark)
	f.Fuzz(func(t *testing.T, data []byte) {
		if r, err := c.Open(topic, data); err == nil && !Equal(r, ana(1)) { // which is in the corpus
			t.Errorf("forged %+v", r)
		}
	})
}

// FuzzDecode decodes what a member may seal.
func FuzzDecode(f *testing.F) {
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := decode(data)
		if err != nil {
			return
		}
		again, err := encode(r)
		if err != nil {
			t.Fatal(err)
		}
		if s, err := decode(again); err != nil || !Equal(r, s) {
			t.Errorf("%+v becomes %+v, %v", r, s, err)
		}
		Merge(r, r)
	})
}

func TestTheKeyIsMadeOnceAndReadByItsOwnerOnly(t *testing.T) {
	path := filepath.Join(t.TempDir(), "etc", "fleet.key")
	if err := CreateKey(path); err != nil {
		t.Fatal(err)
	}
	key, err := LoadKey(path)
	if err != nil || len(key) != KeySize {
		t.Fatalf("%d bytes, %v", len(key), err)
	}
	fails := func(err error, want string) {
		t.Helper()
		if err == nil || err.Error() != want {
			t.Errorf("error %v\nwant %s", err, want)
		}
	}
	fails(CreateKey(path), "make fleet key: "+path+" is there already: copy it to the other devices, or delete it to begin a new fleet")
	if again, err := LoadKey(path); err != nil || !bytes.Equal(key, again) {
		t.Error("the key has changed")
	}
	for mode, want := range map[os.FileMode]string{
		0o640: "",
		0o644: "fleet key " + path + " is open to others (mode 0644): chmod 600 it, and make a new key for all devices if somebody may have seen it",
		0o620: "fleet key " + path + " is open to others (mode 0620): chmod 600 it, and make a new key for all devices if somebody may have seen it",
	} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		if _, err := LoadKey(path); want == "" && err != nil {
			t.Error(err)
		} else if want != "" {
			fails(err, want)
		}
	}
	for _, text := range []string{"", "x\n", "AAAA\n", strings.Repeat("A", 43) + "=x", strings.Repeat("A", 5000)} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := LoadKey(path)
		fails(err, "fleet key "+path+" does not hold a key (one line of 44 letters and digits): copy it again from another device")
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	_, err = LoadKey(path)
	fails(err, "open fleet key: open "+path+": no such file or directory: copy it from another device of the fleet, or make the first one with facerecd fleet key")
}
