// Package config reads what the owner of the device has set: a strict YAML
// file, then FACERECD_ environment variables over it.
//
// Every key has a default, an environment variable named after its path
// (mqtt.broker is FACERECD_MQTT_BROKER, the first camera's source
// FACERECD_CAMERAS_0_SOURCE), and a commented line in
// deploy/systemd/facerecd.yaml.
package config

import (
	"log/slog"
	"strings"
	"time"

	"facerecd/capture"
	"facerecd/capture/source"
)

// Config is everything that can be set. Load returns a checked one, which is
// then only read: its Cameras are shared by all copies.
type Config struct {
	Device         string   `yaml:"device"`          // who we are in topics; Load fills in the host name
	DataDir        string   `yaml:"data_dir"`        // people, templates, events
	KeepCrops      bool     `yaml:"keep_crops"`      // store a picture of the face with each template
	Models         string   `yaml:"models"`          // folder of the model pack
	Detector       string   `yaml:"detector"`        // how faces are searched for: short, full or tiled
	Runtime        string   `yaml:"runtime"`         // path of libLiteRt.so; "" to search for it
	Threads        int      `yaml:"threads"`         // that a model may use, 1..64
	Accelerator    string   `yaml:"accelerator"`     // what runs the models: cpu, auto or gpu
	AcceleratorDir string   `yaml:"accelerator_dir"` // folder of the GPU's library; "" for that of libLiteRt.so
	HTTP           HTTP     `yaml:"http"`
	MQTT           MQTT     `yaml:"mqtt"`
	Fleet          Fleet    `yaml:"fleet"`
	Cameras        []Camera `yaml:"cameras"`
	Match          Match    `yaml:"match"`
	Quiet          Hours    `yaml:"quiet"` // when nothing is announced, besides the camera's
	History        History  `yaml:"history"`
	Unknown        Unknown  `yaml:"unknown"`
	Log            Log      `yaml:"log"`
}

// HTTP is the port for enrolment.
type HTTP struct {
	Listen    string `yaml:"listen"`     // host:port
	TokenFile string `yaml:"token_file"` // what callers must know; "" only on loopback
	TLS       Pair   `yaml:"tls"`
}

// Pair is a certificate with its key, both PEM files, or neither.
type Pair struct {
	Cert string `yaml:"cert"`
	Key  string `yaml:"key"`
}

// MQTT is where events go.
type MQTT struct {
	Broker         string  `yaml:"broker"` // URL; "" for the embedded broker
	Username       string  `yaml:"username"`
	PasswordFile   string  `yaml:"password_file"`
	TLS            MQTTTLS `yaml:"tls"`
	Base           string  `yaml:"base"`            // first levels of every topic
	Discovery      bool    `yaml:"discovery"`       // announce to Home Assistant
	Commands       bool    `yaml:"commands"`        // who may publish may enrol people and see pictures
	Images         bool    `yaml:"images"`          // publish a picture of the last face
	EmbeddedListen string  `yaml:"embedded_listen"` // host:port, loopback only
	Queue          Queue   `yaml:"queue"`
}

// Queue bounds the events that wait for the broker; the oldest are dropped first.
type Queue struct {
	Events int           `yaml:"events"`
	MiB    int           `yaml:"mib"`
	Age    time.Duration `yaml:"age"` // counted while the daemon runs, by a clock that does not jump
}

// MQTTTLS holds the PEM files for an encrypted connection to the broker.
type MQTTTLS struct {
	CA   string `yaml:"ca"` // "" for the system's
	Cert string `yaml:"cert"`
	Key  string `yaml:"key"`
}

// Fleet is who shares people with this device.
type Fleet struct {
	KeyFile string `yaml:"key_file"` // "": nobody
}

// Camera is one camera, or a recording that is played as one.
type Camera struct {
	Name        string        `yaml:"name"`
	Source      string        `yaml:"source"` // see source.Spec
	Width       int           `yaml:"width"`  // pixels, before the picture is turned
	Height      int           `yaml:"height"`
	FPS         float64       `yaml:"fps"`          // 1..120
	Format      string        `yaml:"format"`       // yuyv, nv12, yu12, grey or mjpeg; "" for the best
	Exposure    time.Duration `yaml:"exposure"`     // of each picture; 0 for automatic
	Rotate      int           `yaml:"rotate"`       // clockwise degrees for people to stand upright: 0, 90, 180, 270
	Mirror      bool          `yaml:"mirror"`       // left for right, after it was rotated
	FrozenAfter time.Duration `yaml:"frozen_after"` // of one and the same picture; 0 for never
	Idle        time.Duration `yaml:"idle"`         // between searches for faces while nothing changes; 0: each picture is searched
	Cooldown    time.Duration `yaml:"cooldown"`     // between two recognitions of one person; 0: all are told
	Quiet       Hours         `yaml:"quiet"`        // when nothing of this camera is announced, besides the device's
	Zones       []Zone        `yaml:"zones"`        // the first that a face is in counts
	Hold        time.Duration `yaml:"hold"`         // how long each photo of a folder is shown
}

// Spec is how source.Open opens the camera. It plays a recording once.
func (c Camera) Spec(log *slog.Logger) source.Spec {
	return source.Spec{
		Source: c.Source, Width: c.Width, Height: c.Height, FPS: c.FPS, Format: c.Format, Exposure: c.Exposure, Hold: c.Hold, Log: log,
	}
}

// Match is when a face counts as somebody's.
type Match struct {
	Threshold float64 `yaml:"threshold"` // cosine, -1..1; 0 for the model pack's own
	Margin    float64 `yaml:"margin"`    // cosine to the second person, 0..1; 0 for the model pack's own
	MinSeen   int     `yaml:"min_seen"`  // frames before an event, 1..100
}

// History bounds the events that happened; the oldest are dropped first.
type History struct {
	Events     int  `yaml:"events"`
	Days       int  `yaml:"days"`       // counted while the daemon runs, by a clock that does not jump
	MiB        int  `yaml:"mib"`        // with embeddings and pictures
	Embeddings bool `yaml:"embeddings"` // keep that of each face
	Pictures   bool `yaml:"pictures"`   // keep one of each face
}

// Unknown is what is kept of people who are not enrolled.
type Unknown struct {
	Remember bool `yaml:"remember"` // know them again
	Pictures bool `yaml:"pictures"` // store one of each
	Days     int  `yaml:"days"`     // that somebody is remembered who was not seen again; 1..3650
}

// Log is what is written to the journal.
type Log struct {
	Level slog.Level `yaml:"level"`
	Faces bool       `yaml:"faces"` // may names of people be logged
}

// Default returns the configuration of an empty file.
func Default() Config {
	camera := DefaultCamera()
	camera.Name, camera.Source = "camera", "/dev/video0"
	return Config{
		DataDir:     "/var/lib/facerecd",
		Models:      "/usr/lib/facerecd/models",
		Detector:    "full",
		Threads:     1,
		Accelerator: "cpu",
		HTTP:        HTTP{Listen: "127.0.0.1:4000"},
		MQTT:        MQTT{Base: "facerecd", Discovery: true, EmbeddedListen: "127.0.0.1:1883", Queue: Queue{Events: 100_000, MiB: 64, Age: 720 * time.Hour}},
		Cameras:     []Camera{camera},
		Match:       Match{MinSeen: 3},
		History:     History{Events: 10_000, Days: 30, MiB: 64, Embeddings: true},
		Unknown:     Unknown{Remember: true, Pictures: true, Days: 30},
	}
}

// DefaultCamera returns what an entry of cameras is before its keys are read;
// it lacks a name and a source.
func DefaultCamera() Camera {
	return Camera{Width: 640, Height: 480, FPS: 10, FrozenAfter: capture.DefaultFrozenAfter, Idle: time.Second, Hold: 3 * time.Second}
}

// String lists every key with its value on one line, without any password.
func (c Config) String() string {
	var s []string
	for _, leaf := range leaves(&c) {
		s = append(s, leaf.path+"="+leaf.shown())
	}
	return strings.Join(s, " ")
}

// LogValue implements slog.LogValuer, without any password.
func (c Config) LogValue() slog.Value {
	var attrs []slog.Attr
	for _, leaf := range leaves(&c) {
		attrs = append(attrs, slog.String(leaf.path, leaf.shown()))
	}
	return slog.GroupValue(attrs...)
}
