//go:build screenshots

package web_test

import (
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/chromedp/chromedp"
)

var screenshots = flag.String("screenshots", "", "folder for `make screenshots`")

// TestScreenshots makes the pictures of the README, of the demo's photos, which
// are in the public domain.
func TestScreenshots(t *testing.T) {
	tb := newTab(t, browse(t), start(t))
	save := func(name string) {
		t.Helper()
		data := get(tb, chromedp.CaptureScreenshot())
		if err := os.WriteFile(filepath.Join(*screenshots, name+".png"), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	tb.do(chromedp.EmulateViewport(900, 620))
	tb.enrol("Barack", photo(t, "obama2.jpg"), photo(t, "obama3.jpg"))
	save("enrol")
	tb.open("live")
	tb.sees("Barack was recognised at demo")
	save("live")
	tb.dark(true)
	tb.open("people")
	save("people-dark")
	for _, view := range []string{"health", "settings"} {
		tb.open(view)
		save(view + "-dark")
	}
	tb.phone()
	tb.open("live")
	tb.until("document.querySelector('.camera img')?.naturalWidth")
	save("phone")
	tb.dark(false)
	tb.open("enrol")
	save("phone-enrol")
}
