package child

import (
	"bytes"
	"slices"
	"strings"
	"sync"

	"facerecd/capture"
)

// What is kept of a program's standard error, in bytes.
const (
	maxLine = 1 << 10
	maxTail = 4 << 10
)

// tail is the end of what a program said, without secrets. Any goroutine may
// use it.
type tail struct {
	hide *strings.Replacer
	slip int // the longest secret, which the end of a line that is cut may show a part of
	each func(line string)

	mu    sync.Mutex
	line  []byte // the one that is not finished
	lines []string
	size  int // of lines
}

func newTail(hide []string, each func(line string)) *tail {
	t := &tail{each: each}
	var pairs []string
	// The longest first: a replacer takes the first that fits.
	hide = slices.SortedFunc(slices.Values(hide), func(a, b string) int { return len(b) - len(a) })
	for _, secret := range hide {
		if secret != "" {
			pairs = append(pairs, secret, "xxxxx")
			t.slip = max(t.slip, len(secret))
		}
	}
	t.hide = strings.NewReplacer(pairs...)
	return t
}

// Write takes a piece of the output. It never fails.
func (t *tail) Write(p []byte) (int, error) {
	n := len(p)
	for len(p) > 0 {
		end := bytes.IndexAny(p, "\r\n")
		piece := p
		if end >= 0 {
			piece = p[:end]
		}
		t.mu.Lock()
		// The rest of a very long line is dropped.
		t.line = append(t.line, piece[:min(len(piece), maxLine+t.slip-len(t.line))]...)
		t.mu.Unlock()
		if end < 0 {
			break
		}
		p = p[end+1:]
		t.finish()
	}
	return n, nil
}

func (t *tail) finish() {
	t.mu.Lock()
	line := strings.TrimSpace(t.clean(t.line))
	t.line = t.line[:0]
	if line != "" {
		t.lines = append(t.lines, line)
		t.size += len(line)
		for t.size > maxTail {
			t.size -= len(t.lines[0])
			t.lines = t.lines[1:]
		}
	}
	t.mu.Unlock()
	if line != "" {
		t.each(line)
	}
}

// clean hides the secrets of a line, the one that its cut end may show a part
// of, too.
func (t *tail) clean(line []byte) string {
	cut := len(line) == maxLine+t.slip
	s := t.hide.Replace(strings.ToValidUTF8(string(line), "?"))
	if cut {
		s = s[:max(0, len(s)-t.slip)]
	}
	return s
}

// all is what is kept, with a last line that has no end.
func (t *tail) all() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	all := slices.Clone(t.lines)
	if rest := strings.TrimSpace(t.clean(t.line)); rest != "" {
		all = append(all, rest)
	}
	return all
}

// last is the end of it in one line, "" when nothing was said.
func (t *tail) last() string {
	all := t.all()
	return strings.Join(all[max(0, len(all)-3):], "; ")
}

// reason is the reason of package capture that the words tell, or nil. The
// words are those of rpicam-vid and libcamera, of nvarguscamerasrc, of ffmpeg
// and of the kernel.
func (t *tail) reason() error {
	said := strings.ToLower(strings.Join(t.all(), "\n"))
	for _, r := range []struct {
		reason error
		words  []string
	}{
		{capture.ErrUnsupported, []string{"only supports the raspberry pi", "legacy camera stack", "no element \"nv"}},
		{capture.ErrBusy, []string{"failed to acquire camera", "device or resource busy", "in use by another process"}},
		{capture.ErrPermission, []string{"permission denied", "operation not permitted", "401 unauthorized", "403 forbidden", "authorization failed"}},
		{capture.ErrNotFound, []string{
			"no cameras available", "selected camera is not available", "failed to find camera", "invalid camera device",
			"404 not found", "connection refused", "connection timed out", "no route to host", "network is unreachable",
			"failed to resolve hostname", "name or service not known",
		}},
	} {
		if slices.ContainsFunc(r.words, func(w string) bool { return strings.Contains(said, w) }) {
			return r.reason
		}
	}
	return nil
}
