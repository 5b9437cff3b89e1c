package main

import (
	"errors"
	"fmt"
	"image"
	"io"
	"io/fs"
	"iter"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"facerecd/capture/still"
	"facerecd/daemon"
	"facerecd/inference"
	"facerecd/inference/recall"
)

type evalDetectionCmd struct {
	networks
	Images      string   `help:"Folder of photos of one person each, in folders or not." required:"" type:"existingdir"`
	Backgrounds string   `help:"Folder of photos without people." required:"" type:"existingdir"`
	Detectors   []string `help:"Which to measure." enum:"short,full,tiled" default:"short,full,tiled"`
	Width       int      `help:"Width of the frames, in pixels." default:"1280"`
	Height      int      `help:"Height of the frames, in pixels." default:"720"`
	Faces       int      `help:"Faces of each size." default:"400"`
	Empty       int      `help:"Frames without a face." default:"1000"`
	Seed        uint64   `help:"Another seed gives other frames." default:"1"`
	JSON        bool     `help:"Print JSON."`
}

// detectionReport is what eval-detection prints; its keys are a contract.
type detectionReport struct {
	Pack      string                   `json:"pack"`
	Frame     [2]int                   `json:"frame"` // width, height
	Seed      uint64                   `json:"seed"`
	Detectors map[string]recall.Result `json:"detectors"`
}

func (c evalDetectionCmd) Run(w *world) error {
	if c.Width < 640 || c.Height < 480 || c.Width > 8192 || c.Height > 8192 {
		return fmt.Errorf("frames of %dx%d: set --width and --height to 640x480 or more, and to 8192x8192 at most", c.Width, c.Height)
	}
	if c.Faces < 1 || c.Empty < 0 {
		return errors.New("--faces must be at least 1, and --empty at least 0")
	}
	people, err := pictures(c.Images)
	if err != nil {
		return err
	}
	scenes, err := pictures(c.Backgrounds)
	if err != nil {
		return err
	}
	vision, err := c.vision(w, "")
	if err != nil {
		return err
	}
	bench := &recall.Bench{
		Width: c.Width, Height: c.Height, Sizes: []int{16, 24, 32, 48, 64, 96},
		Faces: c.Faces, Empty: c.Empty, Seed: c.Seed,
	}
	for scene, err := range decoded(scenes) {
		if err != nil {
			return err
		}
		bench.Backgrounds = append(bench.Backgrounds, scene)
	}
	with := func(mode string, use func(*daemon.Engine) error) error {
		vision.Detector = inference.Mode(mode)
		engine, err := vision.Engine()
		if err != nil {
			return err
		}
		bench.Threshold = engine.Pack().Pipeline.Detector.ScoreThreshold
		return errors.Join(use(engine), engine.Close())
	}
	err = with("full", func(e *daemon.Engine) error {
		shuffled := slices.Clone(people)
		rng := rand.New(rand.NewPCG(c.Seed, 0))
		rng.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
		return bench.Collect(w.ctx, e, decoded(shuffled))
	})
	if err != nil {
		return err
	}
	r := detectionReport{Pack: vision.Pack.ID, Frame: [2]int{c.Width, c.Height}, Seed: c.Seed, Detectors: map[string]recall.Result{}}
	for _, mode := range c.Detectors {
		bar := progress{w: w, what: mode, total: bench.Steps(len(people)), start: time.Now()}
		bench.Step = bar.step
		err := with(mode, func(e *daemon.Engine) error {
			result, err := bench.Measure(w.ctx, e, decoded(people))
			r.Detectors[mode] = result
			return err
		})
		if err != nil {
			return err
		}
	}
	if c.JSON {
		return printJSON(w.stdout, r)
	}
	return r.print(w.stdout, c.Detectors)
}

// print writes the report as a table of Markdown.
func (r detectionReport) print(out io.Writer, modes []string) error {
	table := tabwriter.NewWriter(out, 0, 0, 1, ' ', 0)
	row := func(name string, value func(recall.Result) string) {
		fmt.Fprint(table, "| ", name)
		for _, mode := range modes {
			fmt.Fprint(table, "\t| ", value(r.Detectors[mode]))
		}
		fmt.Fprintln(table, "\t|")
	}
	fmt.Fprintln(table, "| "+strings.Join(append([]string{fmt.Sprintf("%s, %dx%d", r.Pack, r.Frame[0], r.Frame[1])}, modes...), "\t| ")+"\t|")
	row("---", func(recall.Result) string { return "---" })
	for i, size := range r.Detectors[modes[0]].Recall {
		row(fmt.Sprintf("faces of %d px", size.Width), func(m recall.Result) string {
			return fmt.Sprintf("%.1f %%", 100*float64(m.Recall[i].Found)/float64(max(m.Recall[i].Faces, 1)))
		})
	}
	row("a frame takes", func(m recall.Result) string { return fmt.Sprintf("%.1f ms", m.Milliseconds) })
	row("photos without a detection", func(m recall.Result) string { return fmt.Sprintf("%d of %d", m.Missed, m.Photos) })
	row("the same by score alone", func(m recall.Result) string { return fmt.Sprint(m.MissedByScore) })
	false1000 := func(n func(recall.Result) int) func(recall.Result) string {
		return func(m recall.Result) string { return fmt.Sprintf("%.0f", 1000*float64(n(m))/float64(max(m.Empty, 1))) }
	}
	row("false in 1000 empty frames", false1000(func(m recall.Result) int { return m.False }))
	row("of these, under the score", false1000(func(m recall.Result) int { return m.FalseWeak }))
	row("of these, the daemon would keep", false1000(func(m recall.Result) int { return m.FalseReal }))
	return table.Flush()
}

// pictures are the photos of a folder and of those in it, in a fixed order.
func pictures(dir string) ([]string, error) {
	var files []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if ext := strings.ToLower(filepath.Ext(path)); err == nil && !d.IsDir() && slices.Contains([]string{".jpg", ".jpeg", ".png"}, ext) {
			files = append(files, path)
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list photos: %w", err)
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("no photos in %s: name a folder with .jpg or .png files", dir)
	}
	return files, nil
}

func decoded(files []string) iter.Seq2[image.Image, error] {
	return func(yield func(image.Image, error) bool) {
		for _, path := range files {
			img, err := decodeFile(path)
			if !yield(img, err) || err != nil {
				return
			}
		}
	}
}

func decodeFile(path string) (image.Image, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read photo: %w", err)
	}
	img, err := still.Decode(data, still.Limits{})
	if err != nil {
		return nil, fmt.Errorf("decode %s: %w", path, err)
	}
	return img, nil
}
