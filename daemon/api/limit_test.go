package api

import (
	"context"
	"encoding/binary"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"facerecd/match"
)

func TestALimiterAllowsABurstAndThenARate(t *testing.T) {
	l := limiter{Rate: Rate{PerSecond: 0.5, Burst: 3}}
	ana, bo := netip.MustParsePrefix("10.0.0.1/32"), netip.MustParsePrefix("10.0.0.2/32")
	now := noon
	try := func(from netip.Prefix) time.Duration { return l.try(from, now, func() bool { return true }) }
	for range 3 {
		if wait := try(ana); wait != 0 {
			t.Fatalf("it has to wait %v within the burst", wait)
		}
	}
	if wait := try(ana); wait != 2*time.Second {
		t.Errorf("it has to wait %v after the burst, want 2s", wait)
	}
	if wait := try(bo); wait != 0 {
		t.Errorf("another address has to wait %v", wait)
	}
	now = now.Add(2 * time.Second)
	if wait := try(ana); wait != 0 {
		t.Errorf("it has to wait %v although it has waited", wait)
	}
	if wait := try(ana); wait != 2*time.Second {
		t.Errorf("it has to wait %v, want 2s", wait)
	}
	now = now.Add(time.Hour)
	for range 3 {
		if wait := l.try(ana, now, func() bool { return false }); wait != 0 {
			t.Errorf("it has to wait %v for what does not count", wait)
		}
	}
}

func TestALimiterStaysSmall(t *testing.T) {
	l := limiter{Rate: Rate{PerSecond: 1, Burst: 1}}
	now := noon
	address := func(n int) netip.Prefix {
		var ip [4]byte
		binary.BigEndian.PutUint32(ip[:], uint32(n))
		return netip.PrefixFrom(netip.AddrFrom4(ip), 32)
	}
	yes := func() bool { return true }
	for n := range 3 * maxAddresses {
		wait := l.try(address(n), now, yes)
		if over := n > maxAddresses; wait > 0 != over {
			t.Fatalf("address %d has to wait %v", n, wait)
		}
	}
	if len(l.spent) > maxAddresses+1 {
		t.Errorf("it remembers %d addresses", len(l.spent))
	}
	now = now.Add(time.Minute)
	if wait := l.try(address(1<<20), now, yes); wait != 0 || len(l.spent) != 1 {
		t.Errorf("a minute later a new address has to wait %v, and %d are remembered", wait, len(l.spent))
	}
}

func TestOriginIsWhatASenderCannotChoose(t *testing.T) {
	for remote, want := range map[string]string{
		"10.0.0.1:4000":               "10.0.0.1/32",
		"[::ffff:10.0.0.1]:4000":      "10.0.0.1/32",
		"[2001:db8:1:2:3:4:5:6]:4000": "2001:db8:1:2::/64",
		"[2001:db8:1:2::ffff]:5000":   "2001:db8:1:2::/64",
		"[fe80::1%eth0]:4000":         "fe80::/64",
		"@":                           "invalid Prefix",
		"":                            "invalid Prefix",
	} {
		if got := origin(&http.Request{RemoteAddr: remote}).String(); got != want {
			t.Errorf("%s: %s, want %s", remote, got, want)
		}
	}
}

// from sends a request to one server, from an address.
func from(svc *service, address string, q request) *httptest.ResponseRecorder {
	r := q.http()
	r.RemoteAddr = address + ":5000"
	w := httptest.NewRecorder()
	svc.ServeHTTP(w, r)
	return w
}

func TestWhoGuessesTokensIsNotAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := (&daemon{}).server()
		withToken(s)
		svc := newService(s, t.Context())
		with := func(path, token string) request {
			return withHeader(request{method: "GET", path: path}, "Authorization", "Bearer "+token)
		}
		for n := range 10 {
			path := []string{"/api/v1/people", "/healthz"}[n%2] // which answers, but says less
			if w := from(svc, "10.0.0.1", with(path, strconv.Itoa(n))); w.Code != []int{401, 200}[n%2] {
				t.Fatalf("guess %d: %d", n, w.Code)
			}
		}
		w := from(svc, "10.0.0.1", with("/api/v1/people", s.Token))
		if err := readDocument(t).check("GET /api/v1/people", w.Result(), w.Body.Bytes()); err != nil || w.Code != 429 ||
			w.Header().Get("Retry-After") != "10" ||
			!strings.Contains(w.Body.String(), "There were too many wrong tokens from this address; wait 10 s and try again.") {
			t.Errorf("after ten guesses, the right token: %d %v %s %v", w.Code, w.Header(), w.Body, err)
		}
		if w := from(svc, "10.0.0.1", with("/healthz", s.Token)); strings.Contains(w.Body.String(), "version") || w.Header().Get("Retry-After") != "" {
			t.Errorf("healthz tells whether it is right: %v %s", w.Header(), w.Body)
		}
		if w := from(svc, "10.0.0.1", request{method: "GET", path: "/api/v1/people"}); w.Code != 401 {
			t.Errorf("without a token: %d", w.Code)
		}
		if w := from(svc, "10.0.0.2", with("/api/v1/people", s.Token)); w.Code != 200 {
			t.Errorf("from another address: %d", w.Code)
		}
		time.Sleep(10 * time.Second)
		for range 20 {
			if w := from(svc, "10.0.0.1", with("/api/v1/people", s.Token)); w.Code != 200 {
				t.Errorf("the right token, later: %d", w.Code)
			}
		}
	})
}

func TestWhoSendsTooManyPicturesHasToWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := (&daemon{}).server()
		s.Limits.Uploads = Rate{PerSecond: 1, Burst: 2}
		svc := newService(s, t.Context())
		for n, want := range []int{200, 200, 429} {
			w := from(svc, "10.0.0.1", request{method: "POST", path: "/recognize", body: strings.NewReader(photo(8, 4))})
			if w.Code != want {
				t.Errorf("picture %d: %d, want %d", n, w.Code, want)
			}
		}
		q := request{method: "POST", path: "/register", form: images(1)}
		if w := from(svc, "10.0.0.1", q); w.Code != 429 || w.Header().Get("Retry-After") != "1" || w.Header().Get("Content-Type") != "application/problem+json" {
			t.Errorf("an enrolment: %d %v", w.Code, w.Header())
		}
		if w := from(svc, "10.0.0.2", q); w.Code != 201 {
			t.Errorf("from another address: %d", w.Code)
		}
		time.Sleep(time.Second)
		if w := from(svc, "10.0.0.1", q); w.Code != 201 {
			t.Errorf("a second later: %d", w.Code)
		}
	})
}

func TestOneCheckRunsAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		closing, stop := context.WithCancel(t.Context())
		s := (&daemon{people: []match.Person{{ID: id(1)}}}).server()
		s.Check = func(ctx context.Context) (Checkup, error) {
			<-ctx.Done()
			return Checkup{People: 1}, nil // what was found until then
		}
		svc, doc := newService(s, closing), readDocument(t)
		ask := func() *httptest.ResponseRecorder {
			return from(svc, "10.0.0.1", request{method: "GET", path: "/api/v1/check?seconds=5"})
		}
		checked := func(w *httptest.ResponseRecorder) *httptest.ResponseRecorder {
			if err := doc.check("GET /api/v1/check", w.Result(), w.Body.Bytes()); err != nil {
				t.Error(err)
			}
			return w
		}
		first := make(chan *httptest.ResponseRecorder)
		began := time.Now()
		go func() { first <- ask() }()
		synctest.Wait()
		if w := checked(ask()); w.Code != 503 || !strings.Contains(w.Body.String(), "Another check is under way; ask again when it has ended.") {
			t.Errorf("meanwhile: %d %s", w.Code, w.Body)
		}
		if w := checked(<-first); w.Code != 200 || time.Since(began) != 5*time.Second {
			t.Errorf("after %v: %d", time.Since(began), w.Code)
		}
		go func() { first <- ask() }()
		synctest.Wait()
		stop()
		if w := checked(<-first); w.Code != 503 {
			t.Errorf("when the daemon stops: %d", w.Code)
		}
	})
}
