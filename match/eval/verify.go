package eval

import (
	"cmp"
	"math"
	"slices"
)

// Trial is one comparison: the cosine of two embeddings and the truth.
type Trial struct {
	Score float32
	Same  bool
	Fold  int
}

// Verification is the outcome of LFW's verification protocol.
type Verification struct {
	Pairs     int
	Accuracy  float64 // mean over the folds, 0..1
	Std       float64 // standard error of that mean, as LFW reports it
	Threshold float32 // mean of the folds' thresholds
	TAR       float64 // true accepts at a false-accept rate of at most 1e-3, over all pairs
}

// Verify judges each fold at the threshold that is most accurate on all the
// other folds (on itself when it is the only one).
func Verify(trials []Trial) Verification {
	v := Verification{Pairs: len(trials), TAR: TARAt(trials, 1e-3)}
	var folds []int
	for _, t := range trials {
		folds = append(folds, t.Fold)
	}
	slices.Sort(folds) // not for show: the order of a sum shows in its last digits
	folds = slices.Compact(folds)
	var accuracies []float64
	for _, fold := range folds {
		var train, test []Trial
		for _, t := range trials {
			if t.Fold == fold {
				test = append(test, t)
			} else {
				train = append(train, t)
			}
		}
		if len(train) == 0 {
			train = test
		}
		threshold := bestThreshold(train)
		v.Threshold += threshold / float32(len(folds))
		accuracies = append(accuracies, accuracy(test, threshold))
	}
	n := float64(len(folds))
	if n == 0 {
		return v
	}
	for _, a := range accuracies {
		v.Accuracy += a
	}
	v.Accuracy /= n
	for _, a := range accuracies {
		v.Std += (a - v.Accuracy) * (a - v.Accuracy)
	}
	if n > 1 {
		v.Std = math.Sqrt(v.Std / (n - 1) / n)
	}
	return v
}

// accuracy is the share of trials that "score at or above threshold means the
// same person" gets right.
func accuracy(trials []Trial, threshold float32) float64 {
	right := 0
	for _, t := range trials {
		if (t.Score >= threshold) == t.Same {
			right++
		}
	}
	return float64(right) / float64(len(trials))
}

// bestThreshold is the most accurate threshold; of several, the middle of the
// first widest gap between two scores, so that it does not hug a single trial.
func bestThreshold(trials []Trial) float32 {
	sorted := slices.SortedFunc(slices.Values(trials), func(a, b Trial) int { return cmp.Compare(a.Score, b.Score) })
	right := 0 // with the threshold below all, everybody is called the same
	for _, t := range sorted {
		if t.Same {
			right++
		}
	}
	const beyond = 1e-6 // how far past the lowest and the highest score it may be
	best, low, high := right, sorted[0].Score-beyond, sorted[0].Score
	for i, t := range sorted {
		if t.Same {
			right--
		} else {
			right++
		}
		next := t.Score + beyond
		if i+1 < len(sorted) {
			next = sorted[i+1].Score
		}
		if next == t.Score {
			continue // no threshold is between them
		}
		if right > best || right == best && next-t.Score > high-low {
			best, low, high = right, t.Score, next
		}
	}
	if middle := low + (high-low)/2; middle > low {
		return middle
	}
	return high // they are neighbours
}

// TARAt is the share of same-person trials accepted at the lowest threshold
// that accepts at most far, 0..1, of the others; 0 when either kind is missing.
func TARAt(trials []Trial, far float64) float64 {
	var same, different []float32
	for _, t := range trials {
		if t.Same {
			same = append(same, t.Score)
		} else {
			different = append(different, t.Score)
		}
	}
	if len(same) == 0 || len(different) == 0 {
		return 0
	}
	slices.SortFunc(different, func(a, b float32) int { return cmp.Compare(b, a) })
	allowed := int(far*float64(len(different)) + 1e-9) // 0.29 * 100 is 28.99…
	if allowed >= len(different) {
		return 1
	}
	threshold, accepted := different[allowed], 0 // at or below this is refused
	for _, s := range same {
		if s > threshold {
			accepted++
		}
	}
	return float64(accepted) / float64(len(same))
}
