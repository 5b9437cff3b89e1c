// Package web reads cameras over HTTP: an MJPEG stream
// (multipart/x-mixed-replace), or a picture that is fetched again and again.
package web

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"time"

	"facerecd/capture"
	"facerecd/capture/jpeg"
	"facerecd/capture/mjpeg"
	"facerecd/capture/stream"
)

// The default of Options.FPS, and what bounds the answers of a camera that
// works for somebody else.
const (
	DefaultFPS     = 10
	maxRedirects   = 3
	maxHeader      = 64 << 10
	connectTimeout = 5 * time.Second
)

// Options says how a camera is read.
type Options struct {
	FPS   float64       // frames a second at most; 0 means DefaultFPS
	Start time.Duration // see stream.Options
	Stall time.Duration

	// Roots are the authorities that an https camera's certificate may come
	// from; nil means the system's.
	Roots *x509.CertPool
}

// Open opens the camera at an http:// or https:// URL and waits for its first
// frame. A user and a password in the URL are sent as basic authentication,
// and never to another host that the camera redirects to. Errors do not repeat
// the URL.
func Open(ctx context.Context, address string, o Options) (capture.Source, error) {
	if o.FPS <= 0 {
		o.FPS = DefaultFPS
	}
	if o.Stall <= 0 {
		o.Stall = capture.DefaultStallAfter
	}
	if o.Start <= 0 {
		o.Start = stream.DefaultStart
	}
	// The source outlives ctx, which ends Open only.
	life, cancel := context.WithCancel(context.WithoutCancel(ctx))
	r := &reader{
		address: address, period: time.Duration(float64(time.Second) / o.FPS), answer: o.Stall,
		life: life, cancel: cancel, client: client(o),
	}
	return stream.Open(ctx, r, stream.Options{Start: o.Start, Stall: o.Stall, FPS: o.FPS})
}

func client(o Options) *http.Client {
	return &http.Client{
		Transport: &http.Transport{ // no proxy: the camera is near
			DialContext:            (&net.Dialer{Timeout: connectTimeout}).DialContext,
			TLSClientConfig:        &tls.Config{RootCAs: o.Roots},
			TLSHandshakeTimeout:    connectTimeout,
			MaxResponseHeaderBytes: maxHeader,
			DisableCompression:     true,
			MaxConnsPerHost:        1,
		},
		CheckRedirect: func(req *http.Request, via []*http.Request) error {
			switch {
			case len(via) > maxRedirects:
				return fmt.Errorf("it redirects more than %d times", maxRedirects)
			case via[0].URL.Scheme == "https" && req.URL.Scheme != "https":
				return errors.New("it redirects from https to http, where anybody can read the pictures and the password")
			}
			return nil
		},
	}
}

// reader is a stream.Reader of a URL.
type reader struct {
	address string
	period  time.Duration // from one picture to the next, where they are fetched
	answer  time.Duration // how long a whole picture may take, where they are fetched
	client  *http.Client
	life    context.Context
	cancel  context.CancelFunc

	stream *mjpeg.Reader // nil: not known yet, or pictures are fetched
	due    time.Time     // of the next fetch
	buf    []byte
}

// Next implements stream.Reader.
func (r *reader) Next(f *capture.Frame) error {
	if r.stream != nil {
		return r.nextOfStream(f)
	}
	if err := r.wait(); err != nil {
		return err
	}
	// A single picture has to come within its time; a stream lives on.
	ctx, cancel := context.WithCancel(r.life)
	late := time.AfterFunc(r.answer, cancel)
	defer late.Stop()
	streams, err := r.fetch(ctx, f)
	if streams {
		if late.Stop() {
			return r.nextOfStream(f) // Close ends ctx
		}
		err = ctx.Err()
	}
	err = r.why(ctx, err)
	cancel()
	return err
}

// fetch gets the URL. Either it fills f with the one picture that is there, or
// the answer streams, until ctx is done.
func (r *reader) fetch(ctx context.Context, f *capture.Frame) (streams bool, err error) {
	resp, err := r.get(ctx)
	if err != nil {
		return false, err
	}
	kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	switch kind {
	case "image/jpeg", "image/jpg":
		return false, errors.Join(r.picture(f, resp.Body), resp.Body.Close())
	case "text/html", "application/json", "text/plain":
		return false, errors.Join(fmt.Errorf("%w: the URL leads to %s and not to pictures: "+
			"look up the camera's MJPEG or snapshot address in its manual", capture.ErrUnsupported, kind), resp.Body.Close())
	}
	r.stream = mjpeg.NewReader(resp.Body) // which ends with the request
	return true, nil
}

func (r *reader) nextOfStream(f *capture.Frame) error {
	switch err := r.stream.Next(f); {
	case err == nil, errors.Is(err, capture.ErrBadFrame):
		return err
	case errors.Is(err, io.EOF):
		return fmt.Errorf("%w: the camera ended it", capture.ErrStream)
	default:
		return fmt.Errorf("%w: %w", capture.ErrStream, cause(err))
	}
}

// wait waits until the next picture is due.
func (r *reader) wait() error {
	now := time.Now()
	if r.due.Before(now) {
		r.due = now
	}
	timer := time.NewTimer(r.due.Sub(now))
	defer timer.Stop()
	r.due = r.due.Add(r.period)
	select {
	case <-timer.C:
		return nil
	case <-r.life.Done():
		return r.life.Err()
	}
}

// get asks for the URL. The body of the answer is the caller's to close.
func (r *reader) get(ctx context.Context) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, r.address, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "multipart/x-mixed-replace, image/jpeg")
	resp, err := r.client.Do(req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode == http.StatusOK {
		return resp, nil
	}
	return nil, errors.Join(refusal(resp.StatusCode), resp.Body.Close())
}

func refusal(status int) error {
	text := fmt.Sprintf("it answers %d %s", status, http.StatusText(status))
	switch status {
	case http.StatusUnauthorized:
		return fmt.Errorf("%w: %s: check user and password in the URL, and that the camera takes basic authentication", capture.ErrPermission, text)
	case http.StatusForbidden:
		return fmt.Errorf("%w: %s: check user and password in the URL", capture.ErrPermission, text)
	case http.StatusNotFound, http.StatusGone:
		return fmt.Errorf("%w: %s: check the path in the URL", capture.ErrNotFound, text)
	case http.StatusServiceUnavailable, http.StatusTooManyRequests:
		return fmt.Errorf("%w: %s", capture.ErrBusy, text)
	}
	return errors.New(text)
}

// picture fills f with the one picture of an answer.
func (r *reader) picture(f *capture.Frame, body io.Reader) error {
	in := &io.LimitedReader{R: body, N: mjpeg.MaxPicture + 1}
	r.buf = r.buf[:0]
	for {
		if len(r.buf) == cap(r.buf) {
			r.buf = append(r.buf, 0)[:len(r.buf)]
		}
		n, err := in.Read(r.buf[len(r.buf):cap(r.buf)])
		r.buf = r.buf[:len(r.buf)+n]
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
	}
	if len(r.buf) > mjpeg.MaxPicture {
		return fmt.Errorf("a picture of more than %d MiB", mjpeg.MaxPicture>>20)
	}
	if n, _, err := jpeg.Extent(r.buf); err == nil && n > 0 {
		r.buf = r.buf[:n] // without what some cameras write behind it
	}
	return mjpeg.Fill(f, r.buf)
}

// why wraps the reason of package capture that an error of a request tells.
func (r *reader) why(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	var (
		op      *net.OpError
		dns     *net.DNSError
		refused *tls.CertificateVerificationError
		timeout interface{ Timeout() bool }
	)
	switch shown := cause(err); {
	case r.life.Err() != nil:
		return r.life.Err() // closed
	case ctx.Err() != nil:
		return fmt.Errorf("%w: no whole picture in %v", capture.ErrStalled, r.answer)
	case errors.As(err, &refused):
		return fmt.Errorf("%w: its certificate is not trusted: %w: install its authority on this machine, or use http on a network you trust", capture.ErrPermission, refused)
	case errors.As(err, &dns), errors.As(err, &op) && op.Op == "dial":
		return fmt.Errorf("%w: %w", capture.ErrNotFound, shown)
	case errors.As(err, &timeout) && timeout.Timeout():
		return fmt.Errorf("%w: %w", capture.ErrStalled, shown)
	default:
		return shown
	}
}

// cause is an error of net/http without the URL, which may hold a password.
func cause(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}

// Close implements stream.Reader.
func (r *reader) Close() error {
	r.cancel()
	r.client.CloseIdleConnections()
	return nil
}
