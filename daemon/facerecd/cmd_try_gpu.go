package main

import (
	"context"
	"fmt"
	"os"

	"facerecd/daemon/accel"
	"facerecd/inference"
)

// tryGPUCmd is what the daemon and doctor start as a process of its own, since
// the GPU's library may end the one that loads it: accel.Command.
type tryGPUCmd struct {
	Models   string `help:"Model pack." required:"" type:"path"`
	Runtime  string `help:"Path of libLiteRt.so." required:"" type:"path"`
	Dir      string `help:"Folder of the GPU's library." required:"" type:"path"`
	Detector string `help:"Which of the pack's detectors: short, full or tiled." default:"full"`
	Threads  int    `help:"Threads that the CPU may use." default:"1"`
}

func (c tryGPUCmd) Run(w *world) error {
	report, err := accel.Run(accel.Request{
		Models: c.Models, Runtime: c.Runtime, Dir: c.Dir, Detector: inference.Mode(c.Detector), Threads: c.Threads,
	})
	if err != nil {
		return err
	}
	return printLine(w.stdout, report)
}

// tryGPU is an accel.Trial in a process of this program.
func tryGPU(ctx context.Context, r accel.Request) (accel.Report, error) {
	program, err := os.Executable()
	if err != nil {
		return accel.Report{}, fmt.Errorf("find this program, to try the GPU with it: %w", err)
	}
	return accel.Child{Program: program}.Try(ctx, r)
}
