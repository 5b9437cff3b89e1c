package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math"
	"os"
	"path/filepath"

	"facerecd/capture/still"
	"facerecd/daemon"
	"facerecd/daemon/config"
	"facerecd/inference"
	"facerecd/match/eval"
)

type evalCmd struct {
	Images  string `help:"Folder of photos in LFW's layout: Ana/Ana_0001.jpg." required:"" type:"existingdir"`
	Pairs   string `help:"LFW's pairs.txt." required:"" type:"existingfile"`
	Models  string `help:"Model pack; the shipped one when not given." type:"path"`
	Runtime string `help:"Path of libLiteRt.so; searched for when not given." type:"path"`
	Threads int    `help:"Threads that a model may use." default:"1"`
	JSON    bool   `help:"Print JSON."`
}

// report is what eval prints; its keys are a contract.
type report struct {
	Pack        string  `json:"pack"`
	Photos      int     `json:"photos"`
	Pairs       int     `json:"pairs"`
	Accuracy    float64 `json:"accuracy"` // 0..1
	Std         float64 `json:"std"`      // standard error of the folds' mean
	Threshold   float32 `json:"threshold"`
	TAR         float64 `json:"tar_at_far_1e3"`
	NotDetected int     `json:"not_detected"` // photos in which no face was found
}

func (c evalCmd) Run(w *world) error {
	if c.Models == "" {
		c.Models = config.Default().Models
	}
	vision, err := daemon.OpenVision(findModels(c.Models), c.Runtime, c.Threads, slog.New(slog.NewTextHandler(w.stderr, nil)))
	if err != nil {
		return err
	}
	engine, err := vision.Engine()
	if err != nil {
		return err
	}
	defer func() { _ = engine.Close() }() // it only frees memory
	file, err := os.Open(c.Pairs)
	if err != nil {
		return fmt.Errorf("open pairs: %w", err)
	}
	defer file.Close()
	pairs, err := eval.ParsePairs(file)
	if err != nil {
		return err
	}

	embeddings, err := c.embed(w, engine, pairs)
	if err != nil {
		return err
	}
	r := report{Pack: vision.Pack.ID, Photos: len(embeddings)}
	for _, v := range embeddings {
		if v == nil {
			r.NotDetected++
		}
	}
	var trials []eval.Trial
	for _, p := range pairs {
		trials = append(trials, eval.Trial{Score: cosine(embeddings[p.A], embeddings[p.B]), Same: p.Same, Fold: p.Fold})
	}
	v := eval.Verify(trials)
	r.Pairs, r.Accuracy, r.Std, r.Threshold, r.TAR = v.Pairs, v.Accuracy, v.Std, v.Threshold, v.TAR
	if c.JSON {
		return printJSON(w.stdout, r)
	}
	_, err = fmt.Fprintf(w.stdout, `model pack     %s
photos         %d, no face found in %d
pairs          %d
accuracy       %.2f %% +- %.2f, at a cosine of %.3f
TAR @ FAR 1e-3 %.2f %%
`, r.Pack, r.Photos, r.NotDetected, r.Pairs, 100*r.Accuracy, 100*r.Std, r.Threshold, 100*r.TAR)
	return err
}

// embed embeds each photo of the pairs once; nil stands for no face.
func (c evalCmd) embed(w *world, engine *daemon.Engine, pairs []eval.Pair) (map[eval.Photo][]float32, error) {
	embeddings := map[eval.Photo][]float32{}
	var photos []eval.Photo
	for _, p := range pairs {
		for _, photo := range [2]eval.Photo{p.A, p.B} {
			if _, ok := embeddings[photo]; !ok {
				embeddings[photo] = nil
				photos = append(photos, photo)
			}
		}
	}
	progress := isTerminal(w.stderr)
	for i, photo := range photos {
		if err := w.ctx.Err(); err != nil {
			return nil, context.Cause(w.ctx)
		}
		v, err := embedPhoto(engine, filepath.Join(c.Images, filepath.FromSlash(photo.Path())))
		if err != nil {
			return nil, err
		}
		embeddings[photo] = v
		if progress && (i%10 == 0 || i+1 == len(photos)) {
			fmt.Fprintf(w.stderr, "\r%d of %d photos", i+1, len(photos))
		}
	}
	if progress {
		fmt.Fprintln(w.stderr)
	}
	return embeddings, nil
}

// embedPhoto takes the way that a frame takes in the daemon. Of several faces
// it takes the one nearest to the middle, which is whom LFW's photos are of.
func embedPhoto(engine *daemon.Engine, path string) ([]float32, error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("the pairs name %s, which is missing: is --images the folder that holds a folder for each person?", path)
	} else if err != nil {
		return nil, fmt.Errorf("read photo: %w", err)
	}
	img, err := still.Decode(data, still.Limits{})
	if err != nil {
		return nil, fmt.Errorf("decode %s: %w", path, err)
	}
	view := inference.FromImage(img)
	faces, err := engine.Faces(view)
	if err != nil {
		return nil, fmt.Errorf("look at %s: %w", path, err)
	}
	var nearest []float32
	best := math.Inf(1)
	for _, f := range faces {
		c := f.Box.Centre()
		off := math.Hypot(float64(c.X)-float64(view.Width)/2, float64(c.Y)-float64(view.Height)/2)
		if off < best {
			nearest, best = f.Embedding, off
		}
	}
	return nearest, nil
}

// cosine of two unit vectors; -1, the least, when there is none to compare.
func cosine(a, b []float32) float32 {
	if a == nil || b == nil {
		return -1
	}
	var sum float32
	for i := range a {
		sum += a[i] * b[i]
	}
	return sum
}
