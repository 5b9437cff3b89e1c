package exchange

import (
	"bufio"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"facerecd/match"
	"facerecd/match/store"
)

// csvHead begins the comment in the first line that says which model made the
// embeddings.
const csvHead = "# facerecd embeddings 1"

// maxLine is far above the longest row of any model.
const maxLine = 1 << 20

// WriteCSV writes the embeddings that d.Model made, one row each: the name, then
// the numbers. It says how many of other models it has left out.
func WriteCSV(w io.Writer, d Document) (left int, err error) {
	names := make(map[string]string)
	for _, p := range d.People {
		names[p.ID] = p.Name
	}
	b := bufio.NewWriter(w)
	fmt.Fprintf(b, "%s size=%d model=%s\n", csvHead, d.Size, d.Model)
	for _, t := range d.Templates {
		if t.Model != d.Model {
			left++
			continue
		}
		b.WriteString(quoted(names[t.Person]))
		for _, x := range t.Vector {
			b.WriteByte(',')
			b.WriteString(strconv.FormatFloat(float64(x), 'g', -1, 32))
		}
		b.WriteByte('\n')
	}
	if err := b.Flush(); err != nil {
		return left, fmt.Errorf("write embeddings as CSV: %w", err)
	}
	return left, nil
}

// quoted is a name as a field, also one that would pass for a comment.
func quoted(name string) string {
	if strings.ContainsAny(name, "\",#") || strings.TrimSpace(name) != name || name == "" {
		return `"` + strings.ReplaceAll(name, `"`, `""`) + `"`
	}
	return name
}

// ReadCSV reads rows of a name and the numbers of an embedding, as WriteCSV and
// other programs write them; the first may be names of columns. People with the
// same name are one person. Model is "" when nothing says which made them, and
// every row has Size numbers.
func ReadCSV(r io.Reader) (Document, error) {
	var d Document
	now := time.Now().UTC()
	ids := make(map[string]string) // by folded name
	seen := make(map[string]bool)  // template ids
	begun := false
	lines := bufio.NewScanner(io.LimitReader(r, MaxBytes))
	lines.Buffer(make([]byte, 0, 64<<10), maxLine)
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimPrefix(lines.Text(), "\ufeff") // as spreadsheets begin a file
		if head, ok := strings.CutPrefix(line, csvHead); ok && n == 1 {
			_, d.Model, _ = strings.Cut(strings.TrimRight(head, "\r"), " model=")
			continue
		}
		if line == "" || line == "\r" || strings.HasPrefix(line, "#") {
			continue
		}
		name, v, err := readRow(line)
		if errors.Is(err, errNoNumber) && !begun {
			begun = true
			continue // names of columns
		}
		begun = true
		if err == nil && d.Size != 0 && len(v) != d.Size {
			err = fmt.Errorf("it has %d numbers, the rows before have %d", len(v), d.Size)
		}
		if err != nil {
			return Document{}, fmt.Errorf("read embeddings from CSV: line %d: %w", n, err)
		}
		d.Size = len(v)
		id, known := ids[store.FoldName(name)]
		if !known {
			id = madeID([]byte("name " + name + now.String())) // a new person, unless somebody has the name
			ids[store.FoldName(name)] = id
			d.People = append(d.People, match.Person{ID: id, Name: name, Created: now, Updated: now, Notify: true})
		}
		t := match.Template{ID: VectorID(v), Person: id, Created: now, Vector: v}
		if key := id + t.ID; !seen[key] {
			seen[key] = true
			d.Templates = append(d.Templates, t)
		}
	}
	if err := lines.Err(); err != nil {
		return Document{}, fmt.Errorf("read embeddings from CSV: %w", err)
	}
	for i := range d.Templates {
		d.Templates[i].Model = d.Model
	}
	return d, nil
}

var errNoNumber = errors.New("it must have a name and then the numbers of an embedding")

func readRow(line string) (name string, v []float32, err error) {
	fields, err := csv.NewReader(strings.NewReader(line)).Read()
	if err != nil {
		return "", nil, errNoNumber
	}
	for _, f := range fields[1:] {
		x, err := strconv.ParseFloat(strings.TrimSpace(f), 32)
		if err != nil || math.IsInf(x, 0) || math.IsNaN(x) {
			return "", nil, errNoNumber
		}
		v = append(v, float32(x))
	}
	name = strings.Join(strings.Fields(fields[0]), " ")
	if name == "" || len(v) == 0 {
		return "", nil, errNoNumber
	}
	return name, slices.Clip(v), nil
}
