package api

import (
	"context"
	"errors"
	"image"
	"iter"
	"strings"
	"time"

	"facerecd/capture/still"
	"facerecd/daemon/event"
	"facerecd/match"
)

// The bounds on what one request may carry. They are checked before anything
// is decoded.
const (
	MaxImages     = 50                     // images in one enrolment
	MaxImageBytes = still.DefaultMaxBytes  // one compressed image
	MaxPixels     = still.DefaultMaxPixels // one image, by its header
	MaxBodyBytes  = 64 << 20               // all of a request's body
)

// Faces looks at pictures. Its methods are called by several goroutines at
// once and stop early, storing nothing, when ctx ends.
type Faces interface {
	// Enroll stores the embeddings of the usable images under name, in one
	// transaction: it creates the person, or adds to the one of that name.
	// The sequence decodes an image when it is asked for it, so that one
	// decoded picture is in memory at a time; it can be ranged over once, and
	// an Upload's picture must not be kept. An image that cannot be used, an
	// Upload with Err set among them, gets a Verdict that says so and is no error.
	// When none can be used, nothing is stored and Accepted is 0. With force,
	// images are used also that do not match the others, or look like somebody
	// else.
	Enroll(ctx context.Context, name string, images iter.Seq[Upload], force bool) (Enrollment, error)
	// Guide begins an enrolment before a camera, with a look in each of the poses, of
	// which there is one or more.
	Guide(poses []Direction) Guide
	// Recognize finds every face in img and says whose it is. Nothing is stored.
	Recognize(ctx context.Context, img image.Image) (Recognition, error)
}

// Upload is one image of an enrolment: a picture, or the reason why there is
// none.
type Upload struct {
	Name  string // the file name as sent, or "image 3" when none was
	Image image.Image
	Err   error // Verdict puts it in words
}

// Recognition is what one picture shows.
type Recognition struct {
	Frame [2]int `json:"frame"` // width and height of the upright picture, pixels
	Faces []Face `json:"faces"`
}

// Face is one face of a Recognition, in pixels of its frame.
type Face struct {
	Box        [4]int        `json:"box"`        // x, y, width, height
	Landmarks  [5][2]float32 `json:"landmarks"`  // left eye, right eye, nose, mouth corners, as the picture shows them
	Quality    float32       `json:"quality"`    // 0..1
	Reasons    []string      `json:"reasons"`    // codes of what lowers the quality
	Person     *event.Person `json:"person"`     // null when it is nobody's who is known
	Score      float32       `json:"score"`      // cosine of the best person, -1..1
	Confidence float32       `json:"confidence"` // calibrated probability that it is that person, 0..1
}

// People keeps who was enrolled. Its methods are called by several goroutines
// at once. Get, Edit and Delete answer ErrPersonNotFound (possibly wrapped)
// for an id that is nobody's, Edit ErrNameTaken when somebody else has the
// name.
type People interface {
	// List returns the selected people in the order of their ids, which is that
	// of their enrolment.
	List(ctx context.Context, which Selection) ([]match.Person, error)
	Get(ctx context.Context, id string) (match.Person, error)
	Edit(ctx context.Context, id string, e match.Edit) (match.Person, error)
	// Delete forgets the person and everything made from their face; when it
	// returns, no crash brings them back.
	Delete(ctx context.Context, id string) (Receipt, error)
}

// Selection is some of the people. The zero value selects everybody.
type Selection struct {
	After string // whose ids are greater
	Name  string // whose names have this in them, whatever its case
	Limit int    // the first of them; 0: all
}

// The errors by which a People tells a caller's mistake from its own trouble.
var (
	ErrPersonNotFound = errors.New("no such person")
	ErrNameTaken      = errors.New("somebody else has this name")
)

// Receipt says what was deleted with a person.
type Receipt struct {
	Person    string `json:"person"`    // id; the name is not repeated
	Templates int    `json:"templates"` // embeddings deleted
	Crops     int    `json:"crops"`     // pictures of the face deleted, which keep_crops stored
	History   int    `json:"history"`   // events deleted from the history, with their embeddings
	Pictures  int    `json:"pictures"`  // pictures of the face deleted from the history
	Alike     int    `json:"alike"`     // other events that lost embedding and picture, as their face is like this one
	Strangers int    `json:"strangers"` // strangers deleted who looked like the person
	Queued    int    `json:"queued"`    // events that wait to be published, and go out without the person
	Topics    int    `json:"topics"`    // retained MQTT topics from which they are taken; while the broker is away, when it is back
	Fleet     int    `json:"fleet"`     // records of the fleet that become a mark of the deletion, likewise: 1, or 0 without a fleet
	Purged    bool   `json:"purged"`    // no file holds any of it; false: that is still being seen to
}

// Overlay is what is drawn into a live picture.
type Overlay struct {
	Boxes bool // around each face
	Names bool // beside each face
}

// String is the overlay as the parameter of an address has it.
func (o Overlay) String() string {
	var s []string
	if o.Boxes {
		s = append(s, "boxes")
	}
	if o.Names {
		s = append(s, "names")
	}
	return strings.Join(s, ",")
}

// Picture is a JPEG. Its bytes are shared, and not changed.
type Picture struct {
	JPEG []byte
	At   time.Time // when it was taken
}

// Camera is what is known of one camera.
type Camera struct {
	CameraHealth
	Slug   string `json:"slug"`  // the name as addresses and topics have it
	Width  int    `json:"width"` // of the last picture, upright, in pixels; 0 before the first
	Height int    `json:"height"`
}

// Cameras is what the cameras see now. Its methods are called by several
// goroutines at once.
type Cameras interface {
	// List returns all cameras, in the order of the configuration.
	List() []Camera
	// Next waits for the next picture of the camera that List calls so.
	// Pictures that nobody waits for cost nothing.
	Next(ctx context.Context, name string, o Overlay) (Picture, error)
	// Switch turns the camera on or off, and returns when it is: off, its
	// device is closed, and it stays off over restarts. It answers
	// ErrCameraChanged for a camera that is no longer there.
	Switch(name string, on bool) error
}

// Events is what happened, and what happens.
type Events interface {
	// History returns at most limit stored events, the newest first: those
	// from before the event with the given id, or the newest when it is empty.
	History(ctx context.Context, before string, limit int) ([]event.Event, error)
	// Subscribe returns the events from now on, each after it is in the
	// history, and closes the channel when ctx ends, whether or not anybody
	// still reads it. A reader that falls behind may lose events only when the
	// channel's buffer is full, or else the channel is closed: the stream then
	// ends, and its client comes back with the last id it saw and is given what
	// it missed.
	Subscribe(ctx context.Context) <-chan event.Event
}

// History is what happened, and what was seen then. Its methods are called by several
// goroutines at once. Those that take an event's id answer ErrEventNotFound
// (possibly wrapped) when there is no such event.
type History interface {
	// Find returns at most limit events that the filter wants, the newest first: those
	// from before the event with the given id, or the newest when it is empty.
	Find(ctx context.Context, f event.Filter, before string, limit int) ([]event.Past, error)
	// Get returns one event, with its picture when there is one.
	Get(ctx context.Context, id string) (event.Past, error)
	// Search returns at most limit events with the face that img shows, the most alike
	// first, or the reason why img is of no use. Nothing is stored.
	Search(ctx context.Context, img image.Image, limit int) ([]event.Past, *Rejection, error)
	// Enroll enrols the face of an event under the name, as Faces.Enroll does, and
	// names the event.
	Enroll(ctx context.Context, id, name string, force bool) (Enrollment, error)
	// Reject takes the person out of an event who was not there, and sees to it that
	// this face is not taken for theirs again. It answers ErrNobody when the event names
	// nobody.
	Reject(ctx context.Context, id string) (event.Past, error)
}

// The errors by which a History tells a caller's mistake from its own trouble.
var (
	ErrEventNotFound = errors.New("no such event")
	ErrNobody        = errors.New("the event names nobody")
	ErrNoEmbedding   = errors.New("nothing is stored of the event's face that could be compared")
)

// The values of Health.Status.
const (
	StatusOK       = "ok"
	StatusDegraded = "degraded" // something that was configured does not work; the rest does
)

// Health is how the daemon fares.
type Health struct {
	Status  string         `json:"status"`
	Version string         `json:"version"`
	Uptime  int64          `json:"uptime_s"` // whole seconds
	Cameras []CameraHealth `json:"cameras"`
	MQTT    MQTTHealth     `json:"mqtt"`
	Fleet   *FleetHealth   `json:"fleet,omitempty"` // nil: people are shared with no other device
	Process ProcessHealth  `json:"process"`

	Accelerator *AcceleratorHealth `json:"accelerator,omitempty"` // nil: nobody has asked for a GPU

	Checks []Condition `json:"checks"` // what is wrong now
}

// AcceleratorHealth is where the models run, as was found out at the start.
type AcceleratorHealth struct {
	Setting string        `json:"setting"` // auto or gpu
	Models  []ModelHealth `json:"models"`
}

// ModelHealth is where a model runs.
type ModelHealth struct {
	Model  string  `json:"model"`            // detector, landmarks or embedding
	RunsOn string  `json:"runs_on"`          // cpu or gpu
	Reason string  `json:"reason,omitempty"` // why it is not on the GPU
	CPU    float64 `json:"cpu_ms,omitzero"`  // of a run; 0: it was not measured
	GPU    float64 `json:"gpu_ms,omitzero"`
}

// CameraHealth is the state of one camera. The counts are since the start.
type CameraHealth struct {
	Name     string    `json:"name"`
	State    string    `json:"state"`    // starting, streaming, failed or ended: a capture.State; or off: switched off
	Code     string    `json:"code"`     // why it is not streaming, by capture.Code; else empty
	Hint     string    `json:"hint"`     // what to do about that
	Since    time.Time `json:"since"`    // when State or Code became so
	Frames   uint64    `json:"frames"`   // good frames
	FPS      float64   `json:"fps"`      // of them, a second, measured over the last five
	Skipped  uint64    `json:"skipped"`  // good frames that nobody had time to look at
	Damaged  uint64    `json:"damaged"`  // frames that came damaged
	Lost     uint64    `json:"lost"`     // frames that never came
	Reopened uint64    `json:"reopened"` // times the camera was opened again after a failure
}

// ProcessHealth is for support, and for the hunt for leaks. What the system
// does not tell is 0, and left out.
type ProcessHealth struct {
	Goroutines  int   `json:"goroutines"`
	Descriptors int   `json:"descriptors,omitzero"` // open files, sockets and devices
	RSS         int64 `json:"rss_bytes,omitzero"`   // memory, resident
}

// MQTTHealth is the state of the way out.
type MQTTHealth struct {
	Connected bool   `json:"connected"`
	Backlog   int    `json:"backlog"` // events that wait for the broker
	Dropped   uint64 `json:"dropped"` // events that went unpublished, ever, as too many waited or for too long
}

// FleetHealth is how sharing people with other devices fares. The counts are of
// records, since the start.
type FleetHealth struct {
	ID        string `json:"id"`      // the same on all devices with the key
	InStep    bool   `json:"in_step"` // everything that the broker has is taken in
	Published uint64 `json:"published"`
	Taken     uint64 `json:"taken"`   // told something new
	Stale     uint64 `json:"stale"`   // were older than what was known, and replaced
	Refused   uint64 `json:"refused"` // were not made with the key, damaged, or of a newer version
}

// Condition is something that needs attention.
type Condition struct {
	Code     string    `json:"code"`
	Severity string    `json:"severity"`
	Since    time.Time `json:"since"`
	Hint     string    `json:"hint"` // what to do about it
}
