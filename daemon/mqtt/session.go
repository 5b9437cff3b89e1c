package mqtt

import (
	"context"
	"errors"
	"fmt"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
)

// How much may be on its way: window messages, and windowBytes of payload unless
// it is a single message. One message at a time would cost a round trip for each
// event of a backlog, and a write to the outbox's disk. What fits into the
// socket's buffer (see dial) never blocks, and so never keeps Run from stopping.
const (
	window      = 16
	windowBytes = 64 << 10
)

// doubt is how long an acknowledged event stays in the outbox while the
// connection stands. A broker that is killed takes with it what it acknowledged
// and had not delivered yet; such events are published again with the rest. It
// also makes one write to the disk of a second's events.
const doubt = time.Second

var errNoAck = errors.New("the broker acknowledges nothing")

// session is what a Publisher does over one connection.
type session struct {
	*Publisher
	link  *link
	conns []*Conn // for others, a line each
	turn  int     // whose requests come next

	flying  []flight  // on their way, oldest first
	after   uint64    // the newest event that was handed over
	landed  []landing // acknowledged events that are still to be taken off the outbox
	more    bool      // the outbox may have more to send
	leaving bool      // Run is to end: nothing is held back any more
	closing bool      // nothing but what is flying matters any more
	ackErr  string    // what was logged last about the outbox
}

// flight is a message on its way. Its seq is 0 when it is no event.
type flight struct {
	seq   uint64
	size  int
	token paho.Token
	since time.Time
	done  chan<- error // nil, or with room for the outcome
}

// landing is an event that was acknowledged at a time.
type landing struct {
	seq uint64
	at  time.Time
}

// run returns nil when ctx ended and everything was said, with the connection
// closed in any case.
func (s *session) run(ctx context.Context) error {
	flush := or(s.FlushTimeout, DefaultFlushTimeout)
	over := make(chan struct{})
	defer close(over)
	// A blocked write hears of ctx by this alone.
	defer context.AfterFunc(ctx, func() {
		select {
		case <-time.After(flush):
			s.link.cut()
		case <-over:
		}
	})()

	err := s.publish(ctx)
	if err == nil {
		err = s.farewell(flush)
	}
	if err != nil {
		s.settle(doubt)
		s.link.drop() // and the broker publishes the will
		return err
	}
	s.settle(0)
	s.link.close()
	return nil
}

// publish works until ctx ends.
func (s *session) publish(ctx context.Context) error {
	s.send(0, s.Topics.Availability(), true, []byte(Online))
	s.retained.renew()
	s.more = true
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for ctx.Err() == nil {
		if err := s.step(ctx.Done(), tick.C); err != nil {
			return err
		}
	}
	return nil
}

// farewell publishes what is left, for three quarters of the time. Then it waits
// for what is on its way, and says offline.
func (s *session) farewell(d time.Duration) error {
	end, cancel := context.WithTimeout(context.Background(), d)
	defer cancel()
	flush, cancel := context.WithTimeout(end, d*3/4)
	defer cancel()
	s.more, s.leaving = true, true
	for (s.more || len(s.flying) > 0) && flush.Err() == nil {
		if err := s.step(flush.Done(), nil); err != nil {
			return err
		}
	}
	s.closing = true
	for said := false; !said || len(s.flying) > 0; {
		if len(s.flying) == 0 {
			s.send(0, s.Topics.Availability(), true, []byte(Offline))
			said = true
		}
		if end.Err() != nil {
			return errNoAck // dropped without a DISCONNECT, the will says offline
		}
		if err := s.step(end.Done(), nil); err != nil {
			return err
		}
	}
	return nil
}

// asked receives when there are requests of others.
func (s *session) asked() <-chan struct{} {
	if len(s.conns) == 0 {
		return nil
	}
	return s.conns[0].asked
}

// step sends what may be sent, and waits until something happens.
func (s *session) step(done <-chan struct{}, tick <-chan time.Time) error {
	s.beat()
	due := s.fill()
	var head <-chan struct{}
	if len(s.flying) > 0 {
		head = s.flying[0].token.Done()
	}
	select {
	case <-done:
	case <-s.link.lost:
		return s.link.reason
	case <-head:
		return s.land()
	case <-s.Outbox.Appended():
		s.more = true
	case <-s.retained.signal():
	case <-s.asked():
	case <-due:
	case <-tick:
		return s.look()
	}
	return nil
}

// fill hands messages to the broker as far as the window allows: states first,
// as they are few and short-lived. The channel, when there is one, receives when
// a state that is held back may go.
func (s *session) fill() (due <-chan time.Time) {
	for !s.closing && s.room() > 0 {
		topic, payload, wait := s.retained.take(s.leaving)
		if wait > 0 {
			due = time.After(wait)
		}
		if topic == "" {
			break
		}
		s.send(0, topic, true, payload)
	}
	s.fillEvents()
	s.fillRequests()
	return due
}

func (s *session) fillEvents() {
	room := s.room()
	if s.closing || !s.more || room == 0 {
		return
	}
	events, err := s.Outbox.Pending(s.after, room)
	if err != nil {
		s.complain(err)
		s.more = false // look tries again
		return
	}
	s.more = len(events) == room
	for _, e := range events {
		if s.room() == 0 {
			s.more = true
			break
		}
		s.send(e.Seq, e.Topic, false, e.Payload)
		s.after = e.Seq
	}
}

// room is how many more messages may be sent now, as long as they are short.
func (s *session) room() int {
	size := 0
	for _, f := range s.flying {
		size += f.size
	}
	if size >= windowBytes {
		return 0
	}
	return window - len(s.flying)
}

func (s *session) send(seq uint64, topic string, retained bool, payload []byte) {
	s.fly(flight{seq: seq, size: len(payload), token: s.link.publish(topic, retained, payload)})
	if seq != 0 {
		s.published.Add(1)
	}
}

func (s *session) fly(f flight) {
	f.since = time.Now()
	s.flying = append(s.flying, f)
}

// land takes in what has been acknowledged, in order: an event whose
// predecessor is still on its way stays in the outbox with it.
func (s *session) land() error {
	for len(s.flying) > 0 {
		f := s.flying[0]
		select {
		case <-f.token.Done():
		default:
			return nil
		}
		if err := f.token.Error(); err != nil {
			// Paho fails the tokens before it says why.
			select {
			case <-s.link.lost:
				return s.link.reason
			case <-time.After(100 * time.Millisecond):
				return fmt.Errorf("publish: %w", err)
			}
		}
		s.flying = s.flying[1:]
		if f.done != nil {
			f.done <- denial(f.token)
		}
		if f.seq != 0 {
			s.landed = append(s.landed, landing{f.seq, time.Now()})
			s.acked.Add(1)
			if s.OnAck != nil {
				s.OnAck(f.seq)
			}
		}
	}
	return nil
}

// settle takes the events off the outbox that were acknowledged so long ago, all
// at once: each call costs a write to the disk. What cannot be taken off now is
// tried again, and is at worst published twice.
func (s *session) settle(ago time.Duration) {
	var seqs []uint64
	for _, l := range s.landed {
		if time.Since(l.at) < ago {
			break
		}
		seqs = append(seqs, l.seq)
	}
	if len(seqs) == 0 {
		return
	}
	if err := s.Outbox.Ack(seqs...); err != nil {
		s.complain(err)
		return
	}
	s.landed = s.landed[len(seqs):]
}

// look finds, once a second, what no signal tells.
func (s *session) look() error {
	s.settle(doubt)
	if len(s.flying) > 0 {
		if time.Since(s.flying[0].since) > or(s.AckTimeout, DefaultAckTimeout) {
			return errNoAck
		}
		return nil
	}
	if waiting, _ := s.Outbox.Backlog(); waiting > 0 && len(s.landed) == 0 {
		// Reading failed, or the outbox held events back while it took a
		// deleted person out of them.
		s.after, s.more = 0, true
	}
	return nil
}

// complain logs what is wrong with the outbox, once as long as it is the same.
func (s *session) complain(err error) {
	if s.ackErr == err.Error() {
		return
	}
	s.ackErr = err.Error()
	s.Log.Warn("the outbox of events fails, trying again", "err", err)
}
