package web

import (
	"encoding/json"
	"errors"
	"io/fs"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// texts are a language's strings: the module is JSON, but for its first and
// last characters.
func texts(t *testing.T, language string) map[string]string {
	t.Helper()
	data, err := files.ReadFile(language + ".js")
	if err != nil {
		t.Fatal(err)
	}
	text := strings.TrimSuffix(strings.TrimSpace(strings.TrimPrefix(string(data), "export default ")), ";")
	var all map[string]string
	if err := json.Unmarshal([]byte(text), &all); err != nil {
		t.Fatalf("%s.js: %v", language, err)
	}
	return all
}

func TestEveryLanguageHasEveryText(t *testing.T) {
	en, es := texts(t, "en"), texts(t, "es")
	// The daemon's own sentences are in English; only those that mean something
	// else on the page are replaced.
	maps.DeleteFunc(es, func(key, _ string) bool { return strings.HasPrefix(key, "problem.") && en[key] == "" })
	if a, b := slices.Sorted(maps.Keys(en)), slices.Sorted(maps.Keys(es)); !slices.Equal(a, b) {
		t.Errorf("only in English: %v\nonly in Spanish: %v", minus(a, b), minus(b, a))
	}
	values := regexp.MustCompile(`\{\w+\}`)
	for key, text := range en {
		a, b := values.FindAllString(text, -1), values.FindAllString(es[key], -1)
		slices.Sort(a)
		slices.Sort(b)
		if !slices.Equal(a, b) {
			t.Errorf("%s: %v in English, %v in Spanish", key, a, b)
		}
		if strings.ContainsAny(text+es[key], "<>&") {
			t.Errorf("%s: texts are shown as they are, without HTML", key)
		}
	}
}

func minus(a, b []string) []string {
	return slices.DeleteFunc(slices.Clone(a), func(s string) bool { return slices.Contains(b, s) })
}

// TestEveryTextIsUsed also finds keys that no language has.
func TestEveryTextIsUsed(t *testing.T) {
	en := texts(t, "en")
	script := scripts(t)
	used := map[string]bool{}
	// 'people.add', `camera.${state}`
	for _, m := range regexp.MustCompile("['`]([a-z_.]*(?:\\$\\{[^}]*\\})?[a-z_.]*)['`]").FindAllStringSubmatch(script, -1) {
		pattern := regexp.MustCompile(`\\\$\\\{[^}]*\\\}`).ReplaceAllString(regexp.QuoteMeta(m[1]), `[a-z_.]+`)
		key := regexp.MustCompile(`^` + pattern + `(\.one|\.other)?$`)
		for name := range en {
			used[name] = used[name] || key.MatchString(name)
		}
	}
	for name := range en {
		if !used[name] {
			t.Errorf("%s is used nowhere", name)
		}
	}
	for _, m := range regexp.MustCompile(`\bt\('([^']+)'`).FindAllStringSubmatch(script, -1) {
		if en[m[1]] == "" && en[m[1]+".other"] == "" {
			t.Errorf("no language has %s", m[1])
		}
	}
}

func scripts(t *testing.T) string {
	t.Helper()
	names, err := fs.Glob(files, "*.js")
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, name := range names {
		if name != "en.js" && name != "es.js" {
			data, _ := files.ReadFile(name)
			all.Write(data)
		}
	}
	return all.String()
}

// TestThePageTakesNothingFromElsewhere: no address of another machine, nothing
// inline, and nothing that would make markup of a text.
func TestThePageTakesNothingFromElsewhere(t *testing.T) {
	all, _ := fs.Glob(files, "*")
	for _, name := range all {
		data, kind, err := Read(name)
		if err != nil || kind == "" || len(data) == 0 {
			t.Errorf("%s: %v", name, err)
		}
		for _, forbidden := range []string{"http://", "https://", "innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function", ".cssText", "@import", "<style", " style=", " onclick=", "javascript:"} {
			text := strings.ReplaceAll(string(data), `xmlns="http://www.w3.org/2000/svg"`, "")
			if strings.Contains(text, forbidden) {
				t.Errorf("%s has %s", name, forbidden)
			}
		}
	}
	index, _, _ := Read("index.html")
	if strings.Contains(regexp.MustCompile(`<script type="module" src="web/app.js"></script>`).ReplaceAllString(string(index), ""), "<script") {
		t.Error("index.html has another script")
	}
	// Every module that is imported is there.
	for _, m := range regexp.MustCompile(`from '\./([^']+)'`).FindAllStringSubmatch(scripts(t), -1) {
		if _, _, err := Read(m[1]); err != nil || path.Ext(m[1]) != ".js" {
			t.Errorf("%s: %v", m[1], err)
		}
	}
}

func TestReadKnowsItsFilesOnly(t *testing.T) {
	for _, name := range []string{"", ".", "web.go", "nothing.js", "../web.go", "../openapi.yaml", "/etc/passwd", "../../../../etc/passwd.js"} {
		if data, _, err := Read(name); err == nil || !errors.Is(err, fs.ErrNotExist) && !strings.Contains(err.Error(), "invalid") {
			t.Errorf("%q: %d bytes, %v", name, len(data), err)
		}
	}
}
