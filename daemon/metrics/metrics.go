// Package metrics writes numbers in Prometheus' text format, version 0.0.4.
//
// It stands for prometheus/client_golang, which would bring protobuf and five
// more modules to write some thirty lines, and wants its numbers registered at
// package level.
//
// Source: prometheus.io/docs/instrumenting/exposition_formats.
package metrics

import (
	"bytes"
	"strconv"
	"strings"
	"sync"
	"time"
)

// ContentType is what an HTTP answer calls the format.
const ContentType = "text/plain; version=0.0.4; charset=utf-8"

// Page is one answer. The zero value is an empty one. It is for one goroutine.
type Page struct{ text bytes.Buffer }

// Bytes is what was written so far.
func (p *Page) Bytes() []byte { return p.text.Bytes() }

// Sample is a number, with labels that tell it from others of its name.
type Sample struct {
	Value  float64
	Labels []string // names and values in turn
}

// Number is the sample of a name that has only one.
func Number[T ~int | ~int64 | ~uint64 | ~float64](value T) Sample {
	return Sample{Value: float64(value)}
}

// Counter writes numbers that only grow; their name ends in _total. Each name
// is written once.
func (p *Page) Counter(name, help string, samples ...Sample) {
	p.family(name, "counter", help, samples)
}

// Gauge writes numbers that go up and down.
func (p *Page) Gauge(name, help string, samples ...Sample) { p.family(name, "gauge", help, samples) }

func (p *Page) family(name, kind, help string, samples []Sample) {
	p.head(name, kind, help)
	for _, s := range samples {
		p.sample(name, s.Value, s.Labels...)
	}
}

func (p *Page) head(name, kind, help string) {
	p.text.WriteString("# HELP " + name + " " + strings.NewReplacer(`\`, `\\`, "\n", `\n`).Replace(help) + "\n")
	p.text.WriteString("# TYPE " + name + " " + kind + "\n")
}

func (p *Page) sample(name string, value float64, labels ...string) {
	p.text.WriteString(name)
	escape := strings.NewReplacer(`\`, `\\`, "\n", `\n`, `"`, `\"`)
	for i := 0; i+1 < len(labels); i += 2 {
		p.text.WriteString(map[bool]string{true: "{", false: ","}[i == 0])
		p.text.WriteString(labels[i] + `="` + escape.Replace(strings.ToValidUTF8(labels[i+1], "�")) + `"`)
	}
	if len(labels) > 0 {
		p.text.WriteString("}")
	}
	p.text.WriteString(" " + format(value) + "\n")
}

// format writes whole numbers without an exponent, for people.
func format(value float64) string {
	if value == float64(int64(value)) {
		return strconv.FormatInt(int64(value), 10)
	}
	return strconv.FormatFloat(value, 'g', -1, 64)
}

// Labelled is a histogram with labels.
type Labelled struct {
	*Histogram
	Labels []string
}

// Histogram writes how durations are spread, in seconds.
func (p *Page) Histogram(name, help string, all ...Labelled) {
	p.head(name, "histogram", help)
	for _, h := range all {
		h.mu.Lock()
		counts, sum := h.counts, h.sum
		h.mu.Unlock()
		total := uint64(0)
		for i, n := range counts {
			total += n
			le := "+Inf"
			if i < buckets {
				le = format(bounds()[i].Seconds())
			}
			p.sample(name+"_bucket", float64(total), append(append([]string(nil), h.Labels...), "le", le)...)
		}
		p.sample(name+"_sum", sum.Seconds(), h.Labels...)
		p.sample(name+"_count", float64(total), h.Labels...)
	}
}

const buckets = 15 // and one for what is longer

// bounds are those of a frame on a slow board, of the way to a broker in the
// house, and of one that was away.
func bounds() [buckets]time.Duration {
	const ms = time.Millisecond
	return [buckets]time.Duration{
		1 * ms, 2500 * time.Microsecond, 5 * ms, 10 * ms, 15 * ms, 25 * ms, 50 * ms, 100 * ms, 250 * ms, 500 * ms,
		time.Second, 2500 * ms, 10 * time.Second, time.Minute, 10 * time.Minute,
	}
}

// Histogram counts durations. The zero value is ready; it is safe for
// concurrent use.
type Histogram struct {
	mu     sync.Mutex
	counts [buckets + 1]uint64
	sum    time.Duration
}

// Observe counts one.
func (h *Histogram) Observe(d time.Duration) {
	i := 0
	for i < buckets && d > bounds()[i] {
		i++
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.counts[i]++
	h.sum += d
}
