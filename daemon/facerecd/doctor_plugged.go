package main

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"facerecd/capture/v4l2"
	"facerecd/daemon/config"
)

// plugged is a camera of the machine, as doctor tells of it.
type plugged struct {
	Path       string `json:"path"`
	ByID       string `json:"by_id"`
	ByPath     string `json:"by_path"`
	Serial     string `json:"serial"`
	Name       string `json:"name"`
	Driver     string `json:"driver"`
	Kind       string `json:"kind"`
	Configured string `json:"configured"` // the name of the configured camera that it is; "" for none
	Modes      []mode `json:"modes"`
}

// mode is a v4l2.Mode.
type mode struct {
	Format    string    `json:"format"`
	Readable  bool      `json:"readable"`
	Width     int       `json:"width"`
	Height    int       `json:"height"`
	MinWidth  int       `json:"min_width"`
	MinHeight int       `json:"min_height"`
	Rates     []float64 `json:"rates"`
}

// plugged lists the cameras of the machine.
func (r *checkup) plugged(cfg config.Config) {
	found, err := v4l2.Cameras(r.root)
	if err != nil {
		r.add("cameras", warning, "%v", err)
	}
	listed := 0
	sensors := map[string]bool{} // drivers whose sensor is listed: it has many nodes
	for _, c := range found {
		p := plugged{
			Path: c.Path, ByID: c.ByID, ByPath: c.ByPath, Serial: c.Serial, Name: c.Name, Driver: c.Driver, Kind: string(c.Kind),
			Configured: r.configuredAs(c, cfg.Cameras), Modes: []mode{},
		}
		switch {
		case c.Kind == v4l2.Sensor && !sensors[c.Driver]:
			sensors[c.Driver] = true
			r.sensor(p)
		case c.Kind == v4l2.Picture:
			r.camera(p)
		default: // codecs and metadata take no pictures
			continue
		}
		listed++
	}
	if listed == 0 && err == nil {
		r.add("cameras", warning, "none is plugged in, or this kernel has no Video4Linux")
	}
}

// configuredAs is the name of the configured camera that c is.
func (r *checkup) configuredAs(c v4l2.Camera, cameras []config.Camera) string {
	for _, known := range cameras {
		path, err := v4l2.Find(r.root, known.Source)
		if err != nil {
			continue
		}
		if target, err := filepath.EvalSymlinks(filepath.Join(r.root, path)); err == nil {
			path = target
		}
		if path == filepath.Join(r.root, c.Path) || c.Kind == v4l2.Sensor && (strings.HasPrefix(known.Source, "csi") || strings.HasPrefix(known.Source, "argus")) {
			return known.Name
		}
	}
	return ""
}

// camera tells of a camera that can be opened.
func (r *checkup) camera(p plugged) {
	modes, err := r.modes(p.Path)
	for _, m := range modes {
		p.Modes = append(p.Modes, mode{m.Format, m.Readable, m.Width, m.Height, m.MinWidth, m.MinHeight, append([]float64{}, m.Rates...)})
	}
	f := finding{Check: "cameras", State: fine, Detail: p.summary(), Camera: &p, more: append(p.names(), compact(modes)...)}
	if err != nil {
		f.State = warning
		f.Detail += fmt.Sprintf("; it cannot be asked what it can do: %v; %s", err, hint(err, p.Path))
	}
	r.findings = append(r.findings, f)
}

// sensor tells of the bare sensor at the board's connector.
func (r *checkup) sensor(p plugged) {
	f := finding{Check: "cameras", State: fine, Detail: p.summary() + ": a bare sensor, which `source: csi` reads", Camera: &p, more: p.names()}
	switch {
	case strings.Contains(p.Driver+p.Name, "tegra") || strings.HasPrefix(p.Name, "vi-output"):
		f.Detail = p.summary() + ": a bare sensor, which `source: argus` reads"
	case p.Configured == "":
		_, err := exec.LookPath("rpicam-vid")
		if _, old := exec.LookPath("libcamera-vid"); err != nil && old != nil {
			f.Detail += "; for that, install rpicam-vid: sudo apt install rpicam-apps-lite"
		}
	}
	r.findings = append(r.findings, f)
}

// summary is the camera on one line.
func (p plugged) summary() string {
	s := p.Path
	if p.Name != "" {
		s += " " + p.Name
	}
	if p.Configured != "" {
		s += ", configured as " + strconv.Quote(p.Configured)
	}
	return s
}

// names are what the camera can be called by, and stays the same for.
func (p plugged) names() []string {
	var lines []string
	if p.ByID != "" {
		lines = append(lines, "this camera    "+p.ByID)
	}
	if p.Serial != "" {
		lines = append(lines, "its serial     usb:"+p.Serial)
	}
	if p.ByPath != "" {
		lines = append(lines, "its port       "+p.ByPath)
	}
	if p.Driver != "" {
		lines = append(lines, "driver         "+p.Driver)
	}
	return lines
}

// compact tells the modes in a line for each format: the sizes with the same
// rates go together.
func compact(modes []v4l2.Mode) []string {
	var lines, refused []string
	for _, of := range grouped(modes, func(m v4l2.Mode) string { return m.Format }) {
		if !of[0].Readable {
			refused = append(refused, of[0].Format)
			continue
		}
		var parts []string
		for _, alike := range grouped(of, func(m v4l2.Mode) string { return rates(m.Rates) }) {
			var sizes []string
			for _, m := range alike {
				sizes = append(sizes, size(m))
			}
			parts = append(parts, strings.Join(sizes, " ")+rates(alike[0].Rates))
		}
		lines = append(lines, fmt.Sprintf("%-14s %s", of[0].Format, strings.Join(parts, "; ")))
	}
	if refused != nil {
		lines = append(lines, fmt.Sprintf("%-14s %s", "not read", strings.Join(refused, ", ")))
	}
	return lines
}

// grouped puts what has the same key together, in the order of the first of each.
func grouped(modes []v4l2.Mode, key func(v4l2.Mode) string) (groups [][]v4l2.Mode) {
	at := map[string]int{}
	for _, m := range modes {
		i, ok := at[key(m)]
		if !ok {
			i = len(groups)
			at[key(m)] = i
			groups = append(groups, nil)
		}
		groups[i] = append(groups[i], m)
	}
	return groups
}

func size(m v4l2.Mode) string {
	switch {
	case m.Width == 0:
		return "any size"
	case m.MinWidth != m.Width || m.MinHeight != m.Height:
		return fmt.Sprintf("%dx%d to %dx%d", m.MinWidth, m.MinHeight, m.Width, m.Height)
	}
	return fmt.Sprintf("%dx%d", m.Width, m.Height)
}

// rates tells the frames a second, " at 30, 15 fps" or " at 5 to 60 fps".
func rates(all []float64) string {
	text := func(f float64) string { return strconv.FormatFloat(f, 'f', -1, 32) }
	switch len(all) {
	case 0:
		return ""
	case 1:
		return " at " + text(all[0]) + " fps"
	case 2:
		return " at " + text(all[0]) + ", " + text(all[1]) + " fps"
	}
	return " at " + text(slices.Min(all)) + " to " + text(slices.Max(all)) + " fps"
}
