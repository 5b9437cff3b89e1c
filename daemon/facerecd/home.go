package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/url"
	"syscall"

	"facerecd/daemon"
	"facerecd/daemon/api"
	"facerecd/daemon/api/client"
	"facerecd/daemon/config"
)

// home is where people are: with a daemon, or, while none runs, in its store.
type home struct {
	Server    string `help:"The daemon's address. When not given, that of the configuration; and when none runs, its store is opened." placeholder:"URL"`
	TokenFile string `help:"File with the token, where the daemon asks for one; the configuration's when not given." type:"path"`
	Config    string `help:"Configuration file." default:"${default}" type:"path" placeholder:"FILE"`
}

// keeper has people: a daemon, or a store.
type keeper interface {
	Backup(ctx context.Context) (io.ReadCloser, error)
	Restore(ctx context.Context, backup io.Reader, o api.RestoreOptions) (api.Restored, error)
	Close() error
}

// open finds the daemon, or opens its store; with create also one that is not
// there yet.
func (h home) open(w *world, create bool) (keeper, error) {
	token := h.TokenFile
	var cfg config.Config
	server := h.Server
	if server == "" {
		var err error
		if cfg, err = loadConfig(h.Config, w.env); err != nil {
			if !errors.Is(err, fs.ErrPermission) || h.Config != defaultConfig {
				return nil, err
			}
			cfg = config.Default() // somebody who may not read it may still ask the daemon
		}
		server = address(cfg.HTTP)
		if token == "" {
			token = cfg.HTTP.TokenFile
		}
	}
	c, err := remote{Server: server, TokenFile: token}.client()
	if h.Server == "" && h.TokenFile == "" && errors.Is(err, fs.ErrNotExist) {
		c, err = remote{Server: server}.client() // a daemon that runs would have made the token
	}
	if err != nil {
		return nil, err
	}
	_, err = c.Health(w.ctx)
	switch {
	case err == nil:
		return daemonKeeper{c}, nil
	case h.Server != "" || !errors.Is(err, syscall.ECONNREFUSED):
		return nil, err
	}
	o, err := daemon.OpenOffline(cfg, create, slog.New(slog.NewTextHandler(w.stderr, &slog.HandlerOptions{Level: slog.LevelWarn})))
	if err != nil {
		return nil, err
	}
	return storeKeeper{o}, nil
}

// running finds the daemon, for what only a daemon does.
func (h home) running(w *world) (*client.Client, error) {
	to, err := h.open(w, false)
	if err != nil {
		return nil, err
	}
	if daemon, ok := to.(daemonKeeper); ok {
		return daemon.Client, nil
	}
	return nil, errors.Join(errors.New("photos are looked at by the daemon: start facerecd, and import again"), to.Close())
}

// address is where a daemon with this configuration answers on its own machine.
func address(c config.HTTP) string {
	u := url.URL{Scheme: "http", Host: c.Listen}
	if c.TLS.Cert != "" {
		u.Scheme = "https"
	}
	if host, port, err := net.SplitHostPort(c.Listen); err == nil {
		if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
			u.Host = net.JoinHostPort("127.0.0.1", port)
		}
	}
	return u.String()
}

type daemonKeeper struct{ *client.Client }

func (daemonKeeper) Close() error { return nil }

type storeKeeper struct{ *daemon.Offline }

func (s storeKeeper) Backup(ctx context.Context) (io.ReadCloser, error) {
	b, err := s.Offline.Backup(ctx)
	return b.ReadCloser, err
}

func (s storeKeeper) Restore(ctx context.Context, backup io.Reader, o api.RestoreOptions) (api.Restored, error) {
	done, err := s.Offline.Restore(ctx, backup, o)
	if err != nil {
		err = fmt.Errorf("restore into the store, as no daemon runs: %w", err)
	}
	return done, err
}
