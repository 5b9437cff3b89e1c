package store

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/dgraph-io/badger/v4"
)

// schema is the version of keys and records that this code reads and writes.
const schema = 1

// The keys. Sequence numbers are big-endian, so that their order is Badger's.
//
//	person/<person id>                      JSON, storedPerson
//	name/<16 bytes of SHA-256>              person id; see nameKey
//	template/<person id>/<template id>      template record
//	crop/<person id>/<template id>          the face's picture, when crops are kept
//	stranger/<stranger id>                  stranger record
//	portrait/<stranger id>                  the stranger's picture
//	reject/<person id>/<template id>        template record: a face that is not the person's
//	queue/<sequence number>                 row record: an event to be published
//	history/<sequence number>               row record: an event that happened
//	face/<sequence number>                  face record: the embedding of that event's face
//	picture/<sequence number>               the picture of that event's face
//	setting/<key>                           opaque
//	forget/<person id>                      empty: a deletion has begun
//	grave/<SHA-256 of the person id>        grave record: the person is no more
//	restore/<key>                           record of a backup that is being restored
//	plan/<person id>                        person id: whose it will be then; empty: nobody's
//	meta/restore                            JSON, restoration: what is staged is to be taken over
//	meta/schema                             one byte, the schema version
//	meta/events                             eventLog: sequence number, drops, age
//	meta/residue                            empty: a deleted person, name or crop may still be in the files
//	meta/leftover                           the store's age since when less pressing things may
const (
	personPrefix   = "person/"
	namePrefix     = "name/"
	templatePrefix = "template/"
	cropPrefix     = "crop/"
	rejectPrefix   = "reject/"
	strangerPrefix = "stranger/"
	portraitPrefix = "portrait/"
	queuePrefix    = "queue/"
	historyPrefix  = "history/"
	facePrefix     = "face/"
	picturePrefix  = "picture/"
	settingPrefix  = "setting/"
	forgetPrefix   = "forget/"
	gravePrefix    = "grave/"
	restorePrefix  = "restore/"
	planPrefix     = "plan/"
	restoreKey     = "meta/restore"
	schemaKey      = "meta/schema"
	eventsKey      = "meta/events"
	residueKey     = "meta/residue"
	leftoverKey    = "meta/leftover"
)

func personKey(id string) []byte { return []byte(personPrefix + id) }

func templateKey(person, id string) []byte { return []byte(templatePrefix + person + "/" + id) }

func cropKey(person, id string) []byte { return []byte(cropPrefix + person + "/" + id) }

func forgetKey(id string) []byte { return []byte(forgetPrefix + id) }

// nameKey is a digest, because Badger prints keys in its warnings, and no name
// has any business in a log.
func nameKey(name string) []byte {
	sum := sha256.Sum256([]byte(FoldName(name)))
	return append([]byte(namePrefix), sum[:16]...)
}

func sequenceKey(prefix string, seq uint64) []byte {
	return binary.BigEndian.AppendUint64([]byte(prefix), seq)
}

func sequenceOf(key []byte) uint64 {
	return binary.BigEndian.Uint64(key[len(key)-8:])
}

// checkID keeps an id from running into its neighbours in a key.
func checkID(what, id string) error {
	const letters = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-_"
	if id == "" || len(id) > 64 || strings.Trim(id, letters) != "" {
		return fmt.Errorf("%w %s id %q: use a ULID", ErrInvalid, what, id)
	}
	return nil
}

// maxName is the length of a name in bytes.
const maxName = 200

// cleanName trims a name and makes each run of space in it one blank.
func cleanName(name string) (string, error) {
	clean := strings.Join(strings.Fields(name), " ")
	switch {
	case clean == "":
		return "", fmt.Errorf("%w name: it is empty", ErrInvalid)
	case !utf8.ValidString(clean):
		return "", fmt.Errorf("%w name: it is not UTF-8", ErrInvalid)
	case len(clean) > maxName:
		return "", fmt.Errorf("%w name: it is longer than %d bytes", ErrInvalid, maxName)
	case strings.ContainsFunc(clean, unicode.IsControl):
		return "", fmt.Errorf("%w name: it has control characters", ErrInvalid)
	}
	return clean, nil
}

// FoldName maps names that differ in case only to one: each letter becomes the
// least of those that fold to it.
func FoldName(name string) string {
	return strings.Map(func(r rune) rune {
		least := r
		for f := unicode.SimpleFold(r); f != r; f = unicode.SimpleFold(f) {
			least = min(least, f)
		}
		return least
	}, strings.Join(strings.Fields(name), " "))
}

// checkSchema marks a new store with the schema, and refuses one that this code
// would misread.
func (s *Store) checkSchema() error {
	var version []byte
	empty := true
	err := s.db.View(func(txn *badger.Txn) error {
		var err error
		version, _, err = get(txn, []byte(schemaKey))
		for range keys(txn, "") {
			empty = false
			break
		}
		return err
	})
	switch {
	case err != nil:
		return fmt.Errorf("read schema version: %w", err)
	case version == nil && empty:
		return s.update(s.opts.MinFree/2, func(txn *badger.Txn) error {
			return txn.Set([]byte(schemaKey), []byte{schema})
		})
	case len(version) != 1 || version[0] == 0:
		return damaged("it has no schema version; it may be another program's")
	case version[0] > schema:
		return fmt.Errorf("a newer facerecd wrote it (schema %d, this one knows %d): install that version again, or restore a backup made before the update", version[0], schema)
	}
	return nil
}
