package inference

import (
	"fmt"
	"slices"
)

// A detection that scores certainScore or more is one. What scores less, down
// to weakScore, and so what the pack's own threshold leaves out, counts if the
// landmark network is sure that it is a face. models/README.md has what that
// finds and what it keeps out.
const (
	certainScore    = 0.5
	weakScore       = 0.05
	sureProbability = 0.98
	// maxLooks bounds what a picture full of near misses costs, for each run
	// of the detector.
	maxLooks = 6
)

// contained is the share of a box's area above which a better one that covers
// it shows the same face: a face half of which a tile saw has a smaller box.
const contained = 0.5

// Detect finds the faces of a picture, the best first. What it returns belongs
// to the Engine and is valid until its next Detect.
func (e *Engine) Detect(v View) ([]Detection, error) {
	s := e.pack.Pipeline.Detector
	found, err := e.search(e.found[:0], v, letterbox(v.Width, v.Height, e.blaze.size))
	if err != nil {
		return nil, err
	}
	cover, looks := float32(1), maxLooks
	if e.pack.mode == Tiled {
		cover = contained
		for _, t := range tiles(v.Width, v.Height, e.blaze.size, smallestFace) {
			before := len(found)
			if found, err = e.search(found, v, t.toView(e.blaze.size)); err != nil {
				return nil, err
			}
			whole := slices.DeleteFunc(found[before:], func(d Detection) bool { return t.cuts(d.Box, v.Width, v.Height) })
			found = found[:before+len(whole)]
			looks += maxLooks
		}
	}
	e.found = found // with what it has grown to
	bestFirst(found)
	strong, weak := split(found, s.ScoreThreshold)
	strong = suppress(strong, s.IoUThreshold, cover)
	if e.pack.mode == Tiled {
		// Boxes of several scales move as they merge, and may then overlap
		// others.
		strong = suppress(strong, s.IoUThreshold, cover)
	}
	weak = slices.DeleteFunc(suppress(weak, s.IoUThreshold, contained), func(d Detection) bool {
		return slices.ContainsFunc(strong, func(o Detection) bool {
			return d.Box.IoU(o.Box) > s.IoUThreshold || d.Box.covered(o.Box) > contained
		})
	})
	certain, doubtful := split(strong, certainScore)
	// A copy, as what they turn out to be is appended in their place.
	e.doubtful = append(append(e.doubtful[:0], doubtful...), weak...)
	return e.confirm(v, certain, e.doubtful, looks)
}

// search runs the detector on the part of the view that toView shows, and
// appends what it finds, which may score as little as weakScore.
func (e *Engine) search(found []Detection, v View, toView Transform) ([]Detection, error) {
	e.detector.show(&e.whole, v, toView, false, e.pack.Pipeline.Detector.Normalisation)
	if err := e.detector.run(); err != nil {
		return nil, fmt.Errorf("detect faces: %w", err)
	}
	floor := min(weakScore, e.pack.Pipeline.Detector.ScoreThreshold)
	return e.blaze.decode(found, e.detector.output("boxes"), e.detector.output("scores"), floor, toView), nil
}

// split parts what reaches the threshold from what does not, where the best
// come first.
func split(found []Detection, threshold float32) (above, below []Detection) {
	n := slices.IndexFunc(found, func(d Detection) bool { return d.Score < threshold })
	if n < 0 {
		n = len(found)
	}
	return found[:n], found[n:]
}

// confirm appends to what was found those doubtful detections, the best first,
// that the landmark network is sure of, in so many looks at most.
func (e *Engine) confirm(v View, found, doubtful []Detection, looks int) ([]Detection, error) {
	for _, d := range doubtful[:min(looks, len(doubtful))] {
		_, probability, err := e.look(v, d.Box)
		if err != nil {
			return nil, err
		}
		if probability >= sureProbability {
			found = append(found, d)
		}
	}
	return found, nil
}
