package accel

import (
	"errors"
	"math"
	"reflect"
	"testing"
)

// good is an outcome that nothing speaks against.
func good(model string) Outcome {
	return Outcome{Model: model, Differences: []Difference{{"score", 0.01, 0.05}}, CPU: 4, GPU: 1.5}
}

func TestAModelRunsOnTheGPUOnlyWhenNothingSpeaksAgainstIt(t *testing.T) {
	with := func(change func(*Outcome)) Report {
		r := Report{Models: []Outcome{good("detector"), good("landmarks"), good("embedding")}}
		change(&r.Models[1])
		return r
	}
	all := map[string]string{"detector": "", "landmarks": "", "embedding": ""}
	but := func(reason string) map[string]string {
		return map[string]string{"detector": "", "landmarks": reason, "embedding": ""}
	}
	for _, tt := range []struct {
		what, setting string
		report        Report
		err           error
		want          map[string]string // why each is on the CPU; "" on the GPU
	}{
		{"all is well", Auto, with(func(*Outcome) {}), nil, all},
		{"a difference at its limit", Auto, with(func(o *Outcome) { o.Differences[0].Value = 0.05 }), nil, all},
		{
			"wrong", GPU, with(func(o *Outcome) { o.Differences = []Difference{{"landmark", 0.217, 0.02}, {"probability", 0.26, 0.05}} }), nil,
			but("its output on the GPU is wrong: landmark differs by 0.217, allowed is 0.02; probability differs by 0.26, allowed is 0.05"),
		},
		{
			"wrong and fast", Auto, with(func(o *Outcome) { o.Differences[0].Value, o.GPU = 0.06, 0.1 }), nil,
			but("its output on the GPU is wrong: score differs by 0.06, allowed is 0.05"),
		},
		{
			"no number", GPU, with(func(o *Outcome) { o.Differences[0].Value = math.NaN() }), nil,
			but("its output on the GPU is wrong: score differs by NaN, allowed is 0.05"),
		},
		{"slower, auto", Auto, with(func(o *Outcome) { o.GPU = 40 }), nil, but("the GPU is not faster: 40.00 ms a run, on the CPU 4.00 ms")},
		{"as fast, auto", Auto, with(func(o *Outcome) { o.GPU = 4 }), nil, but("the GPU is not faster: 4.00 ms a run, on the CPU 4.00 ms")},
		{"slower, gpu", GPU, with(func(o *Outcome) { o.GPU = 40 }), nil, all},
		{"refused", GPU, with(func(o *Outcome) { o.Error = "no such operator" }), nil, but("no such operator")},
		{"nothing was compared", GPU, with(func(o *Outcome) { o.Differences = nil }), nil, but("its output on the GPU was not compared")},
		{"left out", GPU, with(func(o *Outcome) { o.Model = "other" }), nil, but("the trial of the GPU has left it out")},
		{
			"death", GPU, with(func(*Outcome) {}), errors.New("SIGILL"),
			map[string]string{"detector": "SIGILL", "landmarks": "SIGILL", "embedding": "SIGILL"},
		},
	} {
		t.Run(tt.what, func(t *testing.T) {
			d := Decide(tt.setting, tt.report, tt.err)
			got := map[string]string{}
			for _, c := range d.Choices {
				got[c.Model] = c.Reason
				if d.OnGPU(c.Model) != (c.Reason == "") {
					t.Errorf("%+v", c)
				}
			}
			if !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got  %v\nwant %v", got, tt.want)
			}
		})
	}
}

func TestWhoAsksForTheGPUHearsWhyItIsNotUsed(t *testing.T) {
	r := Report{Models: []Outcome{good("detector"), good("landmarks"), good("embedding")}}
	if got := Decide(GPU, r, nil).Complaint(); got != "" {
		t.Error(got)
	}
	dead := Decide(GPU, Report{}, errors.New("it died"))
	if got := dead.Complaint(); got != "detector, landmarks, embedding: it died" {
		t.Error(got)
	}
	if got := Decide(Auto, Report{}, errors.New("it died")).Complaint(); got != "" {
		t.Errorf("auto: %s", got)
	}
	late := Decide(GPU, r, nil).Without("no memory", "embedding", "landmarks").Without("other", "landmarks")
	if got := late.Complaint(); got != "landmarks, embedding: no memory" || !late.OnGPU("detector") {
		t.Error(got)
	}
}
