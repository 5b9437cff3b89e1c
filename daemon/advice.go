package daemon

import (
	"facerecd/daemon/api"
	"facerecd/inference"
)

const (
	// aside is from where on a face looks to the side, in the units of
	// inference.Quality.Yaw. Half of the faces of LFW are within 0.09, one in
	// nine is beyond aside.
	aside = 0.15
	// enough templates of a person are not asked for more.
	enough = 5
	// dim is a brightness below which a photo was taken in poor light; a face
	// is too dark to be enrolled below about 30. One in 20 of LFW's is dim.
	dim = 92
)

// direction is where a face with the yaw looks. A nose that is further right
// in the picture is turned to the person's own left.
func direction(yaw float32) api.Direction {
	switch {
	case yaw >= aside:
		return api.Left
	case yaw <= -aside:
		return api.Right
	}
	return api.Front
}

// suggest says what more would help to recognise somebody of whom these photos
// were taken now, and who has so many templates in all. How those of before
// look is not known, so that of somebody who has enough of them nothing is
// asked.
func suggest(photos []inference.Quality, templates int) []api.Suggestion {
	if len(photos) == 0 || templates >= enough {
		return nil
	}
	seen := map[api.Direction]bool{}
	light := false
	for _, q := range photos {
		seen[direction(q.Yaw)] = true
		light = light || q.Brightness >= dim
	}
	var all []api.Suggestion
	for _, s := range []struct {
		missing bool
		api.Suggestion
	}{
		{!seen[api.Front], api.Suggestion{Code: api.SuggestFront, Detail: "Add a photo looking straight ahead."}},
		{!light, api.Suggestion{Code: api.SuggestLight, Detail: "Add a photo in better light."}},
		{!seen[api.Left], api.Suggestion{Code: api.SuggestLeft, Detail: "Add a photo looking a little to the left."}},
		{!seen[api.Right], api.Suggestion{Code: api.SuggestRight, Detail: "Add a photo looking a little to the right."}},
		{templates < 3, api.Suggestion{Code: api.SuggestMore, Detail: "Add photos taken on other days: three to five make a person well known."}},
	} {
		if s.missing {
			all = append(all, s.Suggestion)
		}
	}
	return all
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
