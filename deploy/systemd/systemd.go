// Package systemd holds the files that make facerecd a service of a Linux
// system.
package systemd

import _ "embed" // for the files below

//go:embed facerecd.yaml
var sample string

// SampleConfig returns the configuration that is installed: every key with its
// default and a comment.
func SampleConfig() string { return sample }
