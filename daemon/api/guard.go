package api

import (
	"crypto/sha256"
	"crypto/subtle"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"
)

// guard keeps web pages out. A page that the user visits can send requests to
// this port: from its own origin, or, with a name that resolves to 127.0.0.1
// (DNS rebinding), as if from ours. The second works only where no token is
// asked for, and there the Host header gives it away.
func (s *service) guard(r *http.Request) error {
	if s.Token == "" && !s.localHost(r.Host) {
		return problem(http.StatusMisdirectedRequest, CodeWrongHost,
			"This port answers to localhost only; use http://127.0.0.1 in the address, or set http.token_file to use another name.")
	}
	if s.csrf.Check(r) != nil {
		return problem(http.StatusForbidden, CodeCrossOrigin,
			"A web page of another origin may not change anything here; send the request from a program, or from this server's own page.")
	}
	return nil
}

// localHost tells whether a Host header names this machine, or what Listen does.
func (s *service) localHost(host string) bool {
	host = hostname(host)
	if strings.EqualFold(host, "localhost") || strings.EqualFold(host, hostname(s.Listen)) {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}

func hostname(hostport string) string {
	if host, _, err := net.SplitHostPort(hostport); err == nil {
		return host
	}
	return strings.Trim(hostport, "[]")
}

// authorize tells whether the request has the token, where one is needed. An
// address that sent wrong ones is not answered for a while, not even with the
// right one: each answer would tell whether that was it.
func (s *service) authorize(w http.ResponseWriter, r *http.Request) error {
	if s.Token == "" {
		return nil
	}
	if r.Header.Get("Authorization") == "" {
		w.Header().Set("WWW-Authenticate", `Bearer realm="facerecd"`)
		return problem(http.StatusUnauthorized, CodeUnauthorized, "Send the token: Authorization: Bearer <what the file http.token_file holds>.")
	}
	right := false
	wait := s.guesses.try(origin(r), time.Now(), func() (wrong bool) {
		scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
		// Sums have one length, so that the comparison tells nothing about the token's.
		got, want := sha256.Sum256([]byte(strings.TrimSpace(token))), sha256.Sum256([]byte(s.Token))
		right = strings.EqualFold(scheme, "Bearer") && subtle.ConstantTimeCompare(got[:], want[:]) == 1
		return !right
	})
	switch {
	case right:
		return nil
	case wait > 0:
		return tooMany(w, wait, "There were too many wrong tokens from this address")
	}
	w.Header().Set("WWW-Authenticate", `Bearer realm="facerecd", error="invalid_token"`)
	return problem(http.StatusUnauthorized, CodeUnauthorized, "This is not the token; the file http.token_file on the device holds it.")
}

// throttle lets nobody send pictures faster than the rest can bear.
func (s *service) throttle(w http.ResponseWriter, r *http.Request) error {
	if wait := s.uploads.try(origin(r), time.Now(), func() bool { return true }); wait > 0 {
		return tooMany(w, wait, "There were too many pictures from this address")
	}
	return nil
}
