package daemon

import (
	"context"
	"errors"
	"fmt"
	"image"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"facerecd/capture/still"
	"facerecd/daemon/api"
	"facerecd/daemon/event"
	"facerecd/daemon/mqtt"
)

const (
	// picturePatience is for the picture of a snapshot or an enrolment.
	picturePatience = 3 * time.Second
	// maxSnapshot is how large the JPEG in a reply may be.
	maxSnapshot = 2 << 20
	// maxWaiting is how many commands may wait for the one that is being done:
	// whoever asks for more gets no wrong person enrolled a minute later.
	maxWaiting = 4
)

// commander does what comes on the command topics, one after the other.
type commander struct {
	Line    *mqtt.Line
	Topics  mqtt.Topics
	Allowed bool // also to enrol people and to see what the cameras see
	Cameras api.Cameras
	Faces   api.Faces
	Reload  func() error
	Switch  func(camera string, on bool) error
	Log     *slog.Logger
}

// Run obeys until ctx ends.
func (c *commander) Run(ctx context.Context) error {
	for {
		conn, err := c.Line.Conn(ctx)
		if err != nil {
			return nil
		}
		if err := conn.Subscribe(ctx, c.Topics.Command("+")); err != nil {
			if ctx.Err() == nil && !errors.Is(err, mqtt.ErrConnOver) {
				c.Log.Warn("no commands are taken over MQTT", "err", err)
			}
			continue
		}
		c.serve(ctx, conn)
	}
}

// serve takes commands over one connection until it is lost or ctx ends.
func (c *commander) serve(ctx context.Context, conn *mqtt.Conn) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	todo := make(chan mqtt.Command, maxWaiting)
	var worker sync.WaitGroup
	defer worker.Wait()
	defer close(todo)
	worker.Go(func() {
		for command := range todo {
			if ctx.Err() == nil {
				c.answer(ctx, conn, c.do(ctx, command))
			}
		}
	})
	for {
		select {
		case <-ctx.Done():
			return
		case <-conn.Lost():
			cancel()
			return
		case <-conn.Arrived():
		}
		for m, ok := conn.Next(); ok; m, ok = conn.Next() {
			name := strings.TrimPrefix(m.Topic, c.Topics.Command(""))
			if m.Retained {
				// It would be done again at each connection, by nobody's wish.
				c.Log.Warn("a retained command is ignored: publish commands without retain", "command", name)
				continue
			}
			command, err := mqtt.ParseCommand(name, m.Payload)
			if err == nil {
				select {
				case todo <- command:
					continue
				default:
					err = refuse("busy", "%d commands wait already: try again in a few seconds", maxWaiting)
				}
			}
			c.answer(ctx, conn, refused(command, err))
		}
	}
}

// answer publishes a reply, if somebody wants one.
func (c *commander) answer(ctx context.Context, conn *mqtt.Conn, r mqtt.Reply) {
	if r.Refusal != nil {
		c.Log.Warn("a command was refused", "command", r.Command.Name, "code", r.Refusal.Code)
	}
	if r.Command.ID == "" {
		return
	}
	payload, err := r.MarshalJSON()
	if err == nil {
		err = conn.Publish(ctx, c.Topics.Reply(r.Command.ID), false, payload)
	}
	if err != nil && ctx.Err() == nil && !errors.Is(err, mqtt.ErrConnOver) {
		c.Log.Error("a command could not be answered", "command", r.Command.Name, "err", err)
	}
}

func refuse(code, format string, args ...any) error {
	return &mqtt.Refusal{Code: code, Detail: fmt.Sprintf(format, args...)}
}

func refused(command mqtt.Command, err error) mqtt.Reply {
	refusal, ok := errors.AsType[*mqtt.Refusal](err)
	if !ok {
		refusal = &mqtt.Refusal{Code: "failed", Detail: err.Error()}
	}
	return mqtt.Reply{Time: time.Now(), Command: command, Refusal: refusal}
}

// do is one command from its beginning to its reply.
func (c *commander) do(ctx context.Context, command mqtt.Command) mqtt.Reply {
	r := mqtt.Reply{Command: command}
	err := c.try(ctx, &r)
	if err != nil {
		return refused(command, err)
	}
	r.Time = time.Now()
	return r
}

func (c *commander) try(ctx context.Context, r *mqtt.Reply) error {
	command := r.Command
	if command.Name == mqtt.Reload {
		if err := c.Reload(); err != nil {
			return refuse("bad_config", "%v", err)
		}
		return nil
	}
	if !c.Allowed && command.Name != mqtt.Recognition {
		return refuse("not_allowed", "%s is not allowed over MQTT here: set mqtt.commands, if all who may publish to this broker may do so", command.Name)
	}
	camera, err := c.camera(command.Camera)
	if err != nil {
		return err
	}
	switch command.Name {
	case mqtt.Recognition:
		r.Camera, r.On = camera.Name, &command.On
		return c.Switch(camera.Name, command.On)
	case mqtt.Snapshot:
		picture, err := c.look(ctx, camera, api.Overlay{Boxes: command.Boxes, Names: command.Names})
		if err != nil {
			return err
		}
		if len(picture) > maxSnapshot {
			return refuse("too_large", "the picture has %d bytes, more than the %d of a reply: ask for one over HTTP, or set a smaller width for %s", len(picture), maxSnapshot, camera.Name)
		}
		r.Camera, r.JPEG = camera.Name, picture
		return nil
	default:
		return c.enroll(ctx, camera, r)
	}
}

// camera finds the camera that has the name, or that slug.
func (c *commander) camera(name string) (api.Camera, error) {
	all := c.Cameras.List()
	i := slices.IndexFunc(all, func(o api.Camera) bool { return name == o.Name || name == o.Slug })
	if i >= 0 {
		return all[i], nil
	}
	var slugs []string
	for _, o := range all {
		slugs = append(slugs, o.Slug)
	}
	if len(slugs) == 0 {
		return api.Camera{}, refuse("unknown_camera", "there is no camera: add one to cameras in the configuration")
	}
	return api.Camera{}, refuse("unknown_camera", "there is no camera %.64q: these there are: %s", name, strings.Join(slugs, ", "))
}

// look is the next picture of a camera.
func (c *commander) look(ctx context.Context, camera api.Camera, o api.Overlay) ([]byte, error) {
	if camera.State == offState {
		return nil, refuse("off", "%s is switched off: switch it on first", camera.Name)
	}
	wait, cancel := context.WithTimeout(ctx, picturePatience)
	defer cancel()
	picture, err := c.Cameras.Next(wait, camera.Name, o)
	switch {
	case err == nil:
		return picture.JPEG, nil
	case camera.Hint != "":
		return nil, refuse("no_picture", "there is no picture of %s now, it is %s: %s", camera.Name, camera.State, camera.Hint)
	case wait.Err() != nil || errors.Is(err, api.ErrCameraChanged):
		return nil, refuse("no_picture", "there is no picture of %s now: try again in a few seconds", camera.Name)
	}
	return nil, err
}

// enroll learns the one face that is in view.
func (c *commander) enroll(ctx context.Context, camera api.Camera, r *mqtt.Reply) error {
	name, err := api.PersonName(r.Command.Person)
	if err != nil {
		return refuse("bad_request", "name: %v", err)
	}
	picture, err := c.look(ctx, camera, api.Overlay{})
	if err != nil {
		return err
	}
	img, err := still.Decode(picture, still.Limits{})
	if err != nil {
		return refuse("no_picture", "the picture of %s cannot be read: %v", camera.Name, err)
	}
	seen, err := c.Faces.Recognize(ctx, img)
	switch n := len(seen.Faces); {
	case err != nil:
		return err
	case n == 0:
		return refuse("no_face", "nobody is in view of %s: stand before it, look at it, and try again", camera.Name)
	case n > 1:
		return refuse("several_faces", "%d faces are in view of %s: only the person to be enrolled may be", n, camera.Name)
	}
	e, err := c.Faces.Enroll(ctx, name, func(yield func(api.Upload) bool) { yield(api.Upload{Name: camera.Name, Image: image.Image(img)}) }, false)
	switch {
	case err != nil:
		return err
	case e.Accepted == 0 && len(e.Rejected) > 0:
		return refuse(e.Rejected[0].Reason, "%s", e.Rejected[0].Detail)
	}
	c.Log.Info("enrolled over MQTT", "person", e.Person.ID, "accepted", e.Accepted)
	r.Person, r.Accepted = &event.Person{ID: e.Person.ID, Name: e.Person.Name}, e.Accepted
	return nil
}

// commander is the daemon's own.
func (d *Daemon) commander(p *parts) *commander {
	return &commander{
		Line: p.orders, Topics: p.publisher.Topics, Allowed: d.Config.MQTT.Commands,
		Cameras: p.server.Cameras, Faces: p.server.Faces, Reload: d.Reload, Switch: d.SwitchCamera, Log: d.Log,
	}
}
