package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"facerecd/cross/testkit"

	"github.com/dgraph-io/badger/v4"
)

func TestFilesArePrivateWhateverTheUmask(t *testing.T) {
	defer syscall.Umask(syscall.Umask(0))
	dir := filepath.Join(t.TempDir(), "a", "b")
	checkModes := func(when string) {
		t.Helper()
		must(t, filepath.WalkDir(filepath.Dir(dir), func(path string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			want := fs.FileMode(0o600)
			if d.IsDir() {
				want = fs.ModeDir | 0o700
			}
			if info := got[fs.FileInfo](t)(d.Info()); info.Mode() != want {
				t.Errorf("%s: %s has mode %v, want %v", when, filepath.Base(path), info.Mode(), want)
			}
			return nil
		}))
	}
	s := open(t, dir, Options{})
	checkModes("after Open")
	for i := range 30 { // each a quarter of a MiB twice, so that files come and go
		got[uint64](t)(s.Append(Row{ID: fmt.Sprint("E", i), Topic: "t", Payload: make([]byte, MaxValue)}))
	}
	checkModes("after writing")
	must(t, s.Close())
	checkModes("after Close")

	// A store from elsewhere is repaired.
	must(t, os.Chmod(dir, 0o755))
	must(t, os.Chmod(filepath.Join(dir, "MANIFEST"), 0o644))
	open(t, dir, Options{})
	checkModes("after opening again")
}

func TestAnOpenStoreNeedsLittleMemory(t *testing.T) {
	heap := func() int64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	before := heap()
	s := open(t, t.TempDir(), Options{})
	if used := heap() - before; used > 8<<20 { // 5.5 MiB on amd64
		t.Errorf("an open store takes %d KiB of the heap", used>>10)
	}
	runtime.KeepAlive(s)
}

func TestASecondProcessIsToldWhoHoldsTheStore(t *testing.T) {
	s := open(t, t.TempDir(), Options{})
	_, err := Open(s.dir, Options{})
	wantError(t, err, fmt.Sprintf("open store %s: store is in use by process %d: stop that one first (systemctl stop facerecd), or use another data_dir", s.dir, os.Getpid()))
	if !errors.Is(err, ErrInUse) {
		t.Error("not ErrInUse")
	}
	appendRows(t, s, 0, 1, "") // the first is not disturbed
}

func TestOpenRefusesWrongOptions(t *testing.T) {
	_, err := Open("d", Options{EncryptionKey: []byte("short")})
	wantError(t, err, "open store d: invalid encryption key: it has 5 bytes, make one of 16, 24 or 32")
	_, err = Open("d", Options{MaxAge: -1})
	wantError(t, err, "open store d: invalid option MaxAge: it is below 0")
}

func TestOpenRefusesADirectoryThatIsAFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	must(t, os.WriteFile(path, nil, 0o600))
	_, err := Open(path, Options{})
	wantError(t, err, fmt.Sprintf("open store %s: make directory: mkdir %s: not a directory", path, path))
}

func TestEncryptedFilesSayNothing(t *testing.T) {
	key := bytes.Repeat([]byte{7}, 32)
	s := open(t, t.TempDir(), Options{EncryptionKey: key})
	withMarker(t, s, 3)
	must(t, s.Compact())
	appendRows(t, s, 5, 6, "P1")
	must(t, s.Close())
	if files := filesWith(t, s.dir, marker); files != nil {
		t.Errorf("the marker is in %v", files)
	}
	before := contents(t, s.dir)
	for name, key := range map[string][]byte{"another key": bytes.Repeat([]byte{8}, 32), "no key": nil} {
		_, err := Open(s.dir, Options{EncryptionKey: key})
		wantError(t, err, fmt.Sprintf("open store %s: the encryption key does not fit: use the key that the store was made with, or none if it was made without: invalid", s.dir))
		if after := contents(t, s.dir); !sameFiles(before, after) {
			t.Errorf("%s: files changed", name)
		}
	}
	s = open(t, s.dir, Options{EncryptionKey: key})
	if p, err := s.FindByName(marker); err != nil || p.Templates != 4 {
		t.Errorf("%+v, %v", p, err)
	}
}

func TestOpenRefusesAnotherSchema(t *testing.T) {
	for _, tc := range []struct {
		name    string
		version []byte
		want    string
	}{
		{"newer", []byte{schema + 1}, "a newer facerecd wrote it (schema 2, this one knows 1): install that version again, or restore a backup made before the update"},
		{"none", nil, "store is damaged: it has no schema version; it may be another program's; nothing was changed: restore a backup, or move the directory away to start anew"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := open(t, t.TempDir(), Options{})
			must(t, s.Enroll(ana(), nil))
			must(t, s.db.Update(func(txn *badger.Txn) error {
				if tc.version == nil {
					return txn.Delete([]byte(schemaKey))
				}
				return txn.Set([]byte(schemaKey), tc.version)
			}))
			must(t, s.Close())
			_, err := Open(s.dir, Options{})
			wantError(t, err, fmt.Sprintf("open store %s: %s", s.dir, tc.want))
		})
	}
}

// contents reads the data files of a closed store.
func contents(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	for _, e := range got[[]os.DirEntry](t)(os.ReadDir(dir)) {
		if e.Name() != "LOCK" {
			files[e.Name()] = string(got[[]byte](t)(os.ReadFile(filepath.Join(dir, e.Name()))))
		}
	}
	return files
}

// sameFiles compares the tables and the MANIFEST, which hold what was stored.
func sameFiles(a, b map[string]string) bool {
	for name, data := range a {
		if (name == "MANIFEST" || strings.HasSuffix(name, ".sst")) && b[name] != data {
			return false
		}
	}
	return true
}

// TestADamagedStoreIsRefusedAndLeftAlone breaks a store in the ways of bad flash
// and of half a backup.
func TestADamagedStoreIsRefusedAndLeftAlone(t *testing.T) {
	s := open(t, t.TempDir(), Options{})
	withMarker(t, s, 50)
	must(t, s.Close())
	s = open(t, s.dir, Options{})
	appendRows(t, s, 100, 150, "P2")
	must(t, s.Close())
	good := contents(t, s.dir)
	var table string
	for name := range good {
		if strings.HasSuffix(name, ".sst") {
			table = name
		}
	}
	const end = "; nothing was changed: restore a backup, or move the directory away to start anew"
	for _, tc := range []struct {
		name  string
		spoil func(files map[string]string)
		want  string
	}{
		{"no MANIFEST", func(f map[string]string) { delete(f, "MANIFEST") }, "its MANIFEST is missing"},
		{"an empty MANIFEST", func(f map[string]string) { f["MANIFEST"] = "" }, "manifest has bad magic"},
		{"a MANIFEST of zeros", func(f map[string]string) { f["MANIFEST"] = string(make([]byte, len(f["MANIFEST"]))) }, "manifest has bad magic"},
		{"a MANIFEST cut off", func(f map[string]string) { f["MANIFEST"] = f["MANIFEST"][:8] }, "MANIFEST does not know " + table},
		{"a bit of the MANIFEST", func(f map[string]string) { f["MANIFEST"] = flip(f["MANIFEST"], 20) }, "manifest has checksum mismatch"},
		{"no table", func(f map[string]string) { delete(f, table) }, table + " is missing"},
		{"an empty table", func(f map[string]string) { f[table] = "" }, table + ": it is cut off or overwritten"},
		{"a table cut off", func(f map[string]string) { f[table] = f[table][:len(f[table])/2] }, table + ": it is cut off or overwritten"},
		{"a table of zeros", func(f map[string]string) { f[table] = string(make([]byte, len(f[table]))) }, table + ": "},
		{"a bit of a block", func(f map[string]string) { f[table] = flip(f[table], 50) }, table + ": block 0: "},
		{"a bit of the index", func(f map[string]string) { f[table] = flip(f[table], len(f[table])-40) }, table + ": "},
		{"a bit of a length", func(f map[string]string) { f[table] = flip(f[table], len(f[table])-4) }, table + ": it is cut off or overwritten"},
		{"no KEYREGISTRY and no MANIFEST", func(f map[string]string) { delete(f, "MANIFEST"); delete(f, "KEYREGISTRY") }, "its MANIFEST is missing"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			files := map[string]string{}
			for name, data := range good {
				files[name] = data
			}
			tc.spoil(files)
			dir := t.TempDir()
			for name, data := range files {
				must(t, os.WriteFile(filepath.Join(dir, name), []byte(data), 0o600))
			}
			_, err := Open(dir, Options{})
			want := fmt.Sprintf("open store %s: store is damaged: %s", dir, tc.want)
			if err == nil || !strings.HasPrefix(err.Error(), want) || !strings.HasSuffix(err.Error(), end) {
				t.Errorf("error: %v\nwant:  %s…%s", err, want, end)
			}
			if !errors.Is(err, ErrDamaged) {
				t.Error("not ErrDamaged")
			}
			if !sameFiles(files, contents(t, dir)) {
				t.Error("files were changed")
			}
		})
	}
}

// TestACrashBetweenTwoFileOperationsIsNoDamage leaves behind what a kill at the wrong
// moment does, and Badger alone would refuse or a careless check would.
func TestACrashBetweenTwoFileOperationsIsNoDamage(t *testing.T) {
	s := open(t, t.TempDir(), Options{})
	withMarker(t, s, 3)
	must(t, s.Close())
	for _, name := range []string{"00007.mem", "000009.vlog", "LOCK", "000099.sst"} {
		must(t, os.WriteFile(filepath.Join(s.dir, name), nil, 0o600))
	}
	s = open(t, s.dir, Options{})
	if got := pendingIDs(t, s); got != "E00000 E00001 E00002 E00003" {
		t.Errorf("waiting: %s", got)
	}
}

func flip(data string, at int) string {
	b := []byte(data)
	b[at] ^= 0x40
	return string(b)
}

// TestEveryFlippedByteOfATableIsSeen damages a table anywhere, as Badger ends the
// process over some of it.
func TestEveryFlippedByteOfATableIsSeen(t *testing.T) {
	s := open(t, t.TempDir(), Options{})
	withMarker(t, s, 2)
	must(t, s.Close())
	manifest := got[badger.Manifest](t)(readManifest(s.dir))
	for id, m := range manifest.Tables {
		path := filepath.Join(s.dir, fmt.Sprintf("%06d.sst", id))
		must(t, checkTable(path, m))
		data := got[[]byte](t)(os.ReadFile(path))
		for at := range data {
			data[at] ^= 0x81
			must(t, os.WriteFile(path, data, 0o600))
			if checkTable(path, m) == nil {
				t.Fatalf("byte %d of %d in %s is not checked", at, len(data), path)
			}
			data[at] ^= 0x81
		}
	}
}

func TestRunEndsWithItsContextAndIsQuiet(t *testing.T) {
	var logged testkit.Buffer
	s := open(t, t.TempDir(), Options{GCInterval: time.Millisecond, Log: logTo(&logged, slog.LevelInfo)})
	withMarker(t, s, 3)
	got[Receipt](t)(s.Delete("P1", redactAll))
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	appendRows(t, s, 10, 30, "P2")
	cancel()
	must(t, <-done)
	must(t, s.Close())
	if logged.String() != "" {
		t.Errorf("when all is well it says: %s", logged.String())
	}
}

func TestDebugLogHasWhatBadgerSays(t *testing.T) {
	var logged testkit.Buffer
	s := open(t, t.TempDir(), Options{Log: logTo(&logged, slog.LevelDebug)})
	withMarker(t, s, 3)
	must(t, s.Compact())
	must(t, s.Close())
	if !strings.Contains(logged.String(), "badger: ") {
		t.Errorf("log: %s", logged.String())
	}
	if strings.Contains(logged.String(), marker) {
		t.Error("a name is in the log")
	}
	levels := slices.DeleteFunc(strings.Split(logged.String(), "\n"), func(line string) bool {
		return line == "" || strings.Contains(line, "level=DEBUG")
	})
	if len(levels) != 0 {
		t.Errorf("not at debug: %q", levels)
	}
}
