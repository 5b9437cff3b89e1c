package daemon

import (
	"image"
	"testing"

	"facerecd/daemon/event"
)

// lying writes a demo photo as a camera sees it that was turned to the left by
// a quarter: the people in it lie on their right side.
func lying(t *testing.T, name string) string {
	t.Helper()
	upright := readPicture(t, name)
	size := upright.Bounds().Size()
	turned := image.NewRGBA(image.Rect(0, 0, size.Y, size.X))
	for y := range size.Y {
		for x := range size.X {
			turned.Set(size.Y-1-y, x, upright.At(x, y))
		}
	}
	return save(t, name+".jpg", encode(t, turned))
}

func TestATurnedCameraTellsOfTheUprightPicture(t *testing.T) {
	c := settings(t, lying(t, "obama"))
	c.Cameras[0].Width, c.Cameras[0].Height, c.Cameras[0].Rotate = 480, 640, 270
	r := start(t, c)
	enrolled, err := r.Register(t.Context(), "obama", []string{photo(t, "obama2"), photo(t, "obama3")})
	if err != nil {
		t.Fatal(err)
	}
	w := watch(t, r.broker, "")
	// The watcher checks that frames are 640x480 and boxes inside.
	seen := w.event(t, func(e event.Event) bool { return e.Type == event.Recognized })
	if seen.Person == nil || seen.Person.ID != enrolled.Person.ID {
		t.Errorf("the event is of %+v, want %+v", seen.Person, enrolled.Person)
	}
	// The photo stands in the middle of the frame, and the face in its upper half.
	if x, y := seen.Box[0]+seen.Box[2]/2, seen.Box[1]+seen.Box[3]/2; x < 200 || x > 440 || y > 240 {
		t.Errorf("the box is %v", seen.Box)
	}
}
