package inference

import (
	"math"
	"testing"
)

// A face from smallestFace up lies whole in some tile, and far enough from
// where that cuts the picture, and fills facePixels of the detector's input;
// or the picture as a whole shows it as large.
func TestEveryFaceLiesWholeInATileThatShowsItLargeEnough(t *testing.T) {
	const size = 192
	for _, frame := range [][2]int{{1280, 720}, {1920, 1080}, {640, 480}, {720, 1280}, {3840, 2160}, {500, 439}, {8192, 100}} {
		width, height := frame[0], frame[1]
		all := tiles(width, height, size, smallestFace)
		whole := float64(max(width, height)) * facePixels / size
		for face := float64(smallestFace); face < min(whole, float64(height)); face *= 1.07 {
			step := max(face/7, 1)
			for y := 0.0; y+face <= float64(height); y += step {
				for x := 0.0; x+face <= float64(width); x += step {
					box := Box{float32(x), float32(y), float32(face), float32(face)}
					if !seen(all, box, width, height, size) {
						t.Fatalf("%dx%d: no tile shows the face of %.0f pixels at %.0f, %.0f", width, height, face, x, y)
					}
				}
			}
		}
	}
}

func seen(all []tile, box Box, width, height, size int) bool {
	for _, tl := range all {
		inside := box.X >= float32(tl.x) && box.Y >= float32(tl.y) &&
			box.X+box.Width <= float32(tl.x+tl.side) && box.Y+box.Height <= float32(tl.y+tl.side)
		// A tile's side is cut to whole pixels.
		large := float64(box.Width)*float64(size)/float64(tl.side) >= facePixels-0.1
		if inside && large && !tl.cuts(box, width, height) {
			return true
		}
	}
	return false
}

func TestTilesLieInThePictureAndAreAsFewAsDocumented(t *testing.T) {
	for _, c := range []struct{ width, height, want int }{
		{320, 240, 0},  // the whole shows enough
		{640, 480, 4},  //
		{1280, 720, 8}, // documented in models/README.md
		{1920, 1080, 24},
	} {
		all := tiles(c.width, c.height, 192, smallestFace)
		if len(all) != c.want {
			t.Errorf("%dx%d: %d tiles, want %d", c.width, c.height, len(all), c.want)
		}
		for _, tl := range all {
			// A tile taller than the picture is centred on it.
			if tl.side <= c.height && (tl.x < 0 || tl.y < 0 || tl.x+tl.side > c.width || tl.y+tl.side > c.height) {
				t.Errorf("%dx%d: tile %+v leaves the picture", c.width, c.height, tl)
			}
		}
	}
}

func TestTileKeepsWhatItShowsWhole(t *testing.T) {
	const width, height = 1280, 720
	left := tile{0, 0, 400}
	for _, c := range []struct {
		name string
		box  Box
		want bool // cut
	}{
		{"in the middle", Box{100, 100, 40, 40}, false},
		{"at the picture's own edge", Box{-10, 100, 40, 40}, false},
		{"across the right border", Box{380, 100, 40, 40}, true},
		{"touching the right border", Box{360, 100, 40, 40}, true},
		{"just clear of the right border", Box{357, 100, 40, 40}, false},
		{"across the lower border", Box{100, 390, 40, 40}, true},
	} {
		if got := left.cuts(c.box, width, height); got != c.want {
			t.Errorf("%s: cut %v", c.name, got)
		}
	}
	middle := tile{400, 200, 400}
	for name, box := range map[string]Box{"left": {395, 300, 40, 40}, "upper": {500, 190, 40, 40}} {
		if !middle.cuts(box, width, height) {
			t.Errorf("a box across the %s border is kept", name)
		}
	}
}

func TestTileMapsTheDetectorsInput(t *testing.T) {
	to := tile{40, 60, 384}.toView(192)
	if got := to.Apply(Point{96, 192}); math.Abs(float64(got.X)-232) > 1e-3 || math.Abs(float64(got.Y)-444) > 1e-3 {
		t.Error(got)
	}
}

func TestPartOfAFaceIsNoSecondFace(t *testing.T) {
	face := Detection{Box: Box{100, 100, 100, 100}, Score: 0.9}
	for _, c := range []struct {
		name  string
		other Detection
		want  int
	}{
		{"its lower third", Detection{Box: Box{100, 170, 100, 30}, Score: 0.8}, 1},
		{"most of it, and better", Detection{Box: Box{105, 105, 45, 80}, Score: 0.95}, 1},
		{"beside it", Detection{Box: Box{190, 100, 100, 100}, Score: 0.8}, 2},
		{"somebody small in front of it", Detection{Box: Box{130, 130, 20, 20}, Score: 0.8}, 2},
	} {
		if got := suppress([]Detection{face, c.other}, 0.3, contained); len(got) != c.want {
			t.Errorf("%s: %d faces, want %d", c.name, len(got), c.want)
		}
	}
	if got := suppress([]Detection{face, {Box: Box{100, 175, 100, 25}, Score: 0.8}}, 0.3, 1); len(got) != 2 {
		t.Errorf("without tiles: %d boxes, want both", len(got))
	}
}
