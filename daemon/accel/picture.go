package accel

import (
	"encoding/binary"
	"math"
	"math/rand/v2"

	"facerecd/inference"
)

// noises and faces are how many pictures of each kind are shown to a model.
// Noise reaches all of a network; the drawn faces make it say what it says in
// use, with a sure detector and an embedding that is somebody's.
const noises, faces = 2, 4

// pictures are the same at each call: side x side pixels, red, green and blue,
// 0..255.
func pictures(side int) [][]float32 {
	rng := rand.New(rand.NewPCG(13, 4))
	var all [][]float32
	for range noises {
		p := make([]float32, 3*side*side)
		for i := range p {
			p[i] = 255 * rng.Float32()
		}
		all = append(all, p)
	}
	for range faces {
		all = append(all, drawFace(side, rng))
	}
	return all
}

// drawFace draws somebody before a wall, with another size, place and colours
// each time. A face fills much of the picture, as it fills all of what landmarks
// and embedding are shown.
func drawFace(side int, rng *rand.Rand) []float32 {
	between := func(low, high float32) float32 { return low + (high-low)*rng.Float32() }
	half := between(0.34, 0.46)                              // of the face's height
	cx, cy := between(0.46, 0.54), between(0.46, 0.54)       // of its middle
	light := between(-0.3, 0.3)                              // from the left, or the right
	skin := shade([3]float32{225, 180, 150}, between(.5, 1)) // light to dark
	hair := shade([3]float32{70, 50, 40}, between(.4, 1.6))
	wall := shade([3]float32{150, 165, 175}, between(.5, 1.2))
	lips := [3]float32{skin[0] * .85, skin[1] * .55, skin[2] * .55}

	p := make([]float32, 3*side*side)
	for i := range side * side {
		// In units of half the face's height, from its middle.
		x := ((float32(i%side)+0.5)/float32(side) - cx) / half
		y := ((float32(i/side)+0.5)/float32(side) - cy) / half
		ax := max(x, -x)
		c := wall
		paint := func(over [3]float32, share float32) {
			for k := range c {
				c[k] += share * (over[k] - c[k])
			}
		}
		paint(hair, disc(x, y+.15, .84, 1.02))
		paint(skin, disc(x, y-1, .4, .5)) // neck
		paint(skin, disc(x, y, .74, 1))
		paint(hair, disc(x, y+.95, .7, .36))
		paint(hair, .8*disc(ax-.32, y+.36, .2, .05))             // brows
		paint(shade(skin, .7), .6*disc(ax-.31, y+.16, .22, .15)) // sockets
		paint([3]float32{240, 240, 240}, disc(ax-.31, y+.15, .15, .075))
		paint([3]float32{40, 30, 25}, disc(ax-.31, y+.15, .075, .075))
		paint(shade(skin, .75), .7*disc(ax-.12, y-.2, .06, .3)) // the nose's sides
		paint(shade(skin, .45), disc(ax-.08, y-.3, .05, .035))  // nostrils
		paint(lips, disc(x, y-.57, .28, .08))
		paint(shade(lips, .5), disc(x, y-.56, .25, .018))
		for k := range c {
			p[3*i+k] = min(max(c[k]*(1+light*x)+between(-6, 6), 0), 255)
		}
	}
	return p
}

func shade(c [3]float32, by float32) [3]float32 {
	for k := range c {
		c[k] = min(c[k]*by, 255)
	}
	return c
}

// disc is 1 within an ellipse of these half axes around 0, 0 and 0 outside, with
// a soft edge.
func disc(x, y, width, height float32) float32 {
	x, y = x/width, y/height
	return min(max((1-(x*x+y*y))*4+0.5, 0), 1)
}

// transpose exchanges x and y.
func transpose(picture []float32, side int) []float32 {
	t := make([]float32, len(picture))
	for i := range side * side {
		copy(t[3*(i%side*side+i/side):][:3], picture[3*i:])
	}
	return t
}

// encode writes a picture as an input of a network wants it.
func encode(t inference.Tensor, n inference.Normalisation, picture []float32) []byte {
	raw := make([]byte, 0, t.Bytes())
	low, high := float64(math.MinInt8), float64(math.MaxInt8)
	if t.Type == inference.Uint8 {
		low, high = 0, math.MaxUint8
	}
	for _, level := range picture {
		v := (level - n.Mean) / n.Std
		if t.Type == inference.Float32 {
			raw = binary.NativeEndian.AppendUint32(raw, math.Float32bits(v))
			continue
		}
		q := math.Round(float64(v/t.Scale)) + float64(t.ZeroPoint)
		raw = append(raw, byte(int(min(max(q, low), high))))
	}
	return raw
}

// decode reads the numbers of an output.
func decode(t inference.Tensor, raw []byte) []float64 {
	all := make([]float64, t.Elements())
	for i := range all {
		switch t.Type {
		case inference.Int8:
			all[i] = float64(t.Scale) * float64(int(int8(raw[i]))-t.ZeroPoint)
		case inference.Uint8:
			all[i] = float64(t.Scale) * float64(int(raw[i])-t.ZeroPoint)
		default:
			all[i] = float64(math.Float32frombits(binary.NativeEndian.Uint32(raw[4*i:])))
		}
	}
	return all
}
