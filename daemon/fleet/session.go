package fleet

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	mathrand "math/rand/v2"
	"strings"
	"time"

	"facerecd/match/store"
)

// session is what a Sync does over one connection.
type session struct {
	*Sync
	conn  Conn
	heard map[store.Mark]bool // whose records the broker has; nil once that is compared
	again time.Time           // when to ask for everything again; zero for never
}

func (w *session) topic(relative string) string { return w.Prefix + "/" + relative }

// takeAll takes in everything that the broker has retained, and then owes it
// what it does not have. All is merged before anything is published: a device
// that was away must not bring back who was deleted meanwhile. MQTT does not say
// where the retained messages end; a message of our own, which comes back after
// them, does.
func (w *session) takeAll(ctx context.Context) error {
	w.heard, w.again = make(map[store.Mark]bool), time.Time{}
	before := w.Status().Refused
	marker := w.Codec.Fleet() + "/mark/" + rand.Text()
	if err := w.conn.Subscribe(ctx, w.topic(marker)); err != nil {
		return fmt.Errorf("subscribe: %w", err)
	}
	var records []Record
	for i, digit := range shards {
		if err := w.conn.Subscribe(ctx, w.topic(w.Codec.shard(digit))); err != nil {
			return fmt.Errorf("subscribe: %w", err)
		}
		if err := w.conn.Publish(ctx, w.topic(marker), false, []byte{byte(i)}); err != nil {
			return fmt.Errorf("ask for the end: %w", err)
		}
		some, err := w.until(ctx, marker, byte(i))
		if err != nil {
			return err
		}
		records = append(records, some...)
	}
	if err := w.takeIn(records); err != nil {
		return err
	}
	marks, err := w.People.Marks()
	if err != nil {
		return fmt.Errorf("list people: %w", err)
	}
	w.mu.Lock()
	for _, m := range marks {
		if !w.heard[m] {
			w.debts.correct(m, nil, time.Now().Add(pause()), false)
		}
	}
	w.mu.Unlock()
	w.heard = nil
	w.inStep(true, nil)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.status.Refused == before {
		w.status.Reason, w.status.ReasonSince = nil, time.Time{}
	} else { // in vain, where the topic is nobody's
		w.again = time.Now().Add(lookAgain)
	}
	return nil
}

// until opens what comes before the marker.
func (w *session) until(ctx context.Context, marker string, n byte) ([]Record, error) {
	timeout := time.NewTimer(answerTimeout)
	defer timeout.Stop()
	var records []Record
	for {
		for {
			topic, payload, ok := w.conn.Take()
			if !ok {
				break
			}
			if topic == w.topic(marker) && len(payload) == 1 && payload[0] == n {
				return records, nil
			}
			r, ok := w.open(topic, payload)
			if !ok {
				continue
			}
			ours, _, err := w.People.Record(r.Mark)
			if err != nil {
				return nil, fmt.Errorf("read what is known of a person: %w", err)
			}
			w.heard[r.Mark] = true
			if !Equal(ours, r) { // as most do: they are not to fill the memory
				records = append(records, r)
			}
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-w.conn.Lost():
			return nil, errLost
		case <-timeout.C:
			return nil, errDenied
		case <-w.conn.Arrived():
		}
	}
}

// work waits until there is something to do, and does it.
func (w *session) work(ctx context.Context) error {
	var due, again <-chan time.Time
	w.mu.Lock()
	m, one, wait := w.debts.next(time.Now())
	w.mu.Unlock()
	switch {
	case wait == 0:
		return w.pay(ctx, m, one)
	case wait > 0:
		due = time.After(wait)
	}
	if !w.again.IsZero() {
		if !time.Now().Before(w.again) {
			return w.takeAll(ctx)
		}
		again = time.After(time.Until(w.again))
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-w.conn.Lost():
		return errLost
	case <-w.conn.Arrived():
		return w.takeNew(ctx)
	case <-w.signal():
	case <-due:
	case <-again:
	}
	return nil
}

// restoreAfter is how long a record that somebody took off the broker, or put
// something else in its place, stays missing there: it is the least time between
// two comparisons of everything.
const restoreAfter = 10 * time.Second

// lookAgain is how long what a comparison has refused counts as being there.
const lookAgain = 10 * time.Minute

// batch is how many records are taken in at once: in the store that costs a
// write for each, and for all of their deletions one rewriting of the files.
const batch = 64

func (w *session) takeNew(ctx context.Context) error {
	for ctx.Err() == nil {
		var records []Record
		more := false
		for len(records) < batch {
			topic, payload, ok := w.conn.Take()
			if more = ok; !ok {
				break
			}
			if r, ok := w.open(topic, payload); ok {
				records = append(records, r)
			}
		}
		if err := w.takeIn(records); err != nil {
			return err
		}
		if !more {
			break
		}
	}
	if w.conn.Missed() {
		w.once("missed", slog.LevelWarn, "the fleet's records came faster than this device takes them in, asking for them again")
		w.askAgain()
	}
	return nil
}

// askAgain makes the session compare everything again, soon: the broker has lost
// a record, or one was not taken in.
func (w *session) askAgain() {
	soon := time.Now().Add(restoreAfter)
	if w.heard == nil && (w.again.IsZero() || soon.Before(w.again)) {
		w.again = soon
	}
}

// open returns the record of a message, and whether it has one.
func (w *session) open(topic string, payload []byte) (Record, bool) {
	relative := strings.TrimPrefix(topic, w.Prefix+"/")
	if !w.Codec.owns(relative) {
		return Record{}, false
	}
	if len(payload) == 0 { // somebody cleared the topic
		w.askAgain()
		return Record{}, false
	}
	r, err := w.Codec.Open(relative, payload)
	if err != nil {
		w.mu.Lock()
		w.status.Refused++
		w.status.Reason = err
		if w.status.ReasonSince.IsZero() {
			w.status.ReasonSince = time.Now()
		}
		w.mu.Unlock()
		w.askAgain()
		w.once("refused "+err.Error(), slog.LevelWarn, "refused a record of the fleet", "topic", topic, "reason", err)
		return Record{}, false
	}
	return r, true
}

// takeIn merges records into what is known here, and owes the broker what it
// did not know.
func (w *session) takeIn(records []Record) error {
	type pair struct {
		theirs, merged Record
		news           bool
	}
	pairs := make(map[store.Mark]pair, len(records))
	var news []Record
	for _, theirs := range records {
		ours, known, err := w.People.Record(theirs.Mark)
		if err != nil {
			return fmt.Errorf("read what is known of a person: %w", err)
		}
		merged := theirs
		if known {
			merged = Merge(ours, theirs)
		}
		if p, twice := pairs[theirs.Mark]; twice { // the newest is what the broker has
			merged = Merge(p.merged, merged)
		}
		p := pair{theirs, merged, !known || !Equal(merged, ours)}
		if p.news {
			w.taken()
			news = append(news, merged)
		}
		pairs[theirs.Mark] = p
	}
	touched, err := w.People.Apply(news)
	if err != nil {
		return fmt.Errorf("take in people: %w", err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for m, p := range pairs {
		before := w.debts.of[m]
		if before.record != nil {
			p.merged = Merge(p.merged, *before.record)
		}
		switch {
		case !Equal(p.merged, p.theirs):
			w.debts.correct(m, &p.merged, time.Now().Add(pause()), !p.news)
		case !before.due.IsZero(): // somebody else has corrected it
			w.debts.settle(m, before)
		}
	}
	for _, m := range touched {
		w.debts.owe(m)
	}
	return nil
}

func (w *session) taken() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.status.Taken++
}

// pay publishes what is known here of a person, with what the broker is to keep.
func (w *session) pay(ctx context.Context, m store.Mark, one debt) error {
	r, known, err := w.People.Record(m)
	if err != nil {
		return fmt.Errorf("read what is known of a person: %w", err)
	}
	switch {
	case known && one.record != nil:
		r = Merge(r, *one.record)
	case one.record != nil:
		r = *one.record
	case !known: // who was enrolled and deleted at once has a grave: this is nobody
		w.settled(m, one)
		return nil
	}
	if one.stale {
		w.once("stale", slog.LevelInfo, "the broker has a record of the fleet that is older than what is known here, publishing the newer one", "topic", w.Codec.Topic(m))
	}
	topic, payload, err := w.Codec.Seal(r)
	if err != nil {
		w.settled(m, one)
		w.once("seal "+err.Error(), slog.LevelWarn, "a person cannot be shared with the fleet", "person", r.ID, "err", err)
		return nil
	}
	if err := w.conn.Publish(ctx, w.topic(topic), true, payload); err != nil {
		return fmt.Errorf("publish a person: %w", err)
	}
	w.settled(m, one)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.status.Published++
	if one.stale {
		w.status.Stale++
	}
	return nil
}

func (w *session) settled(m store.Mark, paid debt) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.debts.settle(m, paid)
}

func pause() time.Duration { return correctAfter + mathrand.N(correctUpTo) }
