package daemon

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"facerecd/daemon/config"
	"facerecd/daemon/event"
	"facerecd/inference"
	"facerecd/match"
	"facerecd/match/store"
)

// openStore opens the store as the configuration has it.
func openStore(c config.Config, alike func() float32, log *slog.Logger) (*store.Store, error) {
	return store.Open(filepath.Join(c.DataDir, "store"), store.Options{
		Log: log, Device: config.Slug(c.Device),
		MaxQueued: c.MQTT.Queue.Events, MaxBytes: int64(c.MQTT.Queue.MiB) << 20, MaxAge: c.MQTT.Queue.Age,
		MaxHistory: c.History.Events, MaxHistoryBytes: int64(c.History.MiB) << 20, MaxHistoryAge: time.Duration(c.History.Days) * 24 * time.Hour,
		Alike: alike,
	})
}

// Offline is the people of a daemon that does not run.
type Offline struct{ *Backups }

// OpenOffline opens the store of a configuration; store.ErrInUse when a daemon
// has it. With create it makes one where there is none. The store's files must
// belong to this user: what root would add, the daemon could not read. A model
// pack that cannot be read is no error: there is none then.
func OpenOffline(c config.Config, create bool, log *slog.Logger) (*Offline, error) {
	dir := filepath.Join(c.DataDir, "store")
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist) && !create:
		return nil, fmt.Errorf("no daemon answers, and there is no store in %s: start facerecd, or name its configuration with --config", dir)
	case errors.Is(err, fs.ErrNotExist):
		info, err = os.Stat(c.DataDir)
		if errors.Is(err, fs.ErrNotExist) {
			err = nil
		}
	}
	if err != nil {
		return nil, fmt.Errorf("look at the store: %w", err)
	}
	if info != nil {
		if of, ok := info.Sys().(*syscall.Stat_t); ok && int(of.Uid) != os.Geteuid() {
			return nil, fmt.Errorf("no daemon answers, and the store in %s belongs to another user (%d): start facerecd, or run this as that user (sudo -u facerecd)", dir, of.Uid)
		}
	}
	var model string
	var size int
	alike := float32(c.Match.Threshold)
	if pack, err := inference.LoadPack(c.Models); err == nil {
		model, size, alike = pack.ID, pack.Pipeline.Embedding.Size, cmp.Or(alike, pack.Decision.Threshold)
	}
	s, err := openStore(c, func() float32 { return alike }, log)
	if err != nil {
		return nil, err
	}
	return &Offline{&Backups{
		Roster: &Roster{Store: s, Gallery: match.NewGallery(model, size)}, IDs: &event.IDs{}, Keep: keeps(c), Log: log,
	}}, nil
}

// Close closes the store.
func (o *Offline) Close() error { return o.Roster.Store.Close() }
