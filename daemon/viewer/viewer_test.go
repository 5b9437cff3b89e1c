package viewer

import (
	"bytes"
	"context"
	"errors"
	"image"
	stdjpeg "image/jpeg"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"facerecd/capture"
	"facerecd/capture/jpeg"
	"facerecd/daemon/api"
	"facerecd/daemon/event"
	"facerecd/daemon/live"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func answer(names ...string) api.Recognition {
	r := api.Recognition{Frame: [2]int{64, 48}}
	for i, name := range names {
		f := api.Face{Box: [4]int{8 * i, 8, 16, 16}, Score: 0.75}
		if name != "?" {
			f.Person = &event.Person{ID: name, Name: name}
		}
		r.Faces = append(r.Faces, f)
	}
	return r
}

// oracle is a daemon that answers what it is told to.
type oracle struct {
	answers []any // an api.Recognition or an error each; the last one for good
	asked   []time.Time
}

func (o *oracle) RecognizeJPEG(_ context.Context, picture []byte) (api.Recognition, error) {
	if _, err := stdjpeg.Decode(bytes.NewReader(picture)); err != nil {
		return api.Recognition{}, err
	}
	next := o.answers[min(len(o.asked), len(o.answers)-1)]
	o.asked = append(o.asked, time.Now())
	if err, ok := next.(error); ok {
		return api.Recognition{}, err
	}
	return next.(api.Recognition), nil
}

// film puts a gray frame into the box every 50 ms, until ctx ends.
func film(ctx context.Context, box *capture.Mailbox) {
	f := new(capture.Frame)
	for ctx.Err() == nil {
		*f = capture.Frame{At: time.Now(), Format: capture.Gray, Width: 64, Height: 48, Stride: 64, Data: make([]byte, 64*48)}
		f = box.Put(f)
		time.Sleep(50 * time.Millisecond)
	}
}

// view runs a viewer for some time, and returns what it told.
func view(t *testing.T, o *oracle, long time.Duration, with ...func(*Viewer)) (told []string, err error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), long)
	defer cancel()
	v := &Viewer{
		Box: capture.NewMailbox(), Decoder: jpeg.NewStd(), Daemon: o, Every: 500 * time.Millisecond, Hub: &live.Hub{},
		OnAnswer: func(_ time.Time, found api.Recognition) error {
			told = append(told, found.Faces[0].Person.Name)
			return nil
		},
		OnTrouble: func(err error) {
			if err == nil {
				err = errors.New("over")
			}
			told = append(told, err.Error())
		},
	}
	for _, change := range with {
		change(v)
	}
	filming := make(chan struct{})
	go func() { defer close(filming); film(ctx, v.Box) }()
	err = v.Run(ctx)
	cancel()
	<-filming
	return told, err
}

func TestOneFrameIsSentInEachSpan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := &oracle{answers: []any{answer("ana")}}
		if told, err := view(t, o, 2200*time.Millisecond); err != nil || len(told) != 5 {
			t.Errorf("it told %v, %v", told, err)
		}
		for i, at := range o.asked[1:] {
			if gap := at.Sub(o.asked[i]); gap < 450*time.Millisecond || gap > 550*time.Millisecond {
				t.Errorf("it asked again after %v", gap)
			}
		}
	})
}

func TestADaemonThatIsAwayIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		away := errors.New("away")
		busy := &api.Problem{Status: 503, Detail: "busy"}
		bad := &api.Problem{Status: 422, Detail: "bad picture"}
		o := &oracle{answers: []any{away, away, answer("ana"), busy, bad, answer("bo")}}
		told, err := view(t, o, 5200*time.Millisecond)
		want := []string{"away", "away", "ana", "over", "busy", "bad picture", "bo", "over"}
		if err != nil || !slices.Equal(told[:min(len(told), len(want))], want) {
			t.Errorf("it told %q, %v", told, err)
		}
	})
}

func TestARefusalEndsIt(t *testing.T) {
	for _, status := range []int{401, 403, 404, 405, 421} {
		synctest.Test(t, func(t *testing.T) {
			refusal := &api.Problem{Status: status, Detail: "no"}
			told, err := view(t, &oracle{answers: []any{answer("ana"), refusal}}, time.Minute)
			if !errors.Is(err, refusal) || err.Error() != "no" || !slices.Equal(told, []string{"ana"}) {
				t.Errorf("%d: it told %q, %v", status, told, err)
			}
		})
	}
}

func TestOneAnswerIsEnoughWithOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := &oracle{answers: []any{errors.New("away"), answer("ana")}}
		told, err := view(t, o, time.Minute, func(v *Viewer) { v.Once = true })
		if err != nil || !slices.Equal(told, []string{"away", "ana"}) {
			t.Errorf("it told %q, %v", told, err)
		}
	})
}

func TestAnErrorOfOnAnswerEndsIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		full := errors.New("pipe closed")
		_, err := view(t, &oracle{answers: []any{answer("ana")}}, time.Minute, func(v *Viewer) {
			v.OnAnswer = func(time.Time, api.Recognition) error { return full }
		})
		if !errors.Is(err, full) {
			t.Error(err)
		}
	})
}

func TestWhatIsShownHasTheAnswersBoxes(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	v := &Viewer{
		Box: capture.NewMailbox(), Decoder: jpeg.NewStd(), Daemon: &oracle{answers: []any{answer("?", "ana")}},
		Every: 10 * time.Millisecond, Hub: &live.Hub{},
		OnAnswer: func(time.Time, api.Recognition) error { return nil }, OnTrouble: func(err error) { t.Error(err) },
	}
	done := make(chan error, 2)
	go func() { film(ctx, v.Box); done <- nil }()
	go func() { done <- v.Run(ctx) }()
	p, err := v.Hub.Next(ctx, live.Overlay{Boxes: true})
	cancel()
	for range 2 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	img, err := stdjpeg.Decode(bytes.NewReader(p.JPEG))
	if err != nil || img.Bounds() != image.Rect(0, 0, 64, 48) {
		t.Fatal(img.Bounds(), err)
	}
	r, g, b, _ := img.At(4, 8).RGBA()
	if r>>8 < 150 || b>>8 > 100 {
		t.Errorf("the stranger's box is %d,%d,%d, not orange", r>>8, g>>8, b>>8)
	}
	r, g, b, _ = img.At(18, 8).RGBA()
	if g>>8 < 120 || r>>8 > 120 {
		t.Errorf("ana's box is %d,%d,%d, not green", r>>8, g>>8, b>>8)
	}
}

func TestAReportTellsWhatChanges(t *testing.T) {
	var r Report
	for i, step := range []struct {
		seen []string
		line string // "": nothing
	}{
		{nil, ""}, // nobody is what one expects
		{[]string{"ana"}, "ana (0.75)"},
		{[]string{"ana"}, ""},
		{nil, ""}, // missed once
		{[]string{"ana"}, ""},
		{[]string{"?"}, ""}, // not recognised once
		{[]string{"ana"}, ""},
		{[]string{"ana", "?"}, ""},
		{[]string{"?", "ana"}, "ana (0.75), unknown"}, // twice
		{[]string{"bo", "ana", "?", "?"}, "ana (0.75), bo (0.75), unknown"},
		{[]string{"bo", "?", "?"}, "ana (0.75), bo (0.75), 2 unknown"},
		{[]string{"bo"}, "bo (0.75)"},
		{nil, ""},
		{nil, "nobody"},
		{nil, ""},
	} {
		line, changed := r.Next(answer(step.seen...))
		if line != step.line || changed != (step.line != "") {
			t.Errorf("step %d, %v: %q, %v; want %q", i, step.seen, line, changed, step.line)
		}
	}
}
