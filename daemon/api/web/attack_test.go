//go:build !race

package web_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/chromedp/chromedp"
)

// attack is a page elsewhere that its visitor's browser lets try everything.
const attack = `<!doctype html><html lang="en"><title>attack</title><iframe></iframe><script>
const done = [];
const form = new FormData();
form.set('name', 'Mallory');
const attempts = [
  ['POST', '/register', form],
  ['POST', '/recognize', form],
  ['POST', '/api/v1/events/search', form],
  ['POST', '/api/v1/people', 'name=Mallory'],
];
async function run(daemon) {
  for (const [method, path, body] of attempts) await fetch(daemon + path, {method, body, mode: 'no-cors', credentials: 'include'}).catch(() => {});
  for (const [method, path, body] of [['PATCH', '/api/v1/cameras/demo', '{"enabled":false}'], ['DELETE', '/api/v1/people/x', '']])
    await fetch(daemon + path, {method, body, headers: {'Content-Type': 'application/json'}}).then(() => done.push(path), () => {});
  await fetch(daemon + '/api/v1/people').then(() => done.push('people'), () => {});
  const img = new Image();
  await new Promise((resolve) => { img.onload = () => { done.push('picture'); resolve(); }; img.onerror = resolve; img.src = daemon + '/api/v1/cameras/demo/snapshot.jpg'; });
  const script = document.createElement('script');
  await new Promise((resolve) => { script.onload = () => { done.push('script'); resolve(); }; script.onerror = resolve; script.src = daemon + '/web/app.js'; document.head.append(script); });
  const frame = document.querySelector('iframe');
  await new Promise((resolve) => { frame.onload = resolve; frame.src = daemon + '/#/settings'; });
  return done.join();
}
</script></html>`

func TestAPageElsewhereCanDoNothingHere(t *testing.T) {
	elsewhere := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = w.Write([]byte(attack))
	}))
	defer elsewhere.Close()
	tb := newTab(t, browse(t), start(t))
	for _, refused := range []string{
		"status of 403", "net::ERR_FAILED", "has been blocked by CORS policy", "ERR_BLOCKED_BY_RESPONSE", "frame-ancestors", "status of 404", "status of 415",
	} {
		tb.expects(refused)
	}
	tb.do(chromedp.Navigate(elsewhere.URL))
	got := get(tb, chromedp.Evaluate[string](fmt.Sprintf("run(%q)", tb.base), chromedp.EvalAwaitPromise))
	if got != "" {
		t.Errorf("it could do %s", got)
	}
	if evaluate[bool](tb, "document.querySelector('iframe').contentDocument !== null") {
		t.Error("the page is shown in a frame of another")
	}
	tb.do(chromedp.Navigate("about:blank"))
	tb.open("live")
	tb.until("document.querySelector('.camera img')?.naturalWidth === 640") // it is still on
	tb.open("people")
	tb.sees("Nobody is enrolled yet.")
}

// TestThePolicyIsInForce: what somebody might sneak into the page does not run.
func TestThePolicyIsInForce(t *testing.T) {
	tb := newTab(t, browse(t), start(t))
	tb.open("settings")
	for _, refused := range []string{"violates the following Content Security Policy", "Refused to", "This document requires 'Trusted", "blocked by CSP"} {
		tb.expects(refused)
	}
	got := get(tb, chromedp.Evaluate[[]string](`(async () => {
		const violated = new Set();
		document.addEventListener('securitypolicyviolation', (e) => violated.add(e.effectiveDirective));
		const attempt = (action) => { try { action(); } catch {} };
		attempt(() => { document.body.innerHTML += '<b>'; });
		attempt(() => { eval('1'); });
		attempt(() => { const s = document.createElement('script'); s.append('window.ran = true'); document.body.append(s); });
		attempt(() => document.body.setAttribute('style', 'color: red'));
		attempt(() => { const i = new Image(); i.src = 'https://example.com/x.png'; document.body.append(i); });
		attempt(() => { const f = document.createElement('form'); f.action = 'https://example.com/'; document.body.append(f); f.submit(); });
		await fetch('https://example.com/').catch(() => {});
		await new Promise((resolve) => setTimeout(resolve, 300));
		return [...violated, ...(window.ran ? ['ran'] : [])].sort();
	})()`, chromedp.EvalAwaitPromise))
	want := "[connect-src form-action img-src require-trusted-types-for style-src-attr]"
	if fmt.Sprint(got) != want {
		t.Errorf("refused was %v, want %v", got, want)
	}
}
