package accel

import (
	"context"
	"errors"
	"fmt"
	"os"
	"reflect"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// trick is the environment variable that tells this program, started as a child,
// what to do.
const trick = "ACCEL_TEST_TRICK"

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == Command {
		os.Exit(child(os.Getenv(trick), os.Args[2:]))
	}
	goleak.VerifyTestMain(m)
}

func child(trick string, args []string) int {
	switch trick {
	case "tells":
		fmt.Println("INFO: the driver says hello")
		fmt.Printf(`{"models":[{"model":"detector","error":%q,"cpu_ms":2.5}]}`+"\nINFO: and good-bye\n", strings.Join(args, " "))
	case "fails":
		fmt.Fprintln(os.Stderr, "INFO: the driver says hello")
		fmt.Fprintln(os.Stderr, "facerecd: there is no library")
		return 1
	case "needs another processor": // as the arm64 library on a Cortex-A72
		fmt.Fprintln(os.Stderr, "FATAL ERROR: This binary was compiled with lse enabled")
		_ = syscall.Kill(os.Getpid(), syscall.SIGILL)
		time.Sleep(time.Hour)
	case "babbles":
		fmt.Println("the driver says hello")
	case "hangs":
		time.Sleep(time.Hour)
	default:
		signal := map[string]syscall.Signal{"SIGILL": syscall.SIGILL, "SIGABRT": syscall.SIGABRT, "SIGKILL": syscall.SIGKILL}[trick]
		_ = syscall.Kill(os.Getpid(), signal)
		time.Sleep(time.Hour)
	}
	return 0
}

func TestWhateverBecomesOfTheChildIsToldInWords(t *testing.T) {
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for trickName, want := range map[string]string{
		"fails":                   "the trial of the GPU failed: exit status 1: there is no library",
		"babbles":                 "the trial of the GPU failed: it told nothing",
		"hangs":                   "the trial of the GPU failed: it was not over after 500ms",
		"SIGILL":                  "the trial of the GPU failed: exit status 2: SIGILL: illegal instruction",
		"SIGABRT":                 "the trial of the GPU failed: exit status 2: SIGABRT: abort",
		"needs another processor": "the trial of the GPU failed: exit status 2: FATAL ERROR: This binary was compiled with lse enabled",
		"SIGKILL":                 "the trial of the GPU failed: signal: killed",
	} {
		t.Run(trickName, func(t *testing.T) {
			t.Setenv(trick, trickName)
			c := Child{Program: program}
			if trickName == "hangs" {
				c.Timeout = 500 * time.Millisecond
			}
			report, err := c.Try(t.Context(), Request{})
			if err == nil || err.Error() != want || report.Models != nil {
				t.Errorf("got  %v, %v\nwant %s", report, err, want)
			}
		})
	}
}

func TestTheChildIsToldWhatToTryAndNoSecrets(t *testing.T) {
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv(trick, "tells")
	t.Setenv("FACERECD_MQTT_PASSWORD_FILE", "secret")
	got, err := Child{Program: program}.Try(t.Context(), Request{Models: "m", Runtime: "r", Dir: "d", Detector: "full", Threads: 2})
	want := Report{Models: []Outcome{{Model: "detector", Error: "--models m --runtime r --dir d --detector full --threads 2", CPU: 2.5}}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v", got, err)
	}
	for _, v := range environ() {
		if strings.HasPrefix(v, "FACERECD_") {
			t.Error(v)
		}
	}
}

func TestTheEndOfTheDaemonEndsTheTrial(t *testing.T) {
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv(trick, "hangs")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := (Child{Program: program}).Try(ctx, Request{}); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
