package main

import (
	"log/slog"

	"facerecd/daemon"
	"facerecd/daemon/config"
)

// networks are what a command measures with.
type networks struct {
	Models  string `help:"Model pack; the shipped one when not given." type:"path"`
	Runtime string `help:"Path of libLiteRt.so; searched for when not given." type:"path"`
	Threads int    `help:"Threads that a model may use." default:"1"`
}

// vision opens a model pack; the one of the flags when none is named.
func (n networks) vision(w *world, pack string) (*daemon.Vision, error) {
	if pack == "" {
		pack = n.Models
	}
	if pack == "" {
		pack = findModels(config.Default().Models)
	}
	return daemon.OpenVision(pack, n.Runtime, n.Threads, slog.New(slog.NewTextHandler(w.stderr, nil)))
}
