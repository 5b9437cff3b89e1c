package capture

import (
	"errors"
	"time"
)

// State says in one word what a Camera is doing.
type State string

// The states of a Camera.
const (
	Starting  State = "starting"  // not opened yet, or opened and no frame seen
	Streaming State = "streaming" // frames arrive
	Failed    State = "failed"    // closed, and opened again after a pause
	Ended     State = "ended"     // a recording was played to its end
)

// Status is what is known of a Camera at one moment.
type Status struct {
	State State
	Code  string    // why, for programs: see Code; empty while starting or streaming
	Err   error     // why, for people
	Hint  string    // what the user can do about it
	Since time.Time // when State or Code last changed

	Frames   uint64 // frames that were handed on since Run began
	Damaged  uint64 // frames that the source called damaged
	Lost     uint64 // frames that never reached the source, by the gaps in Seq
	Reopened uint64 // times the source was opened again after a failure
}

// reason ties an error to its stable code and to what the user can do.
type reason struct {
	err  error
	code string
	hint string
}

func reasons() []reason {
	return []reason{
		{ErrUnplugged, "unplugged", "check the camera's cable and power; it is opened again when it is back"},
		{ErrStream, "stream", "it is started again by itself; when that happens often, try another cable or port, a better power supply or a smaller picture"},
		{ErrFrozen, "frozen", "check that nothing covers the lens, and unplug the camera and plug it in again; for a picture that stands still on purpose, set the camera's frozen_after to 0s"},
		{ErrStalled, "stalled", "unplug the camera and plug it in again, or ask for a smaller picture or fewer frames a second"},
		{ErrBusy, "busy", "close the other program that uses the camera; `fuser -v /dev/video*` names it"},
		{ErrPermission, "permission", "for a network camera, check the user and password in its source; for another, add the user that runs facerecd to the group video and restart it"},
		{ErrNotFound, "not_found", "check the camera's source in the configuration; `facerecd doctor` lists the cameras that are plugged in"},
		{ErrUnsupported, "unsupported", "use another camera, or the source that the error names; `facerecd doctor` lists what each camera offers"},
		{ErrBadFrame, "bad_frame", "check the camera's cable, or ask for a smaller picture"},
		{ErrEnd, "ended", "play the recording in a loop, or start again"},
	}
}

// Code is the stable word for the reason why a Source stopped: "unplugged",
// "stream", "frozen", "stalled", "busy", "permission", "not_found",
// "unsupported", "bad_frame" or "ended", and "failed" for what is none of them.
func Code(err error) string {
	for _, r := range reasons() {
		if errors.Is(err, r.err) {
			return r.code
		}
	}
	return "failed"
}

// Hint says what the user can do about the error of a Source.
func Hint(err error) string {
	for _, r := range reasons() {
		if errors.Is(err, r.err) {
			return r.hint
		}
	}
	return "run `facerecd doctor`, and check the camera's settings in the configuration"
}
