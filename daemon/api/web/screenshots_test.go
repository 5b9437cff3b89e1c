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
	tb.do(chromedp.EmulateViewport(980, 690))
	tb.open("live")
	tb.until("document.querySelectorAll('.events .unknown').length >= 2")
	tb.open("unknown")
	tb.until("[...document.querySelectorAll('.face')].filter((img) => img.naturalWidth).length === 2")
	save("unknown")
	tb.enrol("Barack", photo(t, "obama2.jpg"), photo(t, "obama3.jpg"))
	tb.open("live")
	tb.sees("Barack was recognised at demo")
	save("live")
	tb.open("health") // for the camera to be asked anew
	tb.dark(true)
	tb.phone()
	tb.open("live")
	tb.sees("Barack was recognised at demo")
	tb.until("document.querySelector('.camera img')?.naturalWidth")
	save("phone-dark")
	tb.dark(false)
	tb.open("enrol")
	save("phone")
}
