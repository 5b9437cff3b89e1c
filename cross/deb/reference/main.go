// Command reference writes the manual pages and the shell completions of the
// package, from what the program itself says of its commands:
//
//	go run ./cross/deb/reference -program bin/facerecd -config deploy/systemd/facerecd.yaml -out DIR
//
// They are made with each package and not kept, so they cannot be out of date.
package main

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

func main() {
	program := flag.String("program", "", "facerecd, as built for this machine")
	config := flag.String("config", "", "the sample configuration")
	version := flag.String("version", "", "of the package")
	date := flag.String("date", "", "of the manual pages, as in 2026-11-24")
	out := flag.String("out", "", "folder to write to; the paths in it are those below /usr/share")
	flag.Parse()
	if err := run(*program, *config, *version, *date, *out); err != nil {
		fmt.Fprintln(os.Stderr, "reference:", err)
		os.Exit(1)
	}
}

func run(program, config, version, date, out string) error {
	if _, err := time.Parse(time.DateOnly, date); err != nil {
		return fmt.Errorf("read -date: %w", err)
	}
	cli, err := load(func(args ...string) (string, error) { return ask(program, args...) })
	if err != nil {
		return fmt.Errorf("ask %s for its commands: %w", program, err)
	}
	sample, err := os.ReadFile(config)
	if err != nil {
		return fmt.Errorf("read the sample configuration: %w", err)
	}
	for path, text := range map[string]string{
		"man/man1/facerecd.1":                     cli.manual(version, date),
		"man/man5/facerecd.yaml.5":                configManual(string(sample), version, date),
		"bash-completion/completions/facerecd":    cli.bash(),
		"zsh/vendor-completions/_facerecd":        cli.zsh(),
		"fish/vendor_completions.d/facerecd.fish": cli.fish(),
	} {
		path = filepath.Join(out, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// ask returns the program's help, on lines that are not wrapped.
func ask(program string, args ...string) (string, error) {
	cmd := exec.Command(program, append(args, "--help")...)
	cmd.Env = append(os.Environ(), "COLUMNS=2000")
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%s: %w: %s", strings.Join(cmd.Args, " "), err, out)
	}
	return string(out), nil
}
