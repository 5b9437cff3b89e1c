// Package store keeps people, their templates, the events still to be published
// and the history of events in one Badger directory.
//
// What a method has acknowledged is on the disk: it survives a crash, and a
// power cut as far as the disk keeps its own promises. A method is one
// transaction, done entirely or not at all, unless its comment says otherwise.
package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/dgraph-io/badger/v4"
)

// The defaults of Options.
const (
	DefaultMaxQueued  = 100_000             // about 50 MB of events: weeks without a broker
	DefaultMaxBytes   = 64 << 20            // of a card that has other things to hold
	DefaultMaxAge     = 30 * 24 * time.Hour // older news is of no use to anybody
	DefaultMaxHistory = 10_000              // about 5 MB, and 8 MB of embeddings: flash is small and wears out
	DefaultMinFree    = 32 << 20            // what Badger may need at once to flush and compact, with room to spare
	DefaultGCInterval = 10 * time.Minute

	DefaultMaxHistoryBytes = 64 << 20            // pictures are large
	DefaultMaxHistoryAge   = 30 * 24 * time.Hour // who came by is nobody's business for longer
)

// MaxValue is the size in bytes that the payload of an event and a setting may have.
const MaxValue = 256 << 10

// Options of a Store. The zero value of each field but EncryptionKey means its
// default.
type Options struct {
	Log           *slog.Logger  // nil: silent
	Device        string        // whose namings these are; see match.Version
	EncryptionKey []byte        // AES key of 16, 24 or 32 bytes; empty: not encrypted
	MaxQueued     int           // events that wait to be published; the oldest goes first
	MaxBytes      int64         // that those take; the oldest goes first
	MaxAge        time.Duration // of a waiting event, counted while a Store is open; see Append
	MaxHistory    int           // events in the history; the oldest goes first
	MinFree       int64         // bytes of the disk that are left alone
	GCInterval    time.Duration // how often Run tidies up

	MaxHistoryBytes int64         // that the history takes, with embeddings and pictures; the oldest event goes first
	MaxHistoryAge   time.Duration // of an event in the history, counted while a Store is open
	// Alike is the cosine from which on a face in the history passes for that of a
	// person who is deleted, whatever name the event has; nil: none does.
	Alike func() float32
}

// Errors for errors.Is.
var (
	ErrNotFound  = errors.New("not found")
	ErrNameTaken = errors.New("name is taken")
	ErrForgotten = errors.New("person was deleted")
	ErrInUse     = errors.New("store is in use")
	ErrDamaged   = errors.New("store is damaged")
	ErrClosed    = errors.New("store is closed")
	ErrInvalid   = errors.New("invalid")
)

// Store is an open directory. It is safe for concurrent use. Writes go one
// after the other, each with its own fsync, which is what a camera's few events
// a second need and what keeps their order plain. Compact, and Delete as it
// compacts, hold everybody else up while they rewrite the files: for a second
// or so with a gallery of thousands on an SD card.
type Store struct {
	dir      string
	opts     Options
	log      *slog.Logger
	appended chan struct{}
	rewrote  chan struct{} // the files were, so that there is memory to give back
	opened   time.Time     // with a monotonic reading; see age

	mu         sync.RWMutex
	db         *badger.DB          // nil once closed
	prepared   map[string]struct{} // write-ahead logs that prepareLogs has seen
	events     eventLog
	queueHead  atomic.Uint64 // no waiting event has a lower number
	compacting atomic.Bool
	staging    atomic.Bool // a backup is being restored
	commits    atomic.Uint64
	unfinished map[string]struct{} // people whose deletion was interrupted
	graves     map[Mark]Grave      // of people who are no more
}

// Open opens the store in dir, or makes it there with mode 0700. Every file in
// it has mode 0600 whatever the umask. Nothing that is in the directory is
// wiped or repaired by guesswork: when it is damaged, was written by a newer
// facerecd, needs another key or is used by another process, the error says so
// and what to do. The owner calls Close, and Run in a goroutine of its own.
func Open(dir string, opts Options) (*Store, error) {
	if err := opts.complete(); err != nil {
		return nil, fmt.Errorf("open store %s: %w", dir, err)
	}
	s := &Store{
		dir:        dir,
		opts:       opts,
		log:        opts.Log,
		appended:   make(chan struct{}, 1),
		rewrote:    make(chan struct{}, 1),
		opened:     time.Now(),
		prepared:   make(map[string]struct{}),
		unfinished: make(map[string]struct{}),
		graves:     make(map[Mark]Grave),
	}
	if err := s.open(); err != nil {
		return nil, fmt.Errorf("open store %s: %w", dir, err)
	}
	return s, nil
}

func (s *Store) open() error {
	if err := makePrivate(s.dir); err != nil {
		return err
	}
	if err := checkFree(s.dir); err != nil {
		return err
	}
	if err := s.room(s.opts.MinFree / 2); err != nil {
		return err
	}
	if err := check(s.dir); err != nil {
		return err
	}
	if err := s.openBadger(); err != nil {
		return err
	}
	private := func() error { return privateFiles(s.dir) }
	orphans := func() error { return s.dropOrphans("") }
	for _, step := range []func() error{s.prepareLogs, private, s.checkSchema, s.load, s.loadGraves, s.resumeRestore, s.trim, orphans} {
		if err := step(); err != nil {
			return errors.Join(err, s.db.Close())
		}
	}
	if s.events.queued > 0 {
		s.wake()
	}
	return nil
}

func (o *Options) complete() error {
	for name, n := range map[string]int64{
		"MaxQueued": int64(o.MaxQueued), "MaxBytes": o.MaxBytes, "MaxAge": int64(o.MaxAge), "MaxHistory": int64(o.MaxHistory),
		"MinFree": o.MinFree, "GCInterval": int64(o.GCInterval),
		"MaxHistoryBytes": o.MaxHistoryBytes, "MaxHistoryAge": int64(o.MaxHistoryAge),
	} {
		if n < 0 {
			return fmt.Errorf("%w option %s: it is below 0", ErrInvalid, name)
		}
	}
	switch len(o.EncryptionKey) {
	case 0, 16, 24, 32:
	default:
		return fmt.Errorf("%w encryption key: it has %d bytes, make one of 16, 24 or 32", ErrInvalid, len(o.EncryptionKey))
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	setDefault(&o.MaxQueued, DefaultMaxQueued)
	setDefault(&o.MaxBytes, DefaultMaxBytes)
	setDefault(&o.MaxAge, DefaultMaxAge)
	setDefault(&o.MaxHistory, DefaultMaxHistory)
	setDefault(&o.MaxHistoryBytes, DefaultMaxHistoryBytes)
	setDefault(&o.MaxHistoryAge, DefaultMaxHistoryAge)
	setDefault(&o.MinFree, DefaultMinFree)
	setDefault(&o.GCInterval, DefaultGCInterval)
	return nil
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// Run tidies up at intervals until ctx ends, and returns nil then: events that
// have waited too long, garbage in Badger's value log, and what was deleted or
// changed and is still in the files. Its owner waits for it before calling Close.
func (s *Store) Run(ctx context.Context) error {
	tidy := func() {
		if err := s.tidy(); err != nil {
			s.log.Warn("tidying the store failed, will try again", "err", err)
		}
	}
	tick := time.NewTicker(s.opts.GCInterval)
	defer tick.Stop()
	var settle <-chan time.Time // nil until there is something to give back
	for tidy(); ; {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			tidy()
		case <-s.rewrote:
			settle = time.After(settleAfter)
		case <-settle:
			s.Settle()
		}
	}
}

// settleAfter is when Badger has let go of what it rewrote.
const settleAfter = 2 * time.Second

func (s *Store) tidy() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.db == nil {
		return ErrClosed
	}
	errs := []error{s.expire(), s.collectGarbage(), privateFiles(s.dir)}
	residue, err := s.hasResidue()
	errs = append(errs, err)
	leftover, err := s.overdue()
	errs = append(errs, err)
	if residue || leftover {
		errs = append(errs, s.compact())
	} else {
		s.Settle() // as compact does
	}
	return errors.Join(errs...)
}

// Settle gives back the memory that it took to read or rewrite everything: the
// heap's garbage, and the tables' pages. It costs a garbage collection.
func (s *Store) Settle() {
	if err := pageOut(s.dir); err != nil {
		s.log.Debug("cannot give back the tables' pages", "err", err)
	}
	debug.FreeOSMemory()
}

// Close writes what is in memory to the disk and frees the directory. It waits
// for methods that are under way; later ones give ErrClosed. A second Close
// does nothing.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.db == nil {
		return nil
	}
	db := s.db
	s.db = nil
	if err := errors.Join(db.Close(), privateFiles(s.dir)); err != nil {
		return fmt.Errorf("close store %s: %w", s.dir, explain(err))
	}
	return nil
}

// view reads in one consistent snapshot. The lock keeps Compact from running
// meanwhile: Badger drops no version that a reader may still want.
func (s *Store) view(read func(*badger.Txn) error) error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.db == nil {
		return ErrClosed
	}
	return explain(s.db.View(read))
}

// update writes in one transaction. The caller holds s.mu, and says with free
// how many bytes the disk must have left.
func (s *Store) update(free int64, write func(*badger.Txn) error) error {
	if err := s.writable(free); err != nil {
		return err
	}
	if err := s.db.Update(write); err != nil {
		return explain(err)
	}
	s.commits.Add(1)
	return s.prepareLogs()
}

func (s *Store) writable(free int64) error {
	if s.db == nil {
		return ErrClosed
	}
	return s.room(free)
}

// Room says why nothing new would be stored now, with ENOSPC when the disk is
// full; nil when it would be. It costs a system call.
func (s *Store) Room() error {
	if err := s.room(s.opts.MinFree); err != nil {
		return fmt.Errorf("look for room: %w", err)
	}
	return nil
}

// room refuses to write when the disk is nearly full. Badger writes through
// memory maps, where a full disk is no error but a SIGBUS, and its compaction
// (v4.9.6, levelsController.subcompact) takes a table that could not be written
// for an empty one: it has to stop early.
func (s *Store) room(least int64) error {
	free, err := freeBytes(s.dir)
	if err != nil {
		return fmt.Errorf("measure free space: %w", err)
	}
	if free < least {
		return fmt.Errorf("disk of %s is full: %d MiB left, %d MiB needed; free some space: %w",
			s.dir, free>>20, least>>20, syscall.ENOSPC)
	}
	return nil
}

// freeing is the space that a transaction needs which will make room: less, so
// that a nearly full disk can still be emptied.
func (s *Store) freeing() int64 { return s.opts.MinFree / 4 }

// makePrivate makes dir, closed to everybody else, and lets files in it be born
// that way: Badger makes its own with 0666 less the umask.
func makePrivate(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make directory: %w", err)
	}
	if err := os.Chmod(dir, 0o700); err != nil {
		return fmt.Errorf("close directory to others: %w", err)
	}
	return inheritPrivate(dir)
}
