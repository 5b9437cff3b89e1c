package fleet

import (
	"time"

	"facerecd/match/store"
)

// debts are the records that are to be published. The zero value has none.
type debts struct {
	of     map[store.Mark]debt
	urgent []store.Mark // changes of this device, in their order, which matters when names pass from one person to another
	later  []store.Mark // corrections; like urgent it may have marks of which nothing is owed any more
	count  uint64
}

type debt struct {
	record *Record   // to be merged with what is known here; nil for that alone
	due    time.Time // zero for at once
	stale  bool      // the broker has an older record
	number uint64    // another one for each owe
}

// owe notes a record that is due now, of a person who was changed here.
func (d *debts) owe(m store.Mark) {
	before, ok := d.of[m]
	if !ok || !before.due.IsZero() {
		d.urgent = append(d.urgent, m)
	}
	d.note(m, debt{record: before.record, stale: before.stale})
}

// correct notes a record that is due later.
func (d *debts) correct(m store.Mark, r *Record, due time.Time, stale bool) {
	before, ok := d.of[m]
	if !ok {
		d.later = append(d.later, m)
	} else {
		due = before.due
	}
	if r == nil {
		r = before.record
	}
	d.note(m, debt{record: r, due: due, stale: stale || before.stale})
}

func (d *debts) note(m store.Mark, one debt) {
	if d.of == nil {
		d.of = make(map[store.Mark]debt)
	}
	d.count++
	one.number = d.count
	d.of[m] = one
}

// settle takes out a debt that was paid, unless it has grown meanwhile.
func (d *debts) settle(m store.Mark, paid debt) {
	if d.of[m].number == paid.number {
		delete(d.of, m)
	}
}

// next returns a debt that is due, an urgent one first. When there is none,
// wait is how long until there will be, or below 0 when nothing is owed.
func (d *debts) next(now time.Time) (m store.Mark, one debt, wait time.Duration) {
	for ; len(d.urgent) > 0; d.urgent = d.urgent[1:] {
		if one, ok := d.of[d.urgent[0]]; ok {
			return d.urgent[0], one, 0
		}
	}
	for ; len(d.later) > 0; d.later = d.later[1:] {
		if _, ok := d.of[d.later[0]]; ok {
			break
		}
	}
	wait = -1
	for _, m := range d.later {
		one, ok := d.of[m]
		left := max(one.due.Sub(now), 0)
		switch {
		case !ok:
			continue
		case left == 0:
			return m, one, 0
		case wait < 0 || left < wait:
			wait = left
		}
	}
	return m, debt{}, wait
}
