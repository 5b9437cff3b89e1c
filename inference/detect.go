package inference

import (
	"fmt"
	"slices"
)

// What scores between weakScore and the threshold counts as a face if the
// landmark network is sure of it. models/README.md has what this finds.
const (
	weakScore       = 0.05
	sureProbability = 0.98
	// tileScore is the threshold in tiles: they are many, and each is another
	// chance to take something for a face.
	tileScore = 0.5
	// maxWeak bounds what a picture full of near misses costs, for each run of
	// the detector.
	maxWeak = 6
)

// contained is the share of a box's area above which a better one that covers
// it shows the same face: a face half of which a tile saw has a smaller box.
const contained = 0.5

// Detect finds the faces of a picture, the best first.
func (e *Engine) Detect(v View) ([]Detection, error) {
	s := e.pack.Pipeline.Detector
	found, err := e.search(v, letterbox(v.Width, v.Height, e.blaze.size))
	if err != nil {
		return nil, err
	}
	strong, weak := split(found, s.ScoreThreshold)
	cover, looks := float32(1), maxWeak
	if e.pack.mode == Tiled {
		cover = contained
		for _, t := range tiles(v.Width, v.Height, e.blaze.size, smallestFace) {
			found, err := e.search(v, t.toView(e.blaze.size))
			if err != nil {
				return nil, err
			}
			found = slices.DeleteFunc(found, func(d Detection) bool { return t.cuts(d.Box, v.Width, v.Height) })
			sure, unsure := split(found, max(s.ScoreThreshold, tileScore))
			strong, weak = append(strong, sure...), append(weak, unsure...)
			looks += maxWeak
		}
		// Boxes of several scales move as they merge, and may then overlap
		// others: hence once more below.
		strong = suppress(strong, s.IoUThreshold, cover)
	}
	return e.rescue(v, suppress(strong, s.IoUThreshold, cover), suppress(weak, s.IoUThreshold, contained), looks)
}

// split parts what reaches the threshold from what does not.
func split(found []Detection, threshold float32) (strong, weak []Detection) {
	for _, d := range found {
		if d.Score >= threshold {
			strong = append(strong, d)
		} else {
			weak = append(weak, d)
		}
	}
	return strong, weak
}

// search runs the detector on the part of the view that toView shows. What it
// returns may score as little as weakScore.
func (e *Engine) search(v View, toView Transform) ([]Detection, error) {
	e.sampler.draw(e.rgb, v, toView, e.blaze.size)
	if err := e.detector.run(e.rgb, e.pack.Pipeline.Detector.Normalisation); err != nil {
		return nil, fmt.Errorf("detect faces: %w", err)
	}
	floor := min(weakScore, e.pack.Pipeline.Detector.ScoreThreshold)
	return e.blaze.decode(e.detector.output("boxes"), e.detector.output("scores"), floor, toView), nil
}

// rescue adds to the strong detections those weak ones that are apart from
// them and that the landmark network is sure of, in so many looks at most.
func (e *Engine) rescue(v View, strong, weak []Detection, looks int) ([]Detection, error) {
	found := strong
	for _, d := range weak {
		if overlapsAny(d.Box, strong, e.pack.Pipeline.Detector.IoUThreshold) {
			continue
		}
		if looks--; looks < 0 {
			break
		}
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

func overlapsAny(b Box, others []Detection, iou float32) bool {
	for _, o := range others {
		if b.IoU(o.Box) > iou || b.covered(o.Box) > contained {
			return true
		}
	}
	return false
}
