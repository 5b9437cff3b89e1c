//go:build !race

package web_test

import (
	"testing"

	"github.com/chromedp/chromedp"
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

