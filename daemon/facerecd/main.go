// Command facerecd recognises faces: the daemon, and the commands that talk
// to it.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

// version is written by the linker (see the Makefile's build), once, before
// anything runs.
var version = "unknown"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	code := run(ctx, os.Args[1:], os.Environ(), os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}
