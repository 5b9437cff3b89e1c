package event

import (
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"
)

func TestIDsGrowWhateverTheClockDoes(t *testing.T) {
	at := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	var now time.Time
	ids := IDs{Now: func() time.Time { return now }}
	last := ""
	for _, step := range []time.Duration{
		0, 0, time.Millisecond, -time.Hour, -time.Hour, 0, -time.Millisecond, time.Second, -60 * 365 * 24 * time.Hour, 2 * time.Second,
	} {
		now = at.Add(step)
		id := ids.Next()
		if _, err := ulid.ParseStrict(id); err != nil {
			t.Fatalf("%q: %v", id, err)
		}
		if id <= last {
			t.Fatalf("with the clock at %v: %s after %s", now, id, last)
		}
		last = id
	}
	if got := ulid.MustParse(last).Timestamp(); !got.Equal(now) {
		t.Errorf("time in the id is %v once the clock is ahead again, want %v", got, now)
	}
}

func TestIDsStartBeforeTheClockIsSet(t *testing.T) {
	ids := IDs{Now: func() time.Time { return time.Time{} }}
	if a, b := ids.Next(), ids.Next(); a >= b || ulid.MustParse(a).Time() != 0 {
		t.Errorf("%s, then %s", a, b)
	}
}

func TestIDsCarryIntoTheTime(t *testing.T) {
	at := time.UnixMilli(1_000_000)
	ids := IDs{Now: func() time.Time { return at }}
	_ = ids.last.SetTime(1_000_000)
	for i := 6; i < 16; i++ {
		ids.last[i] = 0xff
	}
	before := ids.last.String()
	if id := ids.Next(); id <= before || ulid.MustParse(id).Time() != 1_000_001 {
		t.Errorf("%s after %s", id, before)
	}
}

func TestIDsAreUniqueAcrossGoroutines(t *testing.T) {
	const goroutines, each = 8, 2000
	var ids IDs
	var wg sync.WaitGroup
	made := make([][]string, goroutines)
	for g := range goroutines {
		wg.Go(func() {
			for range each {
				made[g] = append(made[g], ids.Next())
			}
		})
	}
	wg.Wait()
	var all []string
	for g, own := range made {
		if !slices.IsSorted(own) {
			t.Errorf("goroutine %d got ids out of order", g)
		}
		all = append(all, own...)
	}
	slices.Sort(all)
	if n := len(slices.Compact(all)); n != goroutines*each {
		t.Errorf("%d different ids of %d", n, goroutines*each)
	}
}
