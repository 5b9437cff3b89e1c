package eval

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"math"
	"strings"
)

//go:embed report.html
var reportPage string

// Report is what is known of one model pack on one data set.
type Report struct {
	Pack            string
	Photos          int
	NotDetected     int
	Verification    Verification
	Identifications []Identification
	Scores          *Scores // every pair of the set
	Shipped         float64 // the pack's threshold
}

// WriteHTML writes a page with the reports' tables, their score histograms and
// their detection error trade-off. It needs no other file and no network.
func WriteHTML(w io.Writer, data string, reports []Report) error {
	page, err := template.New("report").Funcs(template.FuncMap{
		"percent":   func(v float64) string { return fmt.Sprintf("%.2f %%", 100*v) },
		"det":       detPath,
		"same":      func(s *Scores) string { return histogramPath(&s.Same, s.NSame) },
		"different": func(s *Scores) string { return histogramPath(&s.Different, s.NDifferent) },
		"detx":      detX,
		"dety":      detY,
		"scorex":    scoreX,
		"frr":       func(s *Scores, far float64) float64 { return s.At(far).FRR },
		"colour":    func(i int) string { return [...]string{"#2563eb", "#d97706", "#059669", "#db2777"}[i%4] },
		"rates":     func() []float64 { return []float64{1e-5, 1e-4, 1e-3, 1e-2, 1e-1} },
		"errors":    func() []float64 { return []float64{1e-3, 1e-2, 1e-1, 1} },
		"cosines":   func() []float64 { return []float64{-0.4, -0.2, 0, 0.2, 0.4, 0.6, 0.8, 1} },
	}).Parse(reportPage)
	if err != nil {
		return fmt.Errorf("read the report's template: %w", err)
	}
	err = page.Execute(w, struct {
		Data    string
		Reports []Report
	}{data, reports})
	if err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	return nil
}

// The charts are 560 wide and 320 high inside their axes. Both axes of the
// trade-off are logarithmic: FAR from 1e-6 to 1, FRR from 1e-4 to 1.
const chartWidth, chartHeight = 560, 320

func detX(far float64) float64 { return chartWidth * (6 + math.Log10(max(far, 1e-6))) / 6 }

func detY(frr float64) float64 { return -chartHeight * math.Log10(max(frr, 1e-4)) / 4 }

func detPath(s *Scores) string {
	var path strings.Builder
	verb, lastX, lastY := "M", math.Inf(1), math.Inf(1)
	for _, p := range s.Curve() {
		x, y := detX(p.FAR), detY(p.FRR)
		if math.Hypot(x-lastX, y-lastY) < 0.5 {
			continue
		}
		fmt.Fprintf(&path, "%s%.1f %.1f", verb, x, y)
		verb, lastX, lastY = "L", x, y
	}
	return path.String()
}

// scoreX shows cosines from -0.5 to 1.
func scoreX(cosine float64) float64 { return chartWidth * (cosine + 0.5) / 1.5 }

// histogramPath is the density of a histogram in columns of 1/100, the tallest
// as high as the chart.
func histogramPath(bins *[Bins]int64, n int64) string {
	const width = Bins / 200
	var columns [200]float64
	tallest := 1e-9
	for i, count := range bins {
		columns[i/width] += share(count, n)
		tallest = max(tallest, columns[i/width])
	}
	var path strings.Builder
	fmt.Fprintf(&path, "M0 %d", chartHeight)
	for i, c := range columns {
		cosine := float64(i)/100 - 1
		if cosine < -0.5 {
			continue
		}
		y := chartHeight * (1 - c/tallest)
		fmt.Fprintf(&path, "L%.1f %.1fL%.1f %.1f", scoreX(cosine), y, scoreX(cosine+0.01), y)
	}
	fmt.Fprintf(&path, "L%d %dZ", chartWidth, chartHeight)
	return path.String()
}
