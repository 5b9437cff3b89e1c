package api

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

func TestTokenIsMadeOnceAndKeptFromOthers(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state", "token")
	token, created, err := LoadOrCreateToken(path)
	if err != nil || !created || len(token) < 20 {
		t.Fatalf("got %q, %v, %v", token, created, err)
	}
	for file, want := range map[string]os.FileMode{path: 0o600, filepath.Dir(path): 0o700} {
		if info, err := os.Stat(file); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, %v", file, info.Mode(), err)
		}
	}
	if again, created, err := LoadOrCreateToken(path); again != token || created || err != nil {
		t.Errorf("the second time: %q, %v, %v", again, created, err)
	}
	if names, _ := os.ReadDir(filepath.Dir(path)); len(names) != 1 {
		t.Errorf("left behind: %v", names)
	}
}

func TestTokensMadeAtTheSameTimeAreOne(t *testing.T) {
	path := filepath.Join(t.TempDir(), "token")
	var wg sync.WaitGroup
	tokens := make([]string, 8)
	made := make([]bool, 8)
	for i := range tokens {
		wg.Go(func() {
			var err error
			if tokens[i], made[i], err = LoadOrCreateToken(path); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	n := 0
	for i := range tokens {
		if tokens[i] != tokens[0] {
			t.Errorf("two tokens: %v", tokens)
		}
		if made[i] {
			n++
		}
	}
	if n != 1 {
		t.Errorf("%d say that they made it", n)
	}
}

func TestABadTokenFileIsAnErrorThatSaysWhatToDo(t *testing.T) {
	const notOne = " does not hold a token (one line of at least 16 letters and digits): delete it, and a new one is made at the next start"
	const good = "correct-horse-battery-staple"
	for name, tt := range map[string]struct {
		content string
		mode    os.FileMode
		want    string
	}{
		"readable by all":  {good, 0o644, " is open to others (mode 0644): chmod 600 it, and replace the token if somebody may have seen it"},
		"group may write":  {good, 0o660, " is open to others (mode 0660): chmod 600 it, and replace the token if somebody may have seen it"},
		"empty":            {"", 0o600, notOne},
		"short":            {"secret\n", 0o600, notOne},
		"two lines":        {good + "\n" + good, 0o600, notOne},
		"not ASCII":        {"clé-de-la-porte-d'entrée", 0o600, notOne},
		"group may read":   {good, 0o640, ""},
		"line end trimmed": {good + "\r\n", 0o600, ""},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "token")
			if err := os.WriteFile(path, []byte(tt.content), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.Chmod(path, tt.mode); err != nil {
				t.Fatal(err)
			}
			token, created, err := LoadOrCreateToken(path)
			switch {
			case tt.want == "" && (err != nil || created || token != good):
				t.Errorf("got %q, %v, %v", token, created, err)
			case tt.want != "" && (err == nil || err.Error() != "token file "+path+tt.want):
				t.Errorf("got %v", err)
			}
			if after, _ := os.ReadFile(path); string(after) != tt.content {
				t.Errorf("the file was changed to %q", after)
			}
			if err != nil && strings.Contains(err.Error(), good) {
				t.Error("the error tells the token")
			}
		})
	}
}
