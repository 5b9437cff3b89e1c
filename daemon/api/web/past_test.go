//go:build !race

package web_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"facerecd/daemon/config"
)

func TestSomebodyUnknownGetsAName(t *testing.T) {
	tb := newTab(t, browse(t), start(t))
	tb.open("live")
	// Both of the demo have been there.
	tb.until("document.querySelectorAll('.events .unknown').length >= 2")
	tb.open("unknown")
	tb.until("document.querySelectorAll('main .card').length === 2")
	tb.until("[...document.querySelectorAll('.face')].every((img) => img.naturalWidth > 20)")
	tb.accessible()
	tb.fill("Name", "Joe")
	tb.click("Save the name")
	tb.sees("Joe is enrolled.")
	tb.until("document.querySelectorAll('main .card').length === 1")
	tb.open("live")
	tb.sees("Joe was recognised at demo")

	tb.open("unknown")
	tb.until("document.querySelectorAll('main .card').length === 1")
	tb.click("Ignore")
	tb.sees("This face is ignored from now on.")
	tb.sees("Nobody unknown was seen.")
	tb.do(chromedp.Click(tb.labelled("Show those who are ignored, too")))
	tb.sees("(ignored)")
	tb.accessible()
	tb.click("Delete")
	tb.sees("Delete this unknown face?")
	tb.click("Delete")
	tb.sees("The unknown face was deleted.")
}

func TestTheHistoryIsSearchedAndPutRight(t *testing.T) {
	tb := newTab(t, browse(t), start(t, func(c *config.Config) { c.History.Pictures = true }))
	tb.enrol("Barack", photo(t, "obama2.jpg"), photo(t, "obama3.jpg"))
	tb.open("live")
	tb.sees("Somebody unknown is at demo")
	tb.sees("Barack was recognised at demo")
	tb.open("history")
	tb.until("document.querySelector('.row.recognized img')?.naturalWidth > 20")
	tb.until("document.querySelector('.row.unknown img')?.naturalWidth > 20")
	tb.accessible()

	rows := func(class string) int {
		return evaluate[int](tb, fmt.Sprintf("document.querySelectorAll('.row.%s').length", class))
	}
	tb.click("Search")
	tb.do(chromedp.SetValue(tb.labelled("What"), "unknown"))
	tb.do(chromedp.Click(chromedp.CSS("form .primary")))
	tb.until("!document.querySelector('.row.recognized') && document.querySelector('.row.unknown')")
	tb.do(chromedp.SetValue(tb.labelled("To"), "2020-01-01T00:00"))
	tb.do(chromedp.Click(chromedp.CSS("form .primary")))
	tb.sees("Nothing was found.")
	tb.upload("Picture of a face", photo(t, "biden.jpg"))
	tb.click("Search by picture")
	tb.sees("% alike")
	if rows("recognized") > 0 || rows("unknown") == 0 {
		t.Errorf("found %d recognitions and %d unknown", rows("recognized"), rows("unknown"))
	}
	tb.accessible()

	tb.click("Enrol from this")
	tb.sees("Who is it?")
	tb.accessible()
	tb.fill("Name", "Joe")
	tb.click("Enrol from this")
	tb.sees("Joe was learned from this event.")
	tb.expects("status of 409")
	tb.click("Enrol from this")
	tb.fill("Name", "Twin")
	tb.click("Enrol from this")
	tb.sees("Is it Twin all the same?")
	tb.sees("This face looks like Joe (100% sure).")
	tb.click("Cancel")
	tb.sees("Nobody was enrolled, because the face looks like somebody else's.")
	tb.open("live")
	tb.sees("Joe was recognised at demo")

	tb.open("people")
	tb.do(chromedp.Click(tb.find("[...front.querySelectorAll('.row')].find((e) => e.innerText.includes('Barack'))?.querySelector('p a')")))
	tb.until("document.querySelector('h1').innerText === 'History' && document.querySelector('.row.recognized')")
	if got := evaluate[string](tb, "document.querySelector('main').innerText"); strings.Contains(got, "Joe was") {
		t.Errorf("of Barack it has %s", got)
	}
	tb.click("This is not Barack")
	tb.sees("Noted: that was not Barack.")
}
