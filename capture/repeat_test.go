package capture

import (
	"bytes"
	"testing"
)

func TestRepeatsKnowsAPictureByAllOfItsBytes(t *testing.T) {
	// Three pictures with one head: b differs from a in the last byte, and c
	// is longer.
	a := bytes.Repeat([]byte{7}, 3*headBytes)
	b := bytes.Clone(a)
	b[len(b)-1]++
	c := append(bytes.Clone(a), 7)
	other := bytes.Repeat([]byte{8}, 3*headBytes)
	short, empty := []byte{1, 2, 3}, []byte{}
	tests := []struct {
		name   string
		frames [][]byte
		want   []bool
	}{
		{"from the first on", [][]byte{a, a, a}, []bool{false, true, true}},
		{"one byte at the end", [][]byte{a, b, a, a}, []bool{false, false, false, true}},
		{"another length", [][]byte{a, c, c, a}, []bool{false, false, true, false}},
		{"another head: from the third appearance on", [][]byte{a, other, other, other, other}, []bool{false, false, false, true, true}},
		{"in turns", [][]byte{a, other, a, other, a}, []bool{false, false, false, false, false}},
		{"short ones", [][]byte{short, short, empty, empty, empty}, []bool{false, true, false, false, true}},
	}
	for _, test := range tests {
		var r repeats
		for i, frame := range test.frames {
			if got := r.next(frame); got != test.want[i] {
				t.Errorf("%s: frame %d is a repetition: %v, want %v", test.name, i, got, test.want[i])
			}
		}
	}
}

func TestRepeatsAllocatesNothing(t *testing.T) {
	var r repeats
	data := make([]byte, 3*headBytes)
	if n := testing.AllocsPerRun(100, func() { r.next(data) }); n != 0 {
		t.Errorf("%v allocations a frame", n)
	}
}

// A sensor's noise is in the head; a frozen camera costs the whole picture.
func BenchmarkRepeats(b *testing.B) {
	for _, frozen := range []bool{false, true} {
		b.Run(map[bool]string{false: "live", true: "frozen"}[frozen], func(b *testing.B) {
			var r repeats
			data := make([]byte, 640*480*2)
			for b.Loop() {
				if !frozen {
					data[0]++
				}
				r.next(data)
			}
		})
	}
}
