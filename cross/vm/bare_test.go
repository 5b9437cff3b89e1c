//go:build vm

package vm_test

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"facerecd/cross/vm/vivid"
	"facerecd/daemon/api/client"
)

// bare runs a binary that no package brought.
func bare(args ...string) (string, error) {
	out, err := exec.Command("/usr/local/bin/facerecd", append([]string{"service"}, args...)...).CombinedOutput()
	return string(out), err
}

func TestABareBinaryMakesItselfAService(t *testing.T) {
	vivid.Run(t, "sh", "-ec", "mkdir -p /usr/local/lib/facerecd; cp /usr/bin/facerecd /usr/local/bin/; cp -r /usr/lib/facerecd/* /usr/local/lib/facerecd/")
	t.Cleanup(func() {
		_, _ = bare("uninstall") // if the test got so far
		vivid.Run(t, "rm", "-rf", "/usr/local/bin/facerecd", "/usr/local/lib/facerecd", configFile)
		if err := install(); err != nil { // for the tests that follow
			t.Error(err)
		}
	})
	works := func(want string, args ...string) {
		t.Helper()
		if out, err := bare(args...); err != nil || !strings.Contains(out, want) {
			t.Fatalf("facerecd service %s: %v, want %q in\n%s", args[0], err, want, out)
		}
	}
	refuses := func(want string, args ...string) {
		t.Helper()
		if out, err := bare(args...); err == nil || !strings.Contains(out, want) {
			t.Errorf("facerecd service %s: %v, want %q in\n%s", args[0], err, want, out)
		}
	}

	refuses("the package facerecd is the service here", "install")
	refuses("the service is the package's", "uninstall")
	configure(t, door)
	works("", "start") // the package's own, too
	works("Active: active (running)", "status")
	works("", "stop")
	refuses("the service does not run", "status")

	aptOK(t, "purge", "facerecd")
	refuses("facerecd is not installed as a service", "status")
	if err := os.RemoveAll(configFile); err != nil {
		t.Fatal(err)
	}
	works("Wrote "+configFile, "install")
	refuses("is installed already", "install")
	text, err := os.ReadFile(configFile)
	if err != nil || !strings.Contains(string(text), "\nmodels: /usr/local/lib/facerecd/models") || !strings.Contains(string(text), "\nruntime: /usr/local/lib/facerecd/libLiteRt.so") {
		t.Errorf("the configuration, %v:\n%s", err, text)
	}
	mosquitto := strings.Replace(string(text), `broker: "" `, `broker: "mqtt://127.0.0.1:1883" `, 1) // which has the port
	if err := os.WriteFile(configFile, []byte(mosquitto), 0o640); err != nil {
		t.Fatal(err)
	}
	works("", "start")
	daemon := client.Client{BaseURL: "http://127.0.0.1:4000"}
	if _, err := daemon.Health(t.Context()); err != nil {
		t.Error(err)
	}
	works("Active: active (running)", "status")
	if enabled := state("is-enabled"); enabled != "enabled" {
		t.Errorf("it is %s", enabled)
	}
	if exe := vivid.Run(t, "sh", "-c", "readlink /proc/$(systemctl show --property=MainPID --value facerecd)/exe"); exe != "/usr/local/bin/facerecd\n" {
		t.Errorf("it runs %s", exe)
	}
	vivid.Run(t, "systemctl", "reload", "facerecd")
	works("", "restart")
	works("People and events stay", "uninstall")
	refuses("facerecd is not installed as a service", "status")
	if _, err := os.Stat(dataDir); err != nil {
		t.Errorf("uninstalling took the people along: %v", err)
	}
}
