package source

import (
	"fmt"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// kind is what the words before a source's colon stand for.
type kind int

const (
	recording kind = iota // or a device node: the path tells
	usb
	csi
	argus
	rtsp
	web
)

// address is a source taken apart.
type address struct {
	kind   kind
	number int // of a csi or argus camera
}

// parse takes a source apart. Its errors say what to write instead, and hold
// no password.
func parse(source string) (address, error) {
	if source == "" {
		return address{}, fmt.Errorf("no source: write /dev/video0, csi, rtsp://…, http://…, or the path of a recording")
	}
	scheme, rest, found := strings.Cut(source, ":")
	switch scheme {
	case "csi", "argus":
		a := address{kind: csi}
		if scheme == "argus" {
			a.kind = argus
		}
		if !found {
			return a, nil
		}
		n, err := strconv.Atoi(rest)
		if err != nil || n < 0 || n > 15 {
			return address{}, fmt.Errorf("%q: write %s for the first camera, %s:1 for the second", source, scheme, scheme)
		}
		a.number = n
		return a, nil
	case "usb":
		if strings.TrimSpace(rest) == "" {
			return address{}, fmt.Errorf("%q: write usb: and the camera's serial number, which `facerecd doctor` lists", source)
		}
		return address{kind: usb}, nil
	}
	if !found || !strings.HasPrefix(rest, "//") || strings.ContainsAny(scheme, "/.") {
		return address{kind: recording}, nil
	}
	a := address{}
	switch strings.ToLower(scheme) {
	case "rtsp", "rtsps":
		a.kind = rtsp
	case "http", "https":
		a.kind = web
	default:
		return a, fmt.Errorf("%q is not known: write rtsp://, rtsps://, http:// or https:// for a network camera, csi for a CSI camera, or a path", scheme+"://")
	}
	// An error of the parser repeats the URL; one may not see it.
	if u, err := url.Parse(source); err != nil {
		return a, fmt.Errorf("%s is no URL: write @, :, / and # in a password as %%40, %%3A, %%2F and %%23", Shown(source))
	} else if u.Hostname() == "" {
		return a, fmt.Errorf("%s names no host: write %s://192.168.1.20/path", Shown(source), scheme)
	}
	return a, nil
}

// Check says what is wrong about a source as it is written in the
// configuration, and what to write; nil when it can be tried. It opens nothing.
func Check(source string) error {
	_, err := parse(source)
	return err
}

// Live tells whether the source is a camera, whose picture is of now, and not
// a recording. It looks nothing up: a link below no /dev is a recording.
func Live(source string) bool {
	a, err := parse(source)
	return err == nil && (a.kind != recording || strings.HasPrefix(filepath.Clean(source), "/dev/"))
}

const hidden = "xxxxx"

// Shown is the source as it may be shown and logged: with neither the password
// of a URL nor the values of parameters that are named like one.
func Shown(source string) string {
	for _, secret := range secrets(source) {
		source = strings.ReplaceAll(source, secret, hidden)
	}
	return source
}

// secrets are the parts of a source that must not be shown, as they are
// written in it and as a program may print them; the longest first, none empty.
// It goes by the text, not by the URL's grammar: a URL that is wrong has a
// password all the same, which may hold any sign.
func secrets(source string) []string {
	_, rest, found := strings.Cut(source, "://")
	if !found {
		return nil
	}
	var all []string
	add := func(secret string) {
		if secret == "" {
			return
		}
		all = append(all, secret)
		for _, decode := range []func(string) (string, error){url.PathUnescape, url.QueryUnescape} {
			if plain, err := decode(secret); err == nil && plain != "" {
				all = append(all, plain)
			}
		}
	}
	if at := strings.LastIndexByte(rest, '@'); at >= 0 {
		_, password, _ := strings.Cut(rest[:at], ":")
		add(password)
	}
	// Cameras take ?pwd=… and, some, /user=a_password=b_channel=1.
	for _, m := range regexp.MustCompile(`(?i)(?:pass|password|passwd|pwd|token|secret|auth|key)=([^&/?#]+)`).FindAllStringSubmatch(rest, -1) {
		add(m[1])
	}
	slices.SortFunc(all, func(a, b string) int { return len(b) - len(a) })
	return slices.Compact(all)
}
