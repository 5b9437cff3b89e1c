package daemon

import (
	"context"
	"fmt"
	"image"
	"iter"
	"slices"
	"sync"
	"time"

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

// bystander is how much smaller than the main face, by the distance of the
// eyes, somebody in the background of an enrolment picture must be not to
// make it one of two people.
const bystander = 0.4

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

// Enroll implements api.Faces.
func (f *Faces) Enroll(ctx context.Context, name string, images iter.Seq[api.Upload]) (api.Enrollment, error) {
	result := api.Enrollment{Rejected: []api.Rejection{}}
	known, err := f.Roster.Templates(name)
	if err != nil {
		return result, err
	}
	var fresh []match.Template
	for upload := range images {
		if err := ctx.Err(); err != nil {
			return result, err
		}
		t, rejection, err := f.template(upload, slices.Concat(known, fresh))
		if err != nil {
			return result, err
		}
		if rejection != nil {
			result.Rejected = append(result.Rejected, *rejection)
			continue
		}
		fresh = append(fresh, t)
	}
	if len(fresh) == 0 {
		return result, nil
	}
	if result.Person, err = f.Roster.Enroll(name, f.IDs.Next(), fresh); err != nil {
		return result, err
	}
	result.Accepted = len(fresh)
	return result, nil
}

// template makes a template of an uploaded image, or says why not.
func (f *Faces) template(u api.Upload, known []match.Template) (match.Template, *api.Rejection, error) {
	if u.Err != nil {
		r := u.Rejection()
		return match.Template{}, &r, nil
	}
	refuse := func(reason, detail string) (match.Template, *api.Rejection, error) {
		return match.Template{}, &api.Rejection{Image: u.Name, Reason: reason, Detail: detail}, nil
	}
	faces, err := f.look(u.Image)
	if err != nil {
		return match.Template{}, nil, err
	}
	if len(faces) == 0 {
		return refuse("no_face", "No face was found. Send a photo in which the face is upright, lit from the front and not covered.")
	}
	face := faces[0]
	for _, other := range faces[1:] {
		if other.Landmarks.EyeDistance() >= bystander*face.Landmarks.EyeDistance() {
			return refuse("several_faces", fmt.Sprintf("There are %d faces. Send a photo of this person alone, or cut the others off.", len(faces)))
		}
	}
	if reasons := face.Quality.Reasons; len(reasons) > 0 {
		return refuse(string(reasons[0]), advice(reasons[0]))
	}
	vector, err := f.enrolment(&face)
	if err != nil {
		return match.Template{}, nil, err
	}
	for _, t := range known {
		if match.Duplicate(t.Vector, vector) {
			return refuse("duplicate", "This photo, or one just like it, is enrolled already. Send one taken at another time or from another side.")
		}
	}
	t := match.Template{
		ID: f.IDs.Next(), Model: f.Engine.Pack().ID, Vector: vector,
		Quality: face.Quality.Score, Created: time.Now().UTC(),
	}
	if f.KeepCrops {
		if t.Crop, err = encodeCrop(u.Image, face.Box); err != nil {
			return match.Template{}, nil, err
		}
	}
	return t, nil, nil
}

func (f *Faces) enrolment(face *inference.Face) ([]float32, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.Engine.EmbedTemplate(face)
}

// advice says what would make a better photo.
func advice(r inference.Reason) string {
	switch r {
	case inference.Small:
		return "The face is too small. Come closer, or send the photo in its full size."
	case inference.Blurred:
		return "The face is blurred. Hold still, or send a sharper photo."
	case inference.Turned:
		return "The face is turned away. Look towards the camera."
	case inference.Dark:
		return "The face is too dark. Turn to the light."
	case inference.Bright:
		return "The face is overexposed. Turn away from the light, or lower the exposure."
	case inference.Flat:
		return "The face has hardly any contrast. Avoid light from behind, and wipe the lens."
	case inference.Uncertain:
		return "It is not certain that this is a face. Send a photo in which it is upright and not covered."
	case inference.Unclear:
		return "The face shows too little to be told from others. Send a sharp photo, lit from the front, of the whole face."
	}
	return "The photo is not good enough. Send a clearer one."
}
