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
	return watchOpen(t, fake, d, func() {})
}

// watchOpen calls opening before the fake is opened.
func watchOpen(t *testing.T, fake *capturetest.Fake, d time.Duration, opening func()) *watched {
	t.Helper()
	w := &watched{}
	start := time.Now()
	w.camera = &capture.Camera{
		Name: "door", Box: capture.NewMailbox(),
		Open: func(ctx context.Context) (capture.Source, error) {
			opening()
			return fake.Open(ctx)
		},
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
		// 10 s of frames, then pauses of 0.25, 0.5, 0.5 and 0.5 s, then the first frame.
		want := []time.Duration{0, 100 * time.Millisecond, 10 * time.Second, 10250 * time.Millisecond, 11850 * time.Millisecond}
		if !slices.Equal(w.since, want) {
			t.Errorf("states since %v, want %v", w.since, want)
		}
		if s := w.camera.Status(); s.Reopened != 4 {
			t.Errorf("Reopened = %d, want 4", s.Reopened)
		}
	})
}

func TestCameraThatFailsIsTriedAgainAndLoggedOnce(t *testing.T) {
	tests := []struct {
		err  error
		want []float64 // when it was opened, in seconds
	}{
		{capture.ErrNotFound, []float64{0, 0.5, 1, 1.5, 2, 2.5, 3, 3.5, 4, 4.5, 5, 5.5, 6}},
		{capture.ErrUnplugged, []float64{0, 0.25, 0.75, 1.75, 2.75, 3.75, 4.75, 5.75, 6.75}},
		{capture.ErrBusy, []float64{0, 0.25, 0.75, 1.75, 3.75, 5.75, 7.75}},
		{capture.ErrPermission, []float64{0, 0.25, 0.75, 1.75, 3.75, 5.75, 7.75}},
		{capture.ErrStream, []float64{0, 0.25, 0.75, 1.75, 2.75, 3.75, 4.75}},
		{capture.ErrStalled, []float64{0, 0.25, 0.75, 1.75, 3.75, 7.75, 12.75, 17.75}},
		{errors.New("set up: no"), []float64{0, 0.25, 0.75, 1.75, 3.75, 7.75, 12.75, 17.75}},
	}
	for _, test := range tests {
		synctest.Test(t, func(t *testing.T) {
			fake := &capturetest.Fake{Runs: []capturetest.Run{{OpenErr: fmt.Errorf("open x: %w", test.err)}}}
			start := time.Now()
			var opened []float64
			w := watchOpen(t, fake, time.Duration(test.want[len(test.want)-1]*float64(time.Second))+time.Millisecond, func() {
				opened = append(opened, time.Since(start).Seconds())
			})
			w.wantStates(t, "starting", "failed "+capture.Code(test.err))
			if n := strings.Count(w.log.String(), "\n"); n != 1 {
				t.Errorf("%v: %d log lines, want 1:\n%s", test.err, n, w.log.String())
			}
			if !slices.Equal(opened, test.want) {
				t.Errorf("%v: opened at %v s, want %v", test.err, opened, test.want)
			}
		})
	}
}

// However often a cable is pulled and plugged in again, and in whatever order
// its failures come.
func TestCameraIsBackWithinThreeSecondsOfEachReplug(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const cycles = 200
		var runs []capturetest.Run
		for i := range cycles {
			runs = append(runs, capturetest.Run{Steps: slices.Concat(capturetest.Frames(10, 100*time.Millisecond), capturetest.Fail(capture.ErrUnplugged))})
			broken := capturetest.Run{OpenErr: fmt.Errorf("start: %w", capture.ErrStream)}
			switch i % 4 {
			case 0:
				runs = append(runs, broken, broken)
			case 1:
				runs = append(runs, slices.Repeat([]capturetest.Run{{OpenErr: capture.ErrNotFound}}, i%40)...)
			case 2:
				runs = append(runs, capturetest.Run{OpenErr: capture.ErrPermission})
			case 3:
				runs = append(runs, slices.Repeat([]capturetest.Run{{OpenErr: capture.ErrNotFound}}, 3)...)
				runs = append(runs, capturetest.Run{OpenErr: capture.ErrPermission})
			}
		}
		runs = append(runs, capturetest.Run{Steps: capturetest.Frames(20_000, 100*time.Millisecond)})
		fake := &capturetest.Fake{Runs: runs}
		var available time.Time // since when the next open may succeed
		w := watchOpen(t, fake, 20*time.Minute, func() {
			i := fake.Opened() // the index of what is opened now
			if i >= len(runs) {
				return
			}
			if runs[i].OpenErr == nil {
				if took := time.Since(available); i > 0 && took > 3*time.Second {
					t.Errorf("opened %v after it was there", took)
				}
			}
			available = time.Now()
		})
		if s := w.camera.Status(); s.State != capture.Streaming {
			t.Errorf("status %+v", s)
		}
		// four reasons and the recovery at the end
		if n := strings.Count(w.log.String(), "\n"); n != 5 {
			t.Errorf("%d log lines, want 5:\n%s", n, w.log.String())
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
		if n := fake.Opened(); n > 3600 {
			t.Errorf("opened %d times in an hour", n)
		}
	})
}

func TestCameraReopensASourceThatSendsNothing(t *testing.T) {
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

// newest is the number of the frame that waits in the box.
func (w *watched) newest(t *testing.T) uint64 {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for range 10 { // Take chooses by chance when both are ready
		if f, err := w.camera.Box.Take(ctx); err == nil {
			return f.Seq
		}
	}
	return 0
}

func TestCameraThatRepeatsOnePictureIsFrozenUntilItChanges(t *testing.T) {
	const every = 100 * time.Millisecond
	synctest.Test(t, func(t *testing.T) {
		fake := &capturetest.Fake{Runs: []capturetest.Run{
			{Steps: slices.Concat(capturetest.Frames(100, every), capturetest.Freeze(1000, every))},
			{Steps: capturetest.Freeze(1000, every)}, // the same after it was opened again
			{Steps: slices.Concat(capturetest.Freeze(50, every), capturetest.Frames(1000, every))},
		}}
		w := watch(t, fake, 2*time.Minute)
		w.wantStates(t, "starting", "streaming", "failed frozen", "streaming")
		w.wantLog(t,
			`level=WARN msg="camera failed" camera=door code=frozen err="camera repeats one picture: the same one for 30s" hint="check that nothing covers the lens, and unplug the camera and plug it in again; for a picture that stands still on purpose, set the camera's frozen_after to 0s"`,
			`level=INFO msg="camera recovered" camera=door after=frozen`,
		)
		// Frame 100 comes at 10 s, and its second appearance counts as the
		// first; frozen 30 s later; a pause of 0.25 s; 30 s and the first
		// frame; a pause of 0.5 s; 50 frames, and the next is new.
		want := []time.Duration{0, every, 40100 * time.Millisecond, 76050 * time.Millisecond}
		if !slices.Equal(w.since, want) {
			t.Errorf("states since %v, want %v", w.since, want)
		}
		if s := w.camera.Status(); s.Reopened != 2 || s.Damaged != 0 || s.Lost != 0 {
			t.Errorf("status %+v", s)
		}
	})
}

func TestFramesOfAFrozenCameraAreNotHandedOn(t *testing.T) {
	const every = 100 * time.Millisecond
	synctest.Test(t, func(t *testing.T) {
		fake := &capturetest.Fake{Runs: []capturetest.Run{
			{Steps: slices.Concat(capturetest.Frames(1, every), capturetest.Freeze(1000, every))},
			{Steps: capturetest.Frames(1, every)}, // another picture, and then nothing
			{Steps: slices.Concat(capturetest.Frames(1, every), capturetest.Freeze(1000, every))},
		}}
		w := watch(t, fake, 2*time.Minute)
		w.wantStates(t, "starting", "streaming", "failed frozen", "failed stalled", "failed frozen")
		if n := strings.Count(w.log.String(), "\n"); n != 2 {
			t.Errorf("%d log lines, want 2:\n%s", n, w.log.String())
		}
		if s := w.camera.Status(); s.Frames != 300 || w.newest(t) != 300 {
			t.Errorf("%d frames handed on, want 300", s.Frames)
		}
	})
}

// A camera may start with a dark picture and freeze again: that is one failure.
func TestCameraThatFreezesAgainAndAgainIsLoggedOnce(t *testing.T) {
	const every = 100 * time.Millisecond
	synctest.Test(t, func(t *testing.T) {
		fake := &capturetest.Fake{Runs: []capturetest.Run{
			{Steps: slices.Concat(capturetest.Frames(3, every), capturetest.Freeze(1000, every))},
		}}
		w := watch(t, fake, time.Hour)
		if n := strings.Count(w.log.String(), "\n"); n != 1 {
			t.Errorf("%d log lines, want 1:\n%s", n, w.log.String())
		}
	})
}

func TestAPictureThatStandsStillOnPurposeIsNotFrozen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := &capturetest.Fake{Runs: []capturetest.Run{{Steps: capturetest.Freeze(100_000, 100*time.Millisecond)}}}
		log := slog.New(slog.DiscardHandler)
		c := &capture.Camera{Name: "photo", Open: fake.Open, Box: capture.NewMailbox(), Log: log, FrozenAfter: -1}
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		if err := c.Run(ctx); err != nil {
			t.Error(err)
		}
		if s := c.Status(); s.State != capture.Streaming || s.Reopened != 0 {
			t.Errorf("status %+v", s)
		}
	})
}

func TestALongStillOfADeadCameraIsNoticedAfterTheTimeThatWasSet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := &capturetest.Fake{Runs: []capturetest.Run{{Steps: capturetest.Freeze(100_000, 100*time.Millisecond)}}}
		log := slog.New(slog.DiscardHandler)
		c := &capture.Camera{Name: "door", Open: fake.Open, Box: capture.NewMailbox(), Log: log, FrozenAfter: 4 * time.Second}
		var frozen time.Duration
		start := time.Now()
		c.OnStatus = func(s capture.Status) {
			if s.Code == "frozen" {
				frozen = time.Since(start)
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		if err := c.Run(ctx); err != nil {
			t.Error(err)
		}
		if frozen != 4100*time.Millisecond {
			t.Errorf("frozen after %v, want 4.1s", frozen)
		}
	})
}

func TestLostFramesAreCountedByTheGapsOfOneOpening(t *testing.T) {
	const every = 100 * time.Millisecond
	synctest.Test(t, func(t *testing.T) {
		bad := []capturetest.Step{{Wait: every, Err: capture.ErrBadFrame}}
		skip := func(n uint64) []capturetest.Step { return []capturetest.Step{{Wait: every, Skip: n}} }
		fake := &capturetest.Fake{Runs: []capturetest.Run{
			{Steps: slices.Concat(
				skip(1_000_000),  // starts anywhere
				skip(3), skip(0), // 3 lost
				bad, skip(1), // the damaged one is not lost
				bad, bad, skip(5), // 3 lost and 2 damaged
				bad, skip(0), // a source that does not number what is damaged
				capturetest.Fail(capture.ErrUnplugged),
			)},
			{Steps: slices.Concat(skip(7), skip(2))}, // 2 lost
		}}
		w := watch(t, fake, 3*time.Second)
		if s := w.camera.Status(); s.Lost != 8 || s.Damaged != 4 || s.Frames != 8 {
			t.Errorf("status %+v, want 8 lost, 4 damaged, 8 handed on", s)
		}
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
		capture.ErrStream: "stream", capture.ErrFrozen: "frozen", capture.ErrUnsupported: "unsupported",
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
