package config

import (
	"testing"
	"time"
)

func TestQuietHoursFollowTheClockOnTheWall(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		hours    string
		from, to string // UTC; the hours hold from one up to, and without, the other
		in       bool
	}{
		{"22:00-07:00", "2026-11-24T21:00:00Z", "2026-11-25T06:00:00Z", true}, // over midnight
		{"22:00-07:00", "2026-11-25T06:00:00Z", "2026-11-25T21:00:00Z", false},
		{"12:30-14:00", "2026-11-24T11:30:00Z", "2026-11-24T13:00:00Z", true},
		{"12:30-14:00", "2026-11-24T13:00:00Z", "2026-11-25T11:30:00Z", false},
		{"12:30-14:00 13:00-15:00", "2026-11-24T11:30:00Z", "2026-11-24T14:00:00Z", true},
		{"20:00-00:00", "2026-11-24T19:00:00Z", "2026-11-24T23:00:00Z", true},
		{"20:00-24:00", "2026-11-24T23:00:00Z", "2026-11-25T19:00:00Z", false},
		{"00:00-24:00", "2026-03-28T00:00:00Z", "2026-10-26T00:00:00Z", true},
		{"", "2026-11-24T00:00:00Z", "2026-11-25T00:00:00Z", false},
		// In spring this night has an hour less, in autumn one more: they end at seven.
		{"22:00-07:00", "2026-03-28T21:00:00Z", "2026-03-29T05:00:00Z", true},
		{"22:00-07:00", "2026-03-29T05:00:00Z", "2026-03-29T20:00:00Z", false},
		{"22:00-07:00", "2026-10-24T20:00:00Z", "2026-10-25T06:00:00Z", true},
		{"22:00-07:00", "2026-10-25T06:00:00Z", "2026-10-25T21:00:00Z", false},
		// Half past two comes twice in autumn, and not at all in spring.
		{"02:15-02:45", "2026-10-25T00:15:00Z", "2026-10-25T00:45:00Z", true},
		{"02:15-02:45", "2026-10-25T00:45:00Z", "2026-10-25T01:15:00Z", false},
		{"02:15-02:45", "2026-10-25T01:15:00Z", "2026-10-25T01:45:00Z", true},
		{"02:15-02:45", "2026-03-28T02:00:00Z", "2026-03-30T00:00:00Z", false},
	} {
		var h Hours
		if err := h.parse(tt.hours); err != nil {
			t.Fatal(err)
		}
		at, _ := time.Parse(time.RFC3339, tt.from)
		end, _ := time.Parse(time.RFC3339, tt.to)
		for ; at.Before(end); at = at.Add(time.Minute) {
			if got := h.Contains(at.Add(59 * time.Second).In(berlin)); got != tt.in {
				t.Errorf("%s: at %v %v", tt.hours, at.In(berlin), got)
				break
			}
		}
		var again Hours
		if err := again.parse(h.String()); err != nil || again.String() != h.String() {
			t.Errorf("%s is written as %s, %v", tt.hours, h, err)
		}
	}
}
