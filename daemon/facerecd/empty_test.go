package main

import (
	"bytes"
	"image"
	"image/jpeg"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"facerecd/capture"
	"facerecd/capture/replay"
	"facerecd/daemon/api/client"
)

// emptyMemory is what the program may take, resident, while a camera of 640x480
// shows people of whom nobody is enrolled.
const emptyMemory = 70 << 20

func TestWithNobodyEnrolledItTakesLittleMemory(t *testing.T) {
	config, server, _ := configure(t)
	text, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	write(t, config, regexp.MustCompile(`source: .*}`).ReplaceAll(text, []byte("source: "+film(t, "obama", "biden")+", fps: 15}")))
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	v := &victim{program: build(t), config: config, transport: transport, Client: &client.Client{BaseURL: server, HTTP: &http.Client{Transport: transport}}}
	v.start(t)
	defer v.kill()
	memory := make([]int64, 40)
	for i := range memory {
		time.Sleep(500 * time.Millisecond)
		h, err := v.Health(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		memory[i] = h.Process.RSS
	}
	t.Logf("memory: %d MiB", inMiB(memory))
	if m := mean(memory[len(memory)/2:]); m > emptyMemory {
		t.Errorf("%d MiB on average in the second half, more than %d", m>>20, emptyMemory>>20)
	}
}

// film is a recording of a USB camera before which people take turns.
func film(t *testing.T, photos ...string) string {
	t.Helper()
	var all bytes.Buffer
	for _, name := range photos {
		s, err := replay.Open(photo(t, name), replay.Options{Width: 640, Height: 480})
		if err != nil {
			t.Fatal(err)
		}
		var f capture.Frame
		err = s.Read(t.Context(), &f)
		s.Close()
		if err != nil {
			t.Fatal(err)
		}
		picture := image.NewRGBA(image.Rect(0, 0, f.Width, f.Height))
		for shift := range 3 { // held by somebody
			for i := range f.Width*f.Height - shift {
				copy(picture.Pix[4*i:], f.Data[3*(i+shift):3*(i+shift)+3])
				picture.Pix[4*i+3] = 255
			}
			for range 20 {
				if err := jpeg.Encode(&all, picture, nil); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	return write(t, filepath.Join(t.TempDir(), "people.mjpeg"), all.Bytes())
}
