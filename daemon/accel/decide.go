package accel

import (
	"fmt"
	"slices"
	"strings"
)

// Choice is where a model runs.
type Choice struct {
	Model  string  `json:"model"`
	GPU    bool    `json:"gpu"`
	Reason string  `json:"reason,omitempty"` // why it is not on the GPU
	OnCPU  float64 `json:"cpu_ms,omitzero"`  // of a run, as far as the trial got
	OnGPU  float64 `json:"gpu_ms,omitzero"`
}

func (c Choice) String() string {
	if c.GPU {
		return fmt.Sprintf("on the GPU: %.2f ms a run; on the CPU %.2f ms", c.OnGPU, c.OnCPU)
	}
	return "on the CPU: " + c.Reason
}

// Decision is where all of them run. The zero Decision is that of CPU.
type Decision struct {
	Setting string
	Choices []Choice // one for each of Roles; none where nothing was tried
}

// Decide makes a decision from what a trial has told, or from the error it has
// ended with, which speaks against the GPU as a whole: a process in which one
// model can end everything has no use for another that works.
func Decide(setting string, r Report, err error) Decision {
	d := Decision{Setting: setting}
	for _, role := range Roles() {
		c := Choice{Model: role}
		i := slices.IndexFunc(r.Models, func(o Outcome) bool { return o.Model == role })
		switch {
		case err != nil:
			c.Reason = err.Error()
		case i < 0:
			c.Reason = "the trial of the GPU has left it out"
		default:
			o := r.Models[i]
			c.OnCPU, c.OnGPU = o.CPU, o.GPU
			c.Reason = objection(setting, o)
			c.GPU = c.Reason == ""
		}
		d.Choices = append(d.Choices, c)
	}
	return d
}

// objection is why a model must not run on the GPU; "" when it may.
func objection(setting string, o Outcome) string {
	if o.Error != "" {
		return o.Error
	}
	if len(o.Differences) == 0 {
		return "its output on the GPU was not compared"
	}
	var wrong []string
	for _, d := range o.Differences {
		if !(d.Value <= d.Limit) { // written so that NaN is wrong
			wrong = append(wrong, fmt.Sprintf("%s differs by %.3g, allowed is %.3g", d.What, d.Value, d.Limit))
		}
	}
	if len(wrong) > 0 {
		return "its output on the GPU is wrong: " + strings.Join(wrong, "; ")
	}
	if setting == Auto && !(o.GPU < o.CPU) {
		return fmt.Sprintf("the GPU is not faster: %.2f ms a run, on the CPU %.2f ms", o.GPU, o.CPU)
	}
	return ""
}

// OnGPU tells whether a model runs on the GPU.
func (d Decision) OnGPU(model string) bool {
	return slices.ContainsFunc(d.Choices, func(c Choice) bool { return c.GPU && c.Model == model })
}

// Any tells whether any does.
func (d Decision) Any() bool {
	return slices.ContainsFunc(d.Choices, func(c Choice) bool { return c.GPU })
}

// Without is the same decision with some models on the CPU for a reason that was
// found later; those that are there already keep theirs.
func (d Decision) Without(reason string, models ...string) Decision {
	d.Choices = slices.Clone(d.Choices)
	for i, c := range d.Choices {
		if c.GPU && slices.Contains(models, c.Model) {
			d.Choices[i].GPU, d.Choices[i].Reason = false, reason
		}
	}
	return d
}

// Complaint is what to tell somebody who has asked for the GPU and did not get
// it for all models; "" when there is nothing to tell.
func (d Decision) Complaint() string {
	if d.Setting != GPU {
		return ""
	}
	return strings.Join(d.Reasons(), "; ")
}

// Reasons are those for the CPU, each with the models that it is for.
func (d Decision) Reasons() (all []string) {
	var reasons []string
	models := map[string][]string{}
	for _, c := range d.Choices {
		if c.GPU {
			continue
		}
		if models[c.Reason] == nil {
			reasons = append(reasons, c.Reason)
		}
		models[c.Reason] = append(models[c.Reason], c.Model)
	}
	for _, r := range reasons {
		all = append(all, strings.Join(models[r], ", ")+": "+r)
	}
	return all
}
