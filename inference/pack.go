package inference

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// PackVersion is the manifest version that this code reads.
const PackVersion = 1

// Manifest describes a model pack: a folder with this file, manifest.json,
// and the models it names.
type Manifest struct {
	Version int    `json:"version"`
	ID      string `json:"id"` // templates remember it; embeddings of different packs are never compared
	Models  struct {
		Detector      ModelFile  `json:"detector"`
		DetectorShort *ModelFile `json:"detector_short"` // nil in a pack without one
		Landmarks     ModelFile  `json:"landmarks"`
		Embedding     ModelFile  `json:"embedding"`
	} `json:"models"`
	Pipeline struct {
		Detector      DetectorSettings  `json:"detector"`
		DetectorShort *DetectorSettings `json:"detector_short"` // there if the model is
		Landmarks     LandmarkSettings  `json:"landmarks"`
		Embedding     EmbeddingSettings `json:"embedding"`
	} `json:"pipeline"`
	Decision DecisionSettings `json:"decision"`
	Accuracy json.RawMessage  `json:"accuracy"` // how the pack was measured, for people
}

// ModelFile is one network of a pack and where it came from.
type ModelFile struct {
	File    string `json:"file"`
	SHA256  string `json:"sha256"`
	Bytes   int64  `json:"bytes"`
	Licence string `json:"licence"`
	Source  struct {
		Package       string `json:"package"`
		Version       string `json:"version"`
		File          string `json:"file"`
		PackageSHA256 string `json:"package_sha256"`
		SHA256        string `json:"sha256"`
	} `json:"source"`
	Input       []TensorInfo `json:"input"`
	Output      []TensorInfo `json:"output"`
	Calibration string       `json:"calibration"`
}

// TensorInfo is a tensor as the manifest states it; the model file decides.
type TensorInfo struct {
	Name      string  `json:"name"`
	Shape     []int   `json:"shape"`
	Type      string  `json:"type"`
	Scale     float32 `json:"scale"`
	ZeroPoint int     `json:"zero_point"`
}

// Normalisation turns a pixel v of 0..255 into (v-Mean)/Std.
type Normalisation struct {
	Mean float32 `json:"mean"`
	Std  float32 `json:"std"`
}

// DetectorSettings say how to use the detector.
type DetectorSettings struct {
	Family string `json:"family"` // "blazeface-full" or "blazeface-short"
	Normalisation
	ScoreThreshold float32 `json:"score_threshold"` // 0..1
	IoUThreshold   float32 `json:"iou_threshold"`   // 0..1
}

// LandmarkSettings say how to use the landmark network.
type LandmarkSettings struct {
	Normalisation
	Transposed bool       `json:"transposed"` // the network wants x before y
	CropScale  float64    `json:"crop_scale"` // side of the crop, in detection boxes
	CropShift  [2]float64 `json:"crop_shift"` // of its centre, in detection boxes; down is positive
	Passes     int        `json:"passes"`     // looks at the landmarks; always 1 as yet
}

// EmbeddingSettings say how to use the embedding network.
type EmbeddingSettings struct {
	Normalisation
	Size     int           `json:"size"`     // numbers in an embedding
	Template [5][2]float32 `json:"template"` // where the landmarks lie in the aligned face
	// Norm is the length of the network's raw output for a hopeless face and
	// for a good one; without it, the length says nothing about quality.
	Norm [2]float32 `json:"norm"`
}

// template is the Template as points of an aligned face of side x side pixels,
// which is what the embedding model takes.
func (s EmbeddingSettings) template(side int) ([]Point, error) {
	var points []Point
	for i, t := range s.Template {
		if !(t[0] >= 0 && t[0] <= float32(side) && t[1] >= 0 && t[1] <= float32(side)) {
			return nil, fmt.Errorf("pipeline.embedding.template[%d] is %v, outside the face of %[3]dx%[3]d pixels that the embedding model takes: state the template for that size", i, t, side)
		}
		points = append(points, Point{t[0], t[1]})
	}
	if points[1].X <= points[0].X || points[4].X <= points[3].X || points[3].Y <= points[0].Y {
		return nil, fmt.Errorf("pipeline.embedding.template %v is no upright face: state its left eye, right eye, nose, left and right corner of the mouth, as the picture shows them", s.Template)
	}
	return points, nil
}

// DecisionSettings are the pack's own open-set decision.
type DecisionSettings struct {
	Threshold  float32 `json:"threshold"` // least cosine of a match
	Margin     float32 `json:"margin"`    // least lead over the second person
	Confidence struct {
		Slope  float32 `json:"slope"`
		Offset float32 `json:"offset"`
	} `json:"confidence"` // probability = 1/(1+exp(-(slope*cosine+offset)))
}

// Pack is a model pack whose files were read and found to be what the
// manifest says they are.
type Pack struct {
	Manifest
	Dir string

	mode Mode // see With
}

// maxModel bounds what LoadPack reads; face models for a small board are far
// below it.
const maxModel = 256 << 20

// LoadPack reads a model pack. A file that is missing, or whose SHA-256 is not
// the manifest's, is an error: a face must not be judged by a network that
// nobody vouched for.
func LoadPack(dir string) (*Pack, error) {
	text, err := os.ReadFile(filepath.Join(dir, "manifest.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("no model pack in %s: manifest.json is missing; set `models` to the folder that holds it", dir)
	} else if err != nil {
		return nil, fmt.Errorf("read model pack: %w", err)
	}
	p := &Pack{Dir: dir}
	if p.Manifest, err = parseManifest(text); err != nil {
		return nil, fmt.Errorf("read %s: %w", filepath.Join(dir, "manifest.json"), err)
	}
	for _, m := range []*ModelFile{&p.Models.Detector, p.Models.DetectorShort, &p.Models.Landmarks, &p.Models.Embedding} {
		if m == nil {
			continue
		}
		if _, err := p.Read(*m); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// maxEmbedding is how many numbers an embedding may have: as many as can be
// stored.
const maxEmbedding = 8192

func parseManifest(text []byte) (Manifest, error) {
	var m Manifest
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&m); err != nil {
		return m, fmt.Errorf("decode manifest: %w", err)
	}
	p := m.Pipeline
	switch {
	case m.Version != PackVersion:
		return m, fmt.Errorf("manifest version %d is not supported: this facerecd reads version %d", m.Version, PackVersion)
	case m.ID == "":
		return m, errors.New("the pack has no id")
	case p.Embedding.Size < 1 || p.Embedding.Size > maxEmbedding:
		return m, fmt.Errorf("pipeline.embedding.size is %d: 1 to %d are possible", p.Embedding.Size, maxEmbedding)
	case !(p.Detector.Std > 0 && p.Landmarks.Std > 0 && p.Embedding.Std > 0):
		return m, errors.New("every pipeline std must be above 0")
	case !(p.Detector.ScoreThreshold > 0 && p.Detector.ScoreThreshold < 1):
		return m, errors.New("pipeline.detector.score_threshold must lie between 0 and 1")
	case (m.Models.DetectorShort == nil) != (p.DetectorShort == nil):
		return m, errors.New("models.detector_short and pipeline.detector_short must both be there, or neither")
	case p.DetectorShort != nil && !(p.DetectorShort.Std > 0 && p.DetectorShort.ScoreThreshold > 0 && p.DetectorShort.ScoreThreshold < 1):
		return m, errors.New("pipeline.detector_short: std must be above 0, and score_threshold between 0 and 1")
	case !(p.Landmarks.CropScale > 0 && p.Landmarks.CropScale < 10):
		return m, errors.New("pipeline.landmarks.crop_scale must lie between 0 and 10")
	case p.Landmarks.Passes != 1:
		return m, fmt.Errorf("pipeline.landmarks.passes is %d: this facerecd looks once", p.Landmarks.Passes)
	case !(m.Decision.Threshold > 0 && m.Decision.Threshold < 1):
		// Without one, everybody would be named.
		return m, errors.New("decision.threshold must lie between 0 and 1: `facerecd eval --calibrate` proposes one")
	case !(m.Decision.Margin >= 0 && m.Decision.Margin < 1):
		return m, errors.New("decision.margin must be at least 0, and below 1")
	}
	return m, nil
}

// Read reads one of the pack's models, a TFLite flatbuffer, which the caller owns.
// It is what the manifest says, or an error, as for LoadPack: whoever opens models
// needs the megabytes once, and not the pack.
func (p *Pack) Read(m ModelFile) ([]byte, error) {
	if !filepath.IsLocal(m.File) {
		return nil, fmt.Errorf("model file %q of the manifest lies outside the pack", m.File)
	}
	path := filepath.Join(p.Dir, m.File)
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("the model pack is incomplete: %w; install it again, or run `make models`", err)
	}
	if info.Size() != m.Bytes || m.Bytes > maxModel {
		return nil, fmt.Errorf("%s has %d bytes and its manifest says %d: the file was changed or cut short; install the pack again", path, info.Size(), m.Bytes)
	}
	model, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read model: %w", err)
	}
	if sum := sha256.Sum256(model); hex.EncodeToString(sum[:]) != m.SHA256 {
		return nil, fmt.Errorf("%s has SHA-256 %x and its manifest says %s: the file was changed; install the pack again", path, sum, m.SHA256)
	}
	return model, nil
}
