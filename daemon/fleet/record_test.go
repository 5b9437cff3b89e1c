package fleet

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"facerecd/match"
	"facerecd/match/store"
)

// The clock of a test: no decision depends on it.
func day(n int) time.Time { return time.Date(2026, 11, n, 0, 0, 0, 0, time.UTC) }

func person(id, name string, counter uint64, device string, templates ...match.Template) Record {
	return OfPerson(match.Person{
		ID: id, Name: name, Version: match.Version{Counter: counter, Device: device}, Created: day(1),
	}, templates)
}

func template1(id, model string, quality float32) match.Template {
	return match.Template{ID: id, Model: model, Quality: quality, Created: day(1), Vector: []float32{quality, 1}}
}

func deleted(id string) Record { return OfGrave(store.Grave{Mark: store.MarkOf(id), Deleted: true}) }

func taken(id, into string) Record {
	return OfGrave(store.Grave{Mark: store.MarkOf(id), Into: store.MarkOf(into)})
}

// records draws what devices may say of one person.
func records() *rapid.Generator[Record] {
	return rapid.Custom(func(t *rapid.T) Record {
		switch rapid.IntRange(0, 5).Draw(t, "kind") {
		case 0:
			return deleted("P5")
		case 1:
			return taken("P5", fmt.Sprint("P", rapid.IntRange(1, 4).Draw(t, "into")))
		}
		var templates []match.Template
		for range rapid.IntRange(0, 3*MaxTemplates).Draw(t, "templates") {
			templates = append(templates, match.Template{
				ID:      fmt.Sprint("T", rapid.IntRange(0, 60).Draw(t, "id")),
				Model:   fmt.Sprint("m", rapid.IntRange(0, MaxModels+1).Draw(t, "model")),
				Quality: float32(rapid.IntRange(0, 3).Draw(t, "quality")) / 4,
				Created: day(rapid.IntRange(1, 2).Draw(t, "template created")),
				Vector:  []float32{float32(rapid.IntRange(0, 1).Draw(t, "vector"))},
			})
		}
		r := person("P5", rapid.SampledFrom([]string{"Ana", "Bob"}).Draw(t, "name"),
			uint64(rapid.IntRange(1, 3).Draw(t, "counter")), rapid.SampledFrom([]string{"a", "b"}).Draw(t, "device"), templates...)
		r.Created = day(rapid.IntRange(1, 3).Draw(t, "created"))
		return r
	})
}

func TestMergeIsTheSameInWhateverOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b, c := records().Draw(t, "a"), records().Draw(t, "b"), records().Draw(t, "c")
		before := fmt.Sprint(a, b)
		ab := Merge(a, b)
		if fmt.Sprint(a, b) != before {
			t.Fatal("Merge changes what it is given")
		}
		if !Equal(ab, Merge(b, a)) {
			t.Fatalf("not commutative:\n%+v\n%+v", ab, Merge(b, a))
		}
		if x, y := Merge(ab, c), Merge(a, Merge(b, c)); !Equal(x, y) {
			t.Fatalf("not associative:\n%+v\n%+v", x, y)
		}
		if !Equal(Merge(a, a), a) || !Equal(Merge(ab, a), ab) {
			t.Fatal("not idempotent")
		}
		if err := ab.check(); err != nil {
			t.Fatalf("no record: %v", err)
		}
		if (!a.Alive() || !b.Alive()) == ab.Alive() {
			t.Fatal("a grave does not win")
		}
		if (a.Grave.Deleted || b.Grave.Deleted) != ab.Grave.Deleted {
			t.Fatal("a deletion is lost")
		}
	})
}

func TestMergeDecides(t *testing.T) {
	t1, t2 := template1("T1", "m", 0.5), template1("T2", "m", 0.9)
	for _, tc := range []struct {
		name       string
		a, b, want Record
	}{
		{"templates are united", person("P", "Ana", 1, "a", t1), person("P", "Ana", 1, "a", t2), person("P", "Ana", 1, "a", t2, t1)},
		{"the later naming wins", person("P", "Ana", 2, "a", t1), person("P", "Anna", 3, "a"), person("P", "Anna", 3, "a", t1)},
		{"of two at once the device decides", person("P", "Xena", 2, "a"), person("P", "Anna", 2, "b"), person("P", "Anna", 2, "b")},
		{"and of one name for two devices, the name", person("P", "Ana", 2, "a"), person("P", "Anna", 2, "a"), person("P", "Anna", 2, "a")},
		{"a deletion wins over any naming", person("P", "Ana", 99, "z", t1), deleted("P"), deleted("P")},
		{"and over being taken into somebody", taken("P", "O"), deleted("P"), OfGrave(store.Grave{Mark: store.MarkOf("P"), Deleted: true, Into: store.MarkOf("O")})},
		{
			"a template of two models is two", person("P", "Ana", 1, "a", t1), person("P", "Ana", 1, "a", template1("T1", "n", 0.5)),
			person("P", "Ana", 1, "a", t1, template1("T1", "n", 0.5)),
		},
	} {
		if got := Merge(tc.a, tc.b); !Equal(got, tc.want) {
			t.Errorf("%s: %+v, want %+v", tc.name, got, tc.want)
		}
	}
}

func TestTheBestTemplatesAreShared(t *testing.T) {
	var all []match.Template
	for i := range 2 * MaxTemplates {
		all = append(all, template1(fmt.Sprintf("T%02d", i), "m", float32(i)/100))
	}
	r := person("P", "Ana", 1, "a", all...)
	if len(r.Templates) != MaxTemplates || r.Templates[0].ID != "T63" || r.Templates[MaxTemplates-1].ID != "T32" {
		t.Errorf("%d templates, from %s", len(r.Templates), r.Templates[0].ID)
	}
	var several []match.Template
	for i := range MaxModels + 2 {
		several = append(several, template1("T", fmt.Sprint("m", i), 0.5))
	}
	r = person("P", "Ana", 1, "a", several...)
	if len(r.Templates) != MaxModels || slices.ContainsFunc(r.Templates, func(t match.Template) bool { return t.Model < "m2" }) {
		t.Errorf("templates %+v", r.Templates)
	}
}
