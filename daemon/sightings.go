package daemon

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"facerecd/daemon/event"
	"facerecd/daemon/homeassistant"
	"facerecd/daemon/mqtt"
)

// sightings are where each person was last seen, as the person topics tell. Its
// methods but Run may be called from any goroutine, and never block.
type sightings struct {
	Topics mqtt.Topics
	Set    func(topic string, payload []byte, pace time.Duration) // Publisher.SetState
	People func() []homeassistant.Person                          // those who have a topic now
	Events *event.Log
	Log    *slog.Logger

	changed chan struct{} // receives after People may have changed

	mu     sync.Mutex
	people map[string]*sighted // by person id; those who have a topic
	inView map[string][]string // ids of the people in view, by camera
	past   map[string]seen     // of people who have no topic, or not yet
}

// seen is when and where somebody was seen last.
type seen struct {
	camera     string
	at         time.Time
	confidence float32
	event      string
}

// announce notes an event, if it is one that others hear of.
func (s *seen) announce(e event.Event) {
	if e.Quiet == "" {
		s.event, s.confidence = e.ID, e.Confidence
	}
}

// sighted is what is told of a person.
type sighted struct {
	homeassistant.Person
	seen
	payload []byte // that was told, without its time
}

// remembered is how many of the newest events are looked at for whom they name,
// when the daemon starts.
const remembered = 2000

// begin takes over what the history says. It is called before all else.
func (s *sightings) begin(ctx context.Context) error {
	s.changed, s.past = make(chan struct{}, 1), make(map[string]seen)
	people := s.People()
	if len(people) == 0 {
		return nil
	}
	history, err := s.Events.History(ctx, "", remembered)
	if err != nil {
		return fmt.Errorf("read where people were seen: %w", err)
	}
	for _, e := range slices.Backward(history) { // the newest come first
		if e.Person != nil {
			last := s.past[e.Person.ID]
			last.camera, last.at = e.Camera, e.Time
			last.announce(e)
			s.past[e.Person.ID] = last
		}
	}
	s.meet(people)
	return nil
}

// change is called when somebody was enrolled, renamed or deleted.
func (s *sightings) change() { signal(s.changed) }

// Run follows what happens until ctx ends, and then to the end of it.
func (s *sightings) Run(ctx context.Context) error {
	events := s.Events.Subscribe(ctx)
	var due <-chan time.Time
	for {
		select {
		case e, ok := <-events:
			if !ok { // ctx has ended; who was deleted this moment must be gone too
				s.meet(s.People())
				return nil
			}
			s.happened(e)
		case <-s.changed:
			if due == nil {
				due = time.After(together)
			}
		case <-due:
			due = nil
			s.meet(s.People())
		}
	}
}

// meet makes these the people that there are, and empties the topics of those
// who are not among them, or have another slug now.
func (s *sightings) meet(people []homeassistant.Person) {
	s.mu.Lock()
	defer s.mu.Unlock()
	next := make(map[string]*sighted, len(people))
	before, slugs := s.slugs(), make(map[string]bool, len(people))
	for _, p := range people {
		is := s.people[p.ID]
		if is == nil {
			is = &sighted{seen: s.past[p.ID]}
		}
		if is.Slug != p.Slug {
			is.payload = nil
		}
		is.Person = p
		next[p.ID], slugs[p.Slug] = is, true
	}
	for slug := range before {
		if !slugs[slug] {
			s.Set(s.Topics.Person(slug), nil, 0)
		}
	}
	s.people = next
	for _, is := range next {
		s.tell(is, time.Now())
	}
}

func (s *sightings) slugs() map[string]bool {
	slugs := make(map[string]bool, len(s.people))
	for _, is := range s.people {
		slugs[is.Slug] = true
	}
	return slugs
}

// retained is told what the broker has on the person topics: of whom it should
// have nothing, it is taken off, also if they were deleted when the broker or
// this daemon was away.
func (s *sightings) retained(topic string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	slug, ok := strings.CutPrefix(topic, s.Topics.Person(""))
	if ok && !s.slugs()[slug] {
		s.Set(topic, nil, 0)
	}
}

// topics is how many retained topics of the sightings are about a person: their
// own, and those of cameras that have them in view.
func (s *sightings) topics(id string) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.people[id] != nil {
		n++
	}
	for _, inView := range s.inView {
		if slices.Contains(inView, id) {
			n++
		}
	}
	return n
}

// view is told who is in view of a camera.
func (s *sightings) view(p mqtt.Present) {
	s.mu.Lock()
	defer s.mu.Unlock()
	before := s.inView[p.Camera]
	var now []string
	for _, v := range p.People {
		now = append(now, v.ID)
	}
	if s.inView == nil {
		s.inView = make(map[string][]string)
	}
	s.inView[p.Camera] = now
	concerned := append(slices.Clone(before), now...)
	slices.Sort(concerned)
	for _, id := range slices.Compact(concerned) {
		s.saw(id, p.Time, func(last *seen) { last.camera, last.at = p.Camera, p.Time })
	}
}

// happened is told each event.
func (s *sightings) happened(e event.Event) {
	if e.Person == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.saw(e.Person.ID, e.Time, func(last *seen) {
		last.announce(e)
		if e.Time.After(last.at) {
			last.camera, last.at = e.Camera, e.Time
		}
	})
}

// recall is told the newest event of a person, when that is another than what
// happened would say.
func (s *sightings) recall(person string, e event.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.saw(person, time.Now(), func(last *seen) {
		*last = seen{camera: e.Camera, at: e.Time}
		last.announce(e)
	})
}

// saw notes something of a person, and tells it, or keeps it for the moment when
// the person has a topic. The caller holds mu.
func (s *sightings) saw(id string, at time.Time, note func(*seen)) {
	if is := s.people[id]; is != nil {
		note(&is.seen)
		s.tell(is, at)
		return
	}
	last := s.past[id]
	note(&last)
	s.past[id] = last
}

// tell publishes what is known of a person when that has changed. The caller
// holds mu.
func (s *sightings) tell(is *sighted, at time.Time) {
	state := mqtt.PersonState{
		Person: event.Person{ID: is.ID, Name: is.Name},
		Camera: is.camera, LastSeen: is.at, Confidence: is.confidence, Event: is.event,
	}
	for _, camera := range slices.Sorted(maps.Keys(s.inView)) {
		if slices.Contains(s.inView[camera], is.ID) {
			state.Cameras = append(state.Cameras, camera)
		}
	}
	without, err := state.MarshalJSON()
	if err == nil && bytes.Equal(without, is.payload) {
		return
	}
	is.payload, state.Time = without, at
	payload, err := state.MarshalJSON()
	if err != nil {
		s.Log.Error("cannot tell where somebody was seen", "person", is.ID, "err", fmt.Errorf("encode state: %w", err))
		return
	}
	s.Set(s.Topics.Person(is.Slug), payload, 0)
}
