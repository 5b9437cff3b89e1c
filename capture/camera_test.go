package capture_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"facerecd/capture"
	"facerecd/capture/capturetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestFakeKeepsTheSourceContract(t *testing.T) {
	capturetest.Suite(t, func(t *testing.T) capture.Source {
		fake := &capturetest.Fake{Runs: []capturetest.Run{{Steps: capturetest.Frames(10, 100*time.Millisecond)}}}
		src, err := fake.Open(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return src
	})
}

// watched runs a camera over the fake for a time of the bubble's clock, and
// returns what it said.
type watched struct {
	camera *capture.Camera
	states []string // "state code" in order
	since  []time.Duration
	log    bytes.Buffer
}

func watch(t *testing.T, fake *capturetest.Fake, d time.Duration) *watched {
	t.Helper()
	w := &watched{}
	start := time.Now()
	w.camera = &capture.Camera{
		Name: "door", Open: fake.Open, Box: capture.NewMailbox(),
		Log: slog.New(slog.NewTextHandler(&w.log, &slog.HandlerOptions{
			ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
				if a.Key == slog.TimeKey {
					return slog.Attr{}
				}
				return a
			},
		})),
		OnStatus: func(s capture.Status) {
			w.states = append(w.states, strings.TrimSpace(string(s.State)+" "+s.Code))
			w.since = append(w.since, s.Since.Sub(start))
		},
	}
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	if err := w.camera.Run(ctx); err != nil {
		t.Errorf("Run: %v", err)
	}
	if n := fake.StillOpen(); n != 0 {
		t.Errorf("%d sources left open", n)
	}
	return w
}

func (w *watched) wantStates(t *testing.T, want ...string) {
	t.Helper()
	if !slices.Equal(w.states, want) {
		t.Errorf("states %q, want %q", w.states, want)
	}
}

func (w *watched) wantLog(t *testing.T, want ...string) {
	t.Helper()
	got := strings.Split(strings.TrimSuffix(w.log.String(), "\n"), "\n")
	if w.log.Len() == 0 {
		got = nil
	}
	if !slices.Equal(got, want) {
		t.Errorf("log:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestCameraIsQuietWhileAllIsWell(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := &capturetest.Fake{Runs: []capturetest.Run{{Steps: capturetest.Frames(1000, 100*time.Millisecond)}}}
		w := watch(t, fake, 20*time.Second+50*time.Millisecond)
		w.wantStates(t, "starting", "streaming")
		w.wantLog(t)
		if s := w.camera.Status(); s.Frames != 200 || s.Damaged != 0 || s.Reopened != 0 {
			t.Errorf("status %+v, want 200 frames", s)
		}
		if f, err := w.camera.Box.Take(t.Context()); err != nil || f.Seq != 200 {
			t.Errorf("the box holds frame %d, %v; want 200", f.Seq, err)
		}
	})
}

func TestCameraComesBackAfterItWasUnplugged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gone := fmt.Errorf("read /dev/video0: %w", capture.ErrUnplugged)
		missing := fmt.Errorf("open /dev/video0: %w", capture.ErrNotFound)
		fake := &capturetest.Fake{Runs: []capturetest.Run{
			{Steps: slices.Concat(capturetest.Frames(100, 100*time.Millisecond), capturetest.Fail(gone))},
			{OpenErr: missing},
			{OpenErr: missing},
			{OpenErr: missing},
			{Steps: capturetest.Frames(100, 100*time.Millisecond)},
		}}
		w := watch(t, fake, 22*time.Second)
		w.wantStates(t, "starting", "streaming", "failed unplugged", "failed not_found", "streaming")
		w.wantLog(t,
			`level=WARN msg="camera failed" camera=door code=unplugged err="read /dev/video0: camera unplugged" hint="check the camera's cable and power; it is opened again when it is back"`,
			"level=WARN msg=\"camera failed\" camera=door code=not_found err=\"open /dev/video0: camera not found\" hint=\"check the camera's source in the configuration; `facerecd doctor` lists the cameras that are plugged in\"",
			`level=INFO msg="camera recovered" camera=door after=not_found`,
		)
		// 10 s of frames, then pauses of 0.25, 0.5, 1 and 2 s, then the first frame.
		want := []time.Duration{0, 100 * time.Millisecond, 10 * time.Second, 10250 * time.Millisecond, 13850 * time.Millisecond}
		if !slices.Equal(w.since, want) {
			t.Errorf("states since %v, want %v", w.since, want)
		}
		if s := w.camera.Status(); s.Reopened != 4 {
			t.Errorf("Reopened = %d, want 4", s.Reopened)
		}
	})
}

func TestCameraThatStaysAwayIsTriedEveryFiveSecondsAndLoggedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := &capturetest.Fake{Runs: []capturetest.Run{{OpenErr: fmt.Errorf("open x: %w", capture.ErrBusy)}}}
		w := watch(t, fake, time.Minute)
		w.wantStates(t, "starting", "failed busy")
		if n := strings.Count(w.log.String(), "\n"); n != 1 {
			t.Errorf("%d log lines, want 1:\n%s", n, w.log.String())
		}
		// at 0, 0.25, 0.75, 1.75, 3.75, 7.75, and every 5 s after that
		if n := fake.Opened(); n != 16 {
			t.Errorf("opened %d times in a minute, want 16", n)
		}
	})
}

func TestCameraThatFlapsNeitherSpinsNorFloodsTheLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := &capturetest.Fake{Runs: []capturetest.Run{{
			Steps: slices.Concat(capturetest.Frames(1, 10*time.Millisecond), capturetest.Fail(capture.ErrUnplugged)),
		}}}
		w := watch(t, fake, time.Hour)
		if n := strings.Count(w.log.String(), "\n"); n != 1 {
			t.Errorf("%d log lines, want 1:\n%s", n, w.log.String())
		}
		if n := fake.Opened(); n > 730 {
			t.Errorf("opened %d times in an hour", n)
		}
	})
}

func TestCameraReopensAFrozenSource(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := &capturetest.Fake{Runs: []capturetest.Run{
			{Steps: slices.Concat(capturetest.Frames(3, 100*time.Millisecond), capturetest.Stall())},
			{Steps: capturetest.Frames(30, 100*time.Millisecond)},
		}}
		w := watch(t, fake, 7*time.Second)
		w.wantStates(t, "starting", "streaming", "failed stalled", "streaming")
		if want := 5300 * time.Millisecond; w.since[2] != want {
			t.Errorf("stalled at %v, want %v", w.since[2], want)
		}
		if !strings.Contains(w.log.String(), "camera sends no frames: none that is whole in 5s") {
			t.Errorf("log: %s", w.log.String())
		}
	})
}

func TestCameraSkipsAndCountsDamagedFrames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bad := []capturetest.Step{{Wait: 100 * time.Millisecond, Err: fmt.Errorf("%w: no end marker", capture.ErrBadFrame)}}
		good := capturetest.Frames(1, 100*time.Millisecond)
		fake := &capturetest.Fake{Runs: []capturetest.Run{{Steps: slices.Concat(bad, good, bad, bad, good)}}}
		w := watch(t, fake, time.Second)
		w.wantStates(t, "starting", "streaming")
		w.wantLog(t)
		if s := w.camera.Status(); s.Frames != 2 || s.Damaged != 3 {
			t.Errorf("status %+v, want 2 frames and 3 damaged", s)
		}
	})
}

func TestCameraWithNothingButDamagedFramesIsStalled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bad := capturetest.Step{Wait: 100 * time.Millisecond, Err: capture.ErrBadFrame}
		fake := &capturetest.Fake{Runs: []capturetest.Run{{Steps: slices.Repeat([]capturetest.Step{bad}, 100)}}}
		w := watch(t, fake, 5200*time.Millisecond)
		w.wantStates(t, "starting", "failed stalled")
	})
}

func TestCameraRunEndsWithTheRecording(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		end := fmt.Errorf("play a.mjpeg: %w", capture.ErrEnd)
		fake := &capturetest.Fake{Runs: []capturetest.Run{{
			Steps: slices.Concat(capturetest.Frames(2, 100*time.Millisecond), capturetest.Fail(end)),
		}}}
		start := time.Now()
		w := watch(t, fake, time.Hour)
		if d := time.Since(start); d != 200*time.Millisecond {
			t.Errorf("Run took %v, want 200ms", d)
		}
		w.wantStates(t, "starting", "streaming", "ended ended")
		w.wantLog(t)
	})
}

func TestEveryReasonHasACodeAndAHint(t *testing.T) {
	for err, want := range map[error]string{
		capture.ErrUnplugged: "unplugged", capture.ErrStalled: "stalled", capture.ErrBusy: "busy",
		capture.ErrPermission: "permission", capture.ErrNotFound: "not_found",
		capture.ErrBadFrame: "bad_frame", capture.ErrEnd: "ended", errors.New("other"): "failed",
	} {
		wrapped := fmt.Errorf("open camera: %w", err)
		if got := capture.Code(wrapped); got != want {
			t.Errorf("Code(%v) = %q, want %q", err, got, want)
		}
		if capture.Hint(wrapped) == "" {
			t.Errorf("Hint(%v) is empty", err)
		}
	}
}
