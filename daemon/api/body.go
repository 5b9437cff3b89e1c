package api

import (
	"errors"
	"io"
	"net/http"
	"os"
	"slices"
	"sync/atomic"
	"time"
)

const (
	// A body must begin to arrive within bodyPatience and then keep up
	// minBodyRate on average, or its sender is holding a connection and memory
	// for nothing. A weak Wi-Fi link does a hundred times that.
	bodyPatience = 10 * time.Second
	minBodyRate  = 16 << 10 // bytes a second
)

// steadyBody is a request body with a deadline that moves with what arrives.
// The server's own ReadTimeout is one span for all sizes: too short for fifty
// photos or too long for none.
type steadyBody struct {
	io.ReadCloser
	conn     *http.ResponseController
	deadline time.Time
}

func newSteadyBody(w http.ResponseWriter, body io.ReadCloser, patience time.Duration) *steadyBody {
	b := &steadyBody{ReadCloser: body, conn: http.NewResponseController(w), deadline: time.Now().Add(patience)}
	// Set now, it also bounds how long net/http waits for a body that no
	// handler reads.
	_ = b.conn.SetReadDeadline(b.deadline)
	return b
}

func (b *steadyBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err == nil { // at the end net/http takes the deadline away
		b.deadline = b.deadline.Add(time.Duration(n) * time.Second / minBodyRate)
		_ = b.conn.SetReadDeadline(b.deadline)
	}
	return n, err
}

// budget bounds the bytes that all requests together hold. It refuses rather
// than waits: two half-read requests must not wait for each other.
type budget struct {
	limit int64
	held  atomic.Int64
}

func (b *budget) take(n int64) bool {
	if b.held.Add(n) > b.limit {
		b.held.Add(-n)
		return false
	}
	return true
}

// share is what one request holds of a budget.
type share struct {
	of   *budget
	held int64
}

func (s *share) take(n int) bool {
	if !s.of.take(int64(n)) {
		return false
	}
	s.held += int64(n)
	return true
}

func (s *share) release() {
	s.of.held.Add(-s.held)
	s.held = 0
}

const readStep = 64 << 10

var errTooLong = errors.New("longer than allowed")

// readAll reads r to its end, or to errTooLong after limit bytes, out of the
// share of memory.
func (s *share) readAll(r io.Reader, limit int) ([]byte, error) {
	var data []byte
	for {
		if len(data) == cap(data) {
			data = slices.Grow(data, readStep)
			if grown := cap(data) - len(data); !s.take(grown) {
				return nil, errBusy()
			}
		}
		n, err := r.Read(data[len(data):cap(data)])
		data = data[:len(data)+n]
		if len(data) > limit {
			return nil, errTooLong
		}
		if errors.Is(err, io.EOF) {
			return data, nil
		}
		if err != nil {
			return nil, err
		}
	}
}

// bodyProblem says what is wrong with a body that could not be read.
func bodyProblem(w http.ResponseWriter, err error) error {
	if _, ok := errors.AsType[*Problem](err); ok {
		return err
	}
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return tooLargeBody()
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		w.Header().Set("Connection", "close")
		return problem(http.StatusRequestTimeout, CodeUploadTooSlow, "The upload stalled; send it again over a better connection, or fewer images at a time.")
	}
	return problem(http.StatusBadRequest, CodeBodyMalformed, "The body ends or breaks in the middle; send it again as multipart/form-data, as curl -F does.")
}

func tooLargeBody() error {
	return problem(http.StatusRequestEntityTooLarge, CodeBodyTooLarge,
		"The request is over 64 MiB; send fewer images at a time: another request for the same name adds to that person.")
}
