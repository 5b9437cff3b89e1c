package daemon

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"facerecd/daemon/api"
	"facerecd/daemon/event"
	"facerecd/match"
	"facerecd/match/store"
)

const (
	// maxStrangers bounds the strangers who are remembered; who was not seen for
	// the longest time goes. As many again may be ignored.
	maxStrangers = 1000
	// StrangerQuality is what a track's best face must have for its stranger to be
	// remembered: blurred faces resemble each other. Of lfw-dev's 2,059 photos 16
	// have less.
	StrangerQuality = 0.3
	// strangersPause is how often it is looked who has not been seen for too long.
	strangersPause = time.Hour
)

// Strangers is everybody who was seen and is not enrolled: on disk in the store,
// and in memory to be found again. It is safe for concurrent use, and is the
// api.Strangers of the HTTP port.
type Strangers struct {
	Store     *store.Store
	Roster    *Roster
	IDs       *event.IDs
	Policy    func() *match.Policy // as configured now
	Days      int                  // since when nobody has seen whom to forget; by the store's age
	Pictures  bool                 // store one of each
	KeepCrops bool                 // as Faces has it
	Log       *slog.Logger

	edit sync.Mutex // one naming or forgetting at a time; before Roster.change, and before mu

	mu     sync.Mutex
	all    *match.Strangers
	tracks map[string]meeting // tracks in view that are a stranger's
	newest time.Duration      // the greatest Stranger.Age
	failed bool               // the store refused the last one
}

// meeting is a stranger in view.
type meeting struct {
	stranger string // id
	ignored  bool
}

var _ api.Strangers = (*Strangers)(nil)

// Load reads the store.
func (s *Strangers) Load() error {
	all, err := s.Store.Strangers()
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	g := s.Roster.Gallery
	s.all, s.tracks = match.NewStrangers(g.Model(), g.Size()), make(map[string]meeting)
	for _, st := range all {
		if err := s.all.Put(st); err != nil {
			return fmt.Errorf("read stranger %s: %w", st.ID, err)
		}
		s.IDs.After(st.ID)
		s.newest = max(s.newest, st.Age)
	}
	return nil
}

// Run forgets who has not been seen for too long, until ctx ends.
func (s *Strangers) Run(ctx context.Context) error {
	tick := time.NewTicker(strangersPause)
	defer tick.Stop()
	for {
		if err := s.expire(); err != nil {
			s.Log.Warn("strangers who were not seen for long could not be forgotten, will try again", "err", err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

func (s *Strangers) expire() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	limit := s.Store.Age() - time.Duration(s.Days)*24*time.Hour
	var gone []string
	for _, st := range s.all.All() {
		if !st.Ignored && st.Age < limit {
			gone = append(gone, st.ID)
		}
	}
	return s.forget(gone...)
}

// forget deletes strangers from the store and from memory. The caller holds mu.
func (s *Strangers) forget(ids ...string) error {
	if len(ids) == 0 {
		return nil
	}
	if err := s.Store.ForgetStrangers(ids...); err != nil {
		return err
	}
	for _, id := range ids {
		s.all.Remove(id)
	}
	return nil
}

// Meet is told of each event before it is stored, and sets Stranger to the lasting
// id of whom it is about, if that is somebody who is remembered. Their record is on
// the disk by then. An event that it mutes is not to be told: it is about somebody
// whom the owner ignores.
func (s *Strangers) Meet(e *event.Event) (mutes bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m, met := s.tracks[e.Track]
	switch e.Type {
	case event.Unknown:
		if m, met = s.meet(e); met {
			s.tracks[e.Track] = m
		}
	case event.Recognized:
		// Somebody known, who was seen badly at first, has become no stranger.
		delete(s.tracks, e.Track)
		if st, ok := s.all.Get(m.stranger); ok && !st.Ignored && st.Count == 1 {
			s.report(s.forget(st.ID))
		}
		return false
	case event.Left:
		delete(s.tracks, e.Track)
		_, is := s.all.Get(m.stranger) // or was forgotten meanwhile
		met = met && (is || m.ignored)
	}
	if met && !m.ignored {
		e.Stranger = &m.stranger
	}
	return met && m.ignored
}

// meet finds whose face an event has, or makes a new stranger of it. The caller
// holds mu.
func (s *Strangers) meet(e *event.Event) (m meeting, ok bool) {
	if e.Embedding == nil || !(e.Quality >= StrangerQuality) {
		return m, false
	}
	st, found := s.all.Find(e.Embedding, s.Policy().Threshold)
	if found && st.Ignored {
		return meeting{st.ID, true}, true
	}
	if !found {
		st = match.Stranger{ID: s.IDs.Next(), Model: s.Roster.Gallery.Model(), First: e.Time}
	}
	st = st.With(e.Embedding, e.Quality)
	s.newest = max(s.Store.Age(), s.newest+1) // the order survives a crash that the last of the age did not
	st.Last, st.Age = e.Time, s.newest
	if !slices.Contains(st.Cameras, e.Camera) {
		st.Cameras = append(st.Cameras, e.Camera)
	}
	var picture []byte
	if s.Pictures && e.Quality > st.Quality {
		if picture = thumbnail(e.Picture); picture != nil {
			st.Quality = e.Quality
		}
	}
	err := s.put(st, picture)
	s.report(err)
	return meeting{st.ID, false}, err == nil
}

// put stores a stranger, and forgets whoever is one too many. The caller holds mu.
func (s *Strangers) put(st match.Stranger, picture []byte) error {
	if err := s.Store.PutStranger(st, picture); err != nil {
		return err
	}
	if err := s.all.Put(st); err != nil {
		return err
	}
	left := maxStrangers
	var gone []string
	for _, other := range s.all.All() {
		if other.Ignored {
			continue
		}
		if left--; left < 0 {
			gone = append(gone, other.ID)
		}
	}
	return s.forget(gone...)
}

// report logs that strangers cannot be remembered, once, and the end of it.
func (s *Strangers) report(err error) {
	switch {
	case err != nil && !s.failed:
		s.Log.Error("strangers are not remembered; their events go out without an id", "err", err)
	case err == nil && s.failed:
		s.Log.Info("strangers are remembered again")
	}
	s.failed = err != nil
}

// Ignores tells whether the track that is in view is one not to be told of.
func (s *Strangers) Ignores(track string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.tracks[track].ignored
}

// Count is how many strangers are remembered, and how many of them ignored.
func (s *Strangers) Count() (all, ignored int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.count()
}

func (s *Strangers) count() (all, ignored int) {
	for _, st := range s.all.All() {
		all++
		if st.Ignored {
			ignored++
		}
	}
	return all, ignored
}
