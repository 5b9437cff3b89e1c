package homeassistant

import (
	"cmp"
	"slices"
	"strings"

	"facerecd/daemon/config"
)

// Slugs gives each person the last level of their topic: the slug of the name,
// for as long as nobody enrolled before them has it. Who comes later has an
// ending made of their id. So has whoever would come into a camera's topics, as
// a camera may be called person.
//
// It depends on the people alone, not on their order. When somebody is deleted
// or renamed, somebody else's slug can become shorter: a topic that is no
// longer anybody's wants an empty retained payload.
func Slugs(people []Person) []Person {
	people = slices.Clone(people)
	slices.SortFunc(people, func(a, b Person) int { return cmp.Compare(a.ID, b.ID) }) // ULIDs: oldest first
	taken := map[string]bool{"event": true, "present": true, "status": true, "recognition": true, "face": true}
	for i, p := range people {
		slug := config.Slug(p.Name)
		for n := 6; taken[slug]; n++ {
			id := strings.ToLower(part(p.ID))
			slug = config.Slug(p.Name) + "-" + id[max(len(id)-n, 0):]
			if n > len(id) {
				slug += "-" + hash(p.ID)
				break
			}
		}
		taken[slug] = true
		people[i].Slug = slug
	}
	return people
}
