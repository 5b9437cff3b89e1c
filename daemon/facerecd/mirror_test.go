package main

import (
	"io"
	"log/slog"
	"math"
	"strings"
	"testing"

	"facerecd/cross/testkit"
	"facerecd/daemon"
	"facerecd/match/eval"
)

func TestEvalEnrolsWithTheMirrorImageWhenAsked(t *testing.T) {
	_, images := dataset(t, fourPairs)
	vision, err := daemon.OpenVision(testkit.Models(t), testkit.Runtime(t), 1, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	engine, err := vision.Engine()
	if err != nil {
		t.Fatal(err)
	}
	defer engine.Close()
	w := &world{ctx: t.Context(), stdout: io.Discard, stderr: io.Discard}
	photos := []eval.Photo{{Person: "obama", Number: 1}, {Person: "biden", Number: 1}}
	for _, mirror := range []bool{false, true} {
		samples, err := evalCmd{Images: images, Mirror: mirror}.embedPhotos(w, engine, photos, "")
		if err != nil {
			t.Fatal(err)
		}
		for photo, s := range samples {
			if got := s.Template != nil; got != mirror || s.Embedding == nil {
				t.Fatalf("%v: a template: %v, want %v", photo, got, mirror)
			}
			if c := cosine(s.Template, s.Embedding); mirror && (c < 0.8 || c > 0.9999) {
				t.Errorf("%v: cosine %v of template and embedding", photo, c)
			}
			if n := cosine(s.Template, s.Template); mirror && math.Abs(float64(n)-1) > 1e-5 {
				t.Errorf("%v: template of length %v", photo, n)
			}
		}
	}
	args, _ := dataset(t, fourPairs)
	if r := unmarshal[report](t, must(t, append(args, "--mirror", "--identify", "--json")...)); len(r.Identifications) != 1 || r.Identifications[0].FNIR != 0 {
		t.Errorf("report %+v", r)
	}
}

func TestEvalMeasuresHowStrangersAreKnownAgain(t *testing.T) {
	t.Parallel()
	args, _ := dataset(t, fourPairs)
	args = append(args, "--strangers")
	r := unmarshal[report](t, must(t, append(args, "--json")...))
	if len(r.Strangers) != 4 {
		t.Fatalf("report %+v", r)
	}
	own := r.Strangers[2] // with the pack's threshold
	if own.Photos != 4 || own.People != 2 || own.Several != 1 || own.Purity != 1 || own.Split != 0 || own.Strangers != 2 {
		t.Errorf("three photos of one and one of another: %+v", own)
	}
	if table := must(t, args...); !strings.Contains(table, "4 photos of 2 people are 2; 100.00 % with their own, 0.00 % of 1 people split") {
		t.Errorf("the table:\n%s", table)
	}
}
