package inference

import "fmt"

// What scores between weakScore and the pack's threshold counts as a face if
// the landmark network is sure of it. models/README.md has what this finds.
const (
	weakScore       = 0.1
	sureProbability = 0.99
	// maxWeak bounds what a picture full of near misses costs.
	maxWeak = 8
)

// contained is the share of a box's area above which a better one that covers
// it shows the same face: a face half of which a tile saw has a smaller box.
const contained = 0.7

// Detect finds the faces of a picture, the best first.
func (e *Engine) Detect(v View) ([]Detection, error) {
	s := e.pack.Pipeline.Detector
	floor := min(weakScore, s.ScoreThreshold)
	found, err := e.search(v, letterbox(v.Width, v.Height, e.blaze.size), floor)
	if err != nil {
		return nil, err
	}
	cover := float32(1)
	if e.pack.mode == Tiled {
		cover = contained
		for _, t := range tiles(v.Width, v.Height, e.blaze.size, smallestFace) {
			part, err := e.search(v, t.toView(e.blaze.size), floor)
			if err != nil {
				return nil, err
			}
			for _, d := range part {
				if !t.cuts(d.Box, v.Width, v.Height) {
					found = append(found, d)
				}
			}
		}
	}
	var strong, weak []Detection
	for _, d := range found {
		if d.Score >= s.ScoreThreshold {
			strong = append(strong, d)
		} else {
			weak = append(weak, d)
		}
	}
	return e.rescue(v, suppress(strong, s.IoUThreshold, cover), suppress(weak, s.IoUThreshold, contained))
}

// search runs the detector on the part of the view that toView shows.
func (e *Engine) search(v View, toView Transform, threshold float32) ([]Detection, error) {
	e.sampler.draw(e.rgb, v, toView, e.blaze.size)
	if err := e.detector.run(e.rgb, e.pack.Pipeline.Detector.Normalisation); err != nil {
		return nil, fmt.Errorf("detect faces: %w", err)
	}
	return e.blaze.decode(e.detector.output("boxes"), e.detector.output("scores"), threshold, toView), nil
}

// rescue adds to the strong detections those weak ones that are apart from
// them and that the landmark network is sure of.
func (e *Engine) rescue(v View, strong, weak []Detection) ([]Detection, error) {
	found := strong
	looks := 0
	for _, d := range weak {
		if overlapsAny(d.Box, strong, e.pack.Pipeline.Detector.IoUThreshold) {
			continue
		}
		if looks++; looks > maxWeak {
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
		if b.IoU(o.Box) > iou || b.Covered(o.Box) > contained {
			return true
		}
	}
	return false
}
