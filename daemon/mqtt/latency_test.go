package mqtt

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"facerecd/daemon/event"
)

// TestAnEventIsAtTheBrokerWithinMilliseconds measures from Record, which is
// where inference ends, to PUBACK: on the disk, over loopback, at the broker.
// Another program may be in the way: the best of a few rounds counts, and those
// count not in which the disk took most of the time for a write of its own.
func TestAnEventIsAtTheBrokerWithinMilliseconds(t *testing.T) {
	const target = 15 * time.Millisecond
	overBrokers(t, func(t *testing.T, b testBroker) {
		b.start(t)
		r := newRig(t, b.addr())
		acked := make(chan time.Time, 1)
		r.OnAck = func(uint64) { acked <- time.Now() }
		r.start()
		r.connected(t)
		disk, err := os.Create(filepath.Join(t.TempDir(), "disk"))
		if err != nil {
			t.Fatal(err)
		}
		defer disk.Close()
		for round := range 5 {
			var bare, stored, all []time.Duration
			for range 100 {
				time.Sleep(10 * time.Millisecond)
				bare = append(bare, synced(t, disk))
				began := time.Now()
				if err := r.events.Record(event.Event{Type: event.Unknown, Camera: "door"}); err != nil {
					t.Fatal(err)
				}
				stored = append(stored, time.Since(began))
				all = append(all, (<-acked).Sub(began))
			}
			for _, d := range [][]time.Duration{bare, stored, all} {
				slices.Sort(d)
			}
			t.Logf("p50 and p95: a sync of the disk %v, %v; stored after %v, %v; acknowledged after %v, %v",
				bare[50], bare[95], stored[50], stored[95], all[50], all[95])
			if all[95] <= target {
				return
			}
			if round == 4 && bare[95] < target/3 {
				t.Errorf("it takes more than %v", target)
			}
		}
	})
}

// synced is how long the disk takes for a block.
func synced(t *testing.T, disk *os.File) time.Duration {
	t.Helper()
	began := time.Now()
	if _, err := disk.WriteAt(make([]byte, 4096), 0); err != nil {
		t.Fatal(err)
	}
	if err := disk.Sync(); err != nil {
		t.Fatal(err)
	}
	return time.Since(began)
}
