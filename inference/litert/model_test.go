package litert

import (
	"bytes"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"testing"
)

func TestRunChecksSizesBeforeItWrites(t *testing.T) {
	m := open(t, load(t), readModel(t, "landmarks"), Options{})
	in, out := newBuffers(m.Inputs()), newBuffers(m.Outputs())
	first := m.Outputs()[0]
	for _, c := range []struct {
		name    string
		in, out [][]byte
		want    string
	}{
		{"no input", nil, out, "run model: got 0 input buffers, want 1"},
		{"short input", [][]byte{in[0][1:]}, out, "run model: input 0 (image) has 6911 bytes, want 6912 for int8[1 48 48 3]"},
		{"long input", [][]byte{append(slices.Clone(in[0]), 0)}, out, "run model: input 0 (image) has 6913 bytes, want 6912 for int8[1 48 48 3]"},
		{"an output less", in, out[1:], "run model: got 2 output buffers, want 3"},
		{"an output more", in, append(slices.Clone(out), nil), "run model: got 4 output buffers, want 3"},
		{
			"nil output", in,
			[][]byte{nil, out[1], out[2]},
			fmt.Sprintf("run model: output 0 (%s) has 0 bytes, want %d for float32%v", first.Name, first.Bytes(), first.Shape),
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, b := range out {
				for i := range b {
					b[i] = 0xa5
				}
			}
			err := m.Run(c.in, c.out)
			if err == nil || err.Error() != c.want {
				t.Errorf("got  %v\nwant %v", err, c.want)
			}
			for i, b := range out {
				if len(bytes.Trim(b, "\xa5")) > 0 {
					t.Errorf("output %d was written", i)
				}
			}
		})
	}
}

func TestRunAfterClose(t *testing.T) {
	m := open(t, load(t), readModel(t, "landmarks"), Options{})
	for range 2 {
		if err := m.Close(); err != nil {
			t.Fatal(err)
		}
	}
	err := m.Run(newBuffers(m.Inputs()), newBuffers(m.Outputs()))
	if !errors.Is(err, ErrClosed) {
		t.Errorf("got %v, want %v", err, ErrClosed)
	}
}

// TestThreadsDoNotChangeTheResult also runs the multi-threaded path.
func TestThreadsDoNotChangeTheResult(t *testing.T) {
	l := load(t)
	file := readModel(t, "detector")
	want := runOnNoise(t, open(t, l, file, Options{}))
	for _, threads := range []int{1, 2, 4} {
		if got := runOnNoise(t, open(t, l, file, Options{Threads: threads})); !slices.EqualFunc(got, want, bytes.Equal) {
			t.Errorf("%d threads give another result than 1", threads)
		}
	}
}

func TestThreadsStartAsManyAsAsked(t *testing.T) {
	l := load(t)
	file := readModel(t, "detector")
	started := func(threads int) int {
		before := osThreads(t)
		open(t, l, file, Options{Threads: threads})
		return osThreads(t) - before
	}
	// Go may start a thread or two meanwhile: sixteen leave no doubt.
	if n := started(0); n >= 8 {
		t.Errorf("no thread count started %d threads beside the caller's, want none", n)
	}
	if n := started(16); n < 15 {
		t.Errorf("16 threads started %d beside the caller's, want 15", n)
	}
}

func TestModelsRunAtTheSameTime(t *testing.T) {
	l := load(t)
	var wg sync.WaitGroup
	defer wg.Wait()
	for _, name := range shipped() {
		file := readModel(t, name)
		want := runOnNoise(t, open(t, l, file, Options{}))
		shared := open(t, l, file, Options{})
		check := func(m *Model) {
			for range 10 {
				if got := runOnNoise(t, m); !slices.EqualFunc(got, want, bytes.Equal) {
					t.Errorf("%s: a run beside others gave another result", name)
				}
			}
		}
		for range 2 {
			wg.Go(func() { check(shared) })
			wg.Go(func() {
				for range 3 {
					m, err := l.Open(file, Options{})
					if err != nil {
						t.Error(err)
						return
					}
					check(m)
					if err := m.Close(); err != nil {
						t.Error(err)
					}
				}
			})
		}
	}
}

func TestCloseWaitsForARun(t *testing.T) {
	l := load(t)
	file := readModel(t, "landmarks")
	for range 20 {
		m, err := l.Open(file, Options{})
		if err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		wg.Go(func() {
			in, out := newBuffers(m.Inputs()), newBuffers(m.Outputs())
			for {
				if err := m.Run(in, out); err != nil {
					if !errors.Is(err, ErrClosed) {
						t.Error(err)
					}
					return
				}
			}
		})
		if err := m.Close(); err != nil {
			t.Error(err)
		}
		wg.Wait()
	}
}

func TestMemoryDoesNotGrow(t *testing.T) {
	// Each thread has its own pools in the C library: stay on one.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	l := load(t)
	file := readModel(t, "landmarks")
	m := open(t, l, file, Options{})
	in, out := newBuffers(m.Inputs()), newBuffers(m.Outputs())
	for _, c := range []struct {
		name  string
		times int
		limit int // bytes; the buffers of so many times would be far more
		step  func() error
	}{
		{"run", 2000, 8 << 20, func() error { return m.Run(in, out) }},
		{"open and close", 300, 24 << 20, func() error {
			m, err := l.Open(file, Options{})
			if err != nil {
				return err
			}
			return m.Close()
		}},
		{"refuse", 1000, 24 << 20, func() error {
			if _, err := l.Open(file[:len(file)/2], Options{}); err == nil {
				return errors.New("half a model was opened")
			}
			return nil
		}},
	} {
		repeat := func(n int) {
			for range n {
				if err := c.step(); err != nil {
					t.Fatal(err)
				}
			}
		}
		repeat(c.times / 10) // let the allocators reach their size
		before := residentBytes(t)
		repeat(c.times)
		growth := residentBytes(t) - before
		t.Logf("%s %d times: %+d KiB", c.name, c.times, growth>>10)
		if growth > c.limit {
			t.Errorf("%s %d times: memory grew by %d bytes, more than %d", c.name, c.times, growth, c.limit)
		}
	}
}
