package store

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"strings"
	"time"
)

// An archive is people in one file (docs/backup.md has it for those who write
// programs):
//
//	"facerecd backup 1\n"
//	ArchiveHeader as JSON, "\n"
//	records: length of the key uvarint | key | length of the value uvarint | value
//	0 uvarint
//	number of records, 8 bytes, little-endian
//	SHA-256 of all before, 32 bytes
//
// Keys and values are those of the store (see keys.go), so that what can be read
// on the disk can be read from an archive, however old.
const (
	archiveName    = "facerecd backup "
	archiveVersion = "1"
	maxArchiveHead = 4 << 10
	maxArchiveKey  = 1 << 10
	maxRecord      = 1 << 20 // far above what any key of a store holds
)

// ErrArchive is what is wrong with an archive: nothing that trying again would
// mend.
var ErrArchive = errors.New("this backup cannot be used")

// ArchiveHeader is what an archive says of itself.
type ArchiveHeader struct {
	Schema   int       `json:"schema"`   // of keys and records
	Device   string    `json:"device"`   // whose people these are
	Created  time.Time `json:"created"`  // when, by that device's clock
	Model    string    `json:"model"`    // id of the model pack in use there; "" when nobody knows
	Size     int       `json:"size"`     // elements that its embeddings have; 0 when nobody knows
	Sequence uint64    `json:"sequence"` // of the newest event ever
}

// ArchiveWriter writes an archive. Without Close it is not one.
type ArchiveWriter struct {
	w     *bufio.Writer
	sum   hash.Hash
	count uint64
}

// NewArchive begins an archive.
func NewArchive(w io.Writer, h ArchiveHeader) (*ArchiveWriter, error) {
	head, err := json.Marshal(h)
	if err != nil {
		return nil, fmt.Errorf("encode header: %w", err)
	}
	sum := sha256.New()
	a := &ArchiveWriter{w: bufio.NewWriterSize(io.MultiWriter(w, sum), 64<<10), sum: sum}
	_, err = fmt.Fprintf(a.w, "%s%s\n%s\n", archiveName, archiveVersion, head)
	return a, err
}

func (a *ArchiveWriter) add(key, value []byte) error {
	a.count++
	for _, part := range [][]byte{key, value} {
		if _, err := a.w.Write(binary.AppendUvarint(nil, uint64(len(part)))); err != nil {
			return err
		}
		if _, err := a.w.Write(part); err != nil {
			return err
		}
	}
	return nil
}

// Close ends the archive. It does not close what it was written to.
func (a *ArchiveWriter) Close() error {
	if _, err := a.w.Write(binary.LittleEndian.AppendUint64([]byte{0}, a.count)); err != nil {
		return err
	}
	if err := a.w.Flush(); err != nil { // the sum is of all that went before
		return err
	}
	if _, err := a.w.Write(a.sum.Sum(nil)); err != nil {
		return err
	}
	return a.w.Flush()
}

// ArchiveReader reads an archive.
type ArchiveReader struct {
	ArchiveHeader
	r     *bufio.Reader
	sum   hash.Hash
	count uint64
}

// OpenArchive reads the header. It reads beyond the archive's end, where there
// must be nothing.
func OpenArchive(r io.Reader) (*ArchiveReader, error) {
	a := &ArchiveReader{r: bufio.NewReaderSize(r, 64<<10), sum: sha256.New()}
	first, err := a.line()
	version, ok := strings.CutPrefix(first, archiveName)
	switch {
	case strings.HasPrefix(first, "age-encryption.org/") || strings.HasPrefix(first, "-----BEGIN AGE"):
		return nil, fmt.Errorf("%w: it is encrypted with age; say with which passphrase or identity to open it", ErrArchive)
	case !ok && (err == nil || errors.Is(err, ErrArchive)):
		return nil, fmt.Errorf("%w: it is not a backup that facerecd made", ErrArchive)
	case err != nil:
		return nil, err
	case version != archiveVersion:
		return nil, fmt.Errorf("%w: it has format %.20q, and this facerecd knows %s; use the version that made it, or a later one", ErrArchive, version, archiveVersion)
	}
	head, err := a.line()
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal([]byte(head), &a.ArchiveHeader); err != nil {
		return nil, fmt.Errorf("%w: its header is damaged", ErrArchive)
	}
	if a.Schema > schema {
		return nil, fmt.Errorf("%w: a newer facerecd made it (schema %d, this one knows %d); update this one first", ErrArchive, a.Schema, schema)
	}
	return a, nil
}

// line reads one line of the head.
func (a *ArchiveReader) line() (string, error) {
	var line []byte
	for len(line) < maxArchiveHead {
		b, err := a.r.ReadByte()
		if err != nil {
			return string(line), a.broken(err)
		}
		line = append(line, b)
		if b == '\n' {
			a.sum.Write(line)
			return string(line[:len(line)-1]), nil
		}
	}
	return string(line), fmt.Errorf("%w: its header is damaged", ErrArchive)
}

// next returns the next record, which belongs to the caller, and io.EOF after
// the last when the whole archive is as it was written.
func (a *ArchiveReader) next() (key, value []byte, err error) {
	if key, err = a.part(maxArchiveKey); err != nil {
		return nil, nil, err
	}
	if len(key) == 0 {
		return nil, nil, a.end()
	}
	if value, err = a.part(maxRecord); err != nil {
		return nil, nil, err
	}
	a.count++
	return key, value, nil
}

func (a *ArchiveReader) part(limit int) ([]byte, error) {
	n := 0
	for shift := 0; ; shift += 7 {
		b, err := a.r.ReadByte()
		if err != nil {
			return nil, a.broken(err)
		}
		a.sum.Write([]byte{b})
		n |= int(b&0x7f) << shift
		if n > limit || shift > 21 {
			return nil, a.damaged()
		}
		if b < 0x80 {
			break
		}
	}
	part := make([]byte, n)
	if _, err := io.ReadFull(a.r, part); err != nil {
		return nil, a.broken(err)
	}
	a.sum.Write(part)
	return part, nil
}

// end checks what follows the records.
func (a *ArchiveReader) end() error {
	var count [8]byte
	var sum [sha256.Size]byte
	if _, err := io.ReadFull(a.r, count[:]); err != nil {
		return a.broken(err)
	}
	a.sum.Write(count[:])
	if _, err := io.ReadFull(a.r, sum[:]); err != nil {
		return a.broken(err)
	}
	if !bytes.Equal(a.sum.Sum(nil), sum[:]) || binary.LittleEndian.Uint64(count[:]) != a.count {
		return a.damaged()
	}
	if _, err := a.r.ReadByte(); err == nil {
		return fmt.Errorf("%w: something follows its end", ErrArchive)
	} else if !errors.Is(err, io.EOF) {
		return fmt.Errorf("read backup: %w", err)
	}
	return io.EOF
}

// broken tells an archive that ends too early from one that cannot be read.
func (a *ArchiveReader) broken(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("%w: it is cut off after %d records; fetch it again, or use another", ErrArchive, a.count)
	}
	return fmt.Errorf("read backup: %w", err)
}

func (a *ArchiveReader) damaged() error {
	return fmt.Errorf("%w: it is damaged, near record %d; use another", ErrArchive, a.count+1)
}
