package accel

import (
	"errors"
	"fmt"
	"math"
)

// The limits of what the GPU may differ by. It computes in another order, and
// int8 models in another way, so some difference is right; each limit is a part
// of what the daemon decides by.
const (
	// scoreLimit is of a detection's score, 0..1: a detector's doubtful faces
	// span 0.05 to 0.5 (inference/detect.go), and a tenth of that is seldom what
	// decides.
	scoreLimit = 0.05
	// boxLimit is of a box and its points where there is a face, in sides of the
	// detector's picture: one step of the full-range detector's anchors.
	boxLimit = 0.02
	// patternLimit is of all boxes together, 1 - cosine, also where there is no
	// face: what is worse is another network.
	patternLimit = 0.02
	// landmarkLimit is of a landmark, in sides of the face's crop: about a
	// twentieth of the distance between the eyes.
	landmarkLimit = 0.02
	// probabilityLimit is of "this is a face", which is asked for at 0.5 and 0.98.
	probabilityLimit = 0.05
	// directionLimit is of an embedding, 1 - cosine. An error in a direction that
	// has nothing to do with anybody moves the cosine to somebody else by
	// sqrt(2*0.01/192) = 0.01, a fifth of the shipped pack's margin.
	directionLimit = 0.01
	// lengthLimit is of an embedding's length, of which quality is a part.
	lengthLimit = 0.05

	// faint is the least score whose box is looked at, as in inference/detect.go.
	faint = 0.05
	// boxValues is how many numbers a box is of.
	boxValues = 16
)

// outputs are what a model gave for one picture, by the outputs' names.
type outputs map[string][]float64

// errNotFinite is an output that is no number.
var errNotFinite = errors.New("its output on the GPU is not a number")

// worst are the largest differences so far, by what they are of.
type worst struct{ all []Difference }

func (w *worst) add(what string, limit, value float64) error {
	if math.IsNaN(value) || math.IsInf(value, 0) {
		return errNotFinite
	}
	for i := range w.all {
		if w.all[i].What == what {
			w.all[i].Value = max(w.all[i].Value, value)
			return nil
		}
	}
	w.all = append(w.all, Difference{What: what, Value: value, Limit: limit})
	return nil
}

// compare adds what a model's two outputs for one picture of this side differ by.
func (w *worst) compare(model string, cpu, gpu outputs, side int) error {
	switch model {
	case "detector":
		return w.detector(cpu, gpu, float64(side))
	case "landmarks":
		return errors.Join(
			w.add("landmark", landmarkLimit, farthest(cpu["landmarks"], gpu["landmarks"])),
			w.add("probability", probabilityLimit, farthest(cpu["probability"], gpu["probability"])),
		)
	case "embedding":
		c, g := cpu["embedding"], gpu["embedding"]
		return errors.Join(
			w.add("direction", directionLimit, 1-cosine(c, g)),
			w.add("length", lengthLimit, math.Abs(length(g)/length(c)-1)),
		)
	}
	return fmt.Errorf("nothing is known of what the output of a %s model means", model)
}

func (w *worst) detector(cpu, gpu outputs, side float64) error {
	c, g := scores(cpu["scores"]), scores(gpu["scores"])
	err := errors.Join(
		w.add("score", scoreLimit, farthest(c, g)),
		w.add("pattern of boxes", patternLimit, 1-cosine(cpu["boxes"], gpu["boxes"])),
	)
	for i := range c {
		if max(c[i], g[i]) >= faint {
			at, end := i*boxValues, (i+1)*boxValues
			err = errors.Join(err, w.add("box", boxLimit, farthest(cpu["boxes"][at:end], gpu["boxes"][at:end])/side))
		}
	}
	return err
}

// scores are a detector's logits as scores.
func scores(logits []float64) []float64 {
	s := make([]float64, len(logits))
	for i, l := range logits {
		s[i] = 1 / (1 + math.Exp(-l))
	}
	return s
}

// farthest is the largest difference between two numbers at the same place, and
// NaN when there is one.
func farthest(a, b []float64) (d float64) {
	for i := range a {
		d = max(d, math.Abs(a[i]-b[i]))
	}
	return d
}

func cosine(a, b []float64) float64 { return dot(a, b) / (length(a) * length(b)) }

func length(a []float64) float64 { return math.Sqrt(dot(a, a)) }

func dot(a, b []float64) (sum float64) {
	for i := range a {
		sum += a[i] * b[i]
	}
	return sum
}
