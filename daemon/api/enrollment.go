package api

import "facerecd/match"

// Enrollment is the answer to an enrolment.
type Enrollment struct {
	Person   match.Person `json:"person"`
	Accepted int          `json:"accepted"`
	Rejected []Rejection  `json:"rejected"` // of Images, those that were not used
	// Images has a verdict on each image, in their order.
	Images []Verdict `json:"images"`
	// Suggestions say what more would help to recognise the person, the most
	// useful first.
	Suggestions []Suggestion `json:"suggestions"`
}

// Add puts the verdict on the next image into the answer.
func (e *Enrollment) Add(v Verdict) {
	e.Images = append(e.Images, v)
	if v.Verdict == match.Accepted {
		e.Accepted++
	} else {
		e.Rejected = append(e.Rejected, Rejection{v.Image, v.Verdict, v.Detail})
	}
}

// complete makes lists of what there is none of, as the contract has them.
func (e *Enrollment) complete() {
	e.Rejected, e.Images, e.Suggestions = orEmpty(e.Rejected), orEmpty(e.Images), orEmpty(e.Suggestions)
}

// Rejection says why one image was not used.
type Rejection struct {
	Image  string `json:"image"`  // file name as sent
	Reason string `json:"reason"` // stable code, for programs: no_face, small, corrupt, …
	Detail string `json:"detail"` // sentence, for people: what is wrong and what would help
}

// Verdict says what became of one image.
type Verdict struct {
	Image     string    `json:"image"`                // file name as sent
	Verdict   string    `json:"verdict"`              // match.Accepted, or the reason as a stable code
	Detail    string    `json:"detail"`               // sentence: what is wrong and what would help; "" when accepted
	Quality   float32   `json:"quality"`              // of the face, 0..1; 0 when none was found
	Looking   Direction `json:"looking,omitempty"`    // "" when no face was found
	LooksLike *Likeness `json:"looks_like,omitempty"` // who else the face looks like, also when force let it pass
}

// Likeness is somebody who is enrolled, and how much a face is like theirs.
type Likeness struct {
	ID         string  `json:"id"`
	Name       string  `json:"name"`
	Score      float32 `json:"score"`      // cosine, -1..1
	Confidence float32 `json:"confidence"` // calibrated probability that it is that person, 0..1
}

// Direction is where a face looks, as the person would say it.
type Direction string

// The directions. Left is the person's own.
const (
	Front Direction = "front"
	Left  Direction = "left"
	Right Direction = "right"
)

// Suggestion says what would help.
type Suggestion struct {
	Code   string `json:"code"`   // for programs
	Detail string `json:"detail"` // for people
}

// The codes of a Suggestion.
const (
	SuggestMore  = "more_photos"
	SuggestFront = "look_ahead"
	SuggestLeft  = "look_left"
	SuggestRight = "look_right"
	SuggestLight = "more_light"
)
