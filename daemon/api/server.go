// Package api is the local HTTP port: enrolment, recognition, people, events
// and health. The contract is openapi.yaml.
//
// Uploaded faces never touch the disk: a form is read as a stream, its
// compressed images are held in memory within a bound, and they are decoded
// one after the other. Errors are problem documents whose detail is a sentence
// that says what to do.
package api

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"facerecd/daemon/metrics"
)

const (
	headerPatience = 5 * time.Second  // for a request's header
	idlePatience   = 60 * time.Second // between two requests of one connection
	// For one answer, or one event of a stream, to be taken. It is longer than
	// bodyPatience, which net/http may spend on an unread body before it writes.
	writePatience  = 20 * time.Second
	maxHeaderBytes = 16 << 10

	// Together they are the second within which Run ends.
	drainPatience = 700 * time.Millisecond // for requests to finish
	abortPatience = 300 * time.Millisecond // for cancelled requests to return
)

// Server is the HTTP port. All fields but Token, TLS, Strangers and Limits are required; they are
// not changed while it runs.
type Server struct {
	Listen string // host:port
	// Token is what callers send as "Authorization: Bearer …". With an empty
	// Token none is asked for, which Run allows on a loopback address only.
	Token   string
	TLS     *tls.Config // nil: plain HTTP
	Version string
	Faces   Faces
	People  People
	Backups Backups
	Events  Events
	History History
	Cameras Cameras
	// Strangers, when set, are those whom GET /api/v1/unknown lists; nil: they are
	// not remembered.
	Strangers Strangers
	Health    func() Health       // called by several goroutines at once
	Metrics   func(*metrics.Page) // likewise
	// Settings is what of the configuration the page shows; likewise.
	Settings func() []Setting
	// Check is match.Gallery.LeaveOneOut, with names. One runs at a time.
	Check  func(context.Context) (Checkup, error)
	Log    *slog.Logger
	Limits Limits
}

// Limits bound what a caller may take of the server's time. A zero field means
// its default, which is in brackets.
type Limits struct {
	Header  time.Duration // for a request's header (5s)
	Body    time.Duration // for a request's body to begin, and more as it comes (10s)
	Guesses Rate          // wrong tokens from one address (10, then one in 10 seconds)
	Uploads Rate          // requests with pictures from one address (500, then 50 a second)
}

// Run is Bind and Serve.
func (s *Server) Run(ctx context.Context) error {
	ln, err := s.Bind(ctx)
	if err != nil {
		return err
	}
	return s.Serve(ctx, ln)
}

// Bind opens the port. It refuses an address beyond this machine when there is
// no Token.
func (s *Server) Bind(ctx context.Context) (net.Listener, error) {
	// The address that was checked is the one that is bound: a name is
	// resolved once.
	addr, err := net.ResolveTCPAddr("tcp", s.Listen)
	if err != nil {
		return nil, fmt.Errorf("resolve http.listen %q (it must be host:port, such as 127.0.0.1:4000): %w", s.Listen, err)
	}
	if err := s.checkExposure(addr); err != nil {
		return nil, err
	}
	var lc net.ListenConfig
	ln, err := lc.Listen(ctx, "tcp", addr.String())
	if err != nil {
		return nil, fmt.Errorf("open http.listen %s (is another facerecd running? else choose another port): %w", s.Listen, err)
	}
	return ln, nil
}

func (s *Server) checkExposure(addr net.Addr) error {
	tcp, ok := addr.(*net.TCPAddr)
	if s.Token != "" || ok && tcp.IP.IsLoopback() {
		return nil
	}
	return fmt.Errorf("http.listen %s can be reached from other machines, and there is no token: set http.token_file, or listen on 127.0.0.1", addr)
}

// Serve serves on ln until ctx ends, closes it, and returns nil at most a second
// after that: streams end at once, other requests may finish. It refuses
// a listener as Bind refuses an address.
func (s *Server) Serve(ctx context.Context, ln net.Listener) error {
	if err := s.checkExposure(ln.Addr()); err != nil {
		return errors.Join(err, ln.Close())
	}
	base, abort := context.WithCancel(context.WithoutCancel(ctx))
	defer abort()
	var running inFlight
	srv := &http.Server{
		Handler:           running.count(s.handler(ctx)),
		BaseContext:       func(net.Listener) context.Context { return base },
		ConnContext:       withConn,
		ReadHeaderTimeout: cmp.Or(s.Limits.Header, headerPatience),
		IdleTimeout:       idlePatience,
		MaxHeaderBytes:    maxHeaderBytes,
		// What net/http has to say is about other people's broken connections.
		ErrorLog: slog.NewLogLogger(s.Log.Handler(), slog.LevelDebug),
	}
	served := make(chan error, 1)
	go func() {
		if s.TLS == nil {
			served <- srv.Serve(ln)
			return
		}
		srv.TLSConfig = s.TLS.Clone()
		served <- srv.ServeTLS(ln, "", "")
	}()

	var failure error
	select {
	case err := <-served:
		failure = fmt.Errorf("serve HTTP on %s: %w", ln.Addr(), err)
		served <- nil
	case <-ctx.Done():
	}
	drain, cancel := context.WithTimeout(base, drainPatience)
	defer cancel()
	if srv.Shutdown(drain) != nil {
		abort()
		_ = srv.Close() // what is left to close are connections that did not end in time
	}
	<-served
	return errors.Join(failure, running.wait(abortPatience))
}

// Handler serves the contract without a listener, for tests. Each call has
// bounds of its own on work at the same time.
func (s *Server) Handler() http.Handler { return s.handler(context.Background()) }

// inFlight counts requests, so that Serve outlives them: http.Server.Close
// does not wait, and what a request uses is closed after Serve returned.
type inFlight struct {
	mu     sync.Mutex
	closed bool
	wg     sync.WaitGroup
}

func (f *inFlight) count(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f.mu.Lock()
		if f.closed {
			f.mu.Unlock()
			panic(http.ErrAbortHandler) // its connection is closed
		}
		f.wg.Add(1)
		f.mu.Unlock()
		defer f.wg.Done()
		h.ServeHTTP(w, r)
	})
}

func (f *inFlight) wait(patience time.Duration) error {
	f.mu.Lock()
	f.closed = true
	f.mu.Unlock()
	done := make(chan struct{})
	go func() {
		f.wg.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-time.After(patience):
		return errors.New("stop HTTP: a request did not end although it was cancelled")
	}
}
