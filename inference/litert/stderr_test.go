package litert

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
)

func TestRunSaysWhatLiteRTSays(t *testing.T) {
	file := tinyModel{op: opCustom, custom: "NoSuchOperator", typ: typeFloat32, shape: []int32{1, 2}}.build()
	m := open(t, load(t), file, Options{AllowSlow: true})
	err := m.Run(newBuffers(m.Inputs()), newBuffers(m.Outputs()))
	const want = "run model: kLiteRtStatusErrorRuntimeFailure (LiteRT status 3): LiteRT says: " +
		"ERROR: Encountered unresolved custom op: NoSuchOperator."
	if err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("got  %v\nwant %s …", err, want)
	}
}

func TestLiteRTPrintsIntoTheLogAndNotOnStandardError(t *testing.T) {
	l := load(t)
	var text bytes.Buffer
	log := slog.New(slog.NewTextHandler(&text, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}}))
	printed := func(lines string) {
		t.Helper()
		printC(t, l, lines)
	}

	printed("INFO: hello\nWARNING: careful\nI0000 00:00:1.2 3 x.cc:4] hello\nERROR: broken\n")
	if err := l.says.explain(nil, log); err != nil {
		t.Fatal(err)
	}
	const want = "level=WARN msg=\"LiteRT message\" text=\"WARNING: careful\"\n" +
		"level=ERROR msg=\"LiteRT message\" text=\"ERROR: broken\"\n"
	if text.String() != want {
		t.Errorf("got  %s\nwant %s", text.String(), want)
	}

	printed("INFO: hello\nERROR: broken\n")
	err := l.says.explain(status(3), log)
	if want := "kLiteRtStatusErrorRuntimeFailure (LiteRT status 3): LiteRT says: ERROR: broken"; err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}

	// More than a pipe holds must not block.
	for range 10_000 {
		printed("WARNING: 0123456789\n")
	}
	if n := len(l.says.take()); n == 0 || n == 10_000 {
		t.Errorf("the full pipe gave %d lines", n)
	}
	// A good model prints nothing but information.
	text.Reset()
	open(t, l, readModel(t, "landmarks"), Options{Log: log})
	if text.Len() > 0 {
		t.Errorf("opening a good model logged %s", text.String())
	}
}
