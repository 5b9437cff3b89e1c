package api

import (
	"fmt"
	"maps"
	"math"
	"net/http"
	"net/netip"
	"strconv"
	"sync"
	"time"
)

// Rate is how often something may be done from one address: Burst times at
// once, and PerSecond from then on.
type Rate struct {
	PerSecond float64
	Burst     int
}

// maxAddresses is how many addresses a limiter tells apart. Those beyond it
// share what one is allowed.
const maxAddresses = 1024

// limiter counts what each address does, with a token bucket for each.
type limiter struct {
	Rate

	mu    sync.Mutex
	spent map[netip.Prefix]bucket
}

// bucket is how much of a burst was used by a time; it is less by now.
type bucket struct {
	used float64
	at   time.Time
}

func (l *limiter) left(b bucket, now time.Time) bucket {
	return bucket{max(0, b.used-now.Sub(b.at).Seconds()*l.PerSecond), now}
}

// try counts it when counts says so, which is not asked, and nothing is counted,
// while the address has to wait. It returns for how long.
func (l *limiter) try(from netip.Prefix, now time.Time, counts func() bool) (wait time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	key := l.key(from, now)
	b := l.left(l.spent[key], now)
	if over := b.used + 1 - float64(l.Burst); over > 0 {
		return time.Duration(over / l.PerSecond * float64(time.Second))
	}
	if counts() {
		b.used++
		l.spent[key] = b
	}
	return 0
}

// key is the address, if there is room for it; it makes some.
func (l *limiter) key(from netip.Prefix, now time.Time) netip.Prefix {
	if l.spent == nil {
		l.spent = make(map[netip.Prefix]bucket)
	}
	if _, ok := l.spent[from]; ok {
		return from
	}
	if len(l.spent) >= maxAddresses {
		maps.DeleteFunc(l.spent, func(_ netip.Prefix, b bucket) bool { return l.left(b, now).used == 0 })
	}
	if len(l.spent) >= maxAddresses {
		return netip.Prefix{}
	}
	return from
}

// origin is what of a request's address its sender cannot choose: in IPv6 a
// household has 2^64 of them.
func origin(r *http.Request) netip.Prefix {
	addr, _ := netip.ParseAddrPort(r.RemoteAddr)
	ip := addr.Addr().Unmap().WithZone("")
	bits := 64
	if ip.Is4() {
		bits = 32
	}
	prefix, _ := ip.Prefix(bits) // the zero Prefix for no address
	return prefix
}

// tooMany is the answer to who has to wait.
func tooMany(w http.ResponseWriter, wait time.Duration, what string) error {
	seconds := int(math.Ceil(wait.Seconds()))
	w.Header().Set("Retry-After", strconv.Itoa(seconds))
	return problem(http.StatusTooManyRequests, CodeTooMany, fmt.Sprintf("%s; wait %d s and try again.", what, seconds))
}
