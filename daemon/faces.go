package daemon

import (
	"context"
	"image"
	"sync"

	"facerecd/daemon/api"
	"facerecd/daemon/event"
	"facerecd/inference"
	"facerecd/match"
)

// Faces looks at uploaded pictures; it is the api.Faces of the HTTP port. It
// is safe for concurrent use: the pictures take turns on its one engine.
type Faces struct {
	Engine *Engine
	Roster *Roster
	Policy func() *match.Policy // as configured now
	IDs    *event.IDs
	// KeepCrops stores a picture of the face with each template.
	KeepCrops bool

	mu sync.Mutex // guards Engine
}

var _ api.Faces = (*Faces)(nil)

func (f *Faces) look(img image.Image) ([]inference.Face, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.Engine.Faces(inference.FromImage(img))
}

// Recognize implements api.Faces.
func (f *Faces) Recognize(_ context.Context, img image.Image) (api.Recognition, error) {
	faces, err := f.look(img)
	if err != nil {
		return api.Recognition{}, err
	}
	size := img.Bounds().Size()
	r := api.Recognition{Frame: [2]int{size.X, size.Y}, Faces: []api.Face{}}
	for _, face := range faces {
		d := f.Policy().Decide(f.Roster.Gallery.Search(face.Embedding))
		seen := api.Face{
			Box:        face.Box.Pixels(size.X, size.Y),
			Quality:    face.Quality.Score,
			Reasons:    []string{},
			Score:      d.Score,
			Confidence: d.Confidence,
		}
		for i, p := range face.Landmarks {
			seen.Landmarks[i] = [2]float32{p.X, p.Y}
		}
		for _, reason := range face.Quality.Reasons {
			seen.Reasons = append(seen.Reasons, string(reason))
		}
		if name, ok := f.Roster.Name(d.Person); ok {
			seen.Person = &event.Person{ID: d.Person, Name: name}
		}
		r.Faces = append(r.Faces, seen)
	}
	keepBestOfEach(r.Faces)
	return r, nil
}

// keepBestOfEach leaves a name to the face that fits it best: two faces in one
// picture are not one person.
func keepBestOfEach(faces []api.Face) {
	best := map[string]int{}
	for i, face := range faces {
		if face.Person == nil {
			continue
		}
		j, ok := best[face.Person.ID]
		switch {
		case !ok:
			best[face.Person.ID] = i
		case face.Score > faces[j].Score:
			faces[j].Person = nil
			best[face.Person.ID] = i
		default:
			faces[i].Person = nil
		}
	}
}
