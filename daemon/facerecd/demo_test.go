package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"facerecd/cross/testkit"
)

func TestDemoTellsWhatToTryAndLeavesNothingBehind(t *testing.T) {
	temp, http, broker := t.TempDir(), freeAddr(t), freeAddr(t)
	t.Setenv("TMPDIR", temp)
	t.Chdir(testkit.Root(t)) // as in a checkout
	demo := begin(t, []string{"FACERECD_HTTP_LISTEN=" + http, "FACERECD_MQTT_EMBEDDED_LISTEN=" + broker}, "run", "--demo")
	demo.says(t, "Ctrl-C stops it")
	said := demo.stdout.String()
	for _, text := range []string{
		"biden.jpg and obama.jpg",
		"\nOpen http://" + http + " in a browser",
		"\n  curl -F name=obama -F images=@.cache/photos/obama2.jpg -F images=@.cache/photos/obama3.jpg http://" + http + "/register\n",
		"\n  mosquitto_sub -v -t 'facerecd/#'",
		"broker: tcp://" + broker + "\n",
		" watch\n",
	} {
		if !strings.Contains(said, text) {
			t.Errorf("it does not say %q:\n%s", text, said)
		}
	}
	if stores, _ := filepath.Glob(filepath.Join(temp, "facerecd-demo-*")); len(stores) != 1 {
		t.Errorf("stores %v", stores)
	}
	must(t, "enroll", "obama", ".cache/photos/obama2.jpg", ".cache/photos/obama3.jpg", "--server", "http://"+http)
	watch := begin(t, nil, "watch", "--server", "http://"+http)
	watch.says(t, "recognized obama")
	watch.cancel()
	watch.ends(t)

	began := time.Now()
	demo.cancel()
	if code := demo.ends(t); code != exitOK || demo.stderr.String() != "" {
		t.Errorf("it exits with %d: %s", code, &demo.stderr)
	}
	if took := time.Since(began); took > stopping {
		t.Errorf("it took %v to stop", took)
	}
	if left, err := os.ReadDir(temp); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestDemoWithoutPhotosSaysHowToGetThem(t *testing.T) {
	t.Chdir(t.TempDir())
	fails(t, exitFailed, "the demo's photos are missing: run `make deps` in a checkout of facerecd, or use `make run`", "run", "--demo")
}
