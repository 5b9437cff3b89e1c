package cross_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Every code that the health may show is in the page that says what helps.
func TestTroubleshootingNamesEveryHealthCode(t *testing.T) {
	page := readFile(t, "../docs/troubleshooting.md")
	for file, code := range map[string]*regexp.Regexp{
		"../capture/status.go": regexp.MustCompile(`\{Err\w+, "(\w+)", "`),
		"../daemon/*.go":       regexp.MustCompile(`wrong\("(\w+)",|Code: "(\w+)", Severity`),
	} {
		files, err := filepath.Glob(file)
		if err != nil {
			t.Fatal(err)
		}
		found := 0
		for _, f := range files {
			if strings.HasSuffix(f, "_test.go") {
				continue
			}
			for _, m := range code.FindAllStringSubmatch(readFile(t, f), -1) {
				found++
				want := strings.Join(m[1:], "")
				if strings.Contains(file, "capture") {
					want = "camera_" + want
				}
				if !strings.Contains(page, "`"+want+"`") {
					t.Errorf("%s: docs/troubleshooting.md does not have %s", f, want)
				}
			}
		}
		if found < 5 {
			t.Errorf("only %d codes were found in %s", found, file)
		}
	}
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
