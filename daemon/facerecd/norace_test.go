//go:build !race

package main

import "time"

// stopping is how long a clean stop may take.
const stopping = 2 * time.Second
