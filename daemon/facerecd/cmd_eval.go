package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"text/tabwriter"

	"facerecd/daemon"
	"facerecd/daemon/config"
	"facerecd/match"
	"facerecd/match/eval"
)

type evalCmd struct {
	networks
	Images    string  `help:"Folder of photos in LFW's layout: Ana/Ana_0001.jpg." required:"" type:"existingdir"`
	Pairs     string  `help:"LFW's pairs.txt." required:"" type:"existingfile"`
	Against   string  `help:"Another model pack, to compare with." type:"path" placeholder:"DIR"`
	Identify  bool    `help:"Use every photo of the folder: open-set identification with 100, 1000 and all people."`
	Photos    int     `help:"With --identify: so many photos of each person are enrolled, where there are as many." default:"1" placeholder:"N"`
	Strangers bool    `help:"Use every photo of the folder, as a sighting: how well strangers are known again, with several thresholds."`
	Mirror    bool    `help:"In what uses every photo, enrol as the daemon does: the mean of a face and its mirror image."`
	Calibrate float64 `help:"Propose a threshold for this false-accept rate, and fit the confidence curve, on every pair of photos." placeholder:"FAR"`
	HTML      string  `help:"Write tables, score histograms and the error trade-off as one HTML page." type:"path" placeholder:"FILE"`
	JSON      bool    `help:"Print JSON."`
}

// report is what eval prints; its keys are a contract.
type report struct {
	Pack            string                `json:"pack"`
	Photos          int                   `json:"photos"`
	Pairs           int                   `json:"pairs"`
	Accuracy        float64               `json:"accuracy"` // 0..1
	Std             float64               `json:"std"`      // standard error of the folds' mean
	Threshold       float32               `json:"threshold"`
	TAR             float64               `json:"tar_at_far_1e3"`
	NotDetected     int                   `json:"not_detected"` // photos in which no face was found
	Identifications []eval.Identification `json:"identification,omitempty"`
	Strangers       []eval.Clustering     `json:"strangers,omitempty"`
	Quality         *quality              `json:"quality,omitempty"`
	Calibration     *calibration          `json:"calibration,omitempty"`
	Against         *report               `json:"against,omitempty"`

	page eval.Report
}

// quality is what dropping the photos of the lowest quality does to the false
// rejects at a false-accept rate of 1e-3, over every pair.
type quality struct {
	Dropped float64 `json:"dropped"` // share of the photos
	Before  float64 `json:"frr_before"`
	After   float64 `json:"frr_after"`
}

// calibration is what a manifest's "decision" could hold.
type calibration struct {
	FAR       float64 `json:"far"` // as measured, at most what was asked for
	FRR       float64 `json:"frr"`
	Threshold float64 `json:"threshold"`
	Slope     float64 `json:"slope"`
	Offset    float64 `json:"offset"`
	Pairs     int64   `json:"pairs"`
}

func (c evalCmd) Run(w *world) error {
	if c.Photos < 1 {
		return errors.New("--photos takes a number of at least 1")
	}
	if c.Calibrate < 0 || c.Calibrate >= 1 {
		return errors.New("--calibrate takes a false-accept rate between 0 and 1, such as 1e-4")
	}
	file, err := os.Open(c.Pairs)
	if err != nil {
		return fmt.Errorf("open pairs: %w", err)
	}
	defer file.Close()
	pairs, err := eval.ParsePairs(file)
	if err != nil {
		return err
	}
	r, err := c.measure(w, "", pairs)
	if err != nil {
		return err
	}
	pages := []eval.Report{r.page}
	if c.Against != "" {
		if r.Against, err = c.measure(w, c.Against, pairs); err != nil {
			return err
		}
		pages = append(pages, r.Against.page)
	}
	if c.HTML != "" {
		err := writePage(c.HTML, func(w io.Writer) error { return eval.WriteHTML(w, "Photos: "+c.Images, pages) })
		if err != nil {
			return err
		}
	}
	if c.JSON {
		return printJSON(w.stdout, r)
	}
	return r.print(w)
}

// everything tells whether all photos are needed, and not only the pairs'.
func (c evalCmd) everything() bool {
	return c.Identify || c.Strangers || c.Calibrate > 0 || c.HTML != ""
}

// measure evaluates one model pack; "" is the one of the flags.
func (c evalCmd) measure(w *world, models string, pairs []eval.Pair) (*report, error) {
	vision, err := c.vision(w, models)
	if err != nil {
		return nil, err
	}
	engine, err := vision.Engine()
	if err != nil {
		return nil, err
	}
	defer func() { _ = engine.Close() }() // it only frees memory

	var photos []eval.Photo
	for _, p := range pairs {
		photos = append(photos, p.A, p.B)
	}
	if c.everything() {
		if photos, err = allPhotos(c.Images, photos); err != nil {
			return nil, err
		}
	}
	embeddings, err := c.embedPhotos(w, engine, photos, vision.Pack.ID)
	if err != nil {
		return nil, err
	}
	r := &report{Pack: vision.Pack.ID, Photos: len(embeddings)}
	for _, v := range embeddings {
		if v.Embedding == nil {
			r.NotDetected++
		}
	}
	var trials []eval.Trial
	for _, p := range pairs {
		trials = append(trials, eval.Trial{Score: cosine(embeddings[p.A].Embedding, embeddings[p.B].Embedding), Same: p.Same, Fold: p.Fold})
	}
	v := eval.Verify(trials)
	r.Pairs, r.Accuracy, r.Std, r.Threshold, r.TAR = v.Pairs, v.Accuracy, v.Std, v.Threshold, v.TAR
	if c.everything() {
		return r, c.open(r, v, vision, embeddings)
	}
	return r, nil
}

// open adds what needs every photo.
func (c evalCmd) open(r *report, v eval.Verification, vision *daemon.Vision, embeddings map[eval.Photo]eval.Sample) error {
	var samples []eval.Sample
	for _, photo := range sortedPhotos(embeddings) {
		if s := embeddings[photo]; s.Embedding != nil {
			samples = append(samples, s)
		}
	}
	if c.Identify || c.HTML != "" {
		if err := r.identify(samples, c.Photos, vision.Policy(config.Match{})); err != nil {
			return err
		}
	}
	if c.Strangers {
		own := vision.Policy(config.Match{}).Threshold
		for _, threshold := range []float32{own - 0.12, own - 0.06, own, own + 0.06} {
			result, err := eval.Cluster(samples, daemon.StrangerQuality, threshold)
			if err != nil {
				return err
			}
			r.Strangers = append(r.Strangers, result)
		}
	}
	scores := eval.AllPairs(samples)
	const worst = 0.05
	r.Quality = &quality{worst, scores.At(1e-3).FRR, eval.AllPairs(eval.Discard(samples, worst)).At(1e-3).FRR}
	if c.Calibrate > 0 {
		slope, offset, err := scores.Confidence()
		if err != nil {
			return fmt.Errorf("calibrate: %w", err)
		}
		p := scores.At(c.Calibrate)
		r.Calibration = &calibration{
			FAR: p.FAR, FRR: p.FRR, Threshold: p.Threshold, Slope: slope, Offset: offset,
			Pairs: scores.NSame + scores.NDifferent,
		}
	}
	r.page = eval.Report{
		Pack: r.Pack, Photos: r.Photos, NotDetected: r.NotDetected, Verification: v,
		Identifications: r.Identifications, Scores: scores, Shipped: float64(vision.Pack.Decision.Threshold),
	}
	return nil
}

// identify searches with 100 people enrolled, with 1000, and with all.
func (r *report) identify(samples []eval.Sample, photos int, policy match.Policy) error {
	for _, n := range []int{100, 1000, 0} {
		result, err := eval.Identify(samples, n, photos, policy)
		if err != nil {
			return fmt.Errorf("identify: %w", err)
		}
		if !slices.ContainsFunc(r.Identifications, func(i eval.Identification) bool { return i.Enrolled == result.Enrolled }) {
			r.Identifications = append(r.Identifications, result)
		}
	}
	return nil
}

// writePage makes a file of what write writes.
func writePage(path string, write func(io.Writer) error) error {
	f, err := os.Create(path)
	if err != nil {
		return fmt.Errorf("create page: %w", err)
	}
	if err := write(f); err != nil {
		return errors.Join(err, f.Close())
	}
	if err := f.Close(); err != nil {
		return fmt.Errorf("write page: %w", err)
	}
	return nil
}

func enrolled(id eval.Identification) string {
	if id.Photos == 1 {
		return fmt.Sprintf("%d enrolled", id.Enrolled)
	}
	return fmt.Sprintf("%d with %d photos", id.Enrolled, id.Photos)
}

// print writes the report for people, the packs side by side.
func (r *report) print(w *world) error {
	packs := []*report{r}
	if r.Against != nil {
		packs = append(packs, r.Against)
	}
	table := tabwriter.NewWriter(w.stdout, 0, 0, 3, ' ', 0)
	line := func(name string, value func(*report) string) {
		fmt.Fprint(table, name)
		for _, p := range packs {
			fmt.Fprint(table, "\t", value(p))
		}
		fmt.Fprintln(table)
	}
	line("model pack", func(p *report) string { return p.Pack })
	line("photos", func(p *report) string { return fmt.Sprintf("%d, no face found in %d", p.Photos, p.NotDetected) })
	line("pairs", func(p *report) string { return fmt.Sprint(p.Pairs) })
	line("accuracy", func(p *report) string {
		return fmt.Sprintf("%.2f %% ± %.2f, at a cosine of %.3f", 100*p.Accuracy, 100*p.Std, p.Threshold)
	})
	line("TAR @ FAR 1e-3", func(p *report) string { return fmt.Sprintf("%.2f %%", 100*p.TAR) })
	for i, id := range r.Identifications {
		line(enrolled(id), func(p *report) string {
			id := p.Identifications[i]
			return fmt.Sprintf("rank-1 %.2f %%, FNIR %.2f %% (wrong name %.2f %%), FPIR %.2f %%", 100*id.Rank1, 100*id.FNIR, 100*id.WrongName, 100*id.FPIR)
		})
	}
	for i, st := range r.Strangers {
		line(fmt.Sprintf("strangers at %.3f", st.Threshold), func(p *report) string {
			st := p.Strangers[i]
			return fmt.Sprintf("%d photos of %d people are %.0f; %.2f %% with their own, %.2f %% of %d people split",
				st.Photos, st.People, st.Strangers, 100*st.Purity, 100*st.Split, st.Several)
		})
	}
	if r.Quality != nil {
		line("FRR @ FAR 1e-3", func(p *report) string {
			return fmt.Sprintf("%.2f %% of all pairs, %.2f %% without the worst %.0f %% of photos", 100*p.Quality.Before, 100*p.Quality.After, 100*p.Quality.Dropped)
		})
	}
	if r.Calibration != nil {
		line("threshold", func(p *report) string {
			return fmt.Sprintf("%.3f for FAR %.2g, FRR %.2f %%", p.Calibration.Threshold, p.Calibration.FAR, 100*p.Calibration.FRR)
		})
		line("confidence", func(p *report) string {
			return fmt.Sprintf("slope %.2f, offset %.2f", p.Calibration.Slope, p.Calibration.Offset)
		})
	}
	return table.Flush()
}
