package inference

import "testing"

// A network's integers are those of the picture in real numbers, rounded: the
// two ways to the input are one.
func TestBytesAreTheRealNumbersRounded(t *testing.T) {
	norm := Normalisation{Mean: 127.5, Std: 127.5}
	const size = 48
	for name, v := range layouts(t, 201, 133) {
		for _, transposed := range []bool{false, true} {
			n, s := testNetwork(size), new(sampler)
			toView := letterbox(v.Width, v.Height, size)
			toView.C += 20 // over the edge
			n.show(s, v, toView, transposed, norm)
			rgb := make([]float32, 3*size*size)
			s.draw(rgb, v, toView, size)
			code := n.input.code(norm)
			off := 0
			for i, level := range rgb {
				at := i
				if transposed {
					x, y := i/3%size, i/3/size
					at = 3*(x*size+y) + i%3
				}
				want, got := code.of(level), int32(int8(n.input.raw[at]))
				if got < want-1 || got > want+1 {
					t.Fatalf("%s: value %d is %d, want %d for the level %v", name, i, got, want, level)
				}
				if got != want {
					off++
				}
			}
			if off > len(rgb)/100 { // halves, which may go either way
				t.Errorf("%s: %d of %d values are one off", name, off, len(rgb))
			}
		}
	}
}
