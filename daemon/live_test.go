package daemon

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	stdjpeg "image/jpeg"
	"io"
	"math"
	"mime"
	"mime/multipart"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"facerecd/capture"
	"facerecd/daemon/api"
	"facerecd/daemon/event"
	"facerecd/daemon/live"
	"facerecd/inference"
)

// snapshot is what a camera shows, decoded.
func (r *rig) snapshot(t *testing.T, camera string, o api.Overlay) (api.Picture, image.Image) {
	t.Helper()
	p, err := r.Snapshot(t.Context(), camera, o)
	if err != nil {
		t.Fatal(err)
	}
	img, err := stdjpeg.Decode(bytes.NewReader(p.JPEG))
	if err != nil {
		t.Fatal(err)
	}
	return p, img
}

// psnr is how like two pictures are, in decibels; 30 is what only an eye that
// looks for it tells apart.
func psnr(t *testing.T, a, b image.Image) float64 {
	t.Helper()
	size := a.Bounds().Size()
	if size != b.Bounds().Size() {
		t.Fatalf("sizes %v and %v", size, b.Bounds().Size())
	}
	var sum float64
	for y := range size.Y {
		for x := range size.X {
			ar, ag, ab, _ := a.At(x, y).RGBA()
			br, bg, bb, _ := b.At(x, y).RGBA()
			for _, d := range []float64{float64(ar) - float64(br), float64(ag) - float64(bg), float64(ab) - float64(bb)} {
				sum += d * d / 257 / 257
			}
		}
	}
	return 10 * math.Log10(255*255*float64(3*size.X*size.Y)/sum)
}

// changed is the smallest rectangle within area outside of which two pictures
// are as good as the same there.
func changed(a, b image.Image, area image.Rectangle) (r image.Rectangle) {
	area = area.Intersect(a.Bounds())
	for y := area.Min.Y; y < area.Max.Y; y++ {
		for x := area.Min.X; x < area.Max.X; x++ {
			ar, ag, ab, _ := a.At(x, y).RGBA()
			br, bg, bb, _ := b.At(x, y).RGBA()
			if max(diff(ar, br), diff(ag, bg), diff(ab, bb)) > 40<<8 {
				r = r.Union(image.Rect(x, y, x+1, y+1))
			}
		}
	}
	return r
}

func diff(a, b uint32) uint32 { return max(a, b) - min(a, b) }

func TestASnapshotShowsTheFrameAndWhoIsInIt(t *testing.T) {
	c := settings(t, photo(t, "obama"))
	c.Cameras[0].Name = "Front Door"
	r := start(t, c)
	want := imageOf(shot(t, "obama"))
	began := time.Now()
	p, plain := r.snapshot(t, "front-door", api.Overlay{})
	if likeness := psnr(t, plain, want); likeness < 30 {
		t.Errorf("like the photo by %.1f dB", likeness)
	} else {
		t.Logf("like the photo by %.1f dB, %d bytes", likeness, len(p.JPEG))
	}
	if p.At.Before(began.Add(-time.Second)) || p.At.After(time.Now()) {
		t.Errorf("taken at %v, asked for at %v", p.At, began)
	}
	cameras, err := r.Cameras(t.Context())
	if err != nil || len(cameras) != 1 {
		t.Fatalf("cameras: %+v, %v", cameras, err)
	}
	if c := cameras[0]; c.Name != "Front Door" || c.Slug != "front-door" || c.State != "streaming" || c.Width != 640 || c.Height != 480 || c.Frames == 0 || c.Code != "" {
		t.Errorf("camera: %+v", c)
	}

	name := func() event.Event {
		var seen event.Event
		eventually(t, "somebody is recognised", func() bool {
			rows, err := r.Daemon.health.parts.log.History(t.Context(), "", 1)
			if err != nil || len(rows) == 0 || rows[0].Type != event.Recognized {
				return false
			}
			seen = rows[0]
			return true
		})
		return seen
	}
	enrolled, err := r.Register(t.Context(), "Barack Hussein Obama", []string{photo(t, "obama2"), photo(t, "obama3")})
	if err != nil {
		t.Fatal(err)
	}
	box := name().Box
	face := image.Rect(box[0], box[1], box[0]+box[2], box[1]+box[3])

	_, boxed := r.snapshot(t, "Front Door", api.Overlay{Boxes: true})
	if got := changed(boxed, plain, plain.Bounds()); !around(got, face) {
		t.Errorf("the box is drawn in %v, want around %v", got, face)
	}
	if got := changed(boxed, plain, face.Inset(10)); !got.Empty() {
		t.Errorf("the face was drawn over in %v", got)
	}
	above := image.Rect(0, face.Min.Y-24, 640, face.Min.Y)
	_, named := r.snapshot(t, "Front Door", api.Overlay{Names: true})
	long := changed(named, plain, above)
	if long.Dx() < 150 || long.Dy() < 15 || long.Min.X > face.Min.X+8 {
		t.Errorf("of the name is there %v, want it above %v", long, face)
	}
	if got := changed(named, plain, plain.Bounds()); !got.In(above.Inset(-3)) {
		t.Errorf("the name is drawn in %v, want in %v", got, above)
	}
	if _, err := r.Rename(t.Context(), enrolled.Person.ID, "Bo"); err != nil {
		t.Fatal(err)
	}
	_, named = r.snapshot(t, "Front Door", api.Overlay{Names: true})
	if short := changed(named, plain, above); short.Dx() > long.Dx()-60 || short.Dx() < 40 {
		t.Errorf("a shorter name takes %v, the longer one %v", short, long)
	}
	if _, err := r.Delete(t.Context(), enrolled.Person.ID); err != nil {
		t.Fatal(err)
	}
	// Gone at once; it takes a while until it is unknown.
	p, named = r.snapshot(t, "Front Door", api.Overlay{Names: true})
	if got := changed(named, plain, above); !got.Empty() && got.Dx() < 55 {
		t.Errorf("the label of somebody forgotten is %v, at %v", got, p.At)
	}
}

// around tells whether a drawn box is that of the face, give or take the few
// pixels by which boxes move.
func around(drawn, face image.Rectangle) bool {
	return drawn.In(face.Inset(-4)) && face.Inset(4).In(drawn)
}

func TestTheJPEGOfACameraIsShownAsItIs(t *testing.T) {
	file := encode(t, imageOf(shot(t, "obama")))
	path := filepath.Join(t.TempDir(), "obama.mjpeg")
	if err := os.WriteFile(path, bytes.Repeat(file, 3), 0o600); err != nil {
		t.Fatal(err)
	}
	c := settings(t, path)
	c.Cameras[0].Hold = 0
	turned := c.Cameras[0]
	turned.Name, turned.Rotate = "turned", 180
	c.Cameras = append(c.Cameras, turned)
	r := start(t, c)
	p, upright := r.snapshot(t, "door", api.Overlay{})
	if !bytes.Equal(p.JPEG, file) {
		t.Errorf("%d bytes, the camera sent %d", len(p.JPEG), len(file))
	}
	_, img := r.snapshot(t, "turned", api.Overlay{})
	back := image.NewRGBA(image.Rect(0, 0, 640, 480))
	for y := range 480 {
		for x := range 640 {
			back.Set(639-x, 479-y, img.At(x, y))
		}
	}
	if likeness := psnr(t, back, upright); likeness < 30 {
		t.Errorf("turned and turned back it is like by %.1f dB", likeness)
	}
	_, boxed := r.snapshot(t, "door", api.Overlay{Boxes: true})
	if got := changed(boxed, upright, upright.Bounds()); got.Dx() < 60 || got.Dx() > 300 {
		t.Errorf("the box is drawn in %v", got)
	}
}

// view opens a stream of the camera "door" on a connection of its own, and
// closes it at the end of the test.
func (r *rig) view(t *testing.T, query string) *multipart.Reader {
	t.Helper()
	conn, err := net.Dial("tcp", r.Config.HTTP.Listen)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	// A phone on a bad link takes no more than that.
	if err := conn.(*net.TCPConn).SetReadBuffer(32 << 10); err != nil {
		t.Fatal(err)
	}
	_ = conn.SetReadDeadline(time.Now().Add(patience))
	if _, err := fmt.Fprintf(conn, "GET /api/v1/cameras/door/stream.mjpg%s HTTP/1.1\r\nHost: localhost\r\n\r\n", query); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	_, parameters, err := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s, %v", resp.Status, err)
	}
	return multipart.NewReader(resp.Body, parameters["boundary"])
}

// nextPart is a stream's next picture.
func nextPart(t *testing.T, stream *multipart.Reader) api.Picture {
	t.Helper()
	part, err := stream.NextRawPart()
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(part)
	if err != nil {
		t.Fatal(err)
	}
	at, err := time.Parse(time.RFC3339, part.Header.Get("X-Timestamp"))
	if err != nil {
		t.Fatal(err)
	}
	return api.Picture{JPEG: data, At: at}
}

func TestAStreamShowsWhatChanges(t *testing.T) {
	c := settings(t, folder(t, "obama", "biden", "obama2"))
	c.Cameras[0].Hold = 300 * time.Millisecond
	r := start(t, c)
	stream := r.view(t, "?overlay=boxes,names")
	different := map[string]bool{}
	var last time.Time
	for range 12 {
		p := nextPart(t, stream)
		if !p.At.After(last) {
			t.Errorf("a picture of %v after one of %v", p.At, last)
		}
		last = p.At
		if _, err := stdjpeg.DecodeConfig(bytes.NewReader(p.JPEG)); err != nil {
			t.Error(err)
		}
		different[string(p.JPEG)] = true
	}
	if len(different) < 3 {
		t.Errorf("%d different pictures of three photos", len(different))
	}
	if took := r.stop(t); took > 1500*time.Millisecond*slow {
		t.Errorf("with a watcher, stopping took %v", took)
	}
}

func TestASlowWatcherIsSentNoOldPictures(t *testing.T) {
	r := start(t, settings(t, photo(t, "obama")))
	stream := r.view(t, "")
	nextPart(t, stream)
	time.Sleep(3 * time.Second * slow) // thirty pictures, or more
	old := 0
	for ; old < 30; old++ {
		if time.Since(nextPart(t, stream).At) < time.Second*slow {
			break
		}
	}
	if old > 8 {
		t.Errorf("%d pictures were waiting for the watcher", old)
	}
	t.Logf("%d old pictures", old)
}

func TestRecognitionDoesNotWaitForAWatcherWhoNeverReads(t *testing.T) {
	r := start(t, settings(t, folder(t, "obama", "biden")))
	// looked is how many frames were looked at within three seconds.
	looked := func() (n int) {
		count := func() int {
			h := r.Daemon.Health().Cameras[0]
			return int(h.Frames - h.Skipped)
		}
		before := count()
		time.Sleep(3 * time.Second)
		return count() - before
	}
	eventually(t, "frames come", func() bool { return r.Daemon.Health().Cameras[0].Frames > 5 })
	alone := looked()
	for _, query := range []string{"", "?overlay=boxes", "?overlay=boxes,names"} {
		r.view(t, query)
	}
	least := alone * 8 / 10
	if slow > 1 {
		least = 1 // until the watchers are stuck, encoding for them takes all of the processor
	}
	watched := looked()
	for range 3 { // the machine may have been busy with something else
		if watched < least {
			watched = looked()
		}
	}
	if watched < least {
		t.Errorf("%d frames were looked at while three watch, %d alone", watched, alone)
	}
	t.Logf("%d frames, %d with three watchers who do not read", alone, watched)
	if took := r.stop(t); took > 1500*time.Millisecond*slow {
		t.Errorf("stopping took %v", took)
	}
}

func TestACameraThatIsAwaySaysWhatToDo(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "none.jpg")
	r := start(t, settings(t, missing))
	_, err := r.Snapshot(t.Context(), "door", api.Overlay{})
	p, ok := errors.AsType[*api.Problem](err)
	want := "There is no picture of the camera now. It is failed (not_found): " + capture.Hint(capture.ErrNotFound) + "."
	if !ok || p.Code != api.CodeNoPicture || p.Detail != want {
		t.Errorf("got %#v, want %s", err, want)
	}
	cameras, err := r.Cameras(t.Context())
	if err != nil || cameras[0].State != "failed" || cameras[0].Width != 0 {
		t.Errorf("cameras: %+v, %v", cameras, err)
	}
	if err := os.Symlink(photo(t, "obama"), missing); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the camera is back", func() bool {
		_, err := r.Snapshot(t.Context(), "door", api.Overlay{})
		return err == nil
	})
}

func TestAFrameThatNobodyWatchesCostsNothing(t *testing.T) {
	b := newBench(newEngine(t))
	b.Live = new(live.Hub)
	f := shot(t, "obama")
	view := inference.FromImage(imageOf(f))
	if err := b.process(f); err != nil {
		t.Fatal(err)
	}
	if n := testing.AllocsPerRun(100, func() { b.Pipeline.show(f, view, b.Tracker.Tracks()) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// BenchmarkWatched is what a frame costs with watchers, each with another
// overlay: "pipeline" is the time after which the next frame can be looked at,
// "cpu" all of the processor's.
func BenchmarkWatched(b *testing.B) {
	engine := newEngine(b)
	frames := map[string]*capture.Frame{"YUYV": video(shot(b, "obama"), capture.YUYV)}
	frames["JPEG"] = &capture.Frame{Format: capture.JPEG, Data: encode(b, imageOf(shot(b, "obama")))}
	overlays := []live.Overlay{{}, {Boxes: true}, {Boxes: true, Names: true}}
	for _, format := range []string{"YUYV", "JPEG"} {
		for _, watchers := range []int{0, 1, 3} {
			b.Run(fmt.Sprintf("%s/%d", format, watchers), func(b *testing.B) {
				p := newBench(engine)
				p.Live = new(live.Hub)
				f := *frames[format]
				f.At = time.Now()
				ctx, stop := context.WithCancel(b.Context())
				var all sync.WaitGroup
				ready := make(chan struct{})
				for _, o := range overlays[:watchers] {
					all.Go(func() {
						for {
							ready <- struct{}{}
							if _, err := p.Live.Next(ctx, o); err != nil {
								return
							}
						}
					})
				}
				var busy time.Duration
				before := processor(b)
				for b.Loop() {
					for range watchers {
						<-ready
					}
					for watchers > 0 && !p.Live.Wanted(f.At.Add(time.Hour)) { // until they wait
						time.Sleep(10 * time.Microsecond)
					}
					began := time.Now()
					f.At = f.At.Add(100 * time.Millisecond)
					if err := p.process(&f); err != nil {
						b.Fatal(err)
					}
					busy += time.Since(began)
				}
				b.ReportMetric(busy.Seconds()*1e3/float64(b.N), "pipeline-ms")
				b.ReportMetric((processor(b)-before).Seconds()*1e3/float64(b.N), "cpu-ms")
				for range watchers {
					<-ready
				}
				stop()
				all.Wait()
			})
		}
	}
}

// processor is the time that this process has had.
func processor(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
