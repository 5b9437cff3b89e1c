package daemon

import (
	"context"
	"fmt"
	"image"
	"iter"
	"time"

	"facerecd/daemon/api"
	"facerecd/inference"
	"facerecd/match"
)

// bystander is how much smaller than the main face, by the distance of the
// eyes, somebody in the background of an enrolment picture must be not to
// make it one of two people.
const bystander = 0.4

// candidate is an image whose face is good enough to be enrolled.
type candidate struct {
	template match.Template
	quality  inference.Quality
}

// Enroll implements api.Faces.
func (f *Faces) Enroll(ctx context.Context, name string, images iter.Seq[api.Upload], force bool) (api.Enrollment, error) {
	var verdicts []api.Verdict
	var good []candidate
	var of []int // verdict of each good one
	for upload := range images {
		if err := ctx.Err(); err != nil {
			return api.Enrollment{}, err
		}
		c, v, err := f.consider(upload)
		if err != nil {
			return api.Enrollment{}, err
		}
		if c != nil {
			good, of = append(good, *c), append(of, len(verdicts))
		}
		verdicts = append(verdicts, v)
	}
	return f.admit(name, verdicts, good, of, force)
}

// admit enrols what is good, and completes the verdicts on it, which of points
// at.
func (f *Faces) admit(name string, verdicts []api.Verdict, good []candidate, of []int, force bool) (e api.Enrollment, err error) {
	policy := *f.Policy()
	a := Applicant{Name: name, NewID: f.IDs.Next(), Policy: policy, Force: force}
	for _, c := range good {
		a.Templates = append(a.Templates, c.template)
	}
	var judged []match.Verdict
	if len(good) > 0 {
		if e.Person, judged, err = f.Roster.Admit(a); err != nil {
			return api.Enrollment{}, err
		}
	}
	var used []inference.Quality
	for i, j := range judged {
		f.describe(&verdicts[of[i]], j, policy)
		if j.Code == match.Accepted {
			used = append(used, good[i].quality)
		}
	}
	for _, v := range verdicts {
		e.Add(v)
	}
	e.Suggestions = suggest(used, e.Person.Templates)
	return e, nil
}

// describe puts the roster's verdict into words.
func (f *Faces) describe(v *api.Verdict, j match.Verdict, policy match.Policy) {
	v.Verdict = j.Code
	if name, ok := f.Roster.Name(j.Rival.Person); ok {
		v.LooksLike = &api.Likeness{ID: j.Rival.Person, Name: name, Score: j.Rival.Score, Confidence: policy.Confidence(j.Rival.Score)}
	}
	switch j.Code {
	case match.Repeated:
		v.Detail = "This photo, or one just like it, was sent or enrolled already. Send one taken at another time or from another side."
	case match.Mismatch:
		v.Detail = "The face does not match the other images of this person. Send photos of one person only; if this is the same person all the same, send it with force=true."
	case match.LooksLike:
		who := "somebody who was deleted this moment"
		if v.LooksLike != nil {
			who = fmt.Sprintf("%s, who is enrolled already (confidence %.0f %%)", v.LooksLike.Name, 100*v.LooksLike.Confidence)
		}
		v.Detail = fmt.Sprintf("The face looks like %s. If it is somebody else, such as a twin, send it with force=true.", who)
	}
}

// consider makes a candidate of an image, or its verdict says why not.
func (f *Faces) consider(u api.Upload) (*candidate, api.Verdict, error) {
	if u.Err != nil {
		return nil, u.Verdict(), nil
	}
	faces, err := f.look(u.Image)
	if err != nil {
		return nil, api.Verdict{}, err
	}
	v := api.Verdict{Image: u.Name}
	var face *inference.Face
	if face, v.Verdict, v.Detail = theOne(faces); face == nil {
		return nil, v, nil
	}
	v.Quality, v.Looking = face.Quality.Score, direction(face.Quality.Yaw)
	if reasons := face.Quality.Reasons; len(reasons) > 0 {
		v.Verdict, v.Detail = string(reasons[0]), advice(reasons[0])
		return nil, v, nil
	}
	c, err := f.candidate(u.Image, face)
	return c, v, err
}

// theOne is the face of a picture that shows one person, or the reason why
// there is none. It points into faces, which have the largest first.
func theOne(faces []inference.Face) (face *inference.Face, reason, detail string) {
	if len(faces) == 0 {
		return nil, "no_face", "No face was found. Send a photo in which the face is upright, lit from the front and not covered."
	}
	face = &faces[0]
	for _, other := range faces[1:] {
		if other.Landmarks.EyeDistance() >= bystander*face.Landmarks.EyeDistance() {
			return nil, "several_faces", fmt.Sprintf("There are %d faces. Send a photo of this person alone, or cut the others off.", len(faces))
		}
	}
	return face, "", ""
}

// candidate makes a template of a face of img.
func (f *Faces) candidate(img image.Image, face *inference.Face) (*candidate, error) {
	vector, err := f.enrolment(face)
	if err != nil {
		return nil, err
	}
	c := &candidate{quality: face.Quality, template: match.Template{
		ID: f.IDs.Next(), Model: f.Engine.Pack().ID, Vector: vector,
		Quality: face.Quality.Score, Created: time.Now().UTC(),
	}}
	if f.KeepCrops {
		if c.template.Crop, err = encodeCrop(img, face.Box); err != nil {
			return nil, err
		}
	}
	return c, nil
}

func (f *Faces) enrolment(face *inference.Face) ([]float32, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.Engine.EmbedTemplate(face)
}
