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
		var frames atomic.Uint64
		m := &meter{Frames: frames.Load}
		if rate := m.Rate(); rate != 0 {
			t.Errorf("before the first second: %v", rate)
		}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go m.Run(ctx)
		synctest.Wait()
		for _, step := range []struct {
			seconds int
			frames  uint64 // a second meanwhile
			rate    float64
		}{
			{2, 10, 10},
			{20, 10, 10},
			{1, 0, 8}, // of five
			{10, 0, 0},
			{2, 30, 12},
		} {
			for range step.seconds {
				frames.Add(step.frames)
				time.Sleep(time.Second)
				synctest.Wait()
			}
			if rate := m.Rate(); rate != step.rate {
				t.Errorf("after %d s with %d frames each: %v, want %v", step.seconds, step.frames, rate, step.rate)
			}
		}
	})
}
