// Package accel decides which models of a pack run on the GPU: those that a
// trial has found to give the CPU's numbers there, and with Auto, to be faster,
// too.
//
// The trial is another process of the same program (Child), since the library
// that drives the GPU may end the process that loads it, or hang, and since it
// has been seen to give wrong numbers without an error. Decide makes a Decision
// of what the trial tells, or of its death.
package accel

import (
	"context"

	"facerecd/inference"
)

// The values of `accelerator` in the configuration.
const (
	CPU  = "cpu"  // nothing is tried
	Auto = "auto" // the GPU where it is right and faster
	GPU  = "gpu"  // the GPU where it is right
)

// Command is the hidden command of the program that runs a trial: Run.
const Command = "try-gpu"

// Request says what to try.
type Request struct {
	Models   string         // folder of the model pack
	Runtime  string         // path of libLiteRt.so
	Dir      string         // folder of litert.AcceleratorFile
	Detector inference.Mode // which of the pack's detectors
	Threads  int            // that the CPU may use
}

// Trial runs every model of a pack on both.
type Trial func(context.Context, Request) (Report, error)

// Report is what a trial tells, in the order of inference's pipeline.
type Report struct {
	Models []Outcome `json:"models"`
}

// Outcome is how one model did.
type Outcome struct {
	Model       string       `json:"model"`                 // detector, landmarks or embedding
	Error       string       `json:"error,omitempty"`       // why it did not run on the GPU
	Differences []Difference `json:"differences,omitempty"` // of what the GPU gave
	CPU         float64      `json:"cpu_ms,omitzero"`       // of one run, in the middle of many
	GPU         float64      `json:"gpu_ms,omitzero"`
}

// Difference is the largest that was seen of one thing that an output means.
type Difference struct {
	What  string  `json:"what"`
	Value float64 `json:"value"`
	Limit float64 `json:"limit"` // above which the GPU is wrong
}

// Roles are the models of a pack, in the order in which a picture meets them.
func Roles() []string { return []string{"detector", "landmarks", "embedding"} }
