//go:build !race

package web_test

import (
	"context"
	_ "embed"
	"fmt"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

//go:embed testdata/accessible.js
var accessible string

const patience = 60 * time.Second // until a test is taken for failed

// browse starts a Chromium without a window until the end of the test.
func browse(t *testing.T) context.Context {
	t.Helper()
	var path string
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if found, err := exec.LookPath(name); err == nil {
			path = found
			break
		}
	}
	if path == "" {
		t.Fatal("there is no Chromium: run `make test-needs`, or sudo apt-get install chromium")
	}
	ctx, stop := chromedp.NewContext(context.Background(), chromedp.WithAllocatorOptions(
		chromedp.ExecPath(path), chromedp.Flag("lang", "en-GB"), chromedp.WindowSize(1100, 800)))
	t.Cleanup(stop)
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("start %s: %v", path, err)
	}
	return ctx
}

// tab is a page in a browser, used as somebody does who sees it.
type tab struct {
	*testing.T
	ctx  context.Context
	base string // the daemon's address

	mu    sync.Mutex
	wrong []string // what the browser has complained of
	fine  []string // parts of complaints that are expected
}

// newTab opens a tab that shares nothing with others. Whatever the browser
// complains of fails the test: errors of scripts, violations of the policy,
// requests that fail.
func newTab(t *testing.T, browser context.Context, base string) *tab {
	t.Helper()
	ctx, stop := chromedp.NewContext(browser, chromedp.WithNewBrowserContext())
	if err := chromedp.Do(ctx); err != nil {
		t.Fatal(err)
	}
	tb := &tab{T: t, ctx: ctx, base: base}
	var listener sync.WaitGroup
	listener.Go(func() {
		for m, err := range chromedp.Console(ctx) {
			if err != nil {
				return
			}
			switch m.Type {
			case chromedp.ConsoleError, chromedp.ConsoleWarning, chromedp.ConsoleException:
				tb.complain(fmt.Sprintf("%s %s", m, m.URL))
			}
		}
	})
	t.Cleanup(func() {
		text, _ := chromedp.Run(ctx, chromedp.Evaluate[string]("document.body.innerText"))
		if t.Failed() {
			t.Logf("the page:\n%s", text)
		}
		stop()
		listener.Wait()
		for _, complaint := range tb.wrong {
			t.Errorf("the browser says: %s", complaint)
		}
	})
	return tb
}

func (t *tab) complain(text string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, part := range t.fine {
		if strings.Contains(text, part) {
			return
		}
	}
	t.wrong = append(t.wrong, text)
}

// expects lets complaints pass that contain part.
func (t *tab) expects(part string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.fine = append(t.fine, part)
}

func (t *tab) do(steps ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	get(t, chromedp.Steps(steps...))
}

func get[T any](t *tab, action chromedp.Action[T]) T {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.ctx, patience)
	defer cancel()
	v, err := chromedp.Run(ctx, action)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// call is a command of the browser's protocol.
func call[P, R any](c cdp.Command[P, R], parameters P) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, c, parameters)
		return err
	})
}

func (t *tab) open(view string) {
	t.Helper()
	t.do(chromedp.Navigate(t.base + "/#/" + view))
	t.until(fmt.Sprintf("document.querySelector('main .%s')?.childElementCount > 0", view))
}

// evaluate returns what an expression is.
func evaluate[T any](t *tab, expression string) T {
	t.Helper()
	return get(t, chromedp.Evaluate[T](expression))
}

// until waits for an expression to be true. chromedp's own way makes code of a
// text, which the page's policy forbids.
func (t *tab) until(expression string) {
	t.Helper()
	for end := time.Now().Add(patience); !evaluate[bool](t, "Boolean("+expression+")"); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("it never becomes true that %s", expression)
		}
	}
}

// sees waits for a text anywhere on the page; misses, for it to be gone.
func (t *tab) sees(text string) {
	t.Helper()
	t.until(fmt.Sprintf("document.body.innerText.includes(%q)", text))
}

func (t *tab) misses(text string) {
	t.Helper()
	t.until(fmt.Sprintf("!document.body.innerText.includes(%q)", text))
}

// click clicks what has this text, within what is in front.
func (t *tab) click(text string) {
	t.Helper()
	t.do(chromedp.Click(t.find(fmt.Sprintf("[...front.querySelectorAll('a, button, summary')].find((e) => e.innerText.trim() === %q)", text))))
}

// fill types into the field that has this label.
func (t *tab) fill(label, text string) {
	t.Helper()
	field := t.labelled(label)
	t.do(chromedp.Focus(field), chromedp.Evaluate[chromedp.Void]("document.activeElement.select()"), chromedp.SendKeys(field, text))
}

func (t *tab) upload(label string, files ...string) {
	t.Helper()
	t.do(chromedp.SetUploadFiles(t.labelled(label), files))
}

func (t *tab) labelled(label string) chromedp.JSPath {
	return t.find(fmt.Sprintf("[...front.querySelectorAll('label')].find((e) => e.innerText.trim() === %q)?.control", label))
}

// find waits for an element within the open dialog, or the page, and returns
// how to get it.
func (t *tab) find(expression string) chromedp.JSPath {
	t.Helper()
	path := "((front) => " + expression + ")(document.querySelector('dialog[open]') ?? document)"
	t.until(path)
	return chromedp.JSPath(path)
}

// press presses keys, one after the other.
func (t *tab) press(keys ...string) {
	t.Helper()
	for _, key := range keys {
		t.do(chromedp.KeyEvent(key))
	}
}

// tabTo presses Tab until what has the focus has this text or label.
func (t *tab) tabTo(text string) {
	t.Helper()
	const focused = "((e) => (e.labels?.length ? [...e.labels].map((l) => l.innerText).join() : e.innerText).trim())(document.activeElement)"
	var passed []string
	for range 60 {
		t.press(kb.Tab)
		now := evaluate[string](t, focused)
		if now == text {
			if !evaluate[bool](t, "((s) => s.outlineStyle !== 'none' && parseFloat(s.outlineWidth) >= 2)(getComputedStyle(document.activeElement))") {
				t.Errorf("one does not see that %q has the focus", text)
			}
			return
		}
		passed = append(passed, now)
	}
	t.Fatalf("Tab does not lead to %q but to %q", text, passed)
}

// accessible fails the test with whatever keeps people from using the page.
func (t *tab) accessible() {
	t.Helper()
	for _, problem := range evaluate[[]string](t, accessible) {
		t.Errorf("%s: %s", evaluate[string](t, "location.hash"), problem)
	}
}

// dark and phone change what the page is shown on.
func (t *tab) dark(yes bool) {
	t.Helper()
	scheme := map[bool]string{true: "dark", false: "light"}[yes]
	t.do(call(emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}}))
}

func (t *tab) phone() {
	t.Helper()
	t.do(chromedp.EmulateViewport(360, 740, chromedp.EmulateMobile))
}
