package exchange

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	"facerecd/match"
)

var noon = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

// people have names that are hard to write, and embeddings with every kind of number.
func people(t testing.TB) Document {
	t.Helper()
	d := Document{Device: "pi", Created: noon, Model: "face, \"int8\" 1", Size: 192}
	r := rand.New(rand.NewPCG(1, 2))
	for i, name := range []string{"Ana", `Ana "la jefa", Pérez`, "#1", "=1+1", "Ægir", "1"} {
		p := match.Person{ID: fmt.Sprintf("01M86PTPG%017d", i), Name: name, Created: noon, Updated: noon, Notify: i%2 == 0}
		d.People = append(d.People, p)
		for j := range i {
			m := match.Template{ID: fmt.Sprintf("01M86PTPG%016d%d", i, j), Person: p.ID, Model: d.Model, Quality: r.Float32(), Created: noon, Vector: make([]float32, d.Size)}
			for k := range m.Vector {
				switch {
				case k == 0:
					m.Vector[k] = math.SmallestNonzeroFloat32
				case k == 1:
					m.Vector[k] = -math.MaxFloat32
				default:
					m.Vector[k] = float32(r.NormFloat64() / 14)
				}
			}
			d.Templates = append(d.Templates, m)
		}
	}
	return d
}

func TestWhatIsWrittenAsJSONIsRead(t *testing.T) {
	want := people(t)
	want.Templates[0].Model, want.Templates[0].Vector = "another", []float32{1}
	var b bytes.Buffer
	if err := WriteJSON(&b, want); err != nil {
		t.Fatal(err)
	}
	if got, err := ReadJSON(&b); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%v\ngot  %+v\nwant %+v", err, got, want)
	}
}

func TestEmbeddingsComeBackExactlyFromCSV(t *testing.T) {
	want := people(t)
	var b bytes.Buffer
	if left, err := WriteCSV(&b, want); err != nil || left != 0 {
		t.Fatal(left, err)
	}
	got, err := ReadCSV(bytes.NewReader(b.Bytes()))
	if err != nil || got.Model != want.Model || got.Size != want.Size || len(got.Templates) != len(want.Templates) {
		t.Fatalf("%v: model %q, size %d, %d embeddings", err, got.Model, got.Size, len(got.Templates))
	}
	names := func(d Document) map[string]string {
		all := make(map[string]string)
		for _, p := range d.People {
			all[p.ID] = p.Name
		}
		return all
	}
	for i, m := range got.Templates {
		w := want.Templates[i]
		if !reflect.DeepEqual(m.Vector, w.Vector) || m.Model != w.Model || names(got)[m.Person] != names(want)[w.Person] {
			t.Errorf("embedding %d of %q differs", i, names(want)[w.Person])
		}
	}
	want.Templates[3].Model = "another"
	if left, err := WriteCSV(&b, want); err != nil || left != 1 {
		t.Errorf("%d are left out, %v", left, err)
	}
}

// TestOthersCSVIsRead is about rows as the service before this one wrote them.
func TestOthersCSVIsRead(t *testing.T) {
	for what, text := range map[string]string{
		"rows":              "ana,0.5,-1e-3\nAna , 0.25,2\nbob,1,2\n",
		"names of columns":  "name,e0,e1\nana,0.5,-1e-3\nAna,0.25,2\nbob,1,2\n",
		"from Windows":      "\ufeffname,e0,e1\r\nana,0.5,-1e-3\r\nAna,0.25,2\r\n\r\nbob,1,2\r\n",
		"a comment, quotes": "# made by hand\n\"ana\",\"0.5\",\"-0.001\"\nAna,0.25,2\nbob,1,2",
		"a row twice":       "ana,0.5,-1e-3\nana,0.25,2\nbob,1,2\nana,0.5,-1e-3\n",
	} {
		d, err := ReadCSV(strings.NewReader(text))
		if err != nil || d.Model != "" || d.Size != 2 || len(d.People) != 2 || len(d.Templates) != 3 {
			t.Errorf("%s: %v, %+v", what, err, d)
			continue
		}
		if d.People[0].Name != "ana" || !d.People[0].Notify || d.Templates[1].Person != d.People[0].ID || d.Templates[0].Vector[1] != -1e-3 {
			t.Errorf("%s: %+v", what, d)
		}
	}
}

func TestWhatCannotBeReadSaysWhy(t *testing.T) {
	const row = "it must have a name and then the numbers of an embedding"
	for text, want := range map[string]string{
		"ana,1,2\nbob,1\n":                           "read embeddings from CSV: line 2: it has 1 numbers, the rows before have 2",
		"ana,1,2\nbob,x,2\n":                         "read embeddings from CSV: line 2: " + row,
		"ana,1,2\n,1,2\n":                            "read embeddings from CSV: line 2: " + row,
		"ana,1,2\nbob\n":                             "read embeddings from CSV: line 2: " + row,
		"ana,1,2\nbob,NaN,2\n":                       "read embeddings from CSV: line 2: " + row,
		"ana,1,2\nbob,1e99,2\n":                      "read embeddings from CSV: line 2: " + row,
		"ana,1,2\n\"bob,1,2\n":                       "read embeddings from CSV: line 2: " + row,
		"a\nb\nc,1":                                  "read embeddings from CSV: line 2: " + row,
		strings.Repeat("9", 2<<20):                   "read embeddings from CSV: bufio.Scanner: token too long",
		`{"format":"x"}`:                             `read people from JSON: its "format" is not "facerecd people"; facerecd export writes such a document`,
		`{"format":"facerecd people"}`:               "read people from JSON: it has version 0, and this facerecd knows 1; use the version that wrote it, or a later one",
		`{"format":"facerecd people","version":1}{}`: "read people from JSON: something follows the document",
		`{"format":"facerecd people","version":1,"people":[{"templates":"none"}]}`: "read people from JSON: json: cannot unmarshal string into Go struct field person.people.templates of type []exchange.template",
		`{"format":`: "read people from JSON: unexpected EOF",
	} {
		var err error
		if strings.HasPrefix(text, "{") {
			_, err = ReadJSON(strings.NewReader(text))
		} else {
			_, err = ReadCSV(strings.NewReader(text))
		}
		if err == nil || err.Error() != want {
			t.Errorf("%.40q: %v\nwant %s", text, err, want)
		}
	}
}

func TestWhatJSONLeavesOutIsMadeUpTheSameEachTime(t *testing.T) {
	const text = `{"format":"facerecd people","version":1,"model":"m","people":[{"name":"Ana","templates":[{"vector":[1,2]}]}]}`
	a, err := ReadJSON(strings.NewReader(text))
	b, _ := ReadJSON(strings.NewReader(text))
	if err != nil || len(a.Templates) != 1 || a.Templates[0].ID != b.Templates[0].ID || len(a.Templates[0].ID) != 26 || a.People[0].ID != b.People[0].ID ||
		a.Templates[0].Model != "m" || a.Templates[0].Person != a.People[0].ID || !a.People[0].Notify || a.Templates[0].Created.IsZero() {
		t.Errorf("%v, %+v", err, a)
	}
}

func FuzzReadCSV(f *testing.F) {
	f.Add("# facerecd embeddings 1 size=2 model=m\nana,0.5,-1e-3\n")
	f.Add("name,e0\n\"a,\"\"b\",1\n")
	f.Fuzz(func(t *testing.T, text string) {
		d, err := ReadCSV(strings.NewReader(text))
		if err != nil || len(d.Templates) == 0 || strings.ContainsAny(d.Model, "\r\n") {
			return
		}
		// What was read can be written and read again.
		var b bytes.Buffer
		if _, err := WriteCSV(&b, d); err != nil {
			t.Fatal(err)
		}
		again, err := ReadCSV(&b)
		if err != nil || len(again.Templates) != len(d.Templates) || !reflect.DeepEqual(again.Templates[0].Vector, d.Templates[0].Vector) {
			t.Errorf("%v: %+v\nwas %+v", err, again, d)
		}
	})
}

func FuzzReadJSON(f *testing.F) {
	var b bytes.Buffer
	if err := WriteJSON(&b, people(f)); err != nil {
		f.Fatal(err)
	}
	f.Add(b.String())
	f.Fuzz(func(_ *testing.T, text string) { _, _ = ReadJSON(strings.NewReader(text)) })
}
