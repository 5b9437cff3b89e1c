package inference

import (
	"cmp"
	"fmt"
	"math"
	"slices"
)

// minProbability is what the landmark network must give for a detection to
// count as a face.
const minProbability = 0.5

// Engine takes pictures through the three networks of a pack. It keeps its
// buffers between pictures, so one goroutine uses it at a time.
type Engine struct {
	pack       *Pack
	blaze      blazeFace
	detector   *network
	landmarks  *network
	embedding  *network
	template   []Point
	sampler    sampler
	rgb        []float32 // input of the detector
	crop       []float32 // input of the landmark network
	transposed []float32
}

// NewEngine joins a pack's networks, which must be open on the pack's own
// models. Each model says by its input how large its pictures are; NewEngine
// refuses models that do not fit the manifest or the pipeline.
func NewEngine(pack *Pack, detector, landmarks, embedding Network) (*Engine, error) {
	e := &Engine{pack: pack}
	var err error
	p := pack.Pipeline
	if e.blaze, err = newBlazeFace(p.Detector.Family); err != nil {
		return nil, err
	}
	anchors := len(e.blaze.anchors)
	if e.detector, err = newNetwork("detector", detector, e.blaze.size, map[string]int{"boxes": anchors * blazeValues, "scores": anchors}); err != nil {
		return nil, err
	}
	if e.landmarks, err = newNetwork("landmarks", landmarks, anySide, map[string]int{"landmarks": 10, "probability": 2}); err != nil {
		return nil, err
	}
	if e.embedding, err = newNetwork("embedding", embedding, anySide, map[string]int{"embedding": p.Embedding.Size}); err != nil {
		return nil, err
	}
	if e.template, err = p.Embedding.template(e.embedding.side); err != nil {
		return nil, err
	}
	e.rgb = make([]float32, 3*e.blaze.size*e.blaze.size)
	e.crop = make([]float32, 3*e.landmarks.side*e.landmarks.side)
	e.transposed = make([]float32, len(e.crop))
	return e, nil
}

// Pack is what the Engine was made from.
func (e *Engine) Pack() *Pack { return e.pack }

// Locate looks closely at a detection: landmarks, aligned pixels, quality. A
// detection that is no face has a low Probability; see Real.
func (e *Engine) Locate(v View, d Detection) (Face, error) {
	f := Face{Detection: d}
	var err error
	if f.Landmarks, f.Probability, err = e.look(v, d.Box); err != nil {
		return Face{}, err
	}
	toAligned, ok := similarity(f.Landmarks[:], e.template)
	if !ok {
		f.Probability = 0
		return f, nil
	}
	side := e.embedding.side
	f.Aligned = make([]float32, 3*side*side)
	e.sampler.draw(f.Aligned, v, toAligned.inverse(), side)
	var aligned Landmarks
	for i, p := range f.Landmarks {
		aligned[i] = toAligned.Apply(p)
	}
	f.Quality = assess(&f, aligned, side)
	return f, nil
}

// look finds the landmarks in a box, and how probable it is that they are a
// face's.
func (e *Engine) look(v View, box Box) (at Landmarks, probability float32, err error) {
	s := e.pack.Pipeline.Landmarks
	side := e.landmarks.side
	toView := square(box, s.CropScale, s.CropShift, side)
	rgb := e.crop
	e.sampler.draw(rgb, v, toView, side)
	if s.Transposed {
		transpose(e.transposed, rgb, side)
		rgb = e.transposed
	}
	if err := e.landmarks.run(rgb, s.Normalisation); err != nil {
		return at, 0, fmt.Errorf("locate landmarks: %w", err)
	}
	share := e.landmarks.output("landmarks")
	for i := range at {
		at[i] = toView.Apply(Point{share[i] * float32(side), share[i+5] * float32(side)})
	}
	return at, e.landmarks.output("probability")[1], nil
}

// Real tells whether the landmark network agrees that this is a face.
func (f *Face) Real() bool { return f.Probability >= minProbability && f.Aligned != nil }

// Embed fills in the embedding of a face that Locate returned, and completes
// its quality.
func (e *Engine) Embed(f *Face) error {
	if f.Aligned == nil {
		return fmt.Errorf("embed face: it has no aligned picture")
	}
	if err := e.embedding.run(f.Aligned, e.pack.Pipeline.Embedding.Normalisation); err != nil {
		return fmt.Errorf("embed face: %w", err)
	}
	v := slices.Clone(e.embedding.output("embedding"))
	var sum float64
	for _, x := range v {
		sum += float64(x) * float64(x)
	}
	if !(sum > 0) || math.IsInf(sum, 0) {
		return fmt.Errorf("embed face: the network gave no direction")
	}
	scale := float32(1 / math.Sqrt(sum))
	for i := range v {
		v[i] *= scale
	}
	if f.Embedding == nil {
		f.Quality.recognisable(float32(math.Sqrt(sum)), e.pack.Pipeline.Embedding)
	}
	f.Embedding = v
	return nil
}

// EmbedTemplate is the vector to enrol of a face that Locate returned: the
// normalised mean of the embeddings of its aligned picture and of the mirror
// image. What differs between the two, such as light from one side, is noise,
// and the mean has less of it. Probes stay single, for speed.
func (e *Engine) EmbedTemplate(f *Face) ([]float32, error) {
	if f.Embedding == nil {
		if err := e.Embed(f); err != nil {
			return nil, err
		}
	}
	twin := Face{Aligned: mirror(f.Aligned, e.embedding.side)}
	if err := e.Embed(&twin); err != nil {
		return nil, err
	}
	mean := make([]float32, len(f.Embedding))
	var sum float64
	for i, x := range f.Embedding {
		mean[i] = x + twin.Embedding[i]
		sum += float64(mean[i]) * float64(mean[i])
	}
	if sum == 0 {
		return nil, fmt.Errorf("embed face: it is the opposite of its mirror image")
	}
	for i := range mean {
		mean[i] *= float32(1 / math.Sqrt(sum))
	}
	return mean, nil
}

// Faces finds every face of a picture, with landmarks, quality and embedding,
// the largest first.
func (e *Engine) Faces(v View) ([]Face, error) {
	found, err := e.Detect(v)
	if err != nil {
		return nil, err
	}
	var faces []Face
	for _, d := range found {
		f, err := e.Locate(v, d)
		if err != nil {
			return nil, err
		}
		if !f.Real() {
			continue
		}
		if err := e.Embed(&f); err != nil {
			return nil, err
		}
		faces = append(faces, f)
	}
	slices.SortStableFunc(faces, func(a, b Face) int {
		return cmp.Compare(b.Box.Width*b.Box.Height, a.Box.Width*a.Box.Height)
	})
	return faces, nil
}

func transpose(dst, rgb []float32, side int) {
	for y := range side {
		for x := range side {
			copy(dst[(x*side+y)*3:][:3], rgb[(y*side+x)*3:][:3])
		}
	}
}

// mirror is a picture with left and right exchanged.
func mirror(rgb []float32, side int) []float32 {
	out := make([]float32, len(rgb))
	for y := range side {
		for x := range side {
			copy(out[(y*side+x)*3:][:3], rgb[(y*side+side-1-x)*3:][:3])
		}
	}
	return out
}
