package recall

import (
	"context"
	"errors"
	"image"
	"iter"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"facerecd/inference"
)

// Detector is what is measured; inference.Engine is one.
type Detector interface {
	Detect(inference.View) ([]inference.Detection, error)
	Locate(inference.View, inference.Detection) (inference.Face, error)
}

// Bench holds the pictures and how they are used.
type Bench struct {
	// Backgrounds are photos without people.
	Backgrounds   []image.Image
	Width, Height int   // of the frames, in pixels
	Sizes         []int // widths of faces' boxes, in pixels of the frame
	Faces         int   // of each size
	Empty         int   // frames without a face
	Seed          uint64
	// Threshold is the score threshold of the detector's settings: what scores
	// less counts on the landmark network's word.
	Threshold float32
	// Step, if not nil, is called after each of Measure's pictures.
	Step func()

	cutouts []cutout
}

// Recall is how many faces of one size were found.
type Recall struct {
	Width int `json:"width"` // of the face's box, in pixels
	Faces int `json:"faces"`
	Found int `json:"found"`
}

// Result is what one detector did.
type Result struct {
	// Photos of one person each, and those in which nothing at all was found.
	// MissedByScore counts those in which nothing reached the threshold.
	Photos        int `json:"photos"`
	Missed        int `json:"missed"`
	MissedByScore int `json:"missed_by_score"`

	Recall []Recall `json:"recall"`

	// Empty frames, and how many faces were found in them. FalseReal are those
	// that the landmark network took for faces too, so that the daemon would
	// have; FalseWeak those that did not reach the threshold.
	Empty     int `json:"empty"`
	False     int `json:"false"`
	FalseReal int `json:"false_real"`
	FalseWeak int `json:"false_weak"`

	// Milliseconds is the time for a frame with faces, which a tenth of them
	// stay below: what else the machine does should not count.
	Milliseconds float64 `json:"milliseconds"`
}

const (
	// minCut is how wide the box of a face must be to be cut out: all sizes are
	// made by shrinking.
	minCut = 80
	// perFrame is how many faces a frame holds, on a grid of 4x2.
	across, down = 4, 2
	perFrame     = across * down
	// sameFace is the overlap (intersection over union) at which a detection
	// is where the face is.
	sameFace = 0.5
)

// Collect cuts out the face nearest to the middle of a photo, where finder
// sees one that is large enough, until there are as many as Faces.
func (b *Bench) Collect(ctx context.Context, finder Detector, photos iter.Seq2[image.Image, error]) error {
	b.cutouts = nil
	for photo, err := range photos {
		if err := errors.Join(err, context.Cause(ctx)); err != nil {
			return err
		}
		found, err := finder.Detect(inference.FromImage(photo))
		if err != nil {
			return err
		}
		if face, ok := central(found, photo.Bounds().Size()); ok && face.Score >= b.Threshold && face.Box.Width >= minCut {
			if b.cutouts = append(b.cutouts, cut(photo, face.Box)); len(b.cutouts) == b.Faces {
				break
			}
		}
	}
	if len(b.cutouts) == 0 {
		return errors.New("no photo holds a face of 80 pixels or more: are these photos of people?")
	}
	return nil
}

func central(found []inference.Detection, size image.Point) (best inference.Detection, ok bool) {
	least := math.Inf(1)
	for _, d := range found {
		c := d.Box.Centre()
		if off := math.Hypot(float64(c.X)-float64(size.X)/2, float64(c.Y)-float64(size.Y)/2); off < least {
			best, least, ok = d, off, true
		}
	}
	return best, ok
}

// Measure tries a detector on photos of one person each, on frames with the
// faces that Collect cut out, and on empty frames.
func (b *Bench) Measure(ctx context.Context, d Detector, photos iter.Seq2[image.Image, error]) (Result, error) {
	var r Result
	if err := b.photos(ctx, d, photos, &r); err != nil {
		return r, err
	}
	if err := b.recall(ctx, d, &r); err != nil {
		return r, err
	}
	return r, b.empty(ctx, d, &r)
}

func (b *Bench) photos(ctx context.Context, d Detector, photos iter.Seq2[image.Image, error], r *Result) error {
	for photo, err := range photos {
		if err := errors.Join(err, context.Cause(ctx)); err != nil {
			return err
		}
		found, err := d.Detect(inference.FromImage(photo))
		if err != nil {
			return err
		}
		r.Photos++
		b.step()
		if len(found) == 0 {
			r.Missed++
		}
		if !slices.ContainsFunc(found, func(f inference.Detection) bool { return f.Score >= b.Threshold }) {
			r.MissedByScore++
		}
	}
	return nil
}

func (b *Bench) recall(ctx context.Context, d Detector, r *Result) error {
	frame := image.NewRGBA(image.Rect(0, 0, b.Width, b.Height))
	var took []time.Duration
	for _, width := range b.Sizes {
		rng := rand.New(rand.NewPCG(b.Seed, uint64(width)))
		row := Recall{Width: width}
		for row.Faces < b.Faces {
			if err := context.Cause(ctx); err != nil {
				return err
			}
			fill(frame, b.Backgrounds, rng)
			truth := b.people(frame, width, min(perFrame, b.Faces-row.Faces), rng)
			began := time.Now()
			found, err := d.Detect(inference.FromImage(frame))
			took = append(took, time.Since(began))
			if err != nil {
				return err
			}
			row.Faces += len(truth)
			for _, box := range truth {
				if slices.ContainsFunc(found, func(f inference.Detection) bool { return f.Box.IoU(box) >= sameFace }) {
					row.Found++
				}
			}
			b.step()
		}
		r.Recall = append(r.Recall, row)
	}
	slices.Sort(took)
	if len(took) > 0 {
		r.Milliseconds = float64(took[len(took)/10].Microseconds()) / 1000
	}
	return nil
}

// people puts n faces into the frame, each anywhere in a cell of its own.
func (b *Bench) people(frame *image.RGBA, width, n int, rng *rand.Rand) []inference.Box {
	cell := image.Pt(b.Width/across, b.Height/down)
	half := int(margin*float64(width))/2 + 1
	var truth []inference.Box
	for _, i := range rng.Perm(perFrame)[:n] {
		jitter := image.Pt(rng.IntN(max(cell.X-2*half, 1)), rng.IntN(max(cell.Y-2*half, 1)))
		centre := image.Pt(i%across*cell.X+half, i/across*cell.Y+half).Add(jitter)
		truth = append(truth, b.cutouts[rng.IntN(len(b.cutouts))].place(frame, centre, float64(width)))
	}
	return truth
}

func (b *Bench) empty(ctx context.Context, d Detector, r *Result) error {
	frame := image.NewRGBA(image.Rect(0, 0, b.Width, b.Height))
	rng := rand.New(rand.NewPCG(b.Seed, 0))
	for r.Empty < b.Empty {
		if err := context.Cause(ctx); err != nil {
			return err
		}
		fill(frame, b.Backgrounds, rng)
		view := inference.FromImage(frame)
		found, err := d.Detect(view)
		if err != nil {
			return err
		}
		r.Empty++
		r.False += len(found)
		for _, f := range found {
			if f.Score < b.Threshold {
				r.FalseWeak++
			}
			face, err := d.Locate(view, f)
			if err != nil {
				return err
			}
			if face.Real() {
				r.FalseReal++
			}
		}
		b.step()
	}
	return nil
}

// Steps is how many pictures Measure looks at, of which some are photos.
func (b *Bench) Steps(photos int) int {
	return photos + len(b.Sizes)*((b.Faces+perFrame-1)/perFrame) + b.Empty
}

func (b *Bench) step() {
	if b.Step != nil {
		b.Step()
	}
}
