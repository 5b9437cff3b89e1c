package config

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"facerecd/capture/source"
)

// checker collects what is wrong with values that could be read.
type checker struct{ problems []error }

func (k *checker) need(ok bool, format string, args ...any) {
	if !ok {
		k.problems = append(k.problems, fmt.Errorf(format, args...))
	}
}

// problems returns everything about c that cannot work, in the order of the
// file.
func (c Config) problems() []error {
	var k checker
	k.text(c)
	k.need(c.DataDir != "", "data_dir: empty: name the folder where people and events are kept")
	k.need(c.Models != "", "models: empty: name the folder of the model pack")
	k.need(slices.Contains([]string{"short", "full", "tiled"}, c.Detector), "detector: %q: use short, full or tiled", c.Detector)
	k.need(1 <= c.Threads && c.Threads <= 64, "threads: %d: set 1 to 64", c.Threads)
	k.need(slices.Contains([]string{"cpu", "auto", "gpu"}, c.Accelerator), "accelerator: %q: use cpu, auto or gpu", c.Accelerator)
	k.http(c.HTTP)
	k.mqtt(c.MQTT)
	k.cameras(c.Cameras)
	// Each range is written so that NaN is outside of it.
	k.need(-1 <= c.Match.Threshold && c.Match.Threshold <= 1, "match.threshold: %v: set -1 to 1, or 0 for the model pack's own", c.Match.Threshold)
	k.need(0 <= c.Match.Margin && c.Match.Margin <= 1, "match.margin: %v: set 0 to 1, or 0 for the model pack's own", c.Match.Margin)
	k.need(1 <= c.Match.MinSeen && c.Match.MinSeen <= 100, "match.min_seen: %d: set 1 to 100 frames", c.Match.MinSeen)
	k.history(c.History)
	k.need(1 <= c.Unknown.Days && c.Unknown.Days <= 3650, "unknown.days: %d: set 1 to 3650 days, or unknown.remember to false", c.Unknown.Days)
	return k.problems
}

// text refuses what no path, name or address holds, and what would break a
// line of the log or a topic.
func (k *checker) text(c Config) {
	for _, l := range leaves(&c) {
		s, ok := l.value.Interface().(string)
		if ok && (!utf8.ValidString(s) || strings.ContainsFunc(s, unicode.IsControl)) {
			k.need(false, "%s: holds a line break or another control character: write it on one line", l.path)
		}
	}
}

func (k *checker) http(h HTTP) {
	host, ok := k.listen("http.listen", h.Listen)
	k.need(!ok || loopback(host) || h.TokenFile != "",
		"http.listen: %q can be reached from other machines: set http.token_file, or listen on 127.0.0.1", h.Listen)
	k.pair("http.tls", h.TLS.Cert, h.TLS.Key)
}

func (k *checker) mqtt(m MQTT) {
	if m.Broker != "" {
		k.broker(m)
	} else {
		k.need(m.Username == "" && m.PasswordFile == "" && m.TLS == MQTTTLS{},
			"mqtt.broker: empty, which means the embedded broker, but username, password_file or tls is set: set mqtt.broker too")
	}
	k.need(m.PasswordFile == "" || m.Username != "", "mqtt.password_file: set without mqtt.username: MQTT sends no password without a user")
	k.pair("mqtt.tls", m.TLS.Cert, m.TLS.Key)

	levels := strings.Split(m.Base, "/")
	k.need(!slices.Contains(levels, "") && !strings.ContainsAny(m.Base, "+#") && !strings.HasPrefix(m.Base, "$"),
		"mqtt.base: %q: write plain levels, as in facerecd or home/faces: no + or #, no $ in front, none empty", m.Base)

	k.queue(m.Queue)

	host, ok := k.listen("mqtt.embedded_listen", m.EmbeddedListen)
	k.need(!ok || loopback(host), "mqtt.embedded_listen: %q can be reached from other machines, and the embedded broker asks for no password: "+
		"listen on 127.0.0.1, or set mqtt.broker", m.EmbeddedListen)
}

func (k *checker) queue(q Queue) {
	k.need(100 <= q.Events && q.Events <= 1_000_000, "mqtt.queue.events: %d: set 100 to 1000000", q.Events)
	k.need(1 <= q.MiB && q.MiB <= 1024, "mqtt.queue.mib: %d: set 1 to 1024", q.MiB)
	k.need(time.Minute <= q.Age && q.Age <= 8760*time.Hour, "mqtt.queue.age: %v: set 1m to 8760h, which is a year", q.Age)
}

func (k *checker) history(h History) {
	k.need(100 <= h.Events && h.Events <= 100_000, "history.events: %d: set 100 to 100000", h.Events)
	k.need(1 <= h.Days && h.Days <= 3650, "history.days: %d: set 1 to 3650", h.Days)
	k.need(1 <= h.MiB && h.MiB <= 4096, "history.mib: %d: set 1 to 4096", h.MiB)
	k.need(h.Embeddings || !h.Pictures, "history.pictures: set without history.embeddings, by which the pictures of somebody who is deleted are found: set both, or neither")
}

// broker never quotes the address, which may hold a password.
func (k *checker) broker(m MQTT) {
	encrypted := map[string]bool{"tcp": false, "mqtt": false, "tls": true, "ssl": true, "mqtts": true, "ws": false, "wss": true}
	u, err := url.Parse(m.Broker)
	switch {
	case strings.Contains(m.Broker, "@"):
		k.need(false, "mqtt.broker: holds a user or password: move them to mqtt.username and mqtt.password_file")
		return
	case err != nil || u.Hostname() == "" || !validPort(u.Port()):
		k.need(false, "mqtt.broker: not an address: write it as mqtt://host:1883")
		return
	}
	secure, known := encrypted[u.Scheme]
	k.need(known, "mqtt.broker: %s:// is not spoken: use mqtt, tcp, mqtts, tls, ssl, ws or wss", u.Scheme)
	k.need(!known || secure || m.TLS == MQTTTLS{}, "mqtt.tls: set, but %s:// is not encrypted: use mqtts:// or wss:// in mqtt.broker", u.Scheme)
}

func (k *checker) pair(path, cert, key string) {
	k.need(cert == "" || key != "", "%s.key: empty: a certificate needs its key", path)
	k.need(key == "" || cert != "", "%s.cert: empty: a key needs its certificate", path)
}

// listen returns the host of an address to listen on, or false after it has
// noted that there is none.
func (k *checker) listen(path, address string) (string, bool) {
	host, port, err := net.SplitHostPort(address)
	ok := err == nil && port != "" && validPort(port)
	k.need(ok, "%s: %q: write it as host:port, as in 127.0.0.1:4000", path, address)
	return host, ok
}

func validPort(port string) bool {
	_, err := strconv.ParseUint(port, 10, 16)
	return port == "" || err == nil
}

func loopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.Unmap().IsLoopback()
}

func (k *checker) cameras(cameras []Camera) {
	k.need(len(cameras) <= maxCameras, "cameras: %d of them: set at most %d", len(cameras), maxCameras)
	topics, sources := map[string]int{}, map[string]int{}
	for i, c := range cameras {
		path := fmt.Sprintf("cameras[%d]", i)
		if c.Name == "" {
			k.need(false, "%s.name: missing: name the camera, as in door", path)
		} else {
			k.name(path, c.Name, i, topics)
		}
		k.source(path, c.Source, i, sources)
		k.need(64 <= c.Width && c.Width <= 8192, "%s.width: %d: set 64 to 8192 pixels", path, c.Width)
		k.need(64 <= c.Height && c.Height <= 8192, "%s.height: %d: set 64 to 8192 pixels", path, c.Height)
		k.need(1 <= c.FPS && c.FPS <= 120, "%s.fps: %v: set 1 to 120 frames a second", path, c.FPS)
		k.need(slices.Contains([]string{"", "yuyv", "nv12", "yu12", "grey", "mjpeg"}, c.Format),
			"%s.format: %q: use yuyv, nv12, yu12, grey or mjpeg, or leave it empty for the best", path, c.Format)
		k.need(c.Exposure == 0 || 100*time.Microsecond <= c.Exposure && c.Exposure <= time.Second,
			"%s.exposure: %v: set 100us to 1s, or 0s for automatic", path, c.Exposure)
		k.need(slices.Contains([]int{0, 90, 180, 270}, c.Rotate), "%s.rotate: %d: set 0, 90, 180 or 270 degrees, clockwise", path, c.Rotate)
		k.need(c.FrozenAfter == 0 || time.Second <= c.FrozenAfter && c.FrozenAfter <= 24*time.Hour,
			"%s.frozen_after: %v: set 1s to 24h, or 0s for never", path, c.FrozenAfter)
		k.need(0 <= c.Idle && c.Idle <= time.Minute, "%s.idle: %v: set 100ms to 1m, or 0s to search each picture", path, c.Idle)
		k.need(0 <= c.Cooldown && c.Cooldown <= 24*time.Hour, "%s.cooldown: %v: set 0s to 24h", path, c.Cooldown)
		k.zones(path, c.Zones)
		k.need(10*time.Millisecond <= c.Hold && c.Hold <= time.Hour, "%s.hold: %v: set 10ms to 1h", path, c.Hold)
	}
}

// source checks that the camera's source can be one, and is its own. Like
// broker it quotes no password.
func (k *checker) source(path, s string, i int, sources map[string]int) {
	if s == "" {
		k.need(false, "%s.source: missing: name a device as in /dev/video0, csi, the address of a network camera, a photo, a folder of photos or an .mjpeg file", path)
		return
	}
	if err := source.Check(s); err != nil {
		k.need(false, "%s.source: %w", path, err)
		return
	}
	same := s
	switch {
	case s == "csi" || s == "argus":
		same += ":0"
	case !strings.Contains(s, "://"):
		same = filepath.Clean(s)
	}
	other, taken := sources[same]
	k.need(!taken, "%s.source: %q is the source of cameras[%d] too: only one can open it", path, source.Shown(s), other)
	sources[same] = i
}

// name checks that the camera's topics are its own.
func (k *checker) name(path, name string, i int, topics map[string]int) {
	slug := Slug(name)
	reserved := []string{"availability", "command", "health", "person", "reply"}
	k.need(!slices.Contains(reserved, slug), "%s.name: the topics under %q have another use: choose another name", path, slug)
	k.need(utf8.RuneCountInString(name) <= 64, "%s.name: longer than 64 characters: choose a shorter one", path)
	other, taken := topics[slug]
	k.need(!taken, "%s.name: %q and cameras[%d] would share the topic %q: choose another name", path, name, other, slug)
	topics[slug] = i
}
