package capturetest

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"facerecd/capture"
)

// Suite runs the promises of capture.Source against one implementation. open
// makes a source that yields at least five frames at no less than ten a
// second and pauses between any two; it is called inside a synctest bubble, so
// the source must wait by the time package or by channels of its own.
func Suite(t *testing.T, open func(t *testing.T) capture.Source) {
	suite(t, open, synctest.Test, synctest.Wait)
}

// SuiteLive is Suite in real time, for a source that waits for the system: for
// another program, or for the network.
func SuiteLive(t *testing.T, open func(t *testing.T) capture.Source) {
	suite(t, open, func(t *testing.T, f func(*testing.T)) { f(t) }, func() { time.Sleep(20 * time.Millisecond) })
}

// suite runs each promise by way of test; settle waits until a Read waits.
func suite(t *testing.T, open func(t *testing.T) capture.Source, test func(*testing.T, func(*testing.T)), settle func()) {
	run := func(name string, f func(t *testing.T, src capture.Source)) {
		t.Run(name, func(t *testing.T) {
			test(t, func(t *testing.T) {
				src := open(t)
				f(t, src)
				if err := src.Close(); err != nil {
					t.Errorf("Close: %v", err)
				}
			})
		})
	}

	run("EachFrameIsWhole", func(t *testing.T, src capture.Source) {
		var f capture.Frame
		var last capture.Frame
		for i := range 4 {
			before := time.Now()
			read(t, src, &f)
			checkWhole(t, &f)
			if f.At.Before(before.Add(-time.Second)) || f.At.After(time.Now()) {
				t.Errorf("frame %d is from %v, read between %v and %v", i, f.At, before, time.Now())
			}
			if i > 0 && (f.Seq <= last.Seq || !f.At.After(last.At)) {
				t.Errorf("frame %d: Seq %d at %v follows Seq %d at %v", i, f.Seq, f.At, last.Seq, last.At)
			}
			last = f
		}
	})

	run("FramesDoNotShareMemory", func(t *testing.T, src capture.Source) {
		var a, b capture.Frame
		read(t, src, &a)
		kept := slices.Clone(a.Data)
		read(t, src, &b)
		for i := range b.Data {
			b.Data[i] ^= 0xff
		}
		read(t, src, &b)
		if !bytes.Equal(a.Data, kept) {
			t.Error("a frame changed after the next was read")
		}
	})

	run("TheCallersBufferIsReused", func(t *testing.T, src capture.Source) {
		f := capture.Frame{Data: make([]byte, 0, 8<<20)}
		want := &f.Data[:1][0]
		for range 3 {
			read(t, src, &f)
			if &f.Data[0] != want {
				t.Fatal("Read allocated although the frame had room")
			}
		}
	})

	run("ADoneContextEndsReadAndNotTheSource", func(t *testing.T, src capture.Source) {
		var f capture.Frame
		read(t, src, &f)
		done, cancel := context.WithCancel(t.Context())
		cancel()
		if err := src.Read(done, &f); !errors.Is(err, context.Canceled) {
			t.Fatalf("Read with a done context: %v, want %v", err, context.Canceled)
		}
		read(t, src, &f)
	})

	run("ADoneContextEndsAReadInProgress", func(t *testing.T, src capture.Source) {
		var f capture.Frame
		read(t, src, &f)
		for tries := 0; ; tries++ {
			short, cancel := context.WithTimeout(t.Context(), time.Millisecond)
			start := time.Now()
			err := src.Read(short, &f)
			cancel()
			if err == nil && tries < 100 {
				continue // a frame was there at once
			}
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Fatalf("Read: %v, want %v", err, context.DeadlineExceeded)
			}
			if took := time.Since(start); took > 200*time.Millisecond {
				t.Errorf("Read ended %v after its context", took)
			}
			break
		}
		read(t, src, &f)
	})

	run("CloseEndsAReadInProgress", func(t *testing.T, src capture.Source) {
		var f capture.Frame
		read(t, src, &f)
		result := make(chan error, 1)
		go func() {
			for {
				if err := src.Read(t.Context(), &f); err != nil {
					result <- err
					return
				}
			}
		}()
		settle() // Read pauses for the next frame
		start := time.Now()
		if err := src.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
		if err := <-result; err == nil || errors.Is(err, capture.ErrBadFrame) {
			t.Errorf("Read during Close: %v, want an error that ends the source", err)
		}
		if took := time.Since(start); took > 200*time.Millisecond {
			t.Errorf("Read ended %v after Close", took)
		}
	})

	run("ReadAfterCloseFails", func(t *testing.T, src capture.Source) {
		if err := src.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
		var f capture.Frame
		if err := src.Read(t.Context(), &f); err == nil || errors.Is(err, capture.ErrBadFrame) {
			t.Errorf("Read after Close: %v, want an error that ends the source", err)
		}
	})
}

func read(t *testing.T, src capture.Source, f *capture.Frame) {
	t.Helper()
	if err := src.Read(t.Context(), f); err != nil {
		t.Fatalf("Read: %v", err)
	}
}

// checkWhole compares a frame's Data with what its format, size and stride say.
func checkWhole(t *testing.T, f *capture.Frame) {
	t.Helper()
	row, rows := f.Width, f.Height
	switch f.Format {
	case capture.JPEG:
		if f.Stride != 0 || len(f.Data) < 4 || !bytes.HasPrefix(f.Data, []byte{0xff, 0xd8}) {
			t.Errorf("JPEG frame: stride %d, %d bytes", f.Stride, len(f.Data))
		}
		return
	case capture.YUYV:
		row = 2 * f.Width
	case capture.RGB:
		row = 3 * f.Width
	case capture.NV12, capture.I420:
		rows += (f.Height + 1) / 2
	}
	if f.Width <= 0 || f.Height <= 0 || f.Stride < row || len(f.Data) < f.Stride*(rows-1)+row {
		t.Errorf("%v frame %dx%d: stride %d, %d bytes", f.Format, f.Width, f.Height, f.Stride, len(f.Data))
	}
}

// Opened is the source that was opened, which is closed when the test ends. It
// fails the test for err.
func Opened[S capture.Source](t testing.TB, src S, err error) S {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := src.Close(); err != nil {
			t.Error(err)
		}
	})
	return src
}
