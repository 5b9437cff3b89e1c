package cross_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"facerecd/cross/testkit"
)

// foreign lists what would tie the repository to one index of packages or to
// one person's machine. The halves keep this file from finding itself.
func foreign() []string {
	return []string{
		"py" + "pi.org", "python" + "hosted.org", "registry." + "npmjs", "proxy." + "golang.org", "sum." + "golang.org",
		"--index" + "-url", "index" + "_url", "/opt/" + "wheels",
		"/" + "work/", "/" + "root/go", "/" + "root/.c", // not all of /root: an image has one, too
	}
}

func TestFilesNameNoRegistryAndNoMachine(t *testing.T) {
	root, read := testkit.Root(t), 0
	walk(t, root, func(name string) {
		data, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		read++
		for _, text := range found(data) {
			t.Errorf("%s holds %q: leave hosts to the package manager's settings, and paths relative", name, text)
		}
	})
	if read < 50 {
		t.Errorf("read only %d files", read)
	}
}

func found(data []byte) (all []string) {
	for _, text := range foreign() {
		if bytes.Contains(data, []byte(text)) {
			all = append(all, text)
		}
	}
	return all
}

func TestForeignTextIsFound(t *testing.T) {
	if got := found([]byte("see https://py" + "pi.org/simple and cd /" + "root/.cache")); len(got) != 2 {
		t.Errorf("found %q, want two", got)
	}
	if got := found([]byte("a framework/ of its own, or the root/ of it")); got != nil {
		t.Errorf("found %q, want nothing", got)
	}
}
