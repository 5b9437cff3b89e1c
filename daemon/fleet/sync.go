package fleet

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"facerecd/match/store"
)

// Conn is one connection to the broker. Its methods fail once the connection is
// lost.
type Conn interface {
	// Subscribe returns when the broker has granted the subscription.
	Subscribe(ctx context.Context, filter string) error
	// Publish returns when the broker has the message.
	Publish(ctx context.Context, topic string, retained bool, payload []byte) error
	// Arrived receives after messages came, once for any number of them.
	Arrived() <-chan struct{}
	// Take returns the next message that came, and whether there was one. It
	// never blocks.
	Take() (topic string, payload []byte, ok bool)
	// Missed tells whether messages were dropped since it was last asked, as too
	// many came at once.
	Missed() bool
	// Lost is closed when the connection is.
	Lost() <-chan struct{}
}

// People is who is enrolled on this device, and who was.
type People interface {
	// Record returns what is known of a person, and whether anything is.
	Record(store.Mark) (Record, bool, error)
	// Marks returns everybody of whom something is known.
	Marks() ([]store.Mark, error)
	// Apply takes in records that were merged with those of this device, and
	// returns the other people whose records changed with that. People who are
	// alive and have one name become one.
	Apply([]Record) ([]store.Mark, error)
}

// How long a correction waits at least, and by how much more at random: so that
// of several devices that find the same to correct, one does.
const (
	correctAfter = 50 * time.Millisecond
	correctUpTo  = 400 * time.Millisecond
)

// retryAfter is how long after a failure a connection that stands is tried again.
const retryAfter = time.Minute

// answerTimeout is how long the broker may take to send what it has retained.
const answerTimeout = 20 * time.Second

// Sync keeps the people of this device and the fleet's records at the broker in
// step. It is safe for concurrent use.
type Sync struct {
	Codec   *Codec
	Prefix  string // of all topics of the fleets: facerecd/_fleet
	People  People
	Connect func(context.Context) (Conn, error) // waits for a connection that it has not returned before
	Log     *slog.Logger

	mu     sync.Mutex
	debts  debts
	wake   chan struct{}
	status Status
	told   map[string]bool // what was logged, by kind
}

// Status is how a Sync fares. The counts are since it was made.
type Status struct {
	Fleet     string // id
	InStep    bool   // everything that the broker had is taken in
	Err       error  // why it is not; nil while there is no connection
	Published uint64 // records
	Taken     uint64 // records that told something new
	Stale     uint64 // records at the broker that were older than what was known, and were replaced: replayed, or of a device that was away
	Refused   uint64 // payloads that are no records of this fleet
	Reason    error  // of the last refusal; nil when the broker has nothing to refuse any more

	ErrSince, ReasonSince time.Time
}

// Status may be called at any time.
func (s *Sync) Status() Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.status
	st.Fleet = s.Codec.Fleet()
	return st
}

// Changed says that a person was enrolled, renamed, deleted or got templates on
// this device. It never blocks.
func (s *Sync) Changed(m store.Mark) {
	s.mu.Lock()
	s.debts.owe(m)
	s.mu.Unlock()
	select {
	case s.signal() <- struct{}{}:
	default:
	}
}

// signal receives after Changed. It is made by whoever comes first.
func (s *Sync) signal() chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.wake == nil {
		s.wake = make(chan struct{}, 1)
	}
	return s.wake
}

// Run keeps in step until ctx ends, and returns nil then. What could not be
// published or stored by then follows at the next start: each connection begins
// with a comparison of everything.
func (s *Sync) Run(ctx context.Context) error {
	for {
		conn, err := s.Connect(ctx)
		if ctx.Err() != nil {
			return nil
		} else if err != nil {
			return fmt.Errorf("wait for a connection: %w", err)
		}
		for over(ctx, conn) == nil {
			err := s.serve(ctx, conn)
			s.inStep(false, nil)
			if over(ctx, conn) != nil { // which others log
				break
			}
			s.inStep(false, err)
			s.once("sync", slog.LevelWarn, "people are not shared, trying again every minute", "err", err)
			select {
			case <-ctx.Done():
			case <-conn.Lost():
			case <-time.After(retryAfter):
			}
		}
	}
}

// over returns why nothing more comes over a connection, or nil.
func over(ctx context.Context, conn Conn) error {
	select {
	case <-conn.Lost():
		return errLost
	default:
		return ctx.Err()
	}
}

func (s *Sync) inStep(yes bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil && s.status.Err == nil {
		s.status.ErrSince = time.Now()
	}
	s.status.InStep, s.status.Err = yes, err
}

// once logs, the first time that it is called for a kind.
func (s *Sync) once(kind string, level slog.Level, message string, args ...any) {
	s.mu.Lock()
	told := s.told[kind]
	if s.told == nil {
		s.told = make(map[string]bool)
	}
	s.told[kind] = true
	s.mu.Unlock()
	if !told {
		s.Log.Log(context.Background(), level, message, args...)
	}
}

// serve keeps in step over one connection, until it is lost.
func (s *Sync) serve(ctx context.Context, conn Conn) error {
	w := &session{Sync: s, conn: conn}
	if err := w.takeAll(ctx); err != nil {
		return err
	}
	s.mu.Lock()
	delete(s.told, "sync")
	s.mu.Unlock()
	for {
		if err := w.work(ctx); err != nil {
			return err
		}
	}
}

var (
	errLost   = errors.New("connection lost")
	errDenied = errors.New("the broker does not send back what this device publishes below _fleet: let it read and write there (docs/fleet.md)")
)
