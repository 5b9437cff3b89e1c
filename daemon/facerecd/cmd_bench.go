package main

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"facerecd/capture"
	"facerecd/capture/jpeg"
	"facerecd/daemon"
	"facerecd/daemon/bench"
	"facerecd/daemon/config"
	"facerecd/inference"
	"facerecd/match"
)

type benchCmd struct {
	networks
	Images       string `help:"Folder of photos, which become frames of a camera, or an .mjpeg file." required:"" type:"path"`
	CameraFormat string `help:"What the camera sends: yuyv, nv12, i420, rgb, gray or mjpeg." enum:"yuyv,nv12,i420,rgb,gray,mjpeg" default:"yuyv"`
	Size         string `help:"Size of the camera's frames." default:"640x480" placeholder:"WxH"`
	Detector     string `help:"How faces are searched for." enum:"short,full,tiled" default:"full"`
	Photos       int    `help:"Photos to use at most, spread over the folder." default:"16"`
	AnyFaces     bool   `help:"Also use photos in which none or several faces are found."`
	Frames       int    `help:"Frames to measure." default:"500"`
	Warmup       int    `help:"Frames before that, which do not count." default:"50"`
	People       int    `help:"People to compare each face with." default:"1000"`
	CPUTime      bool   `name:"cpu-time" help:"Measure the processor's time of this process instead of the time that passes; less sensitive to other programs."`
	HTML         string `help:"Write tables and charts as one HTML page." type:"path" placeholder:"FILE"`
	JSON         bool   `help:"Print JSON."`
}

// benchReport is what bench prints; its keys are a contract.
type benchReport struct {
	Pack         string                  `json:"pack"`
	Format       string                  `json:"camera_format"`
	Frame        [2]int                  `json:"frame"`       // width, height
	FrameBytes   int                     `json:"frame_bytes"` // on average
	JPEG         string                  `json:"jpeg_decoder,omitempty"`
	Detector     string                  `json:"detector"`
	ModelThreads int                     `json:"model_threads"`
	People       int                     `json:"people"`
	Clock        string                  `json:"clock"`  // wall or cpu
	Frames       int                     `json:"frames"` // measured
	Photos       int                     `json:"photos"` // that they show
	LeftOut      int                     `json:"left_out"`
	Faces        float64                 `json:"faces_per_frame"`
	Stages       map[string]bench.Spread `json:"stages"`
	Models       map[string]bench.Spread `json:"models"`
	EndToEnd     float64                 `json:"end_to_end_ms"`
	EndToEndCI   [2]float64              `json:"end_to_end_ci95"`
	Raw          float64                 `json:"raw_model_ms"`
	RawCI        [2]float64              `json:"raw_model_ci95"`
	Overhead     float64                 `json:"overhead_ratio"`
	OverheadCI   [2]float64              `json:"overhead_ratio_ci95"`
	Allocations  float64                 `json:"allocations_per_frame"`
	RSS          float64                 `json:"rss_mib"`
	RSSFrames    float64                 `json:"rss_frames_mib"` // of it, the frames that wait in memory
}

func (c benchCmd) Run(w *world) error {
	width, height, err := parseSize(c.Size)
	if err != nil {
		return err
	}
	if c.Frames < 20 || c.Warmup < 0 || c.Photos < 1 || c.People < 0 {
		return errors.New("--frames takes 20 or more, --photos 1 or more, --warmup and --people 0 or more")
	}
	log := slog.New(slog.NewTextHandler(w.stderr, nil))
	frames, err := c.load(w, width, height, log)
	if err != nil {
		return err
	}
	vision, err := c.vision(w, "")
	if err != nil {
		return err
	}
	vision.Detector = inference.Mode(c.Detector)
	b := &bench.Bench{Frames: frames, Warmup: c.Warmup, Count: c.Frames}
	vision.Wrap = func(role string, n inference.Network) inference.Network {
		b.Models = append(b.Models, &bench.Probe{Role: role, Network: n})
		return b.Models[len(b.Models)-1]
	}
	engine, err := vision.Engine()
	if err != nil {
		return err
	}
	defer func() { _ = engine.Close() }() // it only frees memory
	decoder := jpeg.New(log)
	defer func() { _ = decoder.Close() }()
	b.Engine = engine.Engine
	b.View = func(f *capture.Frame) (inference.View, error) { return daemon.ViewOf(f, decoder) }
	if b.Match, err = matcher(vision, c.People); err != nil {
		return err
	}
	if !c.AnyFaces {
		if b.Frames, err = b.WithOneFace(); err != nil {
			return err
		}
		if len(b.Frames) == 0 {
			return fmt.Errorf("none of %d frames shows exactly one face: name other photos with --images, or add --any-faces", len(frames))
		}
	}
	r := &benchReport{
		Pack: vision.Pack.ID, Format: c.CameraFormat, Detector: c.Detector, ModelThreads: c.Threads, People: c.People,
		Clock: "wall", Photos: len(b.Frames), LeftOut: len(frames) - len(b.Frames), Frames: c.Frames,
		Frame: [2]int{b.Frames[0].Width, b.Frames[0].Height},
	}
	if b.Frames[0].Format == capture.JPEG {
		r.Format, r.JPEG = "mjpeg", strings.ToLower(strings.TrimPrefix(fmt.Sprintf("%T", decoder), "*jpeg."))
	}
	if c.CPUTime {
		r.Clock, b.Clock = "cpu", bench.ProcessorTime
	}
	for _, f := range b.Frames {
		r.FrameBytes += len(f.Data) / len(b.Frames)
		r.RSSFrames += float64(cap(f.Data)) / (1 << 20)
	}
	frames = nil
	debug.FreeOSMemory() // what making the frames took
	bar := progress{w: w, what: "bench", total: c.Frames + c.Warmup, start: time.Now()}
	b.Step = bar.step
	samples, err := b.Run(w.ctx)
	if err != nil {
		return err
	}
	r.fill(b.Summarise(samples))
	if c.HTML != "" {
		err := writePage(c.HTML, func(w io.Writer) error { return b.WriteHTML(w, r.what(), samples) })
		if err != nil {
			return err
		}
	}
	if c.JSON {
		return printJSON(w.stdout, r)
	}
	return r.print(w)
}

// fill takes over what was measured.
func (r *benchReport) fill(m bench.Result) {
	r.Faces, r.Stages, r.Models = m.Faces, m.Stages, m.Models
	r.EndToEnd, r.EndToEndCI = m.Total.P50, m.Total.CI
	r.Raw, r.RawCI = m.Raw.P50, m.Raw.CI
	r.Overhead, r.OverheadCI = m.Ratio.Value, m.Ratio.CI
	r.Allocations = m.Allocations
	r.RSS = float64(daemon.Resident()) / (1 << 20)
}

func parseSize(size string) (width, height int, err error) {
	w, h, ok := strings.Cut(size, "x")
	if ok {
		width, err = strconv.Atoi(w)
		if err == nil {
			height, err = strconv.Atoi(h)
		}
	}
	if !ok || err != nil || width < 32 || height < 32 || width > 8192 || height > 8192 || width%2 == 1 || height%2 == 1 {
		return 0, 0, fmt.Errorf("--size %s: give two even numbers between 32 and 8192, such as 640x480", size)
	}
	return width, height, nil
}

// load makes frames of the photos, evenly spread over the folder.
func (c benchCmd) load(w *world, width, height int, log *slog.Logger) ([]capture.Frame, error) {
	format := map[string]capture.Format{
		"yuyv": capture.YUYV, "nv12": capture.NV12, "i420": capture.I420,
		"rgb": capture.RGB, "gray": capture.Gray, "mjpeg": capture.JPEG,
	}[c.CameraFormat]
	info, err := os.Stat(c.Images)
	if err != nil {
		return nil, fmt.Errorf("find photos: %w", err)
	}
	if !info.IsDir() {
		return bench.Load(w.ctx, c.Images, width, height, format, log)
	}
	files, err := pictures(c.Images)
	if err != nil {
		return nil, err
	}
	n := min(c.Photos, len(files))
	var frames []capture.Frame
	for i := range n {
		loaded, err := bench.Load(w.ctx, files[i*len(files)/n], width, height, format, log)
		if err != nil {
			return nil, err
		}
		frames = append(frames, loaded...)
	}
	return frames, nil
}

// matcher compares a face with people who do not exist.
func matcher(vision *daemon.Vision, people int) (func([]float32), error) {
	gallery := match.NewGallery(vision.Pack.ID, vision.Pack.Pipeline.Embedding.Size)
	gallery.Grow(people)
	random := rand.New(rand.NewPCG(1, 2))
	vector := make([]float32, vision.Pack.Pipeline.Embedding.Size)
	for i := range people {
		for j := range vector {
			vector[j] = float32(random.NormFloat64())
		}
		id := strconv.Itoa(i)
		if err := gallery.Add(match.Template{ID: id, Person: id, Model: vision.Pack.ID, Vector: vector}); err != nil {
			return nil, fmt.Errorf("enrol somebody: %w", err)
		}
	}
	policy := vision.Policy(config.Match{})
	return func(embedding []float32) { policy.Decide(gallery.Search(embedding)) }, nil
}

// what says what was measured.
func (r *benchReport) what() string {
	return fmt.Sprintf("%s, detector %s, %d thread(s) a model; %d frames of %s %dx%d, %.0f kB each, from %d pictures (%d left out), %.2f faces each; %s time",
		r.Pack, r.Detector, r.ModelThreads, r.Frames, r.Format, r.Frame[0], r.Frame[1], float64(r.FrameBytes)/1000, r.Photos, r.LeftOut, r.Faces, r.Clock)
}

// print writes the report for people.
func (r *benchReport) print(w *world) error {
	t := tabwriter.NewWriter(w.stdout, 0, 0, 3, ' ', 0)
	fmt.Fprintf(t, "model pack\t%s, detector %s, %d thread(s) a model\n", r.Pack, r.Detector, r.ModelThreads)
	fmt.Fprintf(t, "frames\t%d of %s %dx%d, %.0f kB each, from %d pictures (%d left out), %.2f faces each\n",
		r.Frames, r.Format, r.Frame[0], r.Frame[1], float64(r.FrameBytes)/1000, r.Photos, r.LeftOut, r.Faces)
	fmt.Fprintf(t, "\nms (%s time)\tp50\t95 %% sure\tp95\tmin\n", r.Clock)
	line := func(name string, s bench.Spread) {
		fmt.Fprintf(t, "%s\t%.3f\t%.3f to %.3f\t%.3f\t%.3f\n", name, s.P50, s.CI[0], s.CI[1], s.P95, s.Min)
	}
	for _, name := range bench.StageNames() {
		line(name, r.Stages[name])
	}
	line("end to end", r.Stages["total"])
	for _, role := range [...]string{"detector", "landmarks", "embedding"} {
		line("  "+role+" model alone", r.Models[role])
	}
	fmt.Fprintf(t, "models alone\t%.3f\t%.3f to %.3f\n", r.Raw, r.RawCI[0], r.RawCI[1])
	fmt.Fprintf(t, "overhead ratio\t%.3f\t%.3f to %.3f\n", r.Overhead, r.OverheadCI[0], r.OverheadCI[1])
	fmt.Fprintf(t, "allocations\t%.1f a frame\n", r.Allocations)
	fmt.Fprintf(t, "memory\t%.1f MiB resident, of which %.1f are the frames\n", r.RSS, r.RSSFrames)
	return t.Flush()
}
