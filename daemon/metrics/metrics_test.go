package metrics

import (
	"math"
	"strings"
	"testing"
	"time"
)

func TestThePageIsPrometheusText(t *testing.T) {
	var p Page
	p.Counter("a_total", "Counts \\ and\nmore.", Sample{3, []string{"camera", "Tür \"1\" \\ a\nb", "type", "x\xff"}}, Sample{1e15, []string{"camera", ""}})
	p.Gauge("b", "One.", Number(-0.5))
	p.Gauge("c", "None.")
	p.Gauge("d", "Beyond.", Number(math.Inf(1)), Number(math.NaN()), Number(1e30))
	want := `# HELP a_total Counts \\ and\nmore.
# TYPE a_total counter
a_total{camera="Tür \"1\" \\ a\nb",type="x�"} 3
a_total{camera=""} 1000000000000000
# HELP b One.
# TYPE b gauge
b -0.5
# HELP c None.
# TYPE c gauge
# HELP d Beyond.
# TYPE d gauge
d +Inf
d NaN
d 1e+30
`
	if got := string(p.Bytes()); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestAHistogramCountsUpToEachBound(t *testing.T) {
	var h Histogram
	for _, d := range []time.Duration{0, time.Millisecond, time.Millisecond + 1, 15 * time.Millisecond, time.Hour} {
		h.Observe(d)
	}
	var p Page
	p.Histogram("l_seconds", "Latency.", Labelled{&h, []string{"from", "frame"}}, Labelled{new(Histogram), nil})
	got := string(p.Bytes())
	for _, line := range []string{
		"# TYPE l_seconds histogram",
		`l_seconds_bucket{from="frame",le="0.001"} 2`,
		`l_seconds_bucket{from="frame",le="0.0025"} 3`,
		`l_seconds_bucket{from="frame",le="0.01"} 3`,
		`l_seconds_bucket{from="frame",le="0.015"} 4`,
		`l_seconds_bucket{from="frame",le="600"} 4`,
		`l_seconds_bucket{from="frame",le="+Inf"} 5`,
		`l_seconds_sum{from="frame"} 3600.017000001`,
		`l_seconds_count{from="frame"} 5`,
		`l_seconds_bucket{le="+Inf"} 0`,
		`l_seconds_count 0`,
	} {
		if !strings.Contains(got, line+"\n") {
			t.Errorf("no line %s in\n%s", line, got)
		}
	}
	last := time.Duration(0)
	for _, b := range bounds() {
		if b <= last {
			t.Errorf("bound %v after %v", b, last)
		}
		last = b
	}
}
