package inference

import "math"

// smallestFace is the box width, in pixels of the picture, down to which
// Tiled finds faces.
const smallestFace = 32

// facePixels is how wide a face must be in the detector's input to be found
// nearly always; measured by `facerecd eval-detection`.
const facePixels = 14

// tile is a square part of a picture.
type tile struct{ x, y, side int }

// tiles are the squares through which a detector whose input is size pixels
// wide sees every face of a picture, from smallest pixels up, at least
// facePixels wide and whole. The picture as a whole, which comes on top, shows
// the large ones; the tiles overlap by the largest that need a tile. Pictures
// of which the whole shows enough have no tiles.
//
// A picture so large that such an overlap would take up most of the tile is
// seen in several steps, each with tiles at most three times as wide as those
// before.
func tiles(width, height, size int, smallest float64) []tile {
	whole := float64(max(width, height))
	finest := smallest * float64(size) / facePixels
	if finest >= whole {
		return nil
	}
	steps := math.Ceil(math.Log(whole/finest)/math.Log(3) - 1e-9)
	ratio := math.Pow(whole/finest, 1/steps)
	var all []tile
	for side := finest; side < whole*0.999; side *= ratio {
		// What the next step sees small, this one sees whole.
		overlap := smallest * side / finest * ratio * (1 + 2*edge)
		// Smaller tiles show more; as many can be as small as this.
		square := math.Ceil(max(least(width, side, overlap), least(height, side, overlap)))
		for _, y := range along(height, square, overlap) {
			for _, x := range along(width, square, overlap) {
				all = append(all, tile{x, y, int(square)})
			}
		}
	}
	return all
}

// pieces is how many pieces of a length cover a line and overlap so much.
func pieces(line int, side, overlap float64) int {
	return max(int(math.Ceil((float64(line)-side)/(side-overlap)-1e-9)), 0) + 1
}

// least is the smallest length of which no more pieces are needed.
func least(line int, side, overlap float64) float64 {
	n := float64(pieces(line, side, overlap))
	return min((float64(line)+(n-1)*overlap)/n, side)
}

// along places the pieces evenly. On a line that is shorter than one, it is in
// the middle.
func along(line int, side, overlap float64) []int {
	room := float64(line) - side
	if room <= 0 {
		return []int{int(room / 2)}
	}
	n := pieces(line, side, overlap)
	at := make([]int, n)
	for i := range at {
		at[i] = int(math.Round(room * float64(i) / float64(n-1)))
	}
	return at
}

// edge is how near, in shares of its width, a box may come to where its tile
// cuts the picture. Nearer, it may be half a face, and another tile has the
// whole.
const edge = 0.05

// cuts tells whether a box lies across the tile's border, or too near to it,
// where the picture goes on.
func (t tile) cuts(b Box, width, height int) bool {
	near := edge * b.Width
	left, top := float32(t.x), float32(t.y)
	right, bottom := left+float32(t.side), top+float32(t.side)
	return t.x > 0 && b.X < left+near ||
		t.y > 0 && b.Y < top+near ||
		t.x+t.side < width && b.X+b.Width > right-near ||
		t.y+t.side < height && b.Y+b.Height > bottom-near
}

// toView maps a size x size square to the tile.
func (t tile) toView(size int) Transform {
	s := float64(t.side) / float64(size)
	return Transform{A: s, C: float64(t.x), E: s, F: float64(t.y)}
}
