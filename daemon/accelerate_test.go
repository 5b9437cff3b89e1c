package daemon

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"facerecd/cross/testkit"
	"facerecd/daemon/accel"
	"facerecd/daemon/api"
	"facerecd/daemon/config"
	"facerecd/inference"
	"facerecd/inference/litert"
)

// tells is a trial that tells r, and notes what it was asked.
func tells(r accel.Report, err error, asked *[]accel.Request) accel.Trial {
	return func(_ context.Context, q accel.Request) (accel.Report, error) {
		*asked = append(*asked, q)
		return r, err
	}
}

func TestWithoutBeingAskedNothingIsTriedOnTheGPU(t *testing.T) {
	var asked []accel.Request
	r := start(t, settings(t, photo(t, "obama")), func(d *Daemon) { d.Trial = tells(accel.Report{}, nil, &asked) })
	if h := r.Daemon.Health(); h.Accelerator != nil || asked != nil {
		t.Errorf("health %+v, asked %v", h.Accelerator, asked)
	}
	eventually(t, "all is well", func() bool { return r.Daemon.Health().Status == "ok" })
}

func TestATrialThatFailsLeavesTheModelsOnTheCPUAndIsTold(t *testing.T) {
	for setting, warned := range map[string]bool{accel.Auto: false, accel.GPU: true} {
		t.Run(setting, func(t *testing.T) {
			c := settings(t, photo(t, "obama"))
			c.Accelerator, c.Detector = setting, "short"
			f := &file{now: c}
			var asked []accel.Request
			r := start(t, c, func(d *Daemon) {
				d.Load, d.Trial = f.load, tells(accel.Report{}, errors.New("the child is dead"), &asked)
			})
			r.streams(t, "door")
			want := accel.Request{
				Models: testkit.Models(t), Runtime: testkit.Runtime(t), Dir: filepath.Dir(testkit.Runtime(t)),
				Detector: inference.Short, Threads: 1,
			}
			if !reflect.DeepEqual(asked, []accel.Request{want}) {
				t.Errorf("asked %+v, want %+v", asked, want)
			}
			h, err := r.Client.Health(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			model := api.ModelHealth{RunsOn: "cpu", Reason: "the child is dead"}
			for i, m := range h.Accelerator.Models {
				if model.Model = accel.Roles()[i]; m != model {
					t.Errorf("%+v", m)
				}
			}
			check, is := r.check("gpu_unused")
			if is != warned || warned && !strings.HasSuffix(check.Hint, "detector, landmarks, embedding: the child is dead") {
				t.Errorf("gpu_unused: %v %+v", is, check)
			}
			if n := strings.Count(r.log.String(), "a model was tried on the GPU"); n != 3 {
				t.Errorf("%d lines in the log", n)
			}
			f.write(func(c *config.Config) { c.Accelerator = accel.CPU })
			r.reload(t)
			if check, is := r.check("restart_needed"); !is || !strings.HasSuffix(check.Hint, ": accelerator") || len(asked) != 1 {
				t.Errorf("after a reload %+v, asked %d times", check, len(asked))
			}
		})
	}
}

// The trial has praised the GPU, and then its library is gone.
func TestAGPUThatWorkedOnlyInTheTrialIsNoFailedStart(t *testing.T) {
	c := settings(t, photo(t, "obama"))
	c.Accelerator, c.AcceleratorDir = accel.GPU, t.TempDir()
	var asked []accel.Request
	var report accel.Report
	for _, role := range accel.Roles() {
		report.Models = append(report.Models, accel.Outcome{
			Model: role, Differences: []accel.Difference{{What: "score", Limit: 1}}, CPU: 3, GPU: 2,
		})
	}
	r := start(t, c, func(d *Daemon) { d.Trial = tells(report, nil, &asked) })
	r.streams(t, "door")
	if len(asked) != 1 || asked[0].Dir != c.AcceleratorDir {
		t.Errorf("asked %+v", asked)
	}
	for _, m := range r.Daemon.Health().Accelerator.Models {
		if m.RunsOn != "cpu" || m.CPU != 3 || m.GPU != 2 || !strings.Contains(m.Reason, "docs/gpu.md") {
			t.Errorf("%+v", m)
		}
	}
	if _, is := r.check("gpu_unused"); !is {
		t.Error("the health does not say so")
	}
}

// LiteRT itself stands for a library that loads and then drives no GPU.
func TestAModelThatTheGPUDoesNotTakeGoesToTheCPU(t *testing.T) {
	log := new(testkit.Buffer)
	v, err := OpenVision(testkit.Models(t), testkit.Runtime(t), 1, slog.New(slog.NewTextHandler(log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	runtime, err := filepath.Abs(testkit.Runtime(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(runtime, filepath.Join(dir, litert.AcceleratorFile)); err != nil {
		t.Fatal(err)
	}
	if err := v.library.EnableGPU(dir); err != nil {
		t.Fatal(err)
	}
	v.decision = accel.Decision{Setting: accel.GPU, Choices: []accel.Choice{{Model: "embedding", GPU: true}}}
	e, err := v.Engine()
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	if d := v.Decision(); d.OnGPU("embedding") || !strings.HasPrefix(d.Complaint(), "embedding: open model: ") {
		t.Errorf("%+v", d)
	}
	if !strings.Contains(log.String(), "goes to the CPU") {
		t.Errorf("the log says\n%s", log)
	}
}
