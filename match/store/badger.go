package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/options"
)

// memTableSize is Badger's write buffer, in the heap and, as its write-ahead
// log, on the disk. Its default of 64 MiB suits a server. 4 MiB hold thousands
// of events or enrolments, and still allow a transaction of 600 KiB.
const memTableSize = 4 << 20

// badgerOptions fits Badger into the memory of a Raspberry Pi with 1 GB, where
// the models want most of it: at most 3 write buffers of 5 MiB, and no cache.
func badgerOptions(dir string, key []byte, log badger.Logger) badger.Options {
	o := badger.DefaultOptions(dir).
		WithLogger(log).
		WithSyncWrites(true). // an acknowledged event survives a power cut
		WithMemTableSize(memTableSize).
		WithBaseTableSize(1 << 20).    // merging holds several tables in memory, each twice
		WithNumMemtables(2).           // one filling, one being flushed
		WithValueThreshold(512 << 10). // above MaxValue: all values live in the tables, so that compaction alone erases them
		WithValueLogFileSize(1 << 20).
		WithNumCompactors(2). // the least that Badger accepts
		WithNumGoroutines(1).
		WithCompression(options.None). // embeddings do not compress, and without it there is no block cache to pay for
		WithBlockCacheSize(0).
		WithDetectConflicts(false). // Store.mu lets one write at a time
		WithMetricsEnabled(false).  // expvar is package state
		WithCompactL0OnClose(true)  // starting again is faster with fewer tables
	if len(key) > 0 {
		// Badger panics when it has no cache for what it decrypts, and only Badger
		// can verify such tables.
		o = o.WithEncryptionKey(key).
			WithBlockCacheSize(4 << 20).
			WithIndexCacheSize(2 << 20).
			WithChecksumVerificationMode(options.OnTableRead)
	}
	return o
}

// openBadger opens the directory that check has found fit for it.
func (s *Store) openBadger() (err error) {
	log := &logger{log: s.log}
	log.opening.Store(true)
	defer log.opening.Store(false)
	// Badger slices without looking while it reads damaged files.
	defer func() {
		if p := recover(); p != nil {
			err = damaged("%v", p)
		}
	}()
	db, err := badger.Open(badgerOptions(s.dir, s.opts.EncryptionKey, log))
	switch {
	case err == nil:
		s.db = db
		return nil
	case strings.Contains(err.Error(), badger.ErrEncryptionKeyMismatch.Error()):
		return fmt.Errorf("the encryption key does not fit: use the key that the store was made with, or none if it was made without: %w", ErrInvalid)
	case strings.Contains(err.Error(), "Cannot acquire directory lock"):
		return inUse(s.dir)
	case errors.Is(explain(err), syscall.ENOSPC):
		return explain(err)
	}
	return damaged("%v", err)
}

func damaged(format string, args ...any) error {
	return fmt.Errorf("%w: %s; nothing was changed: restore a backup, or move the directory away to start anew", ErrDamaged, fmt.Sprintf(format, args...))
}

// explain gives errors their identity back, which Badger loses as it wraps them
// by their text (v4.9.6, y.Wrap).
func explain(err error) error {
	switch {
	case err == nil, errors.Is(err, syscall.ENOSPC):
		return err
	case strings.Contains(err.Error(), syscall.ENOSPC.Error()):
		return fmt.Errorf("%v: free some space: %w", err, syscall.ENOSPC)
	}
	return err
}

// prepareLogs reserves the disk blocks of a new write-ahead log, so that no
// other program can take them from under Badger's memory map, and makes its
// directory entry durable, which Badger (v4.9.6, openMemTable) leaves to luck.
func (s *Store) prepareLogs() error {
	logs, err := filepath.Glob(filepath.Join(s.dir, "*.mem"))
	if err != nil {
		return fmt.Errorf("list write-ahead logs: %w", err)
	}
	fresh := false
	for _, path := range logs {
		if _, ok := s.prepared[path]; ok {
			continue
		}
		s.prepared[path] = struct{}{}
		fresh = true
		if err := allocate(path, memTableSize*5/4); err != nil {
			s.log.Debug("cannot reserve space for the write-ahead log", "err", err)
		}
	}
	if !fresh {
		return nil
	}
	return syncDir(s.dir)
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("open directory to sync it: %w", err)
	}
	if err := errors.Join(d.Sync(), d.Close()); err != nil {
		return fmt.Errorf("sync directory: %w", err)
	}
	return nil
}

// logger writes what Badger has to say to slog. What goes wrong while it opens
// is in the error of Open already.
type logger struct {
	log     *slog.Logger
	opening atomic.Bool
}

func (l *logger) say(level slog.Level, format string, args []any) {
	if l.opening.Load() {
		level = slog.LevelDebug
	}
	l.log.Log(context.Background(), level, "badger: "+strings.TrimSpace(fmt.Sprintf(format, args...)))
}

func (l *logger) Errorf(format string, args ...any)   { l.say(slog.LevelError, format, args) }
func (l *logger) Warningf(format string, args ...any) { l.say(slog.LevelWarn, format, args) }
func (l *logger) Infof(format string, args ...any)    { l.say(slog.LevelDebug, format, args) }
func (l *logger) Debugf(format string, args ...any)   { l.say(slog.LevelDebug, format, args) }
