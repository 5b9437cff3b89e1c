package eval

import (
	"errors"
	"fmt"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"
)

func TestPairsFileIsRead(t *testing.T) {
	ana1, ana2, bob1 := Photo{"Ana", 1}, Photo{"Ana", 2}, Photo{"Bob_de_Groot", 1}
	same, different := Pair{A: ana1, B: ana2, Same: true}, Pair{A: ana2, B: bob1}
	in := func(p Pair, fold int) Pair { p.Fold = fold; return p }
	for _, c := range []struct {
		what, text string
		want       []Pair
	}{
		{"one fold", "1\nAna\t1\t2\nAna\t2\tBob_de_Groot\t1\n", []Pair{same, different}},
		{
			"folds", "2 1\nAna 1 2\nAna 2 Bob_de_Groot 1\nAna 1 2\nAna 2 Bob_de_Groot 1",
			[]Pair{same, different, in(same, 1), in(different, 1)},
		},
		{"Windows line ends, blank lines", "1 1\r\n\r\nAna 1 2\r\n\r\nAna 2 Bob_de_Groot 0001\r\n\r\n", []Pair{same, different}},
	} {
		got, err := ParsePairs(strings.NewReader(c.text))
		if err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %v, %v", c.what, got, err)
		}
	}
}

func TestPairsFileOfLFWHasTenFolds(t *testing.T) {
	var text strings.Builder
	fmt.Fprintln(&text, "10\t300")
	for range 10 {
		for i := range 600 {
			if i < 300 {
				fmt.Fprintf(&text, "Abel_Pacheco\t%d\t%d\n", i, i+1)
			} else {
				fmt.Fprintf(&text, "Ben_Kingsley\t1\tDaryl_Parks\t%d\n", i)
			}
		}
	}
	pairs, err := ParsePairs(strings.NewReader(text.String()))
	if err != nil || len(pairs) != 6000 {
		t.Fatalf("%d pairs, %v", len(pairs), err)
	}
	for i, p := range pairs {
		if p.Fold != i/600 || p.Same != (i%600 < 300) {
			t.Fatalf("pair %d is %+v", i, p)
		}
	}
}

func TestPhotosLieWhereLFWKeepsThem(t *testing.T) {
	for photo, want := range map[Photo]string{
		{"Ana", 1}:                 "Ana/Ana_0001.jpg",
		{"George_W_Bush", 530}:     "George_W_Bush/George_W_Bush_0530.jpg",
		{"Someone_Famous", 123456}: "Someone_Famous/Someone_Famous_123456.jpg",
	} {
		if got := photo.Path(); got != want {
			t.Errorf("%v is at %s, want %s", photo, got, want)
		}
	}
}

func TestBadPairsFileIsExplained(t *testing.T) {
	for text, want := range map[string]string{
		"":                                 `pairs file is empty`,
		"\nAna 1 2\n":                      `pairs file, line 1: needs the number of folds and of pairs per fold`,
		"1 2 3\n":                          `pairs file, line 1: needs the number of folds and of pairs per fold`,
		"Ana 1\n":                          `pairs file, line 1: "Ana" is not a count`,
		"10 0\n":                           `pairs file, line 1: "0" is not a count`,
		"-1\n":                             `pairs file, line 1: "-1" is not a count`,
		"10 1000001\n":                     `pairs file, line 1: "1000001" is not a count`,
		"1\nAna 1\n":                       `pairs file, line 2: 2 words, needs 3 or 4`,
		"1\n\nAna 1 Bob 2 3\n":             `pairs file, line 3: 5 words, needs 3 or 4`,
		"1\nAna 1 x\n":                     `pairs file, line 2: "x" is not the number of a photo`,
		"1\nAna 1 -2\n":                    `pairs file, line 2: "-2" is not the number of a photo`,
		"1\nAna 99999999999999999999 1\n":  `pairs file, line 2: "99999999999999999999" is not the number of a photo`,
		"1\n.. 1 2\n":                      `pairs file, line 2: ".." is not a name`,
		"1\nAna 1 2\n. 1 Ana 1\n":          `pairs file, line 3: "." is not a name`,
		"1\n../../etc/passwd 1 2\n":        `pairs file, line 2: "../../etc/passwd" is not a name`,
		"1\nAna 1 2\nAna 1 a\\b 1\n":       `pairs file, line 3: "a\\b" is not a name`,
		"1\nA\x00 1 2\n":                   `pairs file, line 2: "A\x00" is not a name`,
		"1\nAna 1 Bob 1\n":                 `pairs file, line 2: expected a pair of one person`,
		"1\nAna 1 2\nAna 1 3\n":            `pairs file, line 3: expected a pair of two people`,
		"1\nAna 1 2\n":                     `pairs file has 1 pairs and promises 2`,
		"1\nA 1 2\nA 1 B 1\nA 1 2\n":       `pairs file has 3 pairs and promises 2`,
		"10 300\nAna 1 2\n":                `pairs file has 1 pairs and promises 6000`,
		"1\n" + strings.Repeat("x", 1<<17): `read pairs file: bufio.Scanner: token too long`,
	} {
		if pairs, err := ParsePairs(strings.NewReader(text)); err == nil || err.Error() != want {
			t.Errorf("%.40q: %v, %v\nwant %s", text, pairs, err, want)
		}
	}
	broken := errors.New("broken disk")
	if _, err := ParsePairs(iotest.ErrReader(broken)); !errors.Is(err, broken) || err.Error() != "read pairs file: broken disk" {
		t.Errorf("reader that fails: %v", err)
	}
}

// The seeds are in testdata.
func FuzzParsePairs(f *testing.F) {
	f.Fuzz(func(t *testing.T, text string) {
		pairs, err := ParsePairs(strings.NewReader(text))
		if (err == nil) != (len(pairs) > 0) {
			t.Fatalf("%d pairs, %v", len(pairs), err)
		}
		same := 0
		for _, p := range pairs {
			if p.Same {
				same++
			}
			if p.Same && p.A.Person != p.B.Person {
				t.Errorf("%+v", p)
			}
			for _, photo := range [...]Photo{p.A, p.B} {
				if path := photo.Path(); !filepath.IsLocal(path) || strings.Count(path, "/") != 1 {
					t.Errorf("%+v lies in %q", photo, path)
				}
			}
		}
		if 2*same != len(pairs) {
			t.Errorf("%d of %d pairs are of one person", same, len(pairs))
		}
	})
}
