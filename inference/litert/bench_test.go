package litert

import (
	"testing"
)

// BenchmarkRun is one inference on one thread, with its copies.
func BenchmarkRun(b *testing.B) {
	l := load(b)
	for _, name := range shipped() {
		b.Run(name, func(b *testing.B) {
			m := open(b, l, readModel(b, name), Options{})
			in, out := newBuffers(m.Inputs()), newBuffers(m.Outputs())
			b.ReportAllocs()
			for b.Loop() {
				if err := m.Run(in, out); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkOverhead is what a Run costs beside LiteRT's own work: the smallest
// call through purego, and a whole Run of a model with next to no work.
func BenchmarkOverhead(b *testing.B) {
	l := load(b)
	b.Run("call", func(b *testing.B) {
		m := open(b, l, readModel(b, "landmarks"), Options{})
		var full bool
		b.ReportAllocs()
		for b.Loop() {
			l.c.compiledModelIsFullyAccelerated(m.compiled, &full)
		}
	})
	b.Run("relu of four floats", func(b *testing.B) {
		m := open(b, l, tinyModel{op: opRelu, typ: typeFloat32, shape: []int32{1, 4}}.build(), Options{})
		in, out := newBuffers(m.Inputs()), newBuffers(m.Outputs())
		b.ReportAllocs()
		for b.Loop() {
			if err := m.Run(in, out); err != nil {
				b.Fatal(err)
			}
		}
	})
}
