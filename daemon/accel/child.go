package accel

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"time"
)

// patience is how long a trial may take: all of it takes a second or two where
// the GPU is worth having, and half a minute where a program plays a GPU.
const patience = 60 * time.Second

// Child runs trials in processes of their own.
type Child struct {
	Program string        // that knows Command: facerecd
	Timeout time.Duration // 0: a minute
}

// Try is a Trial. Whatever becomes of the process, it has ended when Try returns.
func (c Child) Try(ctx context.Context, r Request) (report Report, err error) {
	timeout := c.Timeout
	if timeout == 0 {
		timeout = patience
	}
	ctx, cancel := context.WithTimeoutCause(ctx, timeout, fmt.Errorf("it was not over after %v", timeout))
	defer cancel()
	cmd := exec.CommandContext(ctx, c.Program, Command, "--models", r.Models, "--runtime", r.Runtime, "--dir", r.Dir,
		"--detector", string(r.Detector), "--threads", strconv.Itoa(r.Threads))
	cmd.Env = environ()
	cmd.WaitDelay = time.Second // should a driver have left a process behind that holds the pipes
	stdout, stderr := &head{}, &head{}
	cmd.Stdout, cmd.Stderr = stdout, stderr
	err = cmd.Run()
	switch {
	case ctx.Err() != nil:
		err = context.Cause(ctx)
	case err == nil:
		report, err = stdout.report()
	default:
		if reason := stderr.reason(); reason != "" {
			err = fmt.Errorf("%w: %s", err, reason)
		}
	}
	if err != nil {
		return Report{}, fmt.Errorf("the trial of the GPU failed: %w", err)
	}
	return report, nil
}

// environ is the daemon's environment without its own settings, some of which
// are secret, and without the service manager's, which is none of a child's
// business. Of a crash, its reason is enough.
func environ() []string {
	return append(slices.DeleteFunc(os.Environ(), func(s string) bool {
		return strings.HasPrefix(s, "FACERECD_") || strings.HasPrefix(s, "NOTIFY_SOCKET=") || strings.HasPrefix(s, "WATCHDOG_")
	}), "GOTRACEBACK=none")
}

// head keeps the beginning of what is written to it.
type head struct{ text bytes.Buffer }

func (h *head) Write(p []byte) (int, error) {
	const most = 64 << 10
	h.text.Write(p[:min(len(p), most-h.text.Len())])
	return len(p), nil
}

// report is the line of what the process has said that is one. Drivers and the
// GPU's library use standard output as well.
func (h *head) report() (r Report, err error) {
	for line := range bytes.Lines(h.text.Bytes()) {
		if bytes.HasPrefix(line, []byte("{")) {
			return r, json.Unmarshal(line, &r)
		}
	}
	return r, errors.New("it told nothing")
}

// reason is the line of what the process has said that tells why it ended: the
// command's own last word, or the signal that Go's runtime has reported.
func (h *head) reason() (said string) {
	for line := range strings.Lines(h.text.String()) {
		line = strings.TrimSpace(line)
		if own, ok := strings.CutPrefix(line, "facerecd: "); ok {
			return own
		}
		if strings.HasPrefix(line, "SIG") || strings.HasPrefix(line, "fatal error:") || strings.HasPrefix(line, "FATAL ERROR:") {
			return line
		}
		if line != "" {
			said = line
		}
	}
	return said
}
