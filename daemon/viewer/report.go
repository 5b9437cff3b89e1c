package viewer

import (
	"fmt"
	"slices"
	"strings"

	"facerecd/daemon/api"
)

// Report tells who is in view in a line, when that has changed. One frame in
// which somebody is missed, or not recognised, is no change: a person goes after
// two frames without them, and a stranger comes with the second. The zero value
// is ready; it is for one goroutine.
type Report struct {
	before sight
	said   string
}

// sight is who is in a frame.
type sight struct {
	scores  map[string]float32 // of each person, by name
	unknown int
}

// Next takes the next answer in, and tells whether there is a line to print.
func (r *Report) Next(found api.Recognition) (line string, changed bool) {
	now := sight{scores: make(map[string]float32)}
	for _, f := range found.Faces {
		if f.Person == nil {
			now.unknown++
			continue
		}
		now.scores[f.Person.Name] = f.Score
	}
	var names, shown []string
	for name, score := range now.scores {
		names = append(names, name)
		shown = append(shown, fmt.Sprintf("%s (%.2f)", name, score))
	}
	for name, score := range r.before.scores {
		if _, still := now.scores[name]; !still {
			names = append(names, name)
			shown = append(shown, fmt.Sprintf("%s (%.2f)", name, score))
		}
	}
	slices.Sort(names)
	slices.Sort(shown)
	switch unknown := min(now.unknown, r.before.unknown); {
	case unknown == 1:
		names, shown = append(names, "\x00"), append(shown, "unknown")
	case unknown > 1:
		names, shown = append(names, fmt.Sprint("\x00", unknown)), append(shown, fmt.Sprint(unknown, " unknown"))
	}
	r.before = now
	// Scores change with every frame; who is there is what counts.
	said := strings.Join(append(names, ""), "\x00")
	if said == r.said {
		return "", false
	}
	r.said = said
	if len(shown) == 0 {
		return "nobody", true
	}
	return strings.Join(shown, ", "), true
}
