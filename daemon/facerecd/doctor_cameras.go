package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"facerecd/capture"
	"facerecd/capture/source"
	"facerecd/daemon/api"
	"facerecd/daemon/config"
)

// cameras tells what is plugged in, and tries what is configured. The cameras
// of a daemon that runs, when one does, are its own, and left alone.
func (r *checkup) cameras(ctx context.Context, cfg config.Config, running *api.Health) {
	r.plugged(cfg)
	for _, c := range cfg.Cameras {
		check, shown := "camera "+c.Name, source.Shown(c.Source)
		if running == nil {
			r.tryCamera(ctx, check, c)
			continue
		}
		i := slices.IndexFunc(running.Cameras, func(h api.CameraHealth) bool { return h.Name == c.Name })
		switch {
		case i >= 0:
			r.told(check, shown, running.Cameras[i])
		case running.Version == "":
			r.add(check, fine, "%s: not tried, as a daemon runs; it says more to who can read http.token_file", shown)
		default: // the configuration has changed since it was started
			r.tryCamera(ctx, check, c)
		}
	}
}

// told repeats what the daemon says of a camera.
func (r *checkup) told(check, shown string, h api.CameraHealth) {
	switch h.State {
	case string(capture.Streaming):
		r.add(check, fine, "%s: the running daemon has it, at %.1f frames a second", shown, h.FPS)
	case string(capture.Starting):
		r.add(check, fine, "%s: the running daemon is starting it", shown)
	default:
		r.add(check, warning, "%s: %s since %s, says the running daemon: %s", shown, h.Code, h.Since.Local().Format(time.DateTime), h.Hint)
	}
}

// firstFrame is how long a camera may take until its first frame: a network
// camera, or a program that has to start, takes some seconds.
const firstFrame = 15 * time.Second

// tryCamera opens a configured camera for one frame.
func (r *checkup) tryCamera(ctx context.Context, check string, c config.Camera) {
	ctx, cancel := context.WithTimeout(ctx, firstFrame)
	defer cancel()
	began := time.Now()
	f, err := oneFrame(ctx, c)
	if err != nil {
		state := warning // it may be plugged in later
		if errors.Is(err, capture.ErrPermission) || errors.Is(err, capture.ErrUnsupported) {
			state = failed
		}
		r.add(check, state, "%v; %s", err, hint(err, c.Source))
		return
	}
	shown := f.Format.String()
	if f.Width > 0 {
		shown = fmt.Sprintf("%dx%d %s", f.Width, f.Height, shown)
	}
	r.add(check, fine, "%s: a frame of %s after %.1f s", source.Shown(c.Source), shown, time.Since(began).Seconds())
}

// oneFrame opens a camera as the daemon would, and closes it after its first
// good frame.
func oneFrame(ctx context.Context, c config.Camera) (_ *capture.Frame, err error) {
	src, err := source.Open(c.Spec(nil))(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, src.Close()) }()
	f := new(capture.Frame)
	for {
		err := src.Read(ctx, f)
		switch {
		case err == nil:
			return f, nil
		case ctx.Err() != nil:
			return nil, fmt.Errorf("read %s: %w in %v", source.Shown(c.Source), capture.ErrStalled, firstFrame)
		case !errors.Is(err, capture.ErrBadFrame):
			return nil, err
		}
	}
}

// hint says what to do about an error of the camera at path, with what only
// this machine knows.
func hint(err error, path string) string {
	switch {
	case errors.Is(err, capture.ErrPermission) && strings.Contains(path, "://"):
		return "check the user and password in its source"
	case errors.Is(err, capture.ErrPermission):
		name := "USER"
		if u, err := user.Current(); err == nil {
			name = u.Username
		}
		return fmt.Sprintf("who opens a camera must be in the group video: sudo usermod -aG video %s, and log in again; the service's own user is in it", name)
	case errors.Is(err, capture.ErrBusy):
		if who := holders("/proc", path); who != nil {
			return "close what has it open: " + strings.Join(who, ", ")
		}
	case errors.Is(err, capture.ErrUnsupported):
		return "use another camera, or what the error names"
	case strings.Contains(path, "://"):
		return "check that the camera is on and reached, and its address in source"
	case errors.Is(err, capture.ErrNotFound):
		return "plug it in, or correct its source; what is plugged in is above"
	case capture.Code(err) == "failed":
		return "check the camera's settings in the configuration"
	}
	return capture.Hint(err)
}

// holders names the processes that have the device at path open, as far as
// this user may see them.
func holders(proc, path string) (names []string) {
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target
	}
	processes, _ := os.ReadDir(proc) // what cannot be read is not known
	for _, p := range processes {
		if _, err := strconv.Atoi(p.Name()); err != nil {
			continue
		}
		dir := filepath.Join(proc, p.Name())
		open, _ := os.ReadDir(filepath.Join(dir, "fd"))
		if !slices.ContainsFunc(open, func(fd fs.DirEntry) bool {
			target, err := os.Readlink(filepath.Join(dir, "fd", fd.Name()))
			return err == nil && target == path
		}) {
			continue
		}
		comm, _ := os.ReadFile(filepath.Join(dir, "comm"))
		names = append(names, fmt.Sprintf("%s (process %s)", cmp.Or(strings.TrimSpace(string(comm)), "a program"), p.Name()))
	}
	return names
}
