package api

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"time"
)

// maxStreams is how many requests may watch something at once.
const maxStreams = 32

// watch takes a slot for a request that lasts. Its context ends also when the
// daemon stops; leave gives everything back.
func (s *service) watch(r *http.Request) (ctx context.Context, leave func(), err error) {
	select {
	case s.streams <- struct{}{}:
	default:
		return nil, nil, problem(http.StatusServiceUnavailable, CodeBusy, fmt.Sprintf("There are %d streams open already; close one of them.", maxStreams))
	}
	ctx, cancel := context.WithCancel(r.Context())
	stop := context.AfterFunc(s.closing, cancel)
	return ctx, func() {
		stop()
		cancel()
		<-s.streams
	}, nil
}

// stream is an answer that is sent piece by piece.
type stream struct {
	w    http.ResponseWriter
	conn *http.ResponseController
}

func newStream(w http.ResponseWriter) stream { return stream{w, http.NewResponseController(w)} }

// newEventStream is a stream of server-sent events.
func newEventStream(w http.ResponseWriter) stream {
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("X-Accel-Buffering", "no") // nginx would keep events back
	return newStream(w)
}

// write sends a piece at once, and tells whether the client still takes it.
func (s stream) write(piece []byte) bool {
	_ = s.conn.SetWriteDeadline(time.Now().Add(writePatience))
	if _, err := s.w.Write(piece); err != nil {
		return false
	}
	return s.conn.Flush() == nil
}

// connKey is the key of a request's connection in its context.
type connKey struct{}

// withConn is a http.Server's ConnContext.
func withConn(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, connKey{}, c)
}

// shortQueue keeps the kernel from queueing more than a picture or two on the
// request's connection: by default it takes megabytes, so that somebody with a
// slow link would see what was seconds ago.
func shortQueue(r *http.Request) {
	const enough = 64 << 10
	conn := r.Context().Value(connKey{})
	if tls, ok := conn.(interface{ NetConn() net.Conn }); ok {
		conn = tls.NetConn()
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetWriteBuffer(enough) // all the worse for the watcher
	}
}
