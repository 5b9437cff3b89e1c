package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"facerecd/capture"
	"facerecd/capture/jpeg"
	"facerecd/capture/source"
	"facerecd/daemon/api"
	"facerecd/daemon/live"
	"facerecd/daemon/viewer"
)

type clientCmd struct {
	remote
	Source   string  `help:"Camera, as in the configuration: a device, csi, rtsp://…, http://…, a photo or a folder." default:"/dev/video0"`
	Demo     bool    `help:"Show the demo's photos instead of a camera." xor:"source"`
	Size     string  `help:"Size of the camera's frames." default:"640x480" placeholder:"WxH"`
	FPS      float64 `help:"Frames a second that are sent at most, 0.1 to 30." default:"2"`
	Once     bool    `help:"Send one frame, print the answer and end."`
	JSON     bool    `help:"Print each answer as a line of JSON."`
	Listen   string  `help:"Address of the page that shows the pictures, on this machine." default:"127.0.0.1:0"`
	NoPage   bool    `help:"Show no page."`
	Open     bool    `help:"Open the page in the browser."`
	Insecure bool    `help:"Send the token without encryption to another machine."`
}

// Help is kong's text below the usage.
func (clientCmd) Help() string {
	return "Sends the frames of a camera of this machine to a daemon, here or elsewhere, and tells who is in them. Nothing is stored."
}

func (c clientCmd) Run(w *world) error {
	daemon, err := c.client()
	if err != nil {
		return err
	}
	if err := c.check(daemon.Token); err != nil {
		return err
	}
	width, height, err := parseSize(c.Size)
	if err != nil {
		return err
	}
	if c.Demo {
		if c.Source, err = findCache("demo"); err != nil {
			return err
		}
	}
	log := newLog(w.stderr, w.env, slog.LevelError) // what goes wrong is told below
	ctx, stop := context.WithCancelCause(w.ctx)
	defer stop(nil)
	camera := &capture.Camera{
		Name: "client", Box: capture.NewMailbox(), Log: slog.New(slog.DiscardHandler),
		Open: source.Open(source.Spec{Source: c.Source, Width: width, Height: height, FPS: 10, Hold: 2 * time.Second, Loop: true, Log: log}),
		OnStatus: func(s capture.Status) {
			if s.State != capture.Failed {
				return
			}
			if c.Once {
				stop(fmt.Errorf("%w: %s", s.Err, s.Hint))
				return
			}
			fmt.Fprintf(w.stderr, "facerecd: %v: %s\n", s.Err, s.Hint)
		},
	}
	if !source.Live(c.Source) {
		camera.FrozenAfter = -1
	}
	decoder := jpeg.New(slog.New(slog.DiscardHandler))
	v := &viewer.Viewer{
		Box: camera.Box, Decoder: decoder, Daemon: daemon, Once: c.Once, Hub: &live.Hub{},
		Every:    time.Duration(float64(time.Second) / c.FPS),
		OnAnswer: c.printer(w), OnTrouble: c.complainer(w),
	}
	var wg sync.WaitGroup
	if !c.NoPage && !c.Once {
		window := &viewer.Window{Listen: c.Listen, Hub: v.Hub, Log: log}
		page, err := window.Bind(ctx)
		if err != nil {
			return errors.Join(err, decoder.Close())
		}
		fmt.Fprintf(w.stderr, "The pictures are at %s (on this machine; keep the address to yourself)\n", page)
		wg.Go(func() {
			if err := window.Serve(ctx); err != nil {
				stop(err)
			}
		})
		if c.Open {
			leave := c.open(w, page)
			defer leave()
		}
	}
	wg.Go(func() {
		if err := camera.Run(ctx); err != nil {
			stop(err)
		}
	})
	err = v.Run(ctx)
	if cause := context.Cause(ctx); err == nil && w.ctx.Err() == nil && cause != nil {
		err = cause
	}
	stop(nil)
	wg.Wait()
	return errors.Join(err, decoder.Close())
}

// check says what is wrong with the flags, of which the token is one.
func (c clientCmd) check(token string) error {
	if !(c.FPS >= 0.1 && c.FPS <= 30) {
		return fmt.Errorf("--fps %v: choose 0.1 to 30", c.FPS)
	}
	if err := source.Check(c.Source); err != nil {
		return fmt.Errorf("--source: %w", err)
	}
	u, err := url.Parse(c.Server)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return fmt.Errorf("--url %s: write http:// or https://, the host and the port, such as http://127.0.0.1:4000", c.Server)
	}
	if u.Scheme == "http" && token != "" && !loopback(u.Hostname()) && !c.Insecure {
		return fmt.Errorf("the token and the pictures would cross the network unencrypted: set http.tls on %[1]s and use https, or run `ssh -N -L 4000:127.0.0.1:4000 %[1]s` and leave --url out, or say --insecure",
			u.Hostname())
	}
	return nil
}

func loopback(host string) bool {
	ip, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return strings.EqualFold(host, "localhost") || err == nil && ip.IsLoopback()
}

// printer prints what was answered.
func (c clientCmd) printer(w *world) func(time.Time, api.Recognition) error {
	var report viewer.Report
	return func(at time.Time, found api.Recognition) error {
		switch {
		case c.JSON:
			return printLine(w.stdout, struct {
				Time time.Time `json:"time"`
				api.Recognition
			}{at.UTC(), found})
		case c.Once:
			printRecognition(w, found)
			return nil
		}
		if line, changed := report.Next(found); changed {
			fmt.Fprintf(w.stdout, "%s  %s\n", at.Local().Format(time.TimeOnly), line)
		}
		return nil
	}
}

// complainer prints what is wrong, once for each reason.
func (c clientCmd) complainer(w *world) func(error) {
	last := ""
	return func(err error) {
		switch {
		case err == nil:
			last = ""
			fmt.Fprintln(w.stderr, "facerecd: it works again")
		case err.Error() != last:
			last = err.Error()
			fmt.Fprintf(w.stderr, "facerecd: %v; trying again\n", err)
		}
	}
}

// open opens the page in the user's browser. What it made for that goes with
// leave.
func (c clientCmd) open(w *world, page string) (leave func()) {
	door, err := viewer.Doorway(page)
	if err != nil {
		fmt.Fprintf(w.stderr, "facerecd: %v; open the address yourself\n", err)
		return func() {}
	}
	leave = func() { _ = os.RemoveAll(filepath.Dir(door)) } // private, and of no use by then
	if err := exec.CommandContext(w.ctx, "xdg-open", door).Run(); err != nil {
		fmt.Fprintf(w.stderr, "facerecd: the browser cannot be opened (%v): open the address yourself\n", err)
	}
	return leave
}
