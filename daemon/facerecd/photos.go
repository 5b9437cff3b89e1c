package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"facerecd/capture/still"
	"facerecd/daemon"
	"facerecd/inference"
	"facerecd/match/eval"
)

// allPhotos adds every photo of a folder in LFW's layout to some of them.
func allPhotos(dir string, photos []eval.Photo) ([]eval.Photo, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*", "*_[0-9][0-9][0-9][0-9].jpg"))
	if err != nil {
		return nil, fmt.Errorf("list photos: %w", err)
	}
	for _, file := range files {
		var p eval.Photo
		p.Person = filepath.Base(filepath.Dir(file))
		name, ok := strings.CutPrefix(filepath.Base(file), p.Person+"_")
		if _, err := fmt.Sscanf(name, "%04d.jpg", &p.Number); ok && err == nil {
			photos = append(photos, p)
		}
	}
	return photos, nil
}

func sortedPhotos(embeddings map[eval.Photo]eval.Sample) []eval.Photo {
	return slices.SortedFunc(maps.Keys(embeddings), func(a, b eval.Photo) int {
		return cmp.Or(cmp.Compare(a.Person, b.Person), cmp.Compare(a.Number, b.Number))
	})
}

// embedPhotos embeds each photo once. One without a face has no embedding.
func (c evalCmd) embedPhotos(w *world, engine *daemon.Engine, photos []eval.Photo, what string) (map[eval.Photo]eval.Sample, error) {
	embeddings := make(map[eval.Photo]eval.Sample, len(photos))
	for _, photo := range photos {
		embeddings[photo] = eval.Sample{}
	}
	bar := progress{w: w, what: what, total: len(embeddings), start: time.Now()}
	for _, photo := range sortedPhotos(embeddings) {
		if w.ctx.Err() != nil {
			return nil, context.Cause(w.ctx)
		}
		face, err := lookAt(engine, filepath.Join(c.Images, filepath.FromSlash(photo.Path())))
		if err != nil {
			return nil, err
		}
		s := eval.Sample{Person: photo.Person, Embedding: face.Embedding, Quality: face.Quality.Score}
		if c.Mirror && face.Embedding != nil {
			if s.Template, err = engine.EmbedTemplate(&face); err != nil {
				return nil, fmt.Errorf("enrol %s: %w", photo.Path(), err)
			}
		}
		embeddings[photo] = s
		bar.step()
	}
	return embeddings, nil
}

// lookAt takes the way that a frame takes in the daemon. Of several faces it
// returns the one nearest to the middle, which is whom LFW's photos are of; of
// none, the zero Face.
func lookAt(engine *daemon.Engine, path string) (nearest inference.Face, err error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nearest, fmt.Errorf("the pairs name %s, which is missing: is --images the folder that holds a folder for each person?", path)
	} else if err != nil {
		return nearest, fmt.Errorf("read photo: %w", err)
	}
	img, err := still.Decode(data, still.Limits{})
	if err != nil {
		return nearest, fmt.Errorf("decode %s: %w", path, err)
	}
	view := inference.FromImage(img)
	faces, err := engine.Faces(view)
	if err != nil {
		return nearest, fmt.Errorf("look at %s: %w", path, err)
	}
	if face := inference.Central(faces, view); face != nil {
		nearest = *face
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

// progress is a bar on a terminal, and nothing elsewhere.
type progress struct {
	w           *world
	what        string
	total, done int
	start, last time.Time
}

func (p *progress) step() {
	p.done++
	now := time.Now()
	if !isTerminal(p.w.stderr) || p.done < p.total && now.Sub(p.last) < 100*time.Millisecond {
		return
	}
	p.last = now
	const width = 30
	full := width * p.done / p.total
	left := time.Duration(float64(now.Sub(p.start)) / float64(p.done) * float64(p.total-p.done))
	fmt.Fprintf(p.w.stderr, "\r%s [%s%s] %d of %d, %v left ", p.what, strings.Repeat("#", full), strings.Repeat(".", width-full), p.done, p.total, left.Round(time.Second))
	if p.done == p.total {
		fmt.Fprintln(p.w.stderr)
	}
}
