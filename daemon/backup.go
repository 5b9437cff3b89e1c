package daemon

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"

	"facerecd/daemon/api"
	"facerecd/daemon/config"
	"facerecd/daemon/event"
	"facerecd/match"
	"facerecd/match/store"
)

// Backups makes and takes in backups; it is the api.Backups of the HTTP port, and
// what the command line uses when no daemon runs. It is safe for concurrent use.
type Backups struct {
	Roster *Roster
	IDs    *event.IDs
	Keep   Keep
	Log    *slog.Logger
}

// Keep is what of a backup is wanted beside people and what happened.
type Keep struct{ Crops, Embeddings, Pictures bool }

func keeps(c config.Config) Keep {
	return Keep{Crops: c.KeepCrops, Embeddings: c.History.Embeddings, Pictures: c.History.Pictures}
}

var _ api.Backups = (*Backups)(nil)

// Backup implements api.Backups.
func (b *Backups) Backup(context.Context) (api.Backup, error) {
	g := b.Roster.Gallery
	f, err := b.Roster.Store.Snapshot(store.ArchiveHeader{Model: g.Model(), Size: g.Size()})
	if err != nil {
		return api.Backup{}, err
	}
	info, err := f.Stat()
	if err != nil {
		return api.Backup{}, errors.Join(fmt.Errorf("measure backup: %w", err), f.Close())
	}
	return api.Backup{ReadCloser: f, Size: info.Size()}, nil
}

// Restore implements api.Backups.
func (b *Backups) Restore(ctx context.Context, r io.Reader, o api.RestoreOptions) (api.Restored, error) {
	g := b.Roster.Gallery
	staged, err := b.Roster.Store.Stage(r, store.RestoreOptions{
		Replace: o.Replace, WithDeleted: o.WithDeleted, NewID: b.IDs.Next,
		Crops: b.Keep.Crops, Faces: b.Keep.Embeddings, Pictures: b.Keep.Pictures,
		Check: func(t match.Template) error {
			if o.Model != "" && (t.Model != o.Model || t.Model != g.Model()) {
				return errOtherModel{t.Model, g.Model()}
			}
			return g.Check(t)
		},
	})
	other, isOther := errors.AsType[errOtherModel](err)
	switch {
	case isOther:
		return api.Restored{}, &api.BackupError{Err: other, OtherModel: true}
	case errors.Is(err, store.ErrArchive):
		return api.Restored{}, &api.BackupError{Err: err}
	case errors.Is(err, store.ErrRestoring):
		return api.Restored{}, api.ErrRestoring
	case err != nil:
		return api.Restored{}, err
	}
	if err := ctx.Err(); err != nil { // from here on there is no way back
		return api.Restored{}, errors.Join(err, staged.Discard())
	}
	done, err := b.Roster.takeOver(staged)
	if err != nil {
		return api.Restored{}, err
	}
	b.Log.Info("restored a backup", "people", done.People, "templates", done.Templates, "removed", done.Removed, "deleted", done.Deleted)
	return api.Restored{
		Device: staged.Device, Created: staged.Created, People: done.People, Templates: done.Templates, Crops: done.Crops,
		History: done.History, Removed: done.Removed, Deleted: done.Deleted,
	}, nil
}

// errOtherModel says that embeddings cannot be compared here.
type errOtherModel struct{ theirs, ours string }

func (e errOtherModel) Error() string {
	return fmt.Sprintf("these embeddings were made by the model %q, and this device uses %q, to which they mean nothing; "+
		"import the photos that they were made of instead: facerecd import FOLDER, with one sub-folder for each person", e.theirs, e.ours)
}

// takeOver commits a backup, and has the gallery hold what the store does.
func (r *Roster) takeOver(staged *store.Staged) (store.Restored, error) {
	r.change.Lock()
	defer r.change.Unlock()
	done, err := staged.Commit()
	if err != nil {
		return done, err
	}
	fresh := &Roster{Store: r.Store, Gallery: match.NewGallery(r.Gallery.Model(), r.Gallery.Size())}
	if err := fresh.Load(); err != nil {
		return done, fmt.Errorf("read what was restored: %w", err)
	}
	r.Gallery.Become(fresh.Gallery)
	r.mu.Lock()
	r.register = fresh.register
	r.mu.Unlock()
	r.renamed()
	for _, id := range done.IDs {
		r.changed(id)
	}
	return done, nil
}
