package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"facerecd/capture/still"
	"facerecd/inference"
	"facerecd/match"
	"facerecd/match/store"
)

// renewalReport is how often a long Renewal logs how far it is.
const renewalReport = 10 * time.Second

// Renewal makes the templates of other model packs anew, from the crops that
// were stored with them.
type Renewal struct {
	Roster *Roster
	Open   func() (*Engine, error) // makes the engine, which Run closes
	Log    *slog.Logger

	running atomic.Bool
}

// Running tells whether Run is at work. It may be called from any goroutine.
func (r *Renewal) Running() bool { return r.running.Load() }

// Run goes through the stale templates once, in the background of everything
// else, and returns nil when it has done what it can or ctx ends. Each template
// is replaced in one transaction, so that a Run which was interrupted goes on
// at the next start. What has no crop, or one in which this pack finds no face,
// stays as it is, and the log says how many.
func (r *Renewal) Run(ctx context.Context) error {
	stale, err := r.Roster.Stale()
	if err != nil {
		return err
	}
	if len(stale) == 0 {
		return nil
	}
	r.running.Store(true)
	made, err := r.renew(ctx, stale)
	r.running.Store(false)
	switch {
	case ctx.Err() != nil:
		r.Log.Info("stopped making templates anew, will go on at the next start", "made", made, "left", len(stale)-made)
		return nil
	case err != nil:
		// Recognition works without; only these people are missing.
		r.Log.Warn("cannot make templates anew for this model pack, will try again at the next start", "made", made, "err", err)
	case made > 0:
		r.Log.Info("made templates anew for this model pack", "made", made)
	}
	if left := r.Roster.Gallery.Foreign(); left > 0 {
		r.Log.Warn("templates of another model pack are not compared: enrol these people again", "templates", left)
	}
	return nil
}

func (r *Renewal) renew(ctx context.Context, stale []match.Template) (made int, err error) {
	var engine *Engine
	defer func() {
		if engine != nil {
			err = errors.Join(err, engine.Close())
		}
	}()
	said := time.Now()
	for i, t := range stale {
		if ctx.Err() != nil {
			return made, nil
		}
		crop, err := r.Roster.Store.Crop(t.Person, t.ID)
		if errors.Is(err, store.ErrNotFound) {
			continue
		} else if err != nil {
			return made, err
		}
		if engine == nil { // it takes memory: not before there is a crop
			if engine, err = r.Open(); err != nil {
				return made, err
			}
		}
		fresh, err := templateOfCrop(engine, crop)
		if err != nil {
			r.Log.Debug("a template cannot be made anew", "template", t.ID, "err", err)
			continue
		}
		t.Model, t.Vector, t.Quality = fresh.Model, fresh.Vector, fresh.Quality
		if err := r.Roster.Renew(t); err != nil {
			return made, err
		}
		made++
		if time.Since(said) >= renewalReport {
			said = time.Now()
			r.Log.Info("making templates anew for this model pack", "done", i+1, "of", len(stale))
		}
	}
	return made, nil
}

// templateOfCrop makes model, vector and quality from a crop, of the face
// nearest to its middle.
func templateOfCrop(engine *Engine, crop []byte) (match.Template, error) {
	img, err := still.Decode(crop, still.Limits{MaxBytes: store.MaxCrop, MaxPixels: cropSide * cropSide})
	if err != nil {
		return match.Template{}, fmt.Errorf("decode crop: %w", err)
	}
	view := inference.FromImage(img)
	faces, err := engine.Faces(view)
	if err != nil {
		return match.Template{}, err
	}
	face := inference.Central(faces, view)
	if face == nil {
		return match.Template{}, errors.New("this model pack finds no face in the crop")
	}
	vector, err := engine.EmbedTemplate(face)
	if err != nil {
		return match.Template{}, err
	}
	return match.Template{Model: engine.Pack().ID, Vector: vector, Quality: face.Quality.Score}, nil
}
