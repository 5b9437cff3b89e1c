package main

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/draw"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/image/webp"

	"facerecd/capture/still"
	"facerecd/daemon/api"
	"facerecd/daemon/api/client"
)

// together is how many photos of a person are sent in a request, and so judged
// beside each other.
const together = 20

// photoFolder is a folder of folders of photos, one for each person.
type photoFolder struct {
	dir    string
	force  bool
	dryRun bool // only say what would be enrolled
}

// enrol enrols them through the daemon, person by person. It is opened when it
// is needed.
func (p photoFolder) enrol(w *world, open func() (*client.Client, error)) (err error) {
	f, err := findAlbums(p.dir)
	if err != nil {
		return err
	}
	total := 0
	for _, a := range f.people {
		total += len(a.files)
	}
	fmt.Fprintf(w.stdout, "%s holds %s: %d people, %d photos.\n", f.dir, f.kind, len(f.people), total)
	if f.others > 0 {
		fmt.Fprintf(w.stdout, "%d files that are no JPEG, PNG or WebP are left out.\n", f.others)
	}
	if p.dryRun {
		for _, a := range f.people {
			fmt.Fprintf(w.stdout, "  %s: %d photos\n", a.name, len(a.files))
		}
		return nil
	}
	daemon, err := open()
	if err != nil {
		return err
	}
	tmp, err := os.MkdirTemp("", "facerecd-import-") // closed to others
	if err != nil {
		return fmt.Errorf("make folder for converted photos: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(tmp)) }()
	bar := &progress{w: w, what: "enrolling", total: total, start: time.Now()}
	failed := 0
	for _, a := range f.people {
		used, problems, err := p.enrolOne(w, daemon, a, tmp, f.cropped, bar)
		if err != nil {
			return err
		}
		fmt.Fprintf(w.stdout, "%s: %d of %d photos used\n", a.name, used, len(a.files))
		for _, problem := range problems {
			fmt.Fprintln(w.stdout, "  "+problem)
		}
		if used == 0 {
			failed++
		}
	}
	if failed > 0 {
		return fmt.Errorf("of %d people no photo was used; see above", failed)
	}
	return nil
}

// enrolOne sends one person's photos, and says what is wrong with those that were
// not used.
func (p photoFolder) enrolOne(w *world, daemon *client.Client, a album, tmp string, cropped bool, bar *progress) (used int, problems []string, err error) {
	register := registration(daemon, p.force)
	note := func(rejected []api.Rejection) {
		for _, r := range rejected {
			problems = append(problems, fmt.Sprintf("%s: %s (%s)", strings.TrimSuffix(r.Image, converted), r.Detail, r.Reason))
		}
	}
	for some := range slices.Chunk(a.files, together) {
		var files []string
		for _, path := range some {
			file, err := readable(path, tmp, cropped)
			if err != nil {
				problems = append(problems, fmt.Sprintf("%s: %v", filepath.Base(path), err))
				continue
			}
			files = append(files, file)
		}
		if len(files) > 0 {
			answer, err := register(w.ctx, a.name, files)
			problem, refused := errors.AsType[*api.Problem](err)
			switch {
			case err == nil:
				used += answer.Accepted
				note(answer.Rejected)
			case refused && len(problem.Rejected) > 0:
				note(problem.Rejected)
			case refused && problem.Status < 500:
				problems = append(problems, problem.Detail)
			default:
				return used, problems, fmt.Errorf("%s: %w", a.name, err)
			}
		}
		for range some {
			bar.step()
		}
	}
	return used, problems, nil
}

// converted ends the name of a photo that was made a PNG.
const converted = ".as.png"

// readable is a photo that the daemon reads: one that it does not, being WebP or a
// face with nothing around it, is made a PNG in tmp.
func readable(path, tmp string, cropped bool) (string, error) {
	isWebP := strings.ToLower(filepath.Ext(path)) == ".webp"
	if !isWebP && !cropped {
		return path, nil
	}
	info, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	if info.Size() > api.MaxImageBytes {
		return "", fmt.Errorf("it is over %d MiB: send a smaller one", api.MaxImageBytes>>20)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	var img image.Image
	if isWebP {
		img, err = decodeWebP(data)
	} else {
		img, err = still.Decode(data, still.Limits{})
	}
	if err != nil {
		return "", err
	}
	if cropped {
		img = framed(img)
	}
	out, err := os.Create(filepath.Join(tmp, filepath.Base(path)+converted))
	if err != nil {
		return "", err
	}
	return out.Name(), errors.Join((&png.Encoder{CompressionLevel: png.BestSpeed}).Encode(out, img), out.Close())
}

func decodeWebP(data []byte) (image.Image, error) {
	size, err := webp.DecodeConfig(bytes.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("it is no WebP that can be read (%w)", err)
	}
	if size.Width*size.Height > api.MaxPixels {
		return nil, fmt.Errorf("it is over %d megapixels: send a smaller one", api.MaxPixels/1_000_000)
	}
	img, err := webp.Decode(bytes.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("it is no WebP that can be read (%w)", err)
	}
	return img, nil
}

// framed is a picture with half its size of black on each side: detectors miss
// faces that fill the picture.
func framed(img image.Image) image.Image {
	b := img.Bounds()
	out := image.NewRGBA(image.Rect(0, 0, 2*b.Dx(), 2*b.Dy()))
	draw.Draw(out, out.Bounds(), image.Black, image.Point{}, draw.Src)
	draw.Draw(out, b.Sub(b.Min).Add(image.Pt(b.Dx()/2, b.Dy()/2)), img, b.Min, draw.Over)
	return out
}
