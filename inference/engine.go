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
	pack      *Pack
	blaze     blazeFace
	detector  *network
	landmarks *network
	embedding *network
	template  []Point
	whole     sampler // draws for the detector
	close     sampler // draws faces
	found     []Detection
	doubtful  []Detection
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
	return e, nil
}

// Pack is what the Engine was made from.
func (e *Engine) Pack() *Pack { return e.pack }

// Locate looks closely at a detection: landmarks, aligned pixels, quality. A
// detection that is no face has a low Probability; see Real.
func (e *Engine) Locate(v View, d Detection) (Face, error) {
	var f Face
	err := e.LocateIn(&f, v, d)
	return f, err
}

// LocateIn is Locate into a Face whose memory is used again, for whoever looks
// at one face after the other and keeps none.
func (e *Engine) LocateIn(f *Face, v View, d Detection) (err error) {
	aligned, reasons := f.Aligned[:0], f.Quality.Reasons[:0]
	*f = Face{Detection: d, Embedding: f.Embedding[:0]}
	if f.Landmarks, f.Probability, err = e.look(v, d.Box); err != nil {
		return err
	}
	toAligned, ok := similarity(f.Landmarks[:], e.template)
	if !ok {
		f.Probability = 0
		return nil
	}
	side := e.embedding.side
	f.Aligned = slices.Grow(aligned, 3*side*side)[:3*side*side]
	e.close.draw(f.Aligned, v, toAligned.inverse(), side)
	var inFrame Landmarks
	for i, p := range f.Landmarks {
		inFrame[i] = toAligned.Apply(p)
	}
	f.Quality = assess(f, inFrame, side, reasons)
	return nil
}

// look finds the landmarks in a box, and how probable it is that they are a
// face's.
func (e *Engine) look(v View, box Box) (at Landmarks, probability float32, err error) {
	s := e.pack.Pipeline.Landmarks
	side := e.landmarks.side
	toView := square(box, s.CropScale, s.CropShift, side)
	e.landmarks.show(&e.close, v, toView, s.Transposed, s.Normalisation)
	if err := e.landmarks.run(); err != nil {
		return at, 0, fmt.Errorf("locate landmarks: %w", err)
	}
	share := e.landmarks.output("landmarks")
	for i := range at {
		at[i] = toView.Apply(Point{share.at(i) * float32(side), share.at(i+5) * float32(side)})
	}
	return at, e.landmarks.output("probability").at(1), nil
}

// Real tells whether the landmark network agrees that this is a face.
func (f *Face) Real() bool { return f.Probability >= minProbability && len(f.Aligned) > 0 }

// Embed fills in the embedding of a face that Locate returned, and completes
// its quality.
func (e *Engine) Embed(f *Face) error {
	if len(f.Aligned) == 0 {
		return fmt.Errorf("embed face: it has no aligned picture")
	}
	e.embedding.input.write(f.Aligned, e.pack.Pipeline.Embedding.Normalisation)
	if err := e.embedding.run(); err != nil {
		return fmt.Errorf("embed face: %w", err)
	}
	out := e.embedding.output("embedding")
	first := len(f.Embedding) == 0
	v := slices.Grow(f.Embedding[:0], out.Elements())[:out.Elements()]
	var sum float64
	for i := range v {
		v[i] = out.at(i)
		sum += float64(v[i]) * float64(v[i])
	}
	if !(sum > 0) || math.IsInf(sum, 0) {
		return fmt.Errorf("embed face: the network gave no direction")
	}
	scale := float32(1 / math.Sqrt(sum))
	for i := range v {
		v[i] *= scale
	}
	if first {
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
	if len(f.Embedding) == 0 {
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
