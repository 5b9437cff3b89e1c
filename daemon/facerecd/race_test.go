//go:build race

package main

import "time"

// stopping is how long a clean stop may take: 2 s, which the race detector,
// and whatever else runs beside the tests, may stretch.
const stopping = 6 * time.Second
