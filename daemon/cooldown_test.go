package daemon

import (
	"testing"
	"time"

	"facerecd/daemon/event"
	"facerecd/daemon/track"
)

func TestACooldownMutesWholeTracksOfOnePerson(t *testing.T) {
	c := &cooldown{For: time.Minute}
	began := time.Now()
	for _, step := range []struct {
		after  time.Duration
		what   event.Type
		track  string
		person string
		muted  bool
	}{
		{0, event.Recognized, "1", "ana", false},
		{5, event.Left, "1", "ana", false},
		{10, event.Recognized, "2", "ana", true},
		{11, event.Recognized, "3", "bo", false}, // somebody else
		{20, event.Left, "2", "ana", true},
		{21, event.Left, "3", "bo", false},
		{30, event.Unknown, "4", "", false},
		{31, event.Recognized, "4", "ana", false}, // was told as a stranger
		{32, event.Left, "4", "ana", false},
		{90, event.Recognized, "5", "ana", true}, // 59 s after that
		{92, event.Recognized, "6", "ana", false},
		{93, event.Left, "5", "ana", true},
		{94, event.Left, "6", "", false}, // deleted meanwhile
	} {
		change := track.Change{Type: step.what, Track: track.Track{ID: step.track, Person: step.person}, At: began.Add(step.after * time.Second)}
		if got := c.mutes(change); got != step.muted {
			t.Errorf("%d s, %s of track %s: muted %t", step.after, step.what, step.track, got)
		}
	}
	if len(c.muted)+len(c.strangers) > 0 {
		t.Errorf("tracks that have left are kept: %v, %v", c.muted, c.strangers)
	}
	never := new(cooldown)
	for range 2 {
		if never.mutes(track.Change{Type: event.Recognized}) {
			t.Error("without a cooldown something is muted")
		}
	}
}
