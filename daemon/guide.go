package daemon

import (
	"cmp"
	"context"
	"image"
	"maps"
	"math"
	"slices"

	"facerecd/daemon/api"
	"facerecd/inference"
)

// steady is how much of a face's width it may move, or grow, from one look to
// the next and still be held still.
const steady = 0.08

// poser decides which looks at somebody before a camera are taken: one for each
// pose, in whatever order they come.
type poser struct {
	missing []api.Direction // in the order in which they are asked for
	turned  bool            // a look to one side was taken
	// before is the last look, if it was good for a pose that was missing.
	before *glance
	// hindered counts the looks that were not taken, by their codes.
	hindered map[string]int
}

// glance is what of a look the next one is compared with.
type glance struct {
	pose api.Direction
	box  inference.Box
}

// see judges the faces of the next picture. With the code api.GuideTaken, the
// face is to be kept for the pose. The face is nil when there is not just one.
func (p *poser) see(faces []inference.Face) (face *inference.Face, pose api.Direction, code string) {
	face, pose, code = p.judge(faces)
	switch code {
	case api.GuideTaken:
		p.missing = slices.DeleteFunc(p.missing, func(d api.Direction) bool { return d == pose })
		p.turned = p.turned || pose != api.Front
		p.before = nil
		return face, pose, code
	case api.GuideStill:
		p.before = &glance{pose, face.Box}
	default:
		p.before = nil
	}
	if p.hindered == nil {
		p.hindered = make(map[string]int)
	}
	p.hindered[code]++
	return face, pose, code
}

func (p *poser) judge(faces []inference.Face) (face *inference.Face, pose api.Direction, code string) {
	if face, code, _ = theOne(faces); face == nil {
		return nil, "", code
	}
	pose = direction(face.Quality.Yaw)
	switch reasons := face.Quality.Reasons; {
	case len(reasons) > 0:
		return face, pose, string(reasons[0])
	case !slices.Contains(p.missing, pose):
		return face, pose, p.ask()
	case p.before == nil || p.before.pose != pose || !held(p.before.box, face.Box):
		return face, pose, api.GuideStill
	}
	return face, pose, api.GuideTaken
}

// obstacle is what stood in the way most.
func (p *poser) obstacle() string {
	if len(p.hindered) == 0 {
		return api.GuideBusy
	}
	return slices.MaxFunc(slices.Sorted(maps.Keys(p.hindered)), func(a, b string) int {
		return cmp.Compare(p.hindered[a], p.hindered[b])
	})
}

// held tells whether a face was held still between two looks.
func held(before, now inference.Box) bool {
	a, b := before.Centre(), now.Centre()
	most := steady * float64(now.Width)
	return math.Hypot(float64(a.X-b.X), float64(a.Y-b.Y)) < most && math.Abs(float64(before.Width-now.Width)) < most
}

// ask is the code that asks for the next pose. The second side is the other one:
// before a camera that shows people as a mirror does, its name would be wrong.
func (p *poser) ask() string {
	switch next := p.missing[0]; {
	case next == api.Front:
		return api.GuideFront
	case p.turned:
		return api.GuideTurnOther
	case next == api.Left:
		return api.GuideTurnLeft
	default:
		return api.GuideTurnRight
	}
}

// instruction says what to do about a code.
func instruction(code string) string {
	switch code {
	case "no_face":
		return "No face is seen. Stand before the camera, and look at it."
	case "several_faces":
		return "There is more than one face. Only the person who is to be enrolled may be in the picture."
	case api.GuideTaken:
		return "That look was taken."
	case api.GuideStill:
		return "Hold still."
	case api.GuideFront:
		return "Look straight into the camera."
	case api.GuideTurnLeft:
		return "Turn your head a little to your left."
	case api.GuideTurnRight:
		return "Turn your head a little to your right."
	case api.GuideTurnOther:
		return "Turn your head a little to the other side."
	case api.GuideBusy:
		return "facerecd was busy with other requests; try again in a minute."
	}
	switch reason := inference.Reason(code); reason {
	case inference.Small:
		return "The face is too small. Come closer."
	case inference.Blurred:
		return "The face is blurred. Hold still."
	case inference.Turned:
		return "The face is turned too far. Turn it back a little, and keep your chin level."
	case inference.Uncertain:
		return "It is not certain that this is a face. Hold it upright, and uncover it."
	case inference.Unclear:
		return "The face shows too little to be told from others. Come closer, with light from the front."
	default:
		return advice(reason)
	}
}

// guide is the daemon's api.Guide.
type guide struct {
	poser

	faces *Faces
	step  api.Direction // what is asked for, or was last
	of    int
	// What was taken, and what there is to say of each.
	good     []candidate
	verdicts []api.Verdict
}

// Guide implements api.Faces.
func (f *Faces) Guide(poses []api.Direction) api.Guide {
	return &guide{poser: poser{missing: slices.Clone(poses)}, faces: f, step: poses[0], of: len(poses)}
}

// Look implements api.Guide.
func (g *guide) Look(img image.Image) (api.Guidance, error) {
	faces, err := g.faces.look(img)
	if err != nil {
		return api.Guidance{}, err
	}
	face, pose, code := g.see(faces)
	if code == api.GuideTaken {
		if err := g.take(img, face, pose); err != nil {
			return api.Guidance{}, err
		}
	}
	if len(g.missing) > 0 {
		g.step = g.missing[0]
	}
	said := api.Guidance{Step: g.step, Taken: len(g.good), Of: g.of, Code: code, Detail: instruction(code)}
	if face != nil {
		size := img.Bounds().Size()
		said.Box, said.Frame = face.Box.Pixels(size.X, size.Y), [2]int{size.X, size.Y}
	}
	return said, nil
}

func (g *guide) take(img image.Image, face *inference.Face, pose api.Direction) error {
	c, err := g.faces.candidate(img, face)
	if err != nil {
		return err
	}
	g.good = append(g.good, *c)
	g.verdicts = append(g.verdicts, api.Verdict{Image: string(pose), Quality: face.Quality.Score, Looking: pose})
	return nil
}

// Enroll implements api.Guide.
func (g *guide) Enroll(ctx context.Context, name string, force bool) (e api.Enrollment, err error) {
	if err := ctx.Err(); err != nil {
		return e, err
	}
	if len(g.good) == 0 {
		code := g.obstacle()
		e.Add(api.Verdict{Image: string(g.step), Verdict: code, Detail: instruction(code)})
		return e, nil
	}
	of := make([]int, len(g.good))
	for i := range of {
		of[i] = i
	}
	return g.faces.admit(name, g.verdicts, g.good, of, force)
}
