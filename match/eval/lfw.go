// Package eval measures how well embeddings tell people apart, after the
// protocol of Labeled Faces in the Wild (Huang et al., 2007): verification of
// pairs, in ten folds, each judged at the threshold that is best on the others.
package eval

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// Photo names one picture of a data set in LFW's way.
type Photo struct {
	Person string
	Number int
}

// Path is where LFW keeps it: Ana/Ana_0001.jpg.
func (p Photo) Path() string { return fmt.Sprintf("%s/%s_%04d.jpg", p.Person, p.Person, p.Number) }

// Pair is two photos and the truth about them.
type Pair struct {
	A, B Photo
	Same bool
	Fold int
}

// ParsePairs reads a pairs.txt: a line with the number of folds and the pairs
// per fold and kind ("10 300"; a lone number means one fold), then for each
// fold that many "name i j" and that many "name i name j".
func ParsePairs(r io.Reader) ([]Pair, error) {
	lines := bufio.NewScanner(r)
	if !lines.Scan() {
		if err := lines.Err(); err != nil {
			return nil, fmt.Errorf("read pairs file: %w", err)
		}
		return nil, errors.New("pairs file is empty")
	}
	head := strings.Fields(lines.Text())
	counts := make([]int, len(head))
	for i, word := range head {
		n, err := strconv.Atoi(word)
		if err != nil || n < 1 || n > 1_000_000 {
			return nil, fmt.Errorf("pairs file, line 1: %q is not a count", word)
		}
		counts[i] = n
	}
	folds, each := 1, 0
	switch len(counts) {
	case 1:
		each = counts[0]
	case 2:
		folds, each = counts[0], counts[1]
	default:
		return nil, errors.New("pairs file, line 1: needs the number of folds and of pairs per fold")
	}
	var pairs []Pair
	for line := 2; lines.Scan(); line++ {
		words := strings.Fields(lines.Text())
		if len(words) == 0 {
			continue
		}
		p, err := parsePair(words)
		if err != nil {
			return nil, fmt.Errorf("pairs file, line %d: %w", line, err)
		}
		p.Fold = len(pairs) / (2 * each)
		if wantSame := len(pairs)%(2*each) < each; p.Same != wantSame {
			return nil, fmt.Errorf("pairs file, line %d: expected a pair of %s", line, map[bool]string{true: "one person", false: "two people"}[wantSame])
		}
		pairs = append(pairs, p)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("read pairs file: %w", err)
	}
	if want := folds * 2 * each; len(pairs) != want {
		return nil, fmt.Errorf("pairs file has %d pairs and promises %d", len(pairs), want)
	}
	return pairs, nil
}

func parsePair(words []string) (p Pair, err error) {
	switch len(words) {
	case 3:
		p.Same = true
		words = []string{words[0], words[1], words[0], words[2]}
	case 4:
	default:
		return p, fmt.Errorf("%d words, needs 3 or 4", len(words))
	}
	if p.A, err = parsePhoto(words[0], words[1]); err != nil {
		return p, err
	}
	p.B, err = parsePhoto(words[2], words[3])
	return p, err
}

// parsePhoto accepts only names that stay in the folder of photos.
func parsePhoto(person, number string) (Photo, error) {
	if person == "." || person == ".." || strings.ContainsAny(person, "/\\\x00") {
		return Photo{}, fmt.Errorf("%q is not a name", person)
	}
	n, err := strconv.Atoi(number)
	if err != nil || n < 0 {
		return Photo{}, fmt.Errorf("%q is not the number of a photo", number)
	}
	return Photo{person, n}, nil
}
