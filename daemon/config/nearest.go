package config

import (
	"fmt"
	"reflect"
	"strings"
)

// suggestKey ends the message about an unknown key at path: the neighbour that
// was meant, the same key elsewhere, or what there is.
func suggestKey(path, name string, t reflect.Type) string {
	if near := nearest(name, keys(t)); near != "" {
		return fmt.Sprintf("did you mean %q?", join(path, near))
	}
	c := Default()
	for _, l := range leaves(&c) {
		if strings.HasSuffix(l.path, "."+name) {
			return fmt.Sprintf("did you mean %q?", l.path)
		}
	}
	return "the keys here are " + strings.Join(keys(t), ", ")
}

// nearest returns the candidate that is at most a few typing errors away from
// word, or "".
func nearest(word string, candidates []string) string {
	best, found := 1+min(3, len(word)/2), ""
	for _, c := range candidates {
		if d := distance(word, c, best); d < best {
			best, found = d, c
		}
	}
	return found
}

// distance is the Levenshtein distance of a and b, in bytes, or limit where
// their lengths alone show that it is at least that.
func distance(a, b string, limit int) int {
	if len(a)-len(b) >= limit || len(b)-len(a) >= limit {
		return limit
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
