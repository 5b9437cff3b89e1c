package inference

import (
	"cmp"
	"fmt"
	"math"
	"slices"
)

// blazeFace decodes the output of a BlazeFace detector (Bazarevsky et al.,
// "BlazeFace: Sub-millisecond Neural Face Detection on Mobile GPUs", 2019, as
// configured in MediaPipe). Each anchor, of fixed size 1, gives a logit and
// 16 numbers in pixels of the input: box centre (relative to the anchor),
// box size, and six keypoints (relative to the anchor).
type blazeFace struct {
	size    int     // side of the square input
	anchors []Point // centres, in pixels of the input
}

const blazeValues = 16

// newBlazeFace knows the anchor layouts that MediaPipe ships.
func newBlazeFace(family string) (blazeFace, error) {
	switch family {
	case "blazeface-full":
		return blazeFace{192, anchorGrid(nil, 192, 48, 1)}, nil
	case "blazeface-short":
		return blazeFace{128, anchorGrid(anchorGrid(nil, 128, 16, 2), 128, 8, 6)}, nil
	}
	return blazeFace{}, fmt.Errorf("unknown detector family %q: use blazeface-full or blazeface-short", family)
}

func anchorGrid(anchors []Point, size, cells, each int) []Point {
	step := float32(size) / float32(cells)
	for y := range cells {
		for x := range cells {
			for range each {
				anchors = append(anchors, Point{(float32(x) + 0.5) * step, (float32(y) + 0.5) * step})
			}
		}
	}
	return anchors
}

// decode appends every anchor that scores at least threshold, in pixels of the
// view that toView leads to.
func (b blazeFace) decode(found []Detection, boxes, logits *port, threshold float32, toView Transform) []Detection {
	least := logit(threshold)
	for i, anchor := range b.anchors {
		l := logits.at(i)
		if !(l >= least) {
			continue
		}
		value := func(j int) float32 { return boxes.at(i*blazeValues + j) }
		at := func(j int) Point { return toView.Apply(Point{anchor.X + value(j), anchor.Y + value(j+1)}) }
		centre, scale := at(0), float32(toView.A)
		d := Detection{Score: sigmoid(l)}
		width, height := value(2)*scale, value(3)*scale
		d.Box = Box{centre.X - width/2, centre.Y - height/2, width, height}
		for k := range d.Keypoints {
			d.Keypoints[k] = at(4 + 2*k)
		}
		if d.Box.finite() {
			found = append(found, d)
		}
	}
	return found
}

// bestFirst sorts detections.
func bestFirst(found []Detection) {
	slices.SortStableFunc(found, func(a, b Detection) int { return cmp.Compare(b.Score, a.Score) })
}

// suppress is MediaPipe's weighted non-maximum suppression: the best box takes
// in all that overlap it by more than iou, each weighing as much as its score,
// and keeps its own score. What does not, but covers it or is covered by it by
// more than cover, is dropped. What it returns is best first, and in found's
// memory.
func suppress(found []Detection, iou, cover float32) []Detection {
	bestFirst(found)
	merged := 0
	for ; merged < len(found); merged++ {
		rest := found[merged:]
		best := rest[0]
		sum, total := Detection{Score: best.Score}, float32(0)
		left := rest[:1]
		for i, d := range rest {
			if i > 0 && best.Box.IoU(d.Box) <= iou {
				if best.Box.covered(d.Box) <= cover {
					left = append(left, d)
				}
				continue
			}
			w := d.Score
			total += w
			sum.Box.X += w * d.Box.X
			sum.Box.Y += w * d.Box.Y
			sum.Box.Width += w * d.Box.Width
			sum.Box.Height += w * d.Box.Height
			for k, p := range d.Keypoints {
				sum.Keypoints[k].X += w * p.X
				sum.Keypoints[k].Y += w * p.Y
			}
		}
		sum.Box = Box{sum.Box.X / total, sum.Box.Y / total, sum.Box.Width / total, sum.Box.Height / total}
		for k := range sum.Keypoints {
			sum.Keypoints[k].X /= total
			sum.Keypoints[k].Y /= total
		}
		rest[0] = sum
		found = found[:merged+len(left)]
	}
	return found[:merged]
}

func sigmoid(x float32) float32 { return float32(1 / (1 + math.Exp(-float64(x)))) }

func logit(p float32) float32 { return float32(math.Log(float64(p) / (1 - float64(p)))) }
