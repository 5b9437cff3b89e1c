//go:build vm

package vm_test

import (
	"bytes"
	"image/jpeg"
	"io"
	"net/http"
	"os/exec"
	"strings"
	"testing"
	"time"

	"facerecd/cross/vm/vivid"
)

const door = `  - name: door
    source: /dev/video10
`

func TestWhoIsBeforeTheCameraIsPublishedByName(t *testing.T) {
	camera := vivid.Load(t, 1)[0]
	camera.Feed(t, picture(t, "obama.jpg", 4))
	ear := listen(t)
	s := start(t, door)
	s.enrol(t)
	const events = "facerecd/vm/door/event"
	m := ear.recognized(t, time.Time{})
	t.Logf("%s", m.payload)
	ear.wait(t, "obama is present", "facerecd/vm/door/present", time.Time{}, func(d decoded) bool {
		return len(d.People) == 1 && d.People[0].Name == "obama"
	})

	swapped := time.Now()
	camera.Feed(t, picture(t, "biden.jpg", 4))
	ear.wait(t, "obama has left", events, swapped, func(d decoded) bool {
		return d.Type == "left" && d.Person != nil && d.Person.Name == "obama"
	})
	ear.wait(t, "somebody unknown is seen", events, swapped, func(d decoded) bool {
		return d.Type == "unknown" && d.Person == nil
	})
	for _, m := range ear.messages() {
		if m.topic == events && m.retained {
			t.Errorf("an event is retained: %s", m.payload)
		}
	}
	s.wantSameProcess(t)
}

func TestServiceStartsWithoutACameraAndFindsItWhenItIsPluggedIn(t *testing.T) {
	vivid.Unload(t)
	ear := listen(t)
	s := start(t, door)
	s.enrol(t)
	eventually(t, "the camera is missing", func() bool { return s.camera(t, "door").Code == "not_found" })
	ear.wait(t, "the status says so", "facerecd/vm/door/status", time.Time{}, func(d decoded) bool {
		return d.State == "failed" && d.Code == "not_found"
	})

	vivid.Load(t, 1)[0].Feed(t, picture(t, "obama.jpg", 4))
	eventually(t, "the camera is found", s.streaming(t, "door"))
	ear.recognized(t, time.Time{})
	s.wantSameProcess(t)
}

func TestSnapshotShowsWhatTheCameraSees(t *testing.T) {
	camera := vivid.Load(t, 1)[0]
	want := picture(t, "biden.jpg", 2)
	camera.Feed(t, want)
	s := start(t, door)
	eventually(t, "the camera streams", s.streaming(t, "door"))
	var body []byte
	eventually(t, "there is a snapshot", func() bool { // the first look takes long here
		resp, err := http.Get(s.client.BaseURL + "/api/v1/cameras/door/snapshot.jpg")
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if body, err = io.ReadAll(resp.Body); err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode == http.StatusOK
	})
	img, err := jpeg.Decode(bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if b := img.Bounds(); b.Dx() != vivid.Width || b.Dy() != vivid.Height {
		t.Fatalf("the snapshot has %v", b)
	}
	var off, n float64
	for y := 0; y < vivid.Height; y += 7 {
		for x := 0; x < vivid.Width; x += 7 {
			r, g, b, _ := img.At(x, y).RGBA()
			luma := 16 + (65.738*float64(r>>8)+129.057*float64(g>>8)+25.064*float64(b>>8))/256
			d := luma - float64(want[2*(y*vivid.Width+x)])
			off, n = off+d*d, n+1
		}
	}
	if off/n > 36 {
		t.Errorf("the snapshot's brightness is off by %.1f squared levels on average", off/n)
	}
}

func TestDoctorNamesTheCameraAndWhatItCanDo(t *testing.T) {
	vivid.Load(t, 1)
	start(t, door)
	out, _ := exec.Command("facerecd", "doctor").CombinedOutput() // it may find other things to mend
	t.Logf("%s", out)
	for _, want := range []string{"/dev/video10", "vivid", "yuyv", "16x16 to", "platform-vivid.0", `configured as "door"`} {
		if !strings.Contains(string(out), want) {
			t.Errorf("doctor does not say %q", want)
		}
	}
}

func TestServiceKeepsItsFilesToItself(t *testing.T) {
	start(t, door).enrol(t)
	found := vivid.Run(t, "find", "/var/lib/facerecd", "!", "-user", "facerecd", "-o", "-perm", "/077", "!", "-type", "l")
	if found != "" {
		t.Errorf("others can see, or own:\n%s", found)
	}
	if user := strings.TrimSpace(vivid.Run(t, "ps", "-o", "user=", "-C", "facerecd")); user != "facerecd" {
		t.Errorf("it runs as %q", user)
	}
}
