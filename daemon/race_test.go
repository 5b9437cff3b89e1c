//go:build race

package daemon

// slow is how many times longer things may take.
const slow = 3
