package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"facerecd/daemon/api"
)

func TestAClientTellsWhoItsCameraSees(t *testing.T) {
	t.Parallel()
	config, server, _ := configure(t, "biden")
	// The client comes first, and waits.
	source := filepath.Join(t.TempDir(), "photos")
	if err := os.Mkdir(source, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(photo(t, "obama"), filepath.Join(source, "a.jpg")); err != nil {
		t.Fatal(err)
	}
	client := begin(t, nil, "client", "--source", source, "--url", server, "--fps", "10")
	client.says(t, "facerecd: no facerecd at "+server)

	daemon := begin(t, nil, "run", "--config", config)
	daemon.says(t, "facerecd is ready")
	client.says(t, "facerecd: it works again\n")
	client.says(t, "unknown\n")
	must(t, "enroll", "Barack", photo(t, "obama2"), photo(t, "obama3"), "--server", server)
	client.says(t, "Barack (0.")

	page := regexp.MustCompile(`http://127\.0\.0\.1:\d+/[0-9A-Z]{26}/`).FindString(client.stderr.String())
	resp, err := http.Get(page)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatal(page, resp, err)
	}
	_ = resp.Body.Close()

	time.Sleep(time.Second) // ten more answers, which change nothing
	client.cancel()
	if code := client.ends(t); code != exitOK {
		t.Errorf("it exits with %d", code)
	}
	if got := client.stdout.String(); !regexp.MustCompile(`^\d\d:\d\d:\d\d  unknown\n\d\d:\d\d:\d\d  Barack \(0\.\d\d\)\n$`).MatchString(got) {
		t.Errorf("it prints\n%s", got)
	}
	if n := strings.Count(client.stderr.String(), "\n"); n != 3 {
		t.Errorf("it says in %d lines\n%s", n, &client.stderr)
	}

	once := []string{"client", "--source", photo(t, "obama"), "--url", server, "--once"}
	if got := must(t, once...); !regexp.MustCompile(`^Barack +score 0\.\d\d  confidence +\d+ %  quality \d\.\d\d  at \d+,\d+ \d+x\d+\n$`).MatchString(got) {
		t.Errorf("--once prints\n%s", got)
	}
	type line struct {
		Time time.Time `json:"time"`
		api.Recognition
	}
	if got := unmarshal[line](t, must(t, append(once, "--json")...)); got.Time.IsZero() || got.Frame != [2]int{640, 480} || len(got.Faces) != 1 || got.Faces[0].Person.Name != "Barack" {
		t.Errorf("--once --json: %+v", got)
	}
	lines := begin(t, nil, "client", "--source", source, "--url", server, "--json", "--no-page", "--fps", "10")
	lines.says(t, "\n{")
	lines.cancel()
	lines.ends(t)
	for text := range strings.Lines(lines.stdout.String()) {
		if err := json.Unmarshal([]byte(text), new(line)); err != nil {
			t.Errorf("%v in %s", err, text)
		}
	}
	if lines.stderr.String() != "" {
		t.Errorf("without a page it says\n%s", &lines.stderr)
	}

	// A camera that is not there: with --once an error, else it is waited for.
	code, _, stderr := try(t, nil, "client", "--source", "/dev/video99", "--url", server, "--once")
	if code != exitFailed || !strings.HasPrefix(stderr, "facerecd: open /dev/video99: camera not found: ") || !strings.Contains(stderr, "facerecd doctor") {
		t.Errorf("without a camera, --once exits with %d: %s", code, stderr)
	}
	missing := begin(t, nil, "client", "--source", "/dev/video99", "--url", server, "--no-page")
	missing.says(t, "facerecd: open /dev/video99: camera not found: ")
	missing.cancel()
	if code := missing.ends(t); code != exitOK {
		t.Errorf("without a camera it exits with %d", code)
	}
	if log := daemon.stderr.String(); strings.Contains(log, "Barack") || strings.Contains(log, "ERROR") {
		t.Errorf("the log has names or errors:\n%s", log)
	}
}

func TestAClientSendsNoTokenInTheClear(t *testing.T) {
	t.Parallel()
	token := write(t, filepath.Join(t.TempDir(), "token"), []byte("correct-horse-battery-staple\n"))
	clear := "the token and the pictures would cross the network unencrypted: set http.tls on %[1]s and use https, or run `ssh -N -L 4000:127.0.0.1:4000 %[1]s` and leave --url out, or say --insecure"
	for _, host := range []string{"pi.local", "192.0.2.7", "2001:db8::1"} {
		url := "http://" + host + ":4000"
		if strings.Contains(host, ":") {
			url = "http://[" + host + "]:4000"
		}
		fails(t, exitFailed, fmt.Sprintf(clear, host), "client", "--source", photo(t, "obama"), "--url", url, "--token-file", token)
	}
	for message, args := range map[string][]string{
		"--url pi: write http:// or https://, the host and the port, such as http://127.0.0.1:4000": {"--url", "pi"},
		"--fps 0: choose 0.1 to 30":   {"--fps", "0"},
		"--fps NaN: choose 0.1 to 30": {"--fps", "NaN"},
		"--size 1x1: give two even numbers between 32 and 8192, such as 640x480":  {"--size", "1x1"},
		`--source: "csi:x": write csi for the first camera, csi:1 for the second`: {"--source", "csi:x"},
	} {
		fails(t, exitFailed, message, append([]string{"client"}, args...)...)
	}
	for _, url := range []string{"http://127.0.0.1:4000", "http://[::1]:4000", "http://LocalHost", "https://pi.local:4000"} {
		if err := (clientCmd{remote: remote{Server: url}, Source: "csi", FPS: 2}).check("token"); err != nil {
			t.Errorf("%s: %v", url, err)
		}
	}
	if err := (clientCmd{remote: remote{Server: "http://pi.local"}, Source: "csi", FPS: 2, Insecure: true}).check("token"); err != nil {
		t.Errorf("--insecure: %v", err)
	}
	if err := (clientCmd{remote: remote{Server: "http://pi.local"}, Source: "csi", FPS: 2}).check(""); err != nil {
		t.Errorf("without a token: %v", err)
	}
}

func TestAClientWithTheWrongTokenEnds(t *testing.T) {
	t.Parallel()
	config, server, _ := configure(t, "biden")
	daemon := begin(t, []string{"FACERECD_HTTP_TOKEN_FILE=" + filepath.Join(filepath.Dir(config), "token")}, "run", "--config", config)
	daemon.says(t, "facerecd is ready")
	code, stdout, stderr := try(t, nil, "client", "--source", photo(t, "obama"), "--url", server, "--no-page")
	if want := "facerecd: Send the token: Authorization: Bearer <what the file http.token_file holds>.\n"; code != exitFailed || stdout != "" || stderr != want {
		t.Errorf("it exits with %d: %s%s", code, stdout, stderr)
	}
}

// TestTheBrowserIsOpenedWithoutTheSecretOnItsCommandLine has a browser that
// notes what it is called with.
func TestTheBrowserIsOpenedWithoutTheSecretOnItsCommandLine(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	t.Setenv("XDG_RUNTIME_DIR", dir)
	called, shown := filepath.Join(dir, "called"), filepath.Join(dir, "shown")
	write(t, filepath.Join(dir, "xdg-open"), fmt.Appendf(nil, "#!/bin/sh\ncp \"$1\" %s\necho \"$@\" > %s.new && mv %s.new %s\n", shown, called, called, called))
	if err := os.Chmod(filepath.Join(dir, "xdg-open"), 0o700); err != nil {
		t.Fatal(err)
	}
	client := begin(t, nil, "client", "--source", photo(t, "obama"), "--url", "http://"+freeAddr(t), "--open")
	eventually(t, "the browser was called", func() bool { _, err := os.Stat(called); return err == nil })
	client.says(t, "trying again")
	page := regexp.MustCompile(`http://127\.0\.0\.1:\d+/[0-9A-Z]{26}/`).FindString(client.stderr.String())
	args, err := os.ReadFile(called)
	if err != nil {
		t.Fatal(err)
	}
	door, err := os.ReadFile(shown)
	if err != nil {
		t.Fatal(err)
	}
	if page == "" || strings.Contains(string(args), "http") || !strings.Contains(string(door), page) {
		t.Errorf("it was called with %s, and shows\n%s", args, door)
	}
	client.cancel()
	client.ends(t)
	if left, _ := filepath.Glob(filepath.Join(dir, "facerecd-client-*")); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}
