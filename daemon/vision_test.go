package daemon

import (
	"log/slog"
	"strings"
	"testing"

	"facerecd/cross/testkit"
	"facerecd/inference"
)

func TestEveryDetectorOfTheShippedPackOpens(t *testing.T) {
	v, err := OpenVision(testkit.Models(t), testkit.Runtime(t), 1, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	for _, mode := range []inference.Mode{"", inference.Short, inference.Full, inference.Tiled} {
		v.Detector = mode
		e, err := v.Engine()
		if err != nil {
			t.Errorf("%q: %v", mode, err)
			continue
		}
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestShortNeedsAPackWithAShortRangeDetector(t *testing.T) {
	dir := testkit.OtherPack(t)
	v, err := OpenVision(dir, testkit.Runtime(t), 1, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	v.Detector = inference.Short
	_, err = v.Engine()
	want := "the model pack " + testkit.OtherPackID + " in DIR has no short-range detector: set `detector` to full, or `models` to a pack that has one"
	if err == nil || strings.ReplaceAll(err.Error(), dir, "DIR") != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}
