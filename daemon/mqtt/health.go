package mqtt

import (
	"encoding/json"
	"time"

	"facerecd/daemon/event"
)

// Health is the payload of Topics.Health: how the daemon fares. It is retained.
type Health struct {
	Time      time.Time // when this was written
	Version   string    // of facerecd
	Uptime    time.Duration
	Cameras   []CameraHealth
	Backlog   int       // events that wait
	Dropped   uint64    // events that were dropped
	Celsius   *float64  // of the processor; nil when the system does not tell
	Throttled *bool     // whether it is slowed down; nil when the system does not tell
	Process   Process   // of facerecd
	Checks    []Trouble // what is wrong now
}

// CameraHealth is how a camera fares. The counts are since the start.
type CameraHealth struct {
	Name     string  `json:"name"`
	Slug     string  `json:"slug"`
	State    string  `json:"state"` // as in CameraStatus
	FPS      float64 `json:"fps"`
	Frames   uint64  `json:"frames"`
	Skipped  uint64  `json:"skipped"`
	Damaged  uint64  `json:"damaged"`
	Lost     uint64  `json:"lost"`
	Reopened uint64  `json:"reopened"`
}

// Process is what leaks when something leaks. What the system does not tell is
// 0, and left out.
type Process struct {
	Goroutines  int   `json:"goroutines"`
	Descriptors int   `json:"descriptors,omitzero"`
	RSS         int64 `json:"rss_bytes,omitzero"`
}

// Trouble is something that needs attention.
type Trouble struct {
	Code     string // for programs
	Severity string // warning or error
	Since    time.Time
	Hint     string // what to do about it
}

// MarshalJSON writes it as the contract has it. Its status is ok when there are
// no Checks, else degraded.
func (h Health) MarshalJSON() ([]byte, error) {
	type check struct {
		Code     string `json:"code"`
		Severity string `json:"severity"`
		Since    string `json:"since"`
		Hint     string `json:"hint"`
	}
	type queue struct {
		Backlog int    `json:"backlog"`
		Dropped uint64 `json:"dropped"`
	}
	out := struct {
		V         int            `json:"v"`
		Time      string         `json:"time"`
		Status    string         `json:"status"`
		Version   string         `json:"version"`
		Uptime    int64          `json:"uptime_s"`
		Cameras   []CameraHealth `json:"cameras"`
		MQTT      queue          `json:"mqtt"`
		Celsius   *float64       `json:"temperature_c"`
		Throttled *bool          `json:"throttled"`
		Process   Process        `json:"process"`
		Checks    []check        `json:"checks"`
	}{
		event.Version, event.FormatTime(h.Time), "ok", h.Version, int64(h.Uptime.Seconds()),
		append([]CameraHealth{}, h.Cameras...),
		queue{h.Backlog, h.Dropped},
		h.Celsius, h.Throttled, h.Process,
		[]check{},
	}
	for _, c := range h.Checks {
		out.Status = "degraded"
		out.Checks = append(out.Checks, check{c.Code, c.Severity, event.FormatTime(c.Since), c.Hint})
	}
	return json.Marshal(out)
}
