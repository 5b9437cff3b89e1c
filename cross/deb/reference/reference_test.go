package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// what kong writes, shortened.
var helps = map[string]string{
	"": `Usage: facerecd <command>

Recognises faces.

Flags:
  -h, --help    Show context-sensitive help.

Commands:
  run [flags]
    Run the daemon.

  people list [flags]
    List everybody who is enrolled.

  people forget <person> [flags]
    Delete a person.

Run "facerecd <command> --help" for more information on a command.
`,
	"run": `Usage: facerecd run [flags]

Run the daemon.

Without --config, .hidden files aren't read.

Flags:
  -h, --help           Show context-sensitive help.

      --config=FILE    Configuration file: [YAML].
`,
	"people list": `Usage: facerecd people list [flags]

List everybody who is enrolled.

Flags:
  -h, --help    Show context-sensitive help.

      --json    Print JSON.
`,
	"people forget": `Usage: facerecd people forget <person> [flags]

Delete a person.

Arguments:
  <person>    Name or id.

Flags:
  -h, --help    Show context-sensitive help.
`,
}

func loadHelps(t *testing.T) tree {
	t.Helper()
	cli, err := load(func(args ...string) (string, error) {
		text, ok := helps[strings.Join(args, " ")]
		if !ok {
			return "", errors.New("no such command")
		}
		return text, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return cli
}

func TestManualHasEveryCommandArgumentAndFlag(t *testing.T) {
	text := loadHelps(t).manual("1.2", "2026-11-24")
	for _, want := range []string{
		`.SS "facerecd run [flags]"`, `\-\-config=\fIFILE\fR`, "Configuration file: [YAML].",
		`.SS "facerecd people forget <person> [flags]"`, "<person>\nName or id.", `aren\(aqt read`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the manual has no %q", want)
		}
	}
}

func TestHelpThatIsNotUnderstoodIsAnError(t *testing.T) {
	for _, text := range []string{"", "something else\n", "Usage: facerecd\n\nCommands:\n  RUN\n"} {
		if _, err := load(func(...string) (string, error) { return text, nil }); err == nil {
			t.Errorf("%q was accepted", text)
		}
	}
}

func TestBashCompletesCommandsAndFlags(t *testing.T) {
	script := filepath.Join(t.TempDir(), "facerecd")
	if err := os.WriteFile(script, []byte(loadHelps(t).bash()), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ typed, want string }{
		{`facerecd ""`, "run people"},
		{`facerecd pe`, "people"},
		{`facerecd people ""`, "list forget"},
		{`facerecd people list --`, "--help --json"},
		{`facerecd run --c`, "--config"},
		{`facerecd run --config ""`, "--help --config"},
	} {
		out, err := exec.Command("bash", "-c", `. "$1"; eval "COMP_WORDS=($2)"; COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _facerecd; echo "${COMPREPLY[*]}"`,
			"bash", script, c.typed).CombinedOutput()
		if got := strings.TrimSpace(string(out)); err != nil || got != c.want {
			t.Errorf("%s TAB offers %q (%v), want %q", c.typed, got, err, c.want)
		}
	}
}

func TestOtherShellsCompleteEveryFlag(t *testing.T) {
	cli := loadHelps(t)
	for want, text := range map[string]string{
		`'--config=[Configuration file\: \[YAML\].]:file:_files'`: cli.zsh(),
		"-l config -r -F -d 'Configuration file: [YAML].'":        cli.fish(),
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %s in\n%s", want, text)
		}
	}
}
