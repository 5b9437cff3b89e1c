package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/fb"
	"github.com/dgraph-io/badger/v4/options"
	"github.com/dgraph-io/badger/v4/pb"
	"github.com/dgraph-io/badger/v4/y"
	"google.golang.org/protobuf/proto"
)

const manifestFile = "MANIFEST"

// check looks at a directory before Badger does, which (v4.9.6) deletes tables
// that its MANIFEST does not know, makes a new MANIFEST when there is none, ends
// the process when a table's footer is damaged, and does not open when a crash
// came between the making of a log and its first bytes, or between the emptying
// of one and its removal (logFile.open).
func check(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("list directory: %w", err)
	}
	var hasManifest, hasData, crashed bool
	var tables, empty []string
	for _, e := range entries {
		name := e.Name()
		if !e.Type().IsRegular() {
			continue
		}
		size, err := checkAccess(filepath.Join(dir, name))
		if err != nil {
			return err
		}
		switch {
		case name == manifestFile:
			hasManifest = true
		case strings.HasSuffix(name, ".sst"):
			tables = append(tables, name)
			hasData = true
		case strings.HasSuffix(name, ".mem"):
			crashed, hasData = true, true
		case strings.HasSuffix(name, ".vlog"), name == "KEYREGISTRY":
			hasData = true
		case name == "LOCK":
			crashed = true
		}
		if size == 0 && (strings.HasSuffix(name, ".mem") || strings.HasSuffix(name, ".vlog")) {
			empty = append(empty, filepath.Join(dir, name))
		}
	}
	switch {
	case !hasManifest && hasData:
		return damaged("its %s is missing", manifestFile)
	case !hasManifest:
		return nil
	}

	manifest, err := readManifest(dir)
	if err != nil {
		return damaged("%v", err)
	}
	for id, t := range manifest.Tables {
		if err := checkTable(filepath.Join(dir, fmt.Sprintf("%06d.sst", id)), t); err != nil {
			return damaged("%v", err)
		}
	}
	// A crash can leave tables that the MANIFEST knows not yet or no more. After a
	// clean end there are none, and neither a LOCK nor a write-ahead log.
	for _, name := range tables {
		id, err := strconv.ParseUint(strings.TrimSuffix(name, ".sst"), 10, 64)
		_, known := manifest.Tables[id]
		if !crashed && (err != nil || !known) {
			return damaged("%s does not know %s", manifestFile, name)
		}
	}
	for _, path := range empty {
		if err := os.Remove(path); err != nil {
			return fmt.Errorf("remove empty log: %w", err)
		}
	}
	return nil
}

func checkAccess(path string) (size int64, err error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if errors.Is(err, fs.ErrPermission) {
		return 0, fmt.Errorf("no permission for %s: give its directory to the user who runs facerecd: %w", path, err)
	}
	if err != nil {
		return 0, fmt.Errorf("open file: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return 0, fmt.Errorf("look at file: %w", err)
	}
	return info.Size(), nil
}

func readManifest(dir string) (badger.Manifest, error) {
	f, err := os.Open(filepath.Join(dir, manifestFile))
	if err != nil {
		return badger.Manifest{}, err
	}
	defer f.Close()
	m, _, err := badger.ReplayManifestFile(f, 0, badger.DefaultOptions(dir).WithLogger(nil))
	return m, err
}

// checkTable verifies the index of a table (Badger's table/README: blocks, index,
// its length, checksum, its length) and, as far as they can be read without
// Badger's data keys, its blocks.
func checkTable(path string, t badger.TableManifest) (err error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s is missing", filepath.Base(path))
	}
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = fmt.Errorf("%s: %w", filepath.Base(path), err)
		}
	}()
	rest, sum, err := cutChecksum(data)
	if err != nil {
		return err
	}
	index, ok := cutTail(&rest)
	if !ok || len(index) < 8 { // a file of zeros is its own checksum
		return errTruncated
	}
	if err := y.VerifyChecksum(index, sum); err != nil {
		return err
	}
	if t.KeyID != 0 || t.Compression != options.None {
		return nil
	}
	blocks := fb.GetRootAsTableIndex(index, 0)
	for i := range blocks.OffsetsLength() {
		var at fb.BlockOffset
		blocks.Offsets(&at, i)
		from, to := uint64(at.Offset()), uint64(at.Offset())+uint64(at.Len())
		if to > uint64(len(data)) {
			return errTruncated
		}
		block, sum, err := cutChecksum(data[from:to])
		if err != nil {
			return fmt.Errorf("block %d: %w", i, err)
		}
		if err := y.VerifyChecksum(block, sum); err != nil {
			return fmt.Errorf("block %d: %w", i, err)
		}
	}
	return nil
}

var errTruncated = errors.New("it is cut off or overwritten")

// cutChecksum takes a checksum and its length off the end of data.
func cutChecksum(data []byte) ([]byte, *pb.Checksum, error) {
	encoded, ok := cutTail(&data)
	if !ok {
		return nil, nil, errTruncated
	}
	var sum pb.Checksum
	if err := proto.Unmarshal(encoded, &sum); err != nil {
		return nil, nil, errTruncated
	}
	if _, known := pb.Checksum_Algorithm_name[int32(sum.Algo)]; !known {
		return nil, nil, errTruncated
	}
	return data, &sum, nil
}

// cutTail takes a length of 4 bytes, and as many bytes before it, off the end.
func cutTail(data *[]byte) ([]byte, bool) {
	d := *data
	if len(d) < 4 {
		return nil, false
	}
	n := uint64(binary.BigEndian.Uint32(d[len(d)-4:]))
	d = d[:len(d)-4]
	if n > uint64(len(d)) {
		return nil, false
	}
	cut := len(d) - int(n)
	*data = d[:cut]
	return d[cut:], true
}

// checkFree says who holds the directory, before anything in it is looked at.
func checkFree(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("open directory: %w", err)
	}
	defer d.Close()
	// Closing d gives the lock back, for Badger to take it (its dir_unix.go).
	if err := syscall.Flock(int(d.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return inUse(dir)
	}
	return nil
}

func inUse(dir string) error {
	who := "another process"
	if pid, err := os.ReadFile(filepath.Join(dir, "LOCK")); err == nil && len(pid) > 1 {
		who = "process " + strings.TrimSpace(string(pid))
	}
	return fmt.Errorf("%w by %s: stop that one first (systemctl stop facerecd), or use another data_dir", ErrInUse, who)
}

// privateFiles takes the rights of others from files that were there before the
// directory had its ACL, or are on a file system without.
func privateFiles(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("list directory: %w", err)
	}
	for _, e := range entries {
		info, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) || err == nil && (!info.Mode().IsRegular() || info.Mode().Perm() == 0o600) {
			continue // Badger deletes files as it likes
		}
		if err != nil {
			return fmt.Errorf("look at file: %w", err)
		}
		if err := os.Chmod(filepath.Join(dir, e.Name()), 0o600); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("close file to others: %w", err)
		}
	}
	return nil
}
