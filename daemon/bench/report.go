package bench

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"slices"
	"strings"
	"time"
)

//go:embed report.html
var reportPage string

// page is what the template shows.
type page struct {
	What       string
	Result     Result
	Rows       []pageRow
	Total, Raw []float64 // sorted, in ms
	Most       float64   // the top of the curves
}

type pageRow struct {
	Spread
	Name  string
	Model bool
}

// WriteHTML writes a page with the table of the stages and two charts. It needs
// no other file and no network. What says what was measured.
func (b *Bench) WriteHTML(w io.Writer, what string, samples []Sample) error {
	p := page{What: what, Result: b.Summarise(samples)}
	for _, name := range StageNames() {
		p.Rows = append(p.Rows, pageRow{p.Result.Stages[name], name, false})
	}
	p.Rows = append(p.Rows, pageRow{p.Result.Total, "whole frame", false}, pageRow{p.Result.Raw, "models alone", true})
	for _, m := range b.Models {
		p.Rows = append(p.Rows, pageRow{p.Result.Models[m.Role], m.Role + " alone", true})
	}
	ms := func(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
	for i := range samples {
		p.Total, p.Raw = append(p.Total, ms(samples[i].Total)), append(p.Raw, ms(samples[i].Raw()))
	}
	slices.Sort(p.Total)
	slices.Sort(p.Raw)
	p.Most = max(p.Result.Total.P95, p.Result.Raw.P95)
	t, err := template.New("report").Funcs(template.FuncMap{
		"ms":     func(v float64) string { return fmt.Sprintf("%.3f", v) },
		"row":    func(i int) int { return 24 * i },
		"height": func(rows int) int { return 24 * rows },
	}).Parse(reportPage)
	if err != nil {
		return fmt.Errorf("read the report's template: %w", err)
	}
	if err := t.Execute(w, p); err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	return nil
}

// X is how wide a bar of so many ms is.
func (p page) X(ms float64) float64 { return 560 * ms / p.Most }

// From is where a bar of so many ms ends.
func (p page) From(ms float64) float64 { return 140 + p.X(ms) }

// Over is how much wider the 95th percentile is than the median.
func (p page) Over(r pageRow) float64 { return p.X(r.P95 - r.P50) }

// Curve shows sorted values up to the 95th percentile.
func (p page) Curve(sorted []float64) string {
	var path strings.Builder
	n := max(len(sorted)*95/100, 2)
	for i, v := range sorted[:min(n, len(sorted))] {
		verb := "L"
		if i == 0 {
			verb = "M"
		}
		fmt.Fprintf(&path, "%s%.1f %.1f", verb, 560*float64(i)/float64(n-1), 320*(1-v/p.Most))
	}
	return path.String()
}
