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
	network // over HTTP
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
		a.kind = network
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

// Shown is the source as it may be shown and logged: with neither the password
// of a URL nor the values of parameters that are named like one.
//
// It goes by the text, not by the URL's grammar: a URL that is wrong has a
// password all the same, which may hold any sign. Rather too much is hidden.
func Shown(source string) string {
	from, to := password(source)
	if from < to {
		source = source[:from] + hidden + source[to:]
	}
	if strings.Contains(source, "://") {
		source = parameters().ReplaceAllString(source, "${1}"+hidden)
	}
	return source
}

const hidden = "xxxxx"

// password is where the password of a URL stands.
func password(source string) (from, to int) {
	start := strings.Index(source, "://")
	to = strings.LastIndexByte(source, '@')
	if start < 0 || to < start {
		return 0, 0
	}
	colon := strings.IndexByte(source[start+3:to], ':')
	if colon < 0 {
		return 0, 0
	}
	return start + 3 + colon + 1, to
}

// parameters matches what is named like a password: cameras take ?pwd=… and,
// some, /user=a_password=b_channel=1.
func parameters() *regexp.Regexp {
	return regexp.MustCompile(`(?i)((?:pass|password|passwd|pwd|token|secret|auth|key)=)([^&/?#]+)`)
}

// secrets are the parts of a source that Shown hides, as they are written in
// it and as a program may print them; none is empty.
func secrets(source string) []string {
	var all []string
	if from, to := password(source); from < to {
		all = append(all, source[from:to])
	}
	if strings.Contains(source, "://") {
		for _, m := range parameters().FindAllStringSubmatch(source, -1) {
			all = append(all, m[2])
		}
	}
	for _, secret := range slices.Clone(all) {
		if plain, err := url.PathUnescape(secret); err == nil && plain != secret {
			all = append(all, plain)
		}
	}
	return all
}
