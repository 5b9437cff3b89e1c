//go:build !race

package web_test

import (
	"context"
	"errors"
	"image"
	"image/png"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"facerecd/cross/testkit"
	"facerecd/daemon"
	"facerecd/daemon/config"
)

// These tests use a Chromium and a daemon with the shipped models. They do not
// run under the race detector, which would do so a second time.

// start runs a daemon until the end of the test, with the demo's camera, and
// returns its address.
func start(t *testing.T, with ...func(*config.Config)) string {
	t.Helper()
	photos := t.TempDir()
	for _, name := range []string{"obama.jpg", "biden.jpg"} {
		if err := os.Symlink(photo(t, name), filepath.Join(photos, name)); err != nil {
			t.Fatal(err)
		}
	}
	c := config.Default()
	c.Device, c.DataDir = "pi", t.TempDir()
	c.Models, c.Runtime = testkit.Models(t), testkit.Runtime(t)
	c.HTTP.Listen, c.MQTT.EmbeddedListen = freeAddr(t), "127.0.0.1:0"
	camera := config.DefaultCamera()
	camera.Name, camera.Source, camera.Width, camera.Height, camera.Hold = "demo", photos, 640, 480, 3*time.Second
	c.Cameras = []config.Camera{camera}
	for _, change := range with {
		change(&c)
	}
	said := new(testkit.Buffer)
	ready := make(chan string, 1)
	d := &daemon.Daemon{
		Config: c, Version: "1.0", Log: slog.New(slog.NewTextHandler(said, nil)),
		OnReady: func(broker string) { ready <- broker },
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- d.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Errorf("Run = %v", err)
		}
		if t.Failed() {
			t.Logf("the daemon said:\n%s", said)
		}
	})
	select {
	case <-ready:
	case <-time.After(patience):
		t.Fatal("the daemon does not get ready")
	}
	return "http://" + c.HTTP.Listen
}

func photo(t *testing.T, name string) string {
	t.Helper()
	return filepath.Join(testkit.Photos(t), name)
}

func freeAddr(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// enrol enrols somebody on the page.
func (t *tab) enrol(name string, photos ...string) {
	t.Helper()
	t.open("enrol")
	t.fill("Name", name)
	t.upload("Photos", photos...)
	t.click("Enrol")
	t.sees(name + " is enrolled")
}

func TestTheTwoOfTheDemoAreEnrolledSeenAndForgotten(t *testing.T) {
	base := start(t)
	tb := newTab(t, browse(t), base)
	tb.open("live")
	tb.sees("Somebody unknown is at demo")
	tb.until("document.querySelector('.camera img')?.naturalWidth === 640")

	// A photo that cannot be used, among those that can.
	none := faceless(t, "none.png")
	tb.enrol("Barack", photo(t, "obama2.jpg"), none, photo(t, "obama3.jpg"))
	tb.sees("Barack is enrolled, with 2 new photos.")
	if got := evaluate[string](tb, "document.querySelector('main li.bad').innerText"); !strings.Contains(got, "none.png") || !strings.Contains(got, "No face was found") {
		t.Errorf("of the photo without a face it says %q", got)
	}
	tb.sees("What would help")
	tb.accessible()
	// A name is text, whatever is in it.
	const script = `<img src=x onerror=alert(1)><b>Joe</b>`
	tb.enrol(script, photo(t, "biden.jpg"))

	tb.open("live")
	tb.sees("Barack was recognised at demo")
	tb.sees(script + " was recognised at demo")
	tb.accessible()
	tb.open("people")
	tb.sees("2 people")
	tb.sees(script)
	if evaluate[int](tb, "document.querySelectorAll('main img, main b').length") > 0 {
		t.Error("a name became markup")
	}
	tb.accessible()

	tb.click("Check")
	tb.sees("Compared 2 of 2 people.")
	tb.sees("has 1 photo only.")
	tb.accessible()
	tb.fill("Search by name", "joe")
	tb.until("document.querySelector('.rows').childElementCount === 1")
	tb.sees("1 person")
	tb.click("Rename")
	tb.sees("Rename " + script)
	tb.accessible()
	tb.fill("Name", "Joe")
	tb.click("Rename") // the dialog's
	tb.sees("Joe is the new name.")

	tb.do(chromedp.Click(tb.labelled("Announce")))
	tb.sees("Joe is no longer announced")
	tb.open("settings")
	tb.open("people")
	tb.fill("Search by name", "joe")
	tb.until("document.querySelector('.rows').childElementCount === 1")
	if evaluate[bool](tb, "document.querySelector('.rows input').checked") {
		t.Error("the page has forgotten that Joe is not to be announced")
	}
	tb.click("Delete")
	tb.sees("Delete Joe?")
	tb.click("Cancel")
	tb.click("Delete")
	tb.click("Delete")
	tb.sees("Face templates")
	tb.sees("No file of this device holds any of it any more.")
	// A count that has no text is shown by its key.
	if got := evaluate[[]string](tb, "[...document.querySelectorAll('dialog dt')].map((e) => e.innerText).filter((text) => !/^[A-Z]/.test(text))"); len(got) > 0 {
		t.Errorf("the receipt does not say what %v are", got)
	}
	tb.accessible()
	tb.click("Close")
	tb.sees("Joe was deleted.")
	tb.sees("Nobody has that in their name.")
	tb.fill("Search by name", " ")
	tb.sees("1 person")
	tb.open("live")
	tb.sees("Barack was recognised at demo")
	tb.misses("Joe")
	tb.sees("Somebody unknown is at demo")
}

// faceless is a picture of nothing.
func faceless(t *testing.T, name string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(png.Encode(f, image.NewGray(image.Rect(0, 0, 320, 240))), f.Close()); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestWhoLooksLikeSomebodyElseIsEnrolledWhenTheUserIsSure(t *testing.T) {
	tb := newTab(t, browse(t), start(t))
	tb.enrol("Barack", photo(t, "obama2.jpg"))
	tb.open("enrol")
	tb.fill("Name", "Twin")
	tb.upload("Photos", photo(t, "obama3.jpg"))
	tb.expects("status of 409")
	tb.click("Enrol")
	tb.sees("Nobody was enrolled, because the face looks like somebody else's.")
	tb.sees("This face looks like Barack (100% sure).")
	tb.accessible()
	tb.click("Use it anyway")
	tb.sees("Twin is enrolled, with 1 new photo.")
}

func TestSomebodyIsEnrolledBeforeACamera(t *testing.T) {
	tb := newTab(t, browse(t), start(t, func(c *config.Config) { c.Cameras[0].Source = photo(t, "obama.jpg") }))
	before := func(name, button string) {
		t.Helper()
		tb.open("people") // for nothing to be left of the one before
		tb.open("enrol")
		tb.fill("Name", name)
		tb.click(button)
	}
	// A photo does not turn its head.
	before("Ana", "Take three pictures")
	tb.sees("Turn your head a little to your left.")
	tb.sees("1 of 3")
	tb.until("document.querySelector('.picture img')?.naturalWidth === 640")
	tb.until("document.activeElement.innerText === 'Cancel'")
	tb.accessible()
	tb.click("Cancel")
	tb.sees("Nobody was enrolled.")
	tb.until("document.activeElement.innerText === 'Take three pictures'")
	tb.misses("1 of 3")
	before("Bea", "Take three pictures")
	tb.sees("1 of 3")
	tb.open("people") // which ends it, too
	tb.sees("Nobody is enrolled yet.")

	before("Barack", "Take one picture")
	tb.sees("Barack is enrolled, with 1 new photo.")
	tb.sees("straight ahead")
	tb.sees("Add a photo looking a little to the left.")
	tb.accessible()
	before("Twin", "Take one picture")
	tb.sees("This face looks like Barack (100% sure).")
	tb.accessible()
	tb.click("Take the pictures again, and use them anyway")
	tb.sees("Twin is enrolled, with 1 new photo.")
	tb.open("people")
	tb.sees("2 people")
	tb.open("live")
	tb.sees("at demo")
}

func TestThePageWorksWithTheKeyboardAlone(t *testing.T) {
	tb := newTab(t, browse(t), start(t))
	tb.open("live")
	tb.tabTo("Skip to the content")
	tb.press(kb.Enter)
	tb.until("document.activeElement.id === 'main'")
	tb.do(chromedp.Reload())
	tb.sees("What happens")
	tb.tabTo("People")
	tb.press(kb.Enter)
	tb.until("document.activeElement.tagName === 'H1' && document.activeElement.innerText === 'People'")
	tb.tabTo("Enrol somebody")
	tb.press(kb.Enter)
	tb.until("document.activeElement.innerText === 'Enrol somebody'")
	tb.tabTo("Name")
	tb.press("A", "n", "a")
	tb.tabTo("Photos")
	tb.upload("Photos", photo(t, "obama2.jpg")) // the system's own dialog is not the page's
	tb.tabTo("Enrol")
	tb.press(kb.Enter)
	tb.sees("Ana is enrolled, with 1 new photo.")
	tb.open("people")
	tb.tabTo("Delete")
	tb.press(kb.Enter)
	tb.sees("Delete Ana?")
	tb.press(kb.Escape)
	tb.misses("Delete Ana?")
	tb.until("document.activeElement.innerText === 'Delete'")
	tb.press(kb.Enter)
	tb.sees("Delete Ana?")
	tb.tabTo("Delete")
	tb.press(kb.Enter)
	tb.sees("Ana was deleted")
	tb.press(kb.Enter) // Close has the focus
	tb.sees("Nobody is enrolled yet.")
	tb.tabTo("Settings")
	tb.press(kb.Enter)
	tb.sees("In the configuration")
	tb.tabTo("demo")
	tb.press(" ")
	tb.sees("demo is off.")
	tb.press(" ")
	tb.sees("demo is on.")
}

func TestEveryViewIsAccessibleOnEveryScreen(t *testing.T) {
	tb := newTab(t, browse(t), start(t))
	tb.enrol("Barack Hussein Obama-"+strings.Repeat("x", 78), photo(t, "obama2.jpg"))
	for _, phone := range []bool{false, true} {
		if phone {
			tb.phone()
		}
		for _, dark := range []bool{false, true} {
			tb.dark(dark)
			for _, view := range []string{"live", "people", "enrol", "unknown", "history", "health", "settings"} {
				tb.open(view)
				if view == "live" {
					tb.until("document.querySelector('.camera img')?.naturalWidth && document.querySelector('ol').childElementCount > 1")
				}
				tb.accessible()
			}
		}
	}
}

func TestThePageSpeaksTheBrowsersLanguage(t *testing.T) {
	tb := newTab(t, browse(t), start(t))
	tb.do(call(emulation.SetUserAgentOverride, emulation.SetUserAgentOverrideParams{UserAgent: "test", AcceptLanguage: "es-MX,es"}))
	tb.open("people")
	tb.sees("Todavía no hay nadie registrado.")
	tb.accessible()
	tb.open("enrol")
	tb.fill("Nombre", "Ana")
	tb.upload("Fotos", faceless(t, "nada.png"))
	tb.expects("status of 422")
	tb.click("Registrar")
	tb.sees("No se pudo usar ninguna foto")
	tb.sees("No se encontró ninguna cara.")
	tb.accessible()
	tb.click("English")
	tb.until("document.documentElement.lang === 'en' && document.querySelector('h1').innerText === 'Enrol somebody'")
	tb.until("document.activeElement.innerText === 'English'")
	tb.do(chromedp.Reload())
	tb.sees("With photos") // it is remembered
}

func TestThePageAsksOnceForTheToken(t *testing.T) {
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte("correct-horse-battery\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	tb := newTab(t, browse(t), start(t, func(c *config.Config) { c.HTTP.TokenFile = file }))
	tb.do(chromedp.Navigate(tb.base + "/#/live"))
	for _, wrong := range []string{"nonsense", "with spaces in it", "ñandú"} {
		tb.expects("status of 401")
		tb.fill("Token", wrong)
		tb.click("Continue")
		tb.sees("That is not the token.")
		tb.accessible()
	}
	tb.fill("Token", "correct-horse-battery")
	tb.click("Continue")
	tb.until("document.querySelector('.camera img')?.naturalWidth === 640")
	tb.sees("Somebody unknown is at demo")
	tb.open("people")
	tb.do(chromedp.Reload())
	tb.sees("Nobody is enrolled yet.")
	addresses := evaluate[string](tb, "performance.getEntries().map((e) => e.name).join() + location.href + localStorage.length + document.cookie")
	if strings.Contains(addresses, "correct") {
		t.Errorf("the token is in %s", addresses)
	}

	other := newTab(t, browse(t), tb.base)
	other.do(chromedp.Navigate(tb.base))
	other.sees("http.token_file")
}

func TestACameraThatIsSwitchedOffShowsNoOldPicture(t *testing.T) {
	tb := newTab(t, browse(t), start(t))
	tb.open("settings")
	tb.sees("match.threshold")
	if got := evaluate[[]string](tb, "[...document.querySelectorAll('tbody tr')].filter((row) => !row.cells[2].innerText).map((row) => row.cells[0].innerText)"); len(got) > 0 {
		t.Errorf("it does not say what %v are", got)
	}
	tb.do(chromedp.Click(tb.labelled("demo")))
	tb.sees("demo is off.")
	tb.open("live")
	tb.sees("Recognition is switched off.")
	tb.until("document.querySelector('.camera img')?.hasAttribute('src') === false")
	tb.accessible()
	tb.open("settings")
	tb.do(chromedp.Click(tb.labelled("demo")))
	tb.sees("demo is on.")
	tb.open("live")
	tb.until("document.querySelector('.camera img')?.naturalWidth === 640")
}

func TestThePageSaysWhenTheDaemonIsGone(t *testing.T) {
	tb := newTab(t, browse(t), start(t))
	tb.open("health")
	tb.sees("All is well")
	tb.expects("Failed to load resource")
	tb.do(chromedp.Evaluate[chromedp.Void]("window.fetch = async () => { throw new TypeError('Failed to fetch'); }"))
	tb.click("People")
	tb.sees("facerecd does not answer")
	tb.accessible()
}
