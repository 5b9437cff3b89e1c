package daemon

import (
	"context"
	"log/slog"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	governs = 5 * time.Second // how often the governor looks
	// longestPause keeps a camera on a hot board from looking dead.
	longestPause = time.Second

	// A Raspberry Pi slows its processor down at 80 °C, and more at 85 °C
	// (raspberrypi.com, "Frequency management and thermal control"); it has to cool
	// by some degrees before all is well again, lest it goes back and forth.
	warm, hot, cool = 80, 85, 75
	// settles is how long the daemon must have run before the load counts: a boot
	// always is one.
	settles = 2 * time.Minute
	// overloaded is the load average for each processor from which on others are
	// given way to.
	overloaded, unloaded = 2.0, 1.5
)

// governor makes the pipelines rest after each frame while the board is too hot,
// its firmware slows it down, or its processors have more to do than they can.
type governor struct {
	Celsius   func() *float64 // nil: the system tells none
	Throttled func() *bool
	Load      func() float64 // average of the last minute, for each processor
	Log       *slog.Logger

	began time.Time    // of the first look
	rest  atomic.Int32 // times the work

	mu    sync.Mutex
	why   string // "" when nothing is slowed down
	since time.Time
}

func newGovernor(log *slog.Logger) *governor {
	return &governor{Celsius: celsius, Throttled: throttled, Load: loadAverage, Log: log}
}

// Run looks until ctx ends.
func (g *governor) Run(ctx context.Context) error {
	tick := time.NewTicker(governs)
	defer tick.Stop()
	for {
		g.look(time.Now())
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// Rest is how long to do nothing after so much work. From any goroutine.
func (g *governor) Rest(work time.Duration) time.Duration {
	return min(time.Duration(g.rest.Load())*work, longestPause)
}

// Slowed says why the pipelines rest, "" when they do not, and since when. From
// any goroutine.
func (g *governor) Slowed() (why string, since time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.why, g.since
}

func (g *governor) look(now time.Time) {
	if g.began.IsZero() {
		g.began = now
	}
	rest, why := g.judge(g.rest.Load(), now.Sub(g.began) >= settles)
	g.rest.Store(rest)
	g.mu.Lock()
	was := g.why
	if (why == "") != (was == "") {
		g.since = now
	}
	g.why = why
	g.mu.Unlock()
	switch {
	case was == "" && why != "":
		g.Log.Warn("fewer frames are looked at", "reason", why)
	case was != "" && why == "":
		g.Log.Info("as many frames are looked at as before")
	}
}

// judge says how long to rest, in times of the work, and why.
func (g *governor) judge(before int32, settled bool) (rest int32, why string) {
	slowed := before > 0
	if t := g.Celsius(); t != nil {
		switch {
		case *t >= hot:
			return 3, "the board is too hot; cool it better"
		case *t >= warm, slowed && *t >= cool:
			return 1, "the board is hot; cool it better"
		}
	}
	if is := g.Throttled(); is != nil && *is {
		return 1, "the firmware slows the processor down: check the power supply and the cooling"
	}
	if load := g.Load(); settled && load >= overloaded || slowed && load >= unloaded {
		return 1, "the processors have more to do than they can; other programs are given way to"
	}
	return 0, ""
}

// loadAverage is that of the last minute for each processor, 0 where the system
// does not tell: proc_loadavg(5).
func loadAverage() float64 {
	data, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return 0
	}
	first, _, _ := strings.Cut(string(data), " ")
	load, err := strconv.ParseFloat(first, 64)
	if err != nil {
		return 0
	}
	return load / float64(runtime.NumCPU())
}
