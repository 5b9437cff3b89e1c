package capture_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"

	"facerecd/capture"
)

func TestMailboxKeepsTheNewestFrame(t *testing.T) {
	box := capture.NewMailbox()
	f := &capture.Frame{}
	for seq := range uint64(5) {
		f.Seq = seq
		f = box.Put(f)
	}
	got, err := box.Take(t.Context())
	if err != nil || got.Seq != 4 {
		t.Fatalf("Take = frame %d, %v; want frame 4", got.Seq, err)
	}
	if box.Skipped() != 4 {
		t.Errorf("Skipped = %d, want 4", box.Skipped())
	}
}

func TestMailboxTakeWaitsForAFrame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		box := capture.NewMailbox()
		got := make(chan uint64, 1)
		go func() {
			f, err := box.Take(t.Context())
			if err != nil {
				t.Error(err)
			}
			got <- f.Seq
		}()
		synctest.Wait()
		select {
		case <-got:
			t.Fatal("Take returned before there was a frame")
		default:
		}
		box.Put(&capture.Frame{Seq: 7})
		if seq := <-got; seq != 7 {
			t.Errorf("Take = frame %d, want 7", seq)
		}
	})
}

func TestMailboxTakeEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := capture.NewMailbox().Take(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Take = %v, want %v", err, context.Canceled)
	}
}

func TestMailboxAllocatesNothingInTheSteadyState(t *testing.T) {
	box := capture.NewMailbox()
	f := &capture.Frame{}
	ctx := t.Context()
	seq := 0
	step := func() {
		f = box.Put(f)
		if seq++; seq%3 == 0 { // a reader that is slower than the writer
			got, err := box.Take(ctx)
			if err != nil {
				t.Error(err)
			}
			box.Recycle(got)
		}
	}
	for range 10 {
		step()
	}
	if n := testing.AllocsPerRun(100, step); n != 0 {
		t.Errorf("%v allocations a frame, want 0", n)
	}
}

func TestMailboxNeverHandsOneFrameToTwo(t *testing.T) {
	box := capture.NewMailbox()
	ctx, cancel := context.WithCancel(t.Context())
	var readers, writers sync.WaitGroup
	for range 3 {
		readers.Go(func() {
			for {
				f, err := box.Take(ctx)
				if err != nil {
					return
				}
				f.Width++ // the race detector sees a second owner
				box.Recycle(f)
			}
		})
	}
	for range 2 {
		writers.Go(func() {
			f := new(capture.Frame)
			for range 5000 {
				f.Height++
				f = box.Put(f)
			}
		})
	}
	writers.Wait()
	cancel()
	readers.Wait()
}
