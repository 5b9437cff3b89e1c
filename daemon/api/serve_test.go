package api

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func newTestLog(w io.Writer) *slog.Logger { return slog.New(slog.NewTextHandler(w, nil)) }

// pipes is a listener without a network, so that time in its tests can be
// synctest's.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
}

func newPipes() *pipes { return &pipes{make(chan net.Conn), make(chan struct{})} }

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}
func (p *pipes) Close() error   { close(p.closed); return nil }
func (p *pipes) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 4000} }

func (p *pipes) dial() net.Conn {
	here, there := net.Pipe()
	p.conns <- there
	return here
}

// serve runs d's server in the bubble, and returns how to end it.
func serve(t *testing.T, d *daemon) (*pipes, func() error) {
	ln := newPipes()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- d.server().Serve(ctx, ln) }()
	return ln, func() error { cancel(); return <-ended }
}

func TestRunRefusesToBeReachedWithoutAToken(t *testing.T) {
	for listen, want := range map[string]string{
		"0.0.0.0:0":   "http.listen 0.0.0.0:0 can be reached from other machines, and there is no token: set http.token_file, or listen on 127.0.0.1",
		":0":          "http.listen :0 can be reached from other machines, and there is no token: set http.token_file, or listen on 127.0.0.1",
		"[::]:0":      "http.listen [::]:0 can be reached from other machines, and there is no token: set http.token_file, or listen on 127.0.0.1",
		"192.0.2.1:0": "http.listen 192.0.2.1:0 can be reached from other machines, and there is no token: set http.token_file, or listen on 127.0.0.1",
		"127.0.0.1":   `resolve http.listen "127.0.0.1" (it must be host:port, such as 127.0.0.1:4000): address 127.0.0.1: missing port in address`,
	} {
		s := (&daemon{}).server()
		s.Listen = listen
		if err := s.Run(t.Context()); err == nil || err.Error() != want {
			t.Errorf("%s: %v", listen, err)
		}
	}
}

func TestRunSaysWhoHasThePort(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	s := (&daemon{}).server()
	s.Listen = ln.Addr().String()
	want := fmt.Sprintf("open http.listen %s (is another facerecd running? else choose another port): listen tcp %[1]s: bind: address already in use", s.Listen)
	if err := s.Run(t.Context()); err == nil || err.Error() != want {
		t.Errorf("got %v", err)
	}
}

func TestRunServesBeyondThisMachineWithATokenAndTLS(t *testing.T) {
	ln, err := net.Listen("tcp", "0.0.0.0:0")
	if err != nil {
		t.Fatal(err)
	}
	borrowed := httptest.NewUnstartedServer(nil) // for its certificate
	borrowed.StartTLS()
	defer borrowed.Close()
	s := (&daemon{}).server()
	s.Token = "correct-horse-battery-staple"
	s.TLS = &tls.Config{Certificates: borrowed.TLS.Certificates}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ctx, ln) }()

	client := borrowed.Client()
	_, port, _ := net.SplitHostPort(ln.Addr().String())
	r, _ := http.NewRequest("GET", "https://127.0.0.1:"+port+"/api/v1/people", nil)
	r.Header.Set("Authorization", "Bearer "+s.Token)
	resp, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	client.CloseIdleConnections()
	if resp.StatusCode != 200 {
		t.Errorf("got %s", resp.Status)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestRequestsMayFinishWhenTheDaemonStops(t *testing.T) {
	for name, tt := range map[string]struct {
		works  time.Duration
		deaf   bool // to its context
		status int  // 0: cut off
		within time.Duration
		err    string
	}{
		"short work":       {works: 500 * time.Millisecond, status: 201, within: drainPatience},
		"long work":        {works: time.Minute, within: drainPatience + 10*time.Millisecond},
		"work with no end": {works: time.Minute, deaf: true, within: time.Second, err: "stop HTTP: a request did not end although it was cancelled"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := &daemon{during: func(ctx context.Context) error {
					if tt.deaf {
						ctx = context.Background()
					}
					select {
					case <-time.After(tt.works):
						return nil
					case <-ctx.Done():
						return ctx.Err()
					}
				}}
				ln, stop := serve(t, d)
				c := ln.dial()
				defer c.Close()
				status := make(chan int, 1)
				go func() {
					r := request{method: "POST", path: "/register", form: images(1)}.http()
					_ = r.Write(c)
					resp, err := http.ReadResponse(bufio.NewReader(c), r)
					if err != nil {
						status <- 0
						return
					}
					status <- resp.StatusCode
				}()
				time.Sleep(time.Millisecond)
				synctest.Wait()
				before := time.Now()
				err := stop()
				if took := time.Since(before); took > tt.within {
					t.Errorf("it took %v, want at most %v", took, tt.within)
				}
				if got := <-status; got != tt.status {
					t.Errorf("got %d, want %d", got, tt.status)
				}
				if err != nil && err.Error() != tt.err || err == nil && tt.err != "" {
					t.Errorf("got %v, want %q", err, tt.err)
				}
				time.Sleep(2 * time.Minute) // the deaf one ends, too
				people, _ := d.List(t.Context(), Selection{})
				if stored := len(people) > 0; stored != (tt.status == 201 || tt.deaf) {
					t.Errorf("stored is %v", people)
				}
			})
		})
	}
}

func TestSlowSendersAreCutOff(t *testing.T) {
	const head = "POST /register HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; boundary=b\r\nContent-Length: 1000000\r\n\r\n"
	const part = "--b\r\nContent-Disposition: form-data; name=images; filename=a.jpg\r\n\r\n"
	for name, tt := range map[string]struct {
		send   string
		drip   string        // sent again and again
		every  time.Duration // between two drips
		within time.Duration
		status int // 0: closed without an answer
	}{
		"nothing":           {"", "", 0, headerPatience, 0},
		"half a header":     {"GET / HTTP/1.1\r\nHost", "", 0, headerPatience, 400},
		"a header in drips": {"GET / HTTP/1.1\r\n", "X: y\r\n", time.Second, headerPatience, 0},
		"no body":           {head, "", 0, bodyPatience, 408},
		"half a body":       {head + part, "", 0, bodyPatience + time.Second, 408},
		"a body in drips":   {head + part, "x", time.Second, bodyPatience + time.Second, 408},
		"no body, no route": {strings.Replace(head, "/register", "/nothing", 1), "", 0, time.Second, 404},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ln, stop := serve(t, &daemon{})
				c := ln.dial()
				defer c.Close()
				before := time.Now()
				var sender sync.WaitGroup
				sender.Go(func() {
					_, err := io.WriteString(c, tt.send)
					for err == nil && tt.drip != "" {
						time.Sleep(tt.every)
						_, err = io.WriteString(c, tt.drip)
					}
				})
				resp, err := http.ReadResponse(bufio.NewReader(c), nil)
				took := time.Since(before)
				switch {
				case err == nil && resp.StatusCode != tt.status:
					t.Errorf("got %s, want %d", resp.Status, tt.status)
				case err != nil && (tt.status != 0 || !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF)):
					t.Errorf("got %v, want %d", err, tt.status)
				}
				if took > tt.within {
					t.Errorf("it took %v, want at most %v", took, tt.within)
				}
				_ = c.Close()
				sender.Wait()
				if err := stop(); err != nil {
					t.Error(err)
				}
				time.Sleep(time.Second) // net/http lingers before it closes such a connection
			})
		})
	}
}

func TestSlowReadersAreCutOff(t *testing.T) {
	for _, path := range []string{"/api/v1/people", "/api/v1/events/stream", "/api/v1/cameras/yard/stream.mjpg"} {
		t.Run(path, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ln, stop := serve(t, &daemon{screens: newScreens(1)})
				c := ln.dial()
				defer c.Close()
				if _, err := io.WriteString(c, "GET "+path+" HTTP/1.1\r\nHost: localhost\r\n\r\n"); err != nil {
					t.Fatal(err)
				}
				time.Sleep(writePatience + time.Second)
				if got, err := io.ReadAll(c); len(got) > 0 || err != nil {
					t.Errorf("still there to be read: %q, %v", got, err)
				}
				if err := stop(); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

func TestASteadySenderOnABadLinkMayTakeItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &daemon{}
		ln, stop := serve(t, d)
		c := ln.dial()
		defer c.Close()
		body, contentType := multipartBody([]field{{"name", "", "ana"}, {"images", "a.jpg", photo(8, 4) + strings.Repeat("x", 3<<20)}})
		data, _ := io.ReadAll(body)
		var sender sync.WaitGroup
		sender.Go(func() {
			_, _ = fmt.Fprintf(c, "POST /register HTTP/1.1\r\nHost: localhost\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n", contentType, len(data))
			for len(data) > 0 {
				n := min(len(data), 20<<10) // a second, for two and a half minutes
				_, _ = c.Write(data[:n])
				data = data[n:]
				time.Sleep(time.Second)
			}
		})
		resp, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil || resp.StatusCode != 201 {
			t.Errorf("got %v, %v", resp, err)
		}
		_ = c.Close()
		sender.Wait()
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
}

// TestLongWorkOutlivesTheBodysDeadline also sees that a caller who leaves ends
// the work, whichever way the body was framed.
func TestLongWorkOutlivesTheBodysDeadline(t *testing.T) {
	body, contentType := multipartBody(images(1))
	data, _ := io.ReadAll(body)
	head := "POST /register HTTP/1.1\r\nHost: localhost\r\nContent-Type: " + contentType + "\r\n"
	for framing, text := range map[string]string{
		"length": fmt.Sprintf("%sContent-Length: %d\r\n\r\n%s", head, len(data), data),
		"chunks": fmt.Sprintf("%sTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", head, len(data), data),
	} {
		for name, leave := range map[string]bool{"stays": false, "leaves": true} {
			t.Run(framing+" "+name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					var worked time.Duration
					d := &daemon{during: func(ctx context.Context) error {
						began := time.Now()
						defer func() { worked = time.Since(began) }()
						select {
						case <-time.After(time.Minute):
							return nil
						case <-ctx.Done():
							return ctx.Err()
						}
					}}
					ln, stop := serve(t, d)
					c := ln.dial()
					defer c.Close()
					end := len(text) - len("0\r\n\r\n") // the last chunk comes after the form's end
					for _, piece := range []string{text[:end], text[end:]} {
						time.Sleep(time.Millisecond)
						if _, err := io.WriteString(c, piece); err != nil {
							t.Fatal(err)
						}
					}
					want := time.Minute
					if leave {
						want = 20 * time.Second
						time.Sleep(want)
						_ = c.Close()
					} else if resp, err := http.ReadResponse(bufio.NewReader(c), nil); err != nil || resp.StatusCode != 201 {
						t.Errorf("got %v, %v", resp, err)
					}
					_ = c.Close()
					if err := stop(); err != nil {
						t.Error(err)
					}
					if worked != want {
						t.Errorf("it worked for %v, want %v", worked, want)
					}
				})
			})
		}
	}
}
