package main

import (
	"testing"
	"time"
)

func TestAMomentIsATimeOrHowLongAgo(t *testing.T) {
	t.Parallel()
	local := func(h, m, s int) time.Time { return time.Date(2026, 11, 24, h, m, s, 0, time.Local) }
	for text, want := range map[string]time.Time{
		"2026-11-24":                local(0, 0, 0),
		"2026-11-24T10:05":          local(10, 5, 0),
		"2026-11-24 10:05":          local(10, 5, 0),
		"2026-11-24T10:05:06":       local(10, 5, 6),
		"2026-11-24 10:05:06":       local(10, 5, 6),
		"2026-11-24T10:05:06Z":      time.Date(2026, 11, 24, 10, 5, 6, 0, time.UTC),
		"2026-11-24T10:05:06+01:00": time.Date(2026, 11, 24, 9, 5, 6, 0, time.UTC),
	} {
		var m moment
		if err := m.UnmarshalText([]byte(text)); err != nil || !m.Equal(want) {
			t.Errorf("%s is %v (%v), want %v", text, m, err, want)
		}
	}
	var m moment
	if err := m.UnmarshalText([]byte("90m")); err != nil || time.Since(m.Time).Round(time.Minute) != 90*time.Minute {
		t.Errorf("90m is %v, %v", m, err)
	}
	for _, text := range []string{"", "yesterday", "-90m", "24.11.2026"} {
		want := `"` + text + `" is no time: write it as 2026-11-24, 2026-11-24T10:00 or 2026-11-24T10:00:00Z, or how long ago it was, as in 90m`
		if err := m.UnmarshalText([]byte(text)); err == nil || err.Error() != want {
			t.Errorf("%q: %v", text, err)
		}
	}
}
