package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/alecthomas/kong"

	"facerecd/daemon/api"
	"facerecd/daemon/api/client"
	"facerecd/daemon/config"
)

// The exit codes, after sysexits.h where it has a word for them.
const (
	exitOK     = 0
	exitFailed = 1  // it did not work; the message says why
	exitUsage  = 64 // the command line is wrong
	exitConfig = 78 // the configuration is wrong; starting again does not help
)

// cli is the command line.
type cli struct {
	Run           runCmd           `cmd:"" help:"Run the daemon."`
	Enroll        enrollCmd        `cmd:"" help:"Enrol somebody with photos of them or before a camera, or a folder of people."`
	People        peopleCmd        `cmd:"" help:"List, rename, announce or forget people."`
	Check         checkCmd         `cmd:"" help:"Say who would be missed or confused, and which picture does harm."`
	Client        clientCmd        `cmd:"" help:"Send a camera of this machine to a daemon, tell who it sees, and show the pictures."`
	Unknown       unknownCmd       `cmd:"" help:"List, name, ignore or forget who was seen and is not enrolled."`
	Recognize     recognizeCmd     `cmd:"" help:"Say who is in a photo."`
	Fleet         fleetCmd         `cmd:"" help:"Share people with other devices."`
	Backup        backupCmd        `cmd:"" help:"Write everybody who is enrolled into one file."`
	Restore       restoreCmd       `cmd:"" help:"Take a backup in."`
	Export        exportCmd        `cmd:"" help:"Write people and embeddings for other programs, as JSON or CSV."`
	Import        importCmd        `cmd:"" help:"Take in people: an export, embeddings as CSV, or folders of photos, also Frigate's and Double Take's."`
	Events        eventsCmd        `cmd:"" help:"List what was seen."`
	Seen          seenCmd          `cmd:"" help:"Say when the face of a photo was seen."`
	Watch         watchCmd         `cmd:"" help:"Print who is recognised, as it happens."`
	Eval          evalCmd          `cmd:"" help:"Measure the accuracy on photos in LFW's layout."`
	EvalDetection evalDetectionCmd `cmd:"" help:"Measure what each detector finds, by the size of the face."`
	Bench         benchCmd         `cmd:"" help:"Measure how long a frame takes on this machine, beside the models alone."`
	Doctor        doctorCmd        `cmd:"" help:"Check this machine: models, runtime, cameras, configuration."`
	Service       serviceCmd       `cmd:"" help:"Install this binary as a service of the system, start, stop or show it."`
	Version       versionCmd       `cmd:"" help:"Print the version."`
	TryGPU        tryGPUCmd        `cmd:"" name:"try-gpu" hidden:"" help:"Run a pack's models on the CPU and on the GPU, and print how they did."`
}

// world is what a command works with.
type world struct {
	ctx            context.Context
	env            []string // like os.Environ's
	stdout, stderr io.Writer
}

// run is the whole program but for the process itself.
func run(ctx context.Context, args, env []string, stdout, stderr io.Writer) (code int) {
	exited := false
	parser, err := kong.New(&cli{},
		kong.Name("facerecd"),
		kong.Description("Recognises faces on this machine and says who is there over MQTT."),
		kong.Vars{"default": defaultConfig},
		kong.Writers(stdout, stderr),
		kong.Exit(func(c int) { exited, code = true, c }),
	)
	if err != nil {
		fmt.Fprintln(stderr, "facerecd:", err)
		return exitFailed
	}
	if len(args) == 0 {
		args = []string{"--help"}
	}
	command, err := parser.Parse(args)
	if exited {
		return code // after --help
	}
	if err != nil {
		fmt.Fprintf(stderr, "facerecd: %v\nSee facerecd --help.\n", err)
		return exitUsage
	}
	err = command.Run(&world{ctx: ctx, env: env, stdout: stdout, stderr: stderr})
	if err == nil || ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return exitOK
	}
	fmt.Fprintln(stderr, "facerecd:", err)
	if _, ok := errors.AsType[*config.Error](err); ok {
		return exitConfig
	}
	return exitFailed
}

// remote is how a command finds the daemon.
type remote struct {
	Server    string `help:"The daemon's address." default:"http://127.0.0.1:4000" aliases:"url" placeholder:"URL"`
	TokenFile string `help:"File with the token, where the daemon asks for one." type:"path"`
}

func (r remote) client() (*client.Client, error) {
	c := &client.Client{BaseURL: r.Server}
	if r.TokenFile != "" {
		token, err := config.ReadSecret(r.TokenFile)
		if err != nil {
			return nil, fmt.Errorf("read token: %w", err)
		}
		c.Token = token
	}
	return c, nil
}

// explain adds what a problem's sentence leaves out: each image's own reason.
func explain(err error) error {
	p, ok := errors.AsType[*api.Problem](err)
	if !ok || len(p.Rejected) == 0 {
		return err
	}
	var text strings.Builder
	for _, r := range p.Rejected {
		fmt.Fprintf(&text, "\n  %s: %s (%s)", r.Image, r.Detail, r.Reason)
	}
	return fmt.Errorf("%w%s", err, text.String())
}

// printJSON writes one indented document.
func printJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// printLine writes a document on one line.
func printLine(w io.Writer, v any) error {
	return json.NewEncoder(w).Encode(v)
}

// isTerminal tells whether progress and colours make sense on w.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

type versionCmd struct{}

func (versionCmd) Run(w *world) error {
	_, err := fmt.Fprintln(w.stdout, "facerecd", version)
	return err
}
