package litert

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"unsafe"
)

// messages collects what LiteRT prints.
//
// libLiteRt.so 2.3.0 exports no function to set a logger, and TensorFlow
// Lite's own logger inside it has a level that cannot be set either, so it
// would greet every start of the daemon on standard error. But all it prints
// goes through the C library's stderr variable, which glibc lets a program set
// and which Go never uses: it is set to a pipe here. The pipe needs no reader:
// when it is full, further lines are dropped. What LiteRT prints before it
// aborts the process is lost.
type messages struct {
	mu   sync.Mutex
	pipe int // the reading end, non-blocking
}

// capture points the C library's stderr at a new pipe. A later capture takes
// over.
func (m *messages) capture(c *symbols) error {
	var fds [2]int
	if err := syscall.Pipe2(fds[:], syscall.O_NONBLOCK|syscall.O_CLOEXEC); err != nil {
		return fmt.Errorf("make a pipe for messages: %w", err)
	}
	file := c.fdopen(int32(fds[1]), "w")
	if file == 0 {
		_ = syscall.Close(fds[0])
		_ = syscall.Close(fds[1])
		return errors.New("open the pipe for messages: out of memory")
	}
	// One write for each line, so that those of two threads do not mix.
	c.setvbuf(file, nil, lineBuffered, 0)
	m.pipe = fds[0]
	// The variable is in C memory: its address is no Go pointer in disguise.
	stderr := *(**uintptr)(unsafe.Pointer(&c.stderr))
	atomic.StoreUintptr(stderr, uintptr(file))
	return nil
}

// take returns the lines printed since the last call, without the merely
// informational ones.
func (m *messages) take() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	var text strings.Builder
	buf := make([]byte, 4096)
	for {
		n, err := syscall.Read(m.pipe, buf)
		if err == syscall.EINTR {
			continue
		}
		if err != nil || n <= 0 {
			break
		}
		text.Write(buf[:n])
	}
	var lines []string
	for line := range strings.Lines(text.String()) {
		line = strings.TrimSpace(line)
		if line != "" && !informational(line) {
			lines = append(lines, line)
		}
	}
	return lines
}

// informational tells whether a line is of no use to anybody. The GPU's library
// writes in a style of its own, and warns once of that.
func informational(line string) bool {
	return strings.HasPrefix(line, "INFO:") || strings.HasPrefix(line, "VERBOSE:") || strings.HasPrefix(line, "I0000 ") ||
		strings.HasPrefix(line, "WARNING: Logging before InitGoogle()")
}

// explain adds what LiteRT has printed to an error, and otherwise logs it.
func (m *messages) explain(err error, log *slog.Logger) error {
	lines := m.take()
	if err != nil && len(lines) > 0 {
		return fmt.Errorf("%w: LiteRT says: %s", err, strings.Join(lines, "; "))
	}
	for _, line := range lines {
		if log == nil {
			break
		}
		level := slog.LevelWarn
		if strings.HasPrefix(line, "ERROR:") {
			level = slog.LevelError
		}
		log.Log(context.Background(), level, "LiteRT message", "text", line)
	}
	return err
}
