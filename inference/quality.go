package inference

import "math"

// Reason is a stable code for what is wrong with a face as material for an
// embedding.
type Reason string

// The reasons, in the order in which they are reported.
const (
	Small     Reason = "small"     // too few pixels between the eyes
	Blurred   Reason = "blurred"   // out of focus or moving
	Turned    Reason = "turned"    // looks too far to the side, up or down
	Dark      Reason = "dark"      // underexposed
	Bright    Reason = "bright"    // overexposed
	Flat      Reason = "flat"      // hardly any contrast: fog, backlight, a veil
	Uncertain Reason = "uncertain" // the networks doubt that it is a face
	Unclear   Reason = "unclear"   // the embedding network finds little to tell people apart by
)

// Quality says how well a face can be recognised.
type Quality struct {
	// Score is the product of one factor in 0..1 for each measure.
	Score float32
	// Reasons are the measures whose factor is below one half; none means
	// that the face is good enough to enrol.
	Reasons []Reason

	EyeDistance float32 // pixels of the picture
	Sharpness   float32 // detail in the aligned face relative to its contrast; scale free
	Yaw         float32 // nose off the midline, in eye distances; 0 looks straight ahead
	Pitch       float32 // nose off its place between eyes and mouth, in eye-to-mouth distances
	Brightness  float32 // mean luminance of the face, 0..255
	Contrast    float32 // standard deviation of that luminance
	Norm        float32 // length of the embedding network's raw output; 0 before Embed
}

// ramp is the factor of a measure: 0 at bad, 1 at good and beyond.
type ramp struct{ bad, good float32 }

func (r ramp) of(v float32) float32 {
	return min(max((v-r.bad)/(r.good-r.bad), 0), 1)
}

// assess measures a face: its landmarks in the picture and in the aligned
// frame, the aligned pixels (side x side RGB), and what the networks thought.
// The reasons are appended to some, which usually there are none of.
func assess(f *Face, aligned Landmarks, side int, reasons []Reason) Quality {
	q := Quality{EyeDistance: f.Landmarks.EyeDistance(), Reasons: reasons}
	q.Yaw, q.Pitch = pose(aligned)
	q.Brightness, q.Contrast, q.Sharpness = texture(f.Aligned, side)

	factors := [...]struct {
		reason Reason
		value  float32
	}{
		{Small, ramp{6, 22}.of(q.EyeDistance)},
		{Blurred, ramp{0.06, 0.14}.of(q.Sharpness)},
		{Turned, min(ramp{0.65, 0.35}.of(abs(q.Yaw)), ramp{0.45, 0.25}.of(abs(q.Pitch)))},
		{Dark, ramp{15, 45}.of(q.Brightness)},
		{Bright, ramp{250, 225}.of(q.Brightness)},
		{Flat, ramp{4, 14}.of(q.Contrast)},
		{Uncertain, min(ramp{0.05, 0.4}.of(f.Score), ramp{0.4, 0.8}.of(f.Probability))},
	}
	q.Score = 1
	for _, f := range factors {
		q.Score *= f.value
		if f.value < 0.5 {
			q.Reasons = append(q.Reasons, f.reason)
		}
	}
	return q
}

// recognisable adds what the embedding network itself says. Networks trained
// with a margin on the angle put faces that they can place far from the
// origin and others near it (Meng et al., "MagFace", CVPR 2021), which
// predicts matching better than anything that is measured in the picture.
func (q *Quality) recognisable(norm float32, pack EmbeddingSettings) {
	q.Norm = norm
	if pack.Norm[1] <= pack.Norm[0] {
		return
	}
	factor := ramp{pack.Norm[0], pack.Norm[1]}.of(norm)
	q.Score *= factor
	if factor < 0.5 {
		q.Reasons = append(q.Reasons, Unclear)
	}
}

// pose estimates where a face looks from five landmarks that were already
// turned upright. A nose stands out from the plane of eyes and mouth, so it
// moves against them when the head turns.
func pose(l Landmarks) (yaw, pitch float32) {
	eyes := Point{(l[0].X + l[1].X) / 2, (l[0].Y + l[1].Y) / 2}
	mouth := Point{(l[3].X + l[4].X) / 2, (l[3].Y + l[4].Y) / 2}
	across, down := l.EyeDistance(), mouth.Y-eyes.Y
	if across < 1 || down < 1 {
		return 1, 1 // the eyes one behind the other: as turned as can be
	}
	along := (l[2].Y - eyes.Y) / down
	midline := eyes.X + along*(mouth.X-eyes.X)
	return (l[2].X - midline) / across, along - 0.5
}

// texture measures the middle of an aligned face, which leaves hair and
// background out.
func texture(rgb []float32, side int) (brightness, contrast, sharpness float32) {
	left, right := side/5, side-side/5
	top, bottom := side/4, side-side/8
	// The luminance of three rows, one pixel wider on both sides.
	var rows [3][maxSide]float32
	fill := func(y int) {
		row := rows[y%3][:right-left+2]
		for x := range row {
			p := rgb[(y*side+left-1+x)*3:][:3]
			row[x] = 0.299*p[0] + 0.587*p[1] + 0.114*p[2]
		}
	}
	fill(top - 1)
	fill(top)
	var sum, squares, laplacian float64
	for y := top; y < bottom; y++ {
		fill(y + 1)
		above, here, below := rows[(y-1)%3][:right-left+2], rows[y%3][:right-left+2], rows[(y+1)%3][:right-left+2]
		var lineSum, lineSquares, lineLaplacian float32
		for x := 1; x <= right-left; x++ {
			v := here[x]
			l := here[x-1] + here[x+1] + above[x] + below[x] - 4*v
			lineSum += v
			lineSquares += v * v
			lineLaplacian += l * l
		}
		sum += float64(lineSum)
		squares += float64(lineSquares)
		laplacian += float64(lineLaplacian)
	}
	n := float64((right - left) * (bottom - top))
	mean := sum / n
	deviation := math.Sqrt(max(squares/n-mean*mean, 0))
	return float32(mean), float32(deviation), float32(math.Sqrt(laplacian/n) / (deviation + 1))
}

func abs(v float32) float32 { return max(v, -v) }
