package daemon

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"facerecd/cross/testkit"
)

func TestGovernorRestsWhileTheBoardIsHotOrBusyAndUntilItHasRecovered(t *testing.T) {
	type sight struct {
		celsius   float64 // 0: not told
		throttled bool
		load      float64
		rest      int
		why       string // its beginning
	}
	for name, sights := range map[string][]sight{
		"nothing is told":  {{0, false, 0, 0, ""}},
		"all is well":      {{60, false, 0.5, 0, ""}, {79, false, 1.9, 0, ""}},
		"warm, and better": {{80, false, 0, 1, "the board is hot"}, {76, false, 0, 1, "the board is hot"}, {74, false, 0, 0, ""}, {76, false, 0, 0, ""}},
		"hot":              {{85, false, 0, 3, "the board is too hot"}, {81, false, 0, 1, "the board is hot"}},
		"throttled":        {{50, true, 0, 1, "the firmware"}, {50, false, 0, 0, ""}},
		"others are busy":  {{50, false, 2, 1, "the processors"}, {50, false, 1.6, 1, "the processors"}, {50, false, 1.4, 0, ""}},
	} {
		t.Run(name, func(t *testing.T) {
			var now sight
			var log testkit.Buffer
			g := &governor{
				Celsius: func() *float64 {
					if now.celsius == 0 {
						return nil
					}
					return &now.celsius
				},
				Throttled: func() *bool { return &now.throttled },
				Load:      func() float64 { return now.load },
				Log:       slog.New(slog.NewTextHandler(&log, nil)),
			}
			began := time.Now()
			g.look(began)
			turns := 0
			for i, s := range sights {
				if i > 0 && (s.why == "") != (now.why == "") || i == 0 && s.why != "" {
					turns++
				}
				now = s
				g.look(began.Add(settles * time.Duration(i+1)))
				why, since := g.Slowed()
				if rest := g.Rest(10 * time.Millisecond); rest != time.Duration(s.rest)*10*time.Millisecond {
					t.Errorf("step %d: rests for %v", i, rest)
				}
				if !strings.HasPrefix(why, s.why) || (why == "") != (s.why == "") || why != "" && since.IsZero() {
					t.Errorf("step %d: %q since %v", i, why, since)
				}
			}
			if lines := strings.Count(log.String(), "\n"); lines != turns {
				t.Errorf("%d lines for %d changes:\n%s", lines, turns, log.String())
			}
		})
	}
}

func TestTheLoadOfABootIsNoReason(t *testing.T) {
	g := &governor{
		Celsius: func() *float64 { return nil }, Throttled: func() *bool { return nil }, Load: func() float64 { return 9 },
		Log: slog.New(slog.DiscardHandler),
	}
	began := time.Now()
	for after, want := range map[time.Duration]bool{0: false, settles - 1: false, settles: true} {
		g.look(began)
		g.look(began.Add(after))
		if why, _ := g.Slowed(); (why != "") != want {
			t.Errorf("after %v: %q", after, why)
		}
		g.rest.Store(0)
	}
}

func TestARestIsShort(t *testing.T) {
	var g governor
	g.rest.Store(3)
	if rest := g.Rest(10 * time.Second); rest != longestPause {
		t.Errorf("%v", rest)
	}
}

func TestTheSystemTellsItsLoad(t *testing.T) {
	if load := loadAverage(); load < 0 || load > 1000 {
		t.Errorf("%v", load)
	}
}
