package main

import (
	"context"
	"errors"
	"fmt"

	"facerecd/daemon/api"
	"facerecd/daemon/api/client"
)

type enrollCmd struct {
	remote
	Name   string          `arg:"" optional:"" help:"Name of the person; one who is known gets more photos."`
	Photos []string        `arg:"" optional:"" help:"JPEG or PNG photos of this person alone." type:"existingfile"`
	Camera string          `help:"Instead of photos: a camera of the daemon, before which the person stands; they are told what to do. Its name or slug."`
	Poses  []api.Direction `help:"Which looks the camera takes: front, left, right." enum:"front,left,right" default:"front,left,right"`
	Dir    string          `help:"Instead of a name and photos: a folder with a folder of photos for each person, whose name it has." type:"existingdir" placeholder:"FOLDER"`
	Force  bool            `help:"Use also photos that do not match the others, or look like somebody else who is enrolled, such as a twin."`
	JSON   bool            `help:"Print the answer as JSON."`
}

// Validate is called by kong.
func (c enrollCmd) Validate() error {
	switch from := c.sources(); {
	case c.Dir != "" && (c.Name != "" || from > 1):
		return errors.New("--dir enrols all who are in the folder: give no name, photos or camera with it")
	case c.Dir != "" && c.JSON:
		return errors.New("--json is for one person, and not for --dir")
	case c.Dir == "" && c.Name == "":
		return errors.New("give the person's name, and photos of them: facerecd enroll NAME PHOTO…")
	case from == 0:
		return errors.New("give photos of the person, or --camera CAMERA to enrol them before a camera")
	case from > 1:
		return errors.New("give photos or --camera, not both")
	}
	return nil
}

// sources is how many things there are to enrol from.
func (c enrollCmd) sources() (n int) {
	for _, given := range []bool{c.Camera != "", c.Dir != "", len(c.Photos) > 0} {
		if given {
			n++
		}
	}
	return n
}

func (c enrollCmd) Run(w *world) error {
	daemon, err := c.client()
	if err != nil {
		return err
	}
	if c.Dir != "" {
		return photoFolder{dir: c.Dir, force: c.Force}.enrol(w, func() (*client.Client, error) { return daemon, nil })
	}
	answer, err := c.one(w, daemon)
	if err != nil {
		return explain(err)
	}
	if c.JSON {
		return printJSON(w.stdout, answer)
	}
	fmt.Fprintf(w.stdout, "%s is enrolled (%s): %d of %d photos used, %d stored in all\n",
		answer.Person.Name, answer.Person.ID, answer.Accepted, len(answer.Images), answer.Person.Templates)
	for _, r := range answer.Rejected {
		fmt.Fprintf(w.stdout, "  %s: %s (%s)\n", r.Image, r.Detail, r.Reason)
	}
	return nil
}

// one enrols one person, with photos or before a camera.
func (c enrollCmd) one(w *world, daemon *client.Client) (api.Enrollment, error) {
	if c.Camera == "" {
		return registration(daemon, c.Force)(w.ctx, c.Name, c.Photos)
	}
	want := api.GuideRequest{Name: c.Name, Force: c.Force, Poses: c.Poses}
	said := ""
	return daemon.Guide(w.ctx, c.Camera, want, func(g api.Guidance) {
		if line := fmt.Sprintf("%d of %d: %s", g.Taken, g.Of, g.Detail); line != said {
			fmt.Fprintln(w.stderr, line)
			said = line
		}
	})
}

// registration is how a person's photos are sent.
func registration(daemon *client.Client, force bool) func(ctx context.Context, name string, photos []string) (api.Enrollment, error) {
	if force {
		return daemon.ForceRegister
	}
	return daemon.Register
}
