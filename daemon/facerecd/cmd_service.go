package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/kardianos/service"

	"facerecd/daemon/config"
	"facerecd/deploy/systemd"
	"facerecd/inference/litert"
)

const (
	unitName = "facerecd.service"
	ownUnit  = "/etc/systemd/system/" + unitName // where service install writes it
)

// packageUnits are where the Debian package has its unit.
func packageUnits() []string {
	return []string{"/usr/lib/systemd/system/" + unitName, "/lib/systemd/system/" + unitName}
}

// serviceCmd makes a bare binary a service. The package brings its own unit,
// and does not need it.
type serviceCmd struct {
	Install   serviceInstallCmd   `cmd:"" help:"Make this binary a service that starts with the machine."`
	Uninstall serviceUninstallCmd `cmd:"" help:"Stop the service and forget that it is one. People and configuration stay."`
	Start     serviceStartCmd     `cmd:"" help:"Start the service."`
	Stop      serviceStopCmd      `cmd:"" help:"Stop the service."`
	Restart   serviceRestartCmd   `cmd:"" help:"Stop the service and start it."`
	Status    serviceStatusCmd    `cmd:"" help:"Show what systemd says of the service."`
}

type (
	serviceInstallCmd struct {
		Config string `help:"Configuration file; written with every key if it is missing." default:"${default}" type:"path" placeholder:"FILE"`
	}
	serviceUninstallCmd struct{}
	serviceStartCmd     struct{}
	serviceStopCmd      struct{}
	serviceRestartCmd   struct{}
	serviceStatusCmd    struct{}
)

// idle stands for the program that kardianos/service would run: systemd runs
// `facerecd run`, which needs nobody between.
type idle struct{}

func (idle) Start(service.Service) error { return nil }
func (idle) Stop(service.Service) error  { return nil }

// controlled is the service, as far as it can be without an own unit.
func controlled(c *service.Config) (service.Service, error) {
	c.Name = strings.TrimSuffix(unitName, ".service")
	s, err := service.New(idle{}, c)
	if err != nil || s.Platform() != "linux-systemd" {
		return nil, errors.New("this system does not run systemd: start `facerecd run` with whatever starts services here")
	}
	return s, nil
}

// control lets systemd do something to the service, whoever has installed it.
func control(action string) error {
	if err := needRoot(action); err != nil {
		return err
	}
	s, err := controlled(&service.Config{})
	if err != nil {
		return err
	}
	if err := service.Control(s, action); err != nil {
		return fmt.Errorf("%s the service: %w; journalctl -u facerecd -n 20 says more", action, err)
	}
	return nil
}

func needRoot(action string) error {
	if os.Geteuid() != 0 {
		return fmt.Errorf("only root may change services: sudo facerecd service %s", action)
	}
	return nil
}

func (serviceStartCmd) Run() error   { return control("start") }
func (serviceStopCmd) Run() error    { return control("stop") }
func (serviceRestartCmd) Run() error { return control("restart") }

// Run succeeds when the service runs.
func (serviceStatusCmd) Run(w *world) error {
	s, err := controlled(&service.Config{})
	if err != nil {
		return err
	}
	show := exec.CommandContext(w.ctx, "systemctl", "status", "--no-pager", "--full", "--lines=5", unitName)
	show.Stdout, show.Stderr = w.stdout, w.stderr
	_ = show.Run() // its exit status says what the next lines do
	switch status, err := s.Status(); {
	case errors.Is(err, service.ErrNotInstalled):
		return errors.New("facerecd is not installed as a service: sudo facerecd service install")
	case err != nil:
		return errors.New("the service has failed: journalctl -u facerecd says why")
	case status != service.StatusRunning:
		return errors.New("the service does not run: sudo facerecd service start")
	}
	return nil
}

// Run installs the service and does not start it: a camera goes on when its
// owner says so.
func (c serviceInstallCmd) Run(w *world) error {
	if err := notThePackage(packageUnits()); err != nil {
		return err
	}
	if err := needRoot("install"); err != nil {
		return err
	}
	program, err := os.Executable()
	if err == nil {
		program, err = filepath.EvalSymlinks(program)
	}
	if err != nil {
		return fmt.Errorf("find this program: %w", err)
	}
	text, err := unitFor(program, c.Config)
	if err != nil {
		return err
	}
	s, err := controlled(&service.Config{Executable: program, Option: service.KeyValue{"SystemdScript": text}})
	if err != nil {
		return err
	}
	if _, err := os.Stat(ownUnit); err == nil {
		return fmt.Errorf("the service is installed already, as %s: sudo facerecd service restart runs this binary if it is the one; else uninstall first", ownUnit)
	}
	wrote, err := c.configure(w)
	if err != nil {
		return err
	}
	if err := makeUser(); err != nil {
		return err
	}
	if wrote {
		if err := shareConfig(c.Config); err != nil {
			return err
		}
	}
	if err := s.Install(); err != nil {
		return errors.Join(fmt.Errorf("install the service: %w", err), os.Remove(ownUnit))
	}
	fmt.Fprintf(w.stdout, "Installed %s, which runs %s at every start of the machine.\n", ownUnit, program)
	if wrote {
		fmt.Fprintf(w.stdout, "Wrote %s: look at cameras and mqtt.broker there.\n", c.Config)
	}
	fmt.Fprintln(w.stdout, "To start it now: sudo facerecd service start")
	return nil
}

// notThePackage refuses to put a unit over the package's.
func notThePackage(units []string) error {
	for _, path := range units {
		if _, err := os.Stat(path); err == nil {
			return fmt.Errorf("the package facerecd is the service here, by %s: sudo systemctl enable --now facerecd; to use this binary instead, first: sudo apt remove facerecd", path)
		}
	}
	return nil
}

// unitFor is the package's unit for another binary and configuration.
func unitFor(program, config string) (string, error) {
	plain := regexp.MustCompile(`^/[A-Za-z0-9/._+-]+$`)
	for _, path := range []string{program, config} {
		if !plain.MatchString(path) {
			return "", fmt.Errorf("%q would need quoting in a unit: move it to a path of letters, digits and . _ + -", path)
		}
		// ProtectHome= and PrivateTmp= in the unit.
		for _, hidden := range []string{"/home/", "/root/", "/run/user/", "/tmp/", "/var/tmp/"} {
			if strings.HasPrefix(path, hidden) {
				return "", fmt.Errorf("the service does not see %s, as it sees nobody's files: move it, as to /usr/local/bin/facerecd, with models and libLiteRt.so in /usr/local/lib/facerecd", path)
			}
		}
	}
	// The program's path is a field of kardianos/service's template.
	return strings.NewReplacer("/usr/bin/facerecd ", "{{Path}} ", defaultConfig, config).Replace(systemd.Unit()), nil
}

// configure checks the configuration, or writes one that names the models and
// the runtime that this binary finds.
func (c serviceInstallCmd) configure(w *world) (wrote bool, err error) {
	if _, err := os.Stat(c.Config); err == nil {
		_, err := config.Load(c.Config, w.env)
		return false, err
	}
	text, err := configFor(beside("models", findModels(config.Default().Models)), beside("libLiteRt.so", ""))
	if err != nil {
		return false, err
	}
	if err := os.MkdirAll(filepath.Dir(c.Config), 0o755); err != nil {
		return false, fmt.Errorf("write the configuration: %w", err)
	}
	if err := os.WriteFile(c.Config, []byte(text), 0o640); err != nil {
		return false, fmt.Errorf("write the configuration: %w", err)
	}
	return true, nil
}

// beside is where a file of facerecd's is for a binary that nobody has
// packaged: next to it, or in ../lib/facerecd; or else otherwise.
func beside(name, otherwise string) string {
	program, err := os.Executable()
	if err != nil {
		return otherwise
	}
	dir := filepath.Dir(program)
	for _, path := range []string{filepath.Join(dir, name), filepath.Join(dir, "..", "lib", "facerecd", name)} {
		if _, err := os.Stat(path); err == nil {
			return path
		}
	}
	return otherwise
}

// configFor is the sample with these models, and the runtime that is found.
func configFor(models, runtime string) (string, error) {
	found, err := litert.Find(runtime)
	if err != nil {
		return "", err
	}
	for _, path := range []*string{&models, &found} {
		if *path, err = filepath.Abs(*path); err != nil {
			return "", fmt.Errorf("find the models and the runtime: %w", err)
		}
	}
	text := systemd.SampleConfig()
	for _, key := range []struct{ line, value string }{{"models: /usr/lib/facerecd/models", "models: " + models}, {`runtime: ""`, "runtime: " + found}} {
		if !strings.Contains(text, "\n"+key.line) {
			return "", fmt.Errorf("the sample configuration has no line %q", key.line)
		}
		text = strings.Replace(text, "\n"+key.line, "\n"+key.value, 1)
	}
	return text, nil
}

// makeUser makes the service's user and groups where they are missing.
func makeUser() error {
	c := exec.Command("systemd-sysusers", "-")
	c.Stdin = strings.NewReader(systemd.Sysusers())
	if out, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("make the user facerecd: %w: %s; by hand: useradd --system --no-create-home --groups video facerecd", err, strings.TrimSpace(string(out)))
	}
	return nil
}

// shareConfig lets the service read its configuration, and nobody else.
func shareConfig(path string) error {
	if out, err := exec.Command("chgrp", "facerecd", path).CombinedOutput(); err != nil {
		return fmt.Errorf("let the service read %s: %w: %s", path, err, out)
	}
	return nil
}

// Run stops the service before it takes the unit away.
func (serviceUninstallCmd) Run(w *world) error {
	if _, err := os.Stat(ownUnit); os.IsNotExist(err) {
		if err := notThePackage(packageUnits()); err != nil {
			return errors.New("the service is the package's: sudo apt remove facerecd, or sudo systemctl disable --now facerecd")
		}
		return errors.New("facerecd is not installed as a service")
	}
	if err := control("stop"); err != nil {
		return err
	}
	if err := control("uninstall"); err != nil {
		return err
	}
	fmt.Fprintf(w.stdout, "The service is gone. People and events stay in %s, the configuration in %s, and the user facerecd.\n",
		config.Default().DataDir, filepath.Dir(defaultConfig))
	return nil
}
