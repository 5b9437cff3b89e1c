// Package systemd holds the files that make facerecd a service of a Linux
// system.
package systemd

import _ "embed" // for the files below

//go:embed facerecd.yaml
var sample string

//go:embed facerecd.service
var unit string

//go:embed facerecd.sysusers
var sysusers string

// SampleConfig returns the configuration that is installed: every key with its
// default and a comment.
func SampleConfig() string { return sample }

// Unit returns the unit as the package installs it.
func Unit() string { return unit }

// Sysusers returns what makes the user of the unit: see sysusers.d(5).
func Sysusers() string { return sysusers }
