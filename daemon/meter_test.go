package daemon

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestMeterIsTheMeanOfTheLastSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var door, yard atomic.Uint64
		m := &meter{Frames: []func() uint64{door.Load, yard.Load}}
		if rate := m.Rate(1); rate != 0 {
			t.Errorf("before the first second: %v", rate)
		}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go m.Run(ctx)
		synctest.Wait()
		for _, step := range []struct {
			seconds    int
			door, yard uint64 // frames a second meanwhile
			rate       float64
		}{
			{2, 10, 3, 10},
			{20, 10, 3, 10},
			{1, 0, 3, 8}, // of five
			{10, 0, 3, 0},
			{2, 30, 3, 12},
		} {
			for range step.seconds {
				door.Add(step.door)
				yard.Add(step.yard)
				time.Sleep(time.Second)
				synctest.Wait()
			}
			if rate := m.Rate(0); rate != step.rate {
				t.Errorf("after %d s with %d frames each: %v, want %v", step.seconds, step.door, rate, step.rate)
			}
			if rate := m.Rate(1); rate != 3 {
				t.Errorf("the other camera: %v, want 3", rate)
			}
		}
	})
}
